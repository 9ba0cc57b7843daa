/* SPDX-License-Identifier: Apache-2.0 */
/* What is common to all executors: references, submission from any thread, and the hand-over to the kind.
 *
 * The cancel lock. A pending job lies in its executor's queue, so its executor is alive; but a cancel must also tell
 * the executor, after the job has left PENDING, and by then a worker may have dropped the job and ended the executor.
 * So the step and the telling are done under one lock of the process, and an executor passes through that lock before
 * it frees itself. The same holds for taking a pending job out of an executor's hands, and for a running job of another
 * process, whose executor must be told to stop it. Order of locks: the waits' lock,
 * the cancels' lock, a pool's lock. */
#include "executor/executor.h"

#include <apr_errno.h>

#include "executor/lot.h"

ferry_status fy_executor_init(ferry_executor *executor, const fy_executor_ops *ops) {
    ferry_status status = fy_lots_open();
    if (status)
        return status;
    executor->ops = ops;
    executor->fork_generation = fy_fork_generation();
    atomic_init(&executor->refs, 1);
    atomic_init(&executor->rejected, 0);
    return 0;
}

ferry_executor *ferry_executor_ref(ferry_executor *executor) {
    if (executor)
        atomic_fetch_add_explicit(&executor->refs, 1, memory_order_relaxed);
    return executor;
}

void ferry_executor_unref(ferry_executor *executor) {
    if (executor && atomic_fetch_sub_explicit(&executor->refs, 1, memory_order_acq_rel) == 1)
        executor->ops->destroy(executor);
}

/* ---- submitting ---- */

ferry_status ferry_executor_submit_with_from(const char *origin, ferry_executor *executor,
                                             const ferry_job_options *options, ferry_job **ret_job) {
    ferry_status status = fy_executor_check(executor);
    if (!status)
        status = fy_job_options_check(options);
    if (status)
        return status;
    ferry_job *job = NULL;
    status = fy_job_create_plain(origin, executor, options, &job);
    if (status)
        return status;
    if (ret_job)
        *ret_job = job;
    status = fy_executor_submit_job(executor, job, NULL);
    if (status) {
        if (ret_job)
            *ret_job = NULL;
        fy_job_fini_options(job);
        job->extra = NULL;
        ferry_job_unref(job);
        ferry_job_unref(job);
    } else if (!ret_job) {
        ferry_job_unref(job);
    }
    return status;
}

ferry_status ferry_executor_submit_from(const char *origin, ferry_executor *executor, ferry_function *function,
                                        void *arg, ferry_job **ret_job) {
    return ferry_executor_submit_with_from(
        origin, executor, &(ferry_job_options){FERRY_JOB_OPTIONS, .function = function, .arg = arg}, ret_job);
}

/* ---- cancelling ---- */

/* The last reference may be going just now: then its destroying goes on, and nobody is told. */
static bool try_ref(ferry_executor *executor) {
    size_t refs = atomic_load_explicit(&executor->refs, memory_order_relaxed);
    while (refs)
        if (atomic_compare_exchange_weak(&executor->refs, &refs, refs + 1))
            return true;
    return false;
}

/* Whether its executor has a part in the cancelling. */
static bool concerns_executor(uint32_t state) {
    return (state & FY_JOB_STATE) == FY_JOB_PENDING ||
           ((state & FY_JOB_STATE) == FY_JOB_RUNNING && (state & FY_JOB_REMOTE));
}

uint32_t fy_executor_cancel(ferry_job *job, uint32_t of_running) {
    if (!concerns_executor(fy_job_load_state(job)) || fy_lots_forked())
        return fy_job_request(job, of_running);
    ferry_executor *executor = NULL;
    fy_mutex_lock(fy_cancels_lock());
    uint32_t state = fy_job_request(job, of_running);
    if ((state & FY_JOB_STATE) == FY_JOB_PENDING) {
        if (job->executor->ops->note_cancelled)
            job->executor->ops->note_cancelled(job->executor);
        if (job->executor->ops->cancel && try_ref(job->executor))
            executor = job->executor;
    } else if (concerns_executor(state)) {
        job->executor->ops->note_stop_wanted(job->executor);
    }
    fy_mutex_unlock(fy_cancels_lock());
    if (executor) {
        executor->ops->cancel(executor, job);
        ferry_executor_unref(executor);
    }
    return state;
}

bool fy_executor_claim_elsewhere(ferry_job *job, bool to_run) {
    fy_mutex_lock(fy_cancels_lock());
    bool claimed = false;
    if ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_PENDING && job->executor->ops->claim_elsewhere)
        claimed = job->executor->ops->claim_elsewhere(job->executor, job, to_run);
    fy_mutex_unlock(fy_cancels_lock());
    return claimed;
}

ferry_job *fy_executor_find_carrier(ferry_job *job, size_t *ret_places) {
    fy_mutex_lock(fy_cancels_lock());
    ferry_job *carrier = NULL;
    if ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_PENDING && job->executor->ops->find_carrier)
        carrier = job->executor->ops->find_carrier(job->executor, ret_places);
    fy_mutex_unlock(fy_cancels_lock());
    return carrier;
}

void fy_executor_settle_cancels(void) {
    fy_mutex_lock(fy_cancels_lock());
    fy_mutex_unlock(fy_cancels_lock());
}

/* ---- ending and looking ---- */

ferry_status ferry_executor_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us) {
    ferry_status status = fy_executor_check(executor);
    if (status)
        return status;
    if (timeout_us < 0)
        return APR_EINVAL;
    return executor->ops->shutdown(executor, wait, cancel_futures, timeout_us);
}

ferry_status ferry_executor_close(ferry_executor *executor) {
    if (!executor)
        return 0;
    ferry_status status = ferry_executor_shutdown(executor, true, false, FERRY_FOREVER);
    ferry_executor_unref(executor);
    return status;
}

void ferry_executor_cancel_running(ferry_executor *executor) {
    if (!fy_executor_check(executor) && executor->ops->cancel_running)
        executor->ops->cancel_running(executor);
}

ferry_status ferry_executor_get_stats(ferry_executor *executor, ferry_executor_stats *ret_stats) {
    if (!ret_stats || ret_stats->size != sizeof *ret_stats)
        return APR_EINVAL;
    ferry_status status = fy_executor_check(executor);
    if (status)
        return status;
    *ret_stats = (ferry_executor_stats){.size = sizeof *ret_stats};
    if (executor->ops->stats)
        executor->ops->stats(executor, ret_stats);
    ret_stats->rejected = atomic_load_explicit(&executor->rejected, memory_order_relaxed);
    return 0;
}

size_t ferry_executor_describe(ferry_executor *executor, char *buffer, size_t size) {
    if (buffer && size)
        buffer[0] = '\0';
    if (fy_executor_check(executor) || !executor->ops->describe || (size && !buffer))
        return 0;
    return executor->ops->describe(executor, buffer, size);
}
