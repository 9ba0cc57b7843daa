/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for several jobs: which of them count as done, and when enough of them are. To wait for all is to wait for
 * one after the other; for the first it takes an iterator (jobs_as_completed.c). It knows nothing of who runs the
 * jobs. */
#include <apr_errno.h>

#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/lot.h"

/* Where a job runs nobody waits until a cancel is acknowledged: it might be this very worker that has to do so. */
static bool is_over(uint32_t state) {
    uint32_t first = fy_nested_concerns_thread() ? FY_JOB_CANCELLED : FY_JOB_CANCELLED_NOTIFIED;
    return (state & FY_JOB_STATE) >= first;
}

static size_t count_done(ferry_job *const *jobs, size_t count) {
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        done += is_over(fy_job_load_state(jobs[i]));
    return done;
}

static bool has_failed(ferry_job *job) {
    uint32_t state = fy_job_load_state(job);
    return (state & FY_JOB_STATE) == FY_JOB_FINISHED && fy_job_outcome(job)->status;
}

static bool is_enough(ferry_job *const *jobs, size_t count, ferry_return_when return_when) {
    size_t done = count_done(jobs, count);
    bool enough = done == count || (done && return_when == FERRY_FIRST_COMPLETED);
    for (size_t i = 0; i < count && !enough && return_when == FERRY_FIRST_EXCEPTION; i++)
        enough = has_failed(jobs[i]);
    return enough;
}

/* ---- for all ---- */

static ferry_status wait_for_one(ferry_job *job, int64_t deadline_us) {
    ferry_status status = ferry_job_wait(job, fy_clock_left(deadline_us));
    if (status || is_over(fy_job_load_state(job)))
        return status;
    return fy_lot_wait(job, is_over, deadline_us) ? 0 : FERRY_ETIMEDOUT;
}

/* Inside a job: helps with what is pending, in order; and if one of them can never end, says so before waiting for the
 * others. */
static ferry_status help_with_all(ferry_job *const *jobs, size_t count, int64_t deadline_us) {
    ferry_status status = 0;
    for (size_t i = 0; i < count && !status && fy_clock_left(deadline_us); i++) {
        fy_wait_record record;
        if (fy_job_state_is_done(fy_job_load_state(jobs[i])))
            continue;
        status = fy_nested_enter(&record, jobs[i]);
        if (!status)
            fy_nested_leave(&record);
    }
    return status;
}

/* From the last to the first: jobs mostly end in the order of their submission, so one wait is often enough. */
static ferry_status wait_for_all(ferry_job *const *jobs, size_t count, int64_t deadline_us) {
    ferry_status status = fy_nested_concerns_thread() ? help_with_all(jobs, count, deadline_us) : 0;
    while (count && !status)
        status = wait_for_one(jobs[--count], deadline_us);
    return status;
}

/* ---- for the first ---- */

static ferry_status wait_for_first(ferry_job *const *jobs, size_t count, int64_t timeout_us,
                                   ferry_return_when return_when) {
    ferry_jobs_as_completed *iterator = NULL;
    ferry_status status = ferry_jobs_as_completed_open(jobs, count, timeout_us, &iterator);
    if (status)
        return status;
    bool enough = false;
    while (!enough && !status) {
        ferry_job *job = NULL;
        status = ferry_jobs_as_completed_next(iterator, &job);
        enough = !status && (return_when == FERRY_FIRST_COMPLETED || has_failed(job));
    }
    ferry_jobs_as_completed_close(iterator);
    return status == FERRY_EEXHAUSTED ? 0 : status;
}

/* ---- waiting ---- */

static ferry_status block(ferry_job *const *jobs, size_t count, int64_t timeout_us, ferry_return_when return_when) {
    if (fy_lots_forked())
        return FERRY_EFORKED;
    if (fy_thread_must_not_block())
        return FERRY_EDEADLK;
    if (return_when == FERRY_ALL_COMPLETED)
        return wait_for_all(jobs, count, fy_deadline_after(timeout_us));
    return wait_for_first(jobs, count, timeout_us, return_when);
}

static bool is_sane(ferry_job *const *jobs, size_t count, int64_t timeout_us, ferry_return_when return_when) {
    if ((count && !jobs) || timeout_us < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!jobs[i])
            return false;
    return return_when == FERRY_ALL_COMPLETED || return_when == FERRY_FIRST_COMPLETED ||
           return_when == FERRY_FIRST_EXCEPTION;
}

ferry_status ferry_jobs_wait(ferry_job *const *jobs, size_t count, int64_t timeout_us, ferry_return_when return_when,
                             size_t *ret_done_count) {
    if (!is_sane(jobs, count, timeout_us, return_when))
        return APR_EINVAL;
    ferry_status status = 0;
    if (timeout_us && !is_enough(jobs, count, return_when))
        status = block(jobs, count, timeout_us, return_when);
    if (status && status != FERRY_ETIMEDOUT)
        return status;
    if (ret_done_count)
        *ret_done_count = count_done(jobs, count);
    return 0;
}
