/* SPDX-License-Identifier: Apache-2.0 */
/* How a process pool ends: it is closed first, and then the manager sends its workers home when nothing is left to do,
 * and ends with the last of them. A termination does not wait for what is left. At the process's exit the pools that
 * were not shut down finish what was submitted. */
#include <apr_errno.h>

#include "executor/frame.h"
#include "executor/lot.h"
#include "process/process_pool.h"

/* ---- queued jobs ---- */

static void drop_stale(fy_process_pool *pool, ferry_job *job) {
    bool was_cancelled = (fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_CANCELLED;
    fy_mutex_lock(&pool->lock);
    pool->cancelled += was_cancelled;
    fy_mutex_unlock(&pool->lock);
    atomic_fetch_sub_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
    ferry_job_drop(job);
}

static void fail(fy_process_pool *pool, ferry_job *job) {
    bool is_async = fy_job_is_async(job);
    fy_mutex_lock(&pool->lock);
    pool->cancelled++;
    const char *reason = pool->broken ? pool->reason : "its pool was terminated";
    fy_mutex_unlock(&pool->lock);
    fy_job_end_remote(job);
    fy_job_fail_claimed(job, FERRY_EBROKEN, reason);
    if (!is_async)
        ferry_job_unref(job);
}

/* One that is still to be handed out; NULL: there is none. */
static ferry_job *take_unbegun(fy_process_pool *pool, bool *ret_is_claimed) {
    fy_mutex_lock(&pool->lock);
    *ret_is_claimed = pool->returned_count != 0;
    ferry_job *job = *ret_is_claimed ? fy_process_pool_take_returned(pool).job
                                     : fy_queue_take(&pool->queue, pool->turn++, false);
    fy_mutex_unlock(&pool->lock);
    return job;
}

void fy_process_pool_fail_queued(fy_process_pool *pool) {
    bool is_claimed;
    for (ferry_job *job; (job = take_unbegun(pool, &is_claimed));)
        if (is_claimed || fy_job_try_claim(job))
            fail(pool, job);
        else
            drop_stale(pool, job);
}

/* Those that came back unbegun were running as far as anyone could see, and run on. */
static void cancel_queued(fy_process_pool *pool) {
    for (;;) {
        fy_mutex_lock(&pool->lock);
        ferry_job *job = fy_queue_take(&pool->queue, pool->turn++, false);
        fy_mutex_unlock(&pool->lock);
        if (!job)
            return;
        if ((fy_job_request_cancel(job) & FY_JOB_STATE) == FY_JOB_PENDING)
            atomic_fetch_add_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
        drop_stale(pool, job);
    }
}

/* ---- shutting down ---- */

void fy_process_pool_close(fy_process_pool *pool, bool cancel_futures) {
    fy_mutex_lock(&pool->lock);
    pool->closed = true;
    fy_manager_wake(pool);
    fy_mutex_unlock(&pool->lock);
    if (cancel_futures)
        cancel_queued(pool);
}

static bool wait_gone(fy_process_pool *pool, int64_t deadline_us) {
    bool in_time = true;
    fy_mutex_lock(&pool->lock);
    while (pool->manager_alive && in_time)
        in_time = fy_cond_wait_until(&pool->gone, &pool->lock, deadline_us);
    bool is_gone = !pool->manager_alive;
    fy_mutex_unlock(&pool->lock);
    return is_gone;
}

/* A done callback runs in the manager, which cannot wait for itself. */
static bool is_manager(const fy_process_pool *pool) {
    const fy_worker_view *view = fy_frame_worker_view();
    return view && view->executor == &pool->base;
}

ferry_status fy_process_pool_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    int64_t deadline_us = fy_deadline_after(timeout_us);
    fy_process_pool_close(pool, cancel_futures);
    if (!wait)
        return 0;
    if (is_manager(pool))
        return FERRY_EDEADLK;
    if (!wait_gone(pool, deadline_us))
        return FERRY_ETIMEDOUT;
    fy_hosts_tidy();
    return 0;
}

ferry_status ferry_process_pool_terminate(ferry_executor *executor, int64_t grace_us) {
    if (!executor || executor->ops != &fy_process_pool_ops || grace_us < 0)
        return APR_EINVAL;
    ferry_status status = fy_executor_check(executor);
    if (status)
        return status;
    fy_process_pool *pool = fy_process_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    pool->closed = true;
    pool->terminating = true;
    int64_t kill_at_us = fy_deadline_after(grace_us);
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next) {
        if (grace_us && !worker->has_exited && worker->stage != FY_WORKER_KILLED) {
            fy_child_kill(&worker->child, false);
            worker->kill_at_us = kill_at_us < worker->kill_at_us ? kill_at_us : worker->kill_at_us;
        } else {
            fy_process_worker_kill(worker);
        }
    }
    fy_manager_wake(pool);
    fy_mutex_unlock(&pool->lock);
    return 0;
}

/* ---- the process's exit ---- */

static fy_process_pool *of_link(fy_exit_link *link) {
    return FY_CONTAINER(link, fy_process_pool, exit_link);
}

static bool hold_if_managed(fy_exit_link *link) {
    fy_process_pool *pool = of_link(link);
    fy_mutex_lock(&pool->lock);
    bool is_managed = pool->manager_alive;
    if (is_managed)
        fy_process_pool_hold(pool);
    fy_mutex_unlock(&pool->lock);
    return is_managed;
}

static void finish(fy_exit_link *link) {
    fy_process_pool *pool = of_link(link);
    fy_process_pool_close(pool, false);
    wait_gone(pool, FERRY_FOREVER);
    fy_process_pool_release(pool);
}

const fy_exit_class fy_process_pool_exit_class = {.hold = hold_if_managed, .finish = finish};
