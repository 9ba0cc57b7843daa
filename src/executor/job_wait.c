/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for one job, and its done callbacks. */
#include <apr_errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "executor/executor.h"
#include "executor/lot.h"

typedef struct done_callback {
    fy_watcher watcher;
    ferry_job_callback *callback;
    void *arg;
} done_callback;

/* ---- waiting ---- */

enum { LOOKS_BETWEEN_YIELDS = 64 };

/* How this thread's waits have gone. */
static _Thread_local fy_spin spin;
static _Thread_local unsigned cpus; /* that it may run on; 0: not asked yet */

static bool is_done(const ferry_job *job) {
    return fy_job_state_is_done(fy_job_load_state(job));
}

/* Whether the job ends while it is worth looking on: a sleep costs more than a short job takes. It gives way now and
 * then, for whoever runs the job may be waiting for this very processor. */
static bool ends_soon(const ferry_job *job, uint64_t began, int64_t deadline_us) {
    if (!cpus)
        cpus = fy_cpu_affinity();
    uint32_t limit_us = cpus > 1 ? fy_spin_begin(&spin) : 0;
    if (!limit_us || fy_clock_left(deadline_us) < limit_us)
        return false;
    uint64_t limit = limit_us * fy_clock_ticks_per_us();
    do {
        for (int i = 0; i < LOOKS_BETWEEN_YIELDS && !is_done(job); i++)
            fy_cpu_relax();
        fy_thread_yield();
    } while (!is_done(job) && fy_clock_ticks() - began < limit);
    fy_spin_end(&spin, is_done(job));
    return is_done(job);
}

/* If the job's own time is up before it was begun, the waiter ends it in its executor's place. */
static bool wait_until(ferry_job *job, int64_t deadline_us) {
    int64_t limit_us = job->extra && job->extra->deadline_us ? job->extra->deadline_us : FERRY_FOREVER;
    if (limit_us < deadline_us) {
        if (fy_lot_wait(job, fy_job_state_is_done, limit_us))
            return true;
        if (fy_executor_claim_elsewhere(job, false))
            fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
    }
    return fy_lot_wait(job, fy_job_state_is_done, deadline_us);
}

ferry_status ferry_job_wait(ferry_job *job, int64_t timeout_us) {
    if (!job || timeout_us < 0)
        return APR_EINVAL;
    if (is_done(job))
        return 0;
    if (!timeout_us)
        return FERRY_ETIMEDOUT;
    if (fy_lots_forked())
        return FERRY_EFORKED;
    if (fy_thread_must_not_block())
        return FERRY_EDEADLK;
    int64_t deadline_us = fy_deadline_after(timeout_us);
    fy_wait_record record;
    ferry_status status = fy_nested_enter(&record, job);
    if (status)
        return status;
    uint64_t began = fy_clock_ticks();
    bool has_ended = ends_soon(job, began, deadline_us) || wait_until(job, deadline_us);
    spin.last_gap_us = (int64_t)((fy_clock_ticks() - began) / fy_clock_ticks_per_us());
    fy_nested_leave(&record);
    return has_ended ? 0 : FERRY_ETIMEDOUT;
}

ferry_status ferry_job_result(ferry_job *job, int64_t timeout_us) {
    ferry_status status = ferry_job_wait(job, timeout_us);
    return status ? status : ferry_job_status(job);
}

void fy_job_call_back(fy_watcher *watcher) {
    done_callback *self = FY_CONTAINER(watcher, done_callback, watcher);
    ferry_job *job = watcher->job;
    ferry_status status = self->callback(job, self->arg);
    if (status) {
        char text[256];
        fprintf(stderr, "ferry: a done callback failed: %s; its job was made at %s\n",
                ferry_strerror(status, text, sizeof text), job->origin);
    }
    fy_free(self);
}

ferry_status ferry_job_add_done_callback(ferry_job *job, ferry_job_callback *callback, void *arg) {
    if (!job || !callback)
        return APR_EINVAL;
    done_callback *self = fy_malloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    *self = (done_callback){.callback = callback, .arg = arg};
    if (!fy_lot_watch(job, &self->watcher))
        fy_job_call_back(&self->watcher);
    return 0;
}
