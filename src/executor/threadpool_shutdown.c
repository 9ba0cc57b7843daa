/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a pool: it is closed first, and then every worker ends by itself when it finds the queue empty. */
#include <apr_errno.h>

#include "executor/lot.h"
#include "executor/threadpool.h"

static void drop_queued(fy_pool *pool) {
    for (;;) {
        fy_mutex_lock(&pool->lock);
        fy_pool_move_stage(pool);
        ferry_job *job = fy_queue_take(&pool->queue, 0, false);
        fy_mutex_unlock(&pool->lock);
        if (!job)
            return;
        uint32_t state = fy_job_request(job, 0) & FY_JOB_STATE; /* one that another thread runs goes on */
        if (state == FY_JOB_PENDING)
            atomic_fetch_add_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
        fy_pool_drop_stale(pool, job, &pool->retired);
    }
}

void fy_pool_close(fy_pool *pool, bool cancel_futures) {
    fy_mutex_lock(&pool->lock);
    pool->closed = true;
    atomic_store_explicit(&pool->accepting, false, memory_order_relaxed);
    fy_pool_move_stage(pool);
    fy_worker *idle = fy_pool_take_idle(pool);
    fy_cond_broadcast(&pool->space);
    fy_mutex_unlock(&pool->lock);
    fy_pool_wake_taken(idle);
    if (cancel_futures)
        drop_queued(pool);
    fy_pool_note_space(pool);
}

static bool wait_gone(fy_pool *pool, int64_t deadline_us) {
    bool in_time = true;
    fy_mutex_lock(&pool->lock);
    while (pool->threads_alive && in_time)
        in_time = fy_cond_wait_until(&pool->gone, &pool->lock, deadline_us);
    bool gone = !pool->threads_alive;
    fy_mutex_unlock(&pool->lock);
    return gone;
}

ferry_status fy_pool_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us) {
    fy_pool *pool = fy_pool_of(executor);
    fy_pool_close(pool, cancel_futures);
    if (!wait)
        return 0;
    fy_worker_view *worker = fy_frame_worker_view();
    if (worker && worker->executor == executor)
        return FERRY_EDEADLK;
    if (!wait_gone(pool, fy_deadline_after(timeout_us)))
        return FERRY_ETIMEDOUT;
    fy_hosts_tidy();
    return 0;
}

/* ---- the process's exit ---- */

static fy_pool *of_link(fy_exit_link *link) {
    return FY_CONTAINER(link, fy_pool, exit_link);
}

/* Whoever starts a thread holds its pool, and so does the thread, until it does not count as alive any more. */
static bool hold_if_threads(fy_exit_link *link) {
    fy_pool *pool = of_link(link);
    fy_mutex_lock(&pool->lock);
    bool has_threads = pool->threads_alive;
    if (has_threads)
        fy_pool_hold(pool);
    fy_mutex_unlock(&pool->lock);
    return has_threads;
}

static void finish(fy_exit_link *link) {
    fy_pool *pool = of_link(link);
    fy_pool_close(pool, false);
    wait_gone(pool, FERRY_FOREVER);
    fy_pool_release(pool);
}

const fy_exit_class fy_pool_exit_class = {.hold = hold_if_threads, .finish = finish};
