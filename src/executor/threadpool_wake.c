/* SPDX-License-Identifier: Apache-2.0 */
/* Who is woken or started, and when. The rules stand at the top of threadpool.h. */
#include <stdio.h>

#include <apr_errno.h>

#include "base/alloc.h"
#include "executor/threadpool.h"

void fy_pool_move_stage(fy_pool *pool) {
    uint32_t head = atomic_load_explicit(&pool->stage_head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&pool->stage_tail, memory_order_acquire);
    if (head == tail)
        return;
    uint32_t first = head % FY_STAGE, count = tail - head;
    uint32_t to_end = count < FY_STAGE - first ? count : FY_STAGE - first;
    fy_queue_put(&pool->queue, FERRY_PRIORITY_NORMAL, pool->stage + first, to_end);
    fy_queue_put(&pool->queue, FERRY_PRIORITY_NORMAL, pool->stage, count - to_end);
    fy_pool_reserve_stage(pool);
    atomic_store_explicit(&pool->stage_head, tail, memory_order_release);
}

void fy_pool_reserve_stage(fy_pool *pool) {
    bool has_room = fy_queue_reserve(&pool->queue, FERRY_PRIORITY_NORMAL, FY_STAGE) == 0;
    atomic_store_explicit(&pool->stage_open, has_room, memory_order_relaxed);
}

static bool is_stage_empty(const fy_pool *pool) {
    return atomic_load_explicit(&pool->stage_head, memory_order_relaxed) ==
           atomic_load_explicit(&pool->stage_tail, memory_order_acquire);
}

static bool has_work(const fy_pool *pool) {
    return !fy_queue_is_empty(&pool->queue) || !is_stage_empty(pool);
}

static bool can_add(const fy_pool *pool) {
    return pool->idle || pool->workers_alive < pool->max_workers;
}

void fy_pool_publish(fy_pool *pool) {
    atomic_store(&pool->hungry, !pool->searching && can_add(pool));
}

void fy_pool_unlink_idle(fy_pool *pool, fy_worker *worker) {
    fy_worker **link = &pool->idle;
    while (*link != worker)
        link = &(*link)->next_idle;
    *link = worker->next_idle;
    worker->is_idle = false;
    pool->idle_count--;
}

/* Whether workers that are done with their jobs, and about to look for the next ones, are enough for what waits: that
 * is counted first, for a worker that has taken a job since then is not one of them any more. */
static bool is_served(const fy_pool *pool) {
    if (pool->idle)
        return false;
    size_t between = 0, queued = fy_pool_queued(pool);
    for (const fy_worker *worker = pool->workers; worker; worker = worker->next)
        between += atomic_load_explicit(&worker->is_between, memory_order_relaxed);
    return between && queued <= between;
}

fy_wake fy_pool_choose_wake(fy_pool *pool) {
    fy_wake wake = {.start = false};
    if (!pool->searching && can_add(pool) && has_work(pool) && !is_served(pool)) {
        pool->searching = true;
        wake.worker = pool->idle;
        if (wake.worker) {
            fy_pool_unlink_idle(pool, wake.worker);
            wake.worker->given_search = true;
        } else {
            wake.start = true;
            pool->workers_alive++;
            pool->threads_alive++;
        }
    }
    fy_pool_publish(pool);
    return wake;
}

/* Whoever wakes a worker may still be at its parker when the worker ends. So workers are not freed but used again, and
 * a parker may hold a token from an earlier life: that is one spurious wake-up. */
static fy_worker *reuse_worker(fy_pool *pool) {
    fy_mutex_lock(&pool->lock);
    fy_worker *worker = pool->spare;
    if (worker)
        pool->spare = worker->next;
    fy_mutex_unlock(&pool->lock);
    return worker;
}

static ferry_status create_worker(fy_pool *pool, fy_worker **ret_worker) {
    fy_worker *worker = reuse_worker(pool);
    if (!worker) {
        worker = fy_calloc(sizeof *worker);
        if (!worker)
            return APR_ENOMEM;
        ferry_status status = fy_parker_init(&worker->parker);
        if (status) {
            fy_free(worker);
            return status;
        }
    }
    worker->pool = pool;
    worker->is_searching = true;
    fy_spin_init(&worker->spin);
    worker->drain = (fy_drain){.run = fy_worker_run, .gone = fy_worker_gone,
                               .shares_threads = pool->shares_threads};
    *ret_worker = worker;
    return 0;
}

static void link_worker(fy_pool *pool, fy_worker *worker) {
    fy_mutex_lock(&pool->lock);
    snprintf(worker->name, sizeof worker->name, "%s_%zu", pool->prefix, pool->workers_started++);
    worker->next = pool->workers;
    pool->workers = worker;
    fy_mutex_unlock(&pool->lock);
}

void fy_pool_unlink_worker(fy_pool *pool, fy_worker *worker) {
    fy_worker **link = &pool->workers;
    while (*link != worker)
        link = &(*link)->next;
    *link = worker->next;
}

fy_wish *fy_pool_thread_gone(fy_pool *pool) {
    fy_wish *wishes = NULL;
    if (--pool->threads_alive == 0) {
        wishes = pool->end_wishes;
        pool->end_wishes = NULL;
    }
    fy_cond_broadcast(&pool->gone);
    return wishes;
}

/* A worker was promised (counted, and made the searcher) and does not come. What was queued in the hope of it is left
 * to the others; if there are none, it fails. */
static void withdraw_worker(fy_pool *pool, fy_worker *worker, ferry_status status) {
    fy_mutex_lock(&pool->lock);
    if (worker) {
        fy_pool_unlink_worker(pool, worker);
        worker->next = pool->spare;
        pool->spare = worker;
        pool->workers_started--;
    }
    pool->workers_alive--;
    pool->searching = false;
    bool nobody_left = !pool->workers_alive;
    fy_pool_publish(pool);
    fy_wish *wishes = fy_pool_thread_gone(pool);
    fy_mutex_unlock(&pool->lock);
    if (nobody_left)
        fy_pool_fail_queued(pool, status, "no worker thread could be started");
    fy_wishes_grant(wishes);
}

ferry_status fy_pool_start_worker(fy_pool *pool, fy_wake *ret_wake) {
    fy_worker *worker = NULL;
    fy_kept_thread *held = NULL;
    ferry_status status = create_worker(pool, &worker);
    if (status) {
        withdraw_worker(pool, NULL, status);
        return status;
    }
    link_worker(pool, worker);
    fy_pool_hold(pool);
    status = pool->shares_threads ? fy_host_start_shared(&worker->drain, &held) : fy_host_start(&worker->drain);
    if (status) {
        withdraw_worker(pool, worker, status);
        fy_pool_release(pool);
    } else if (held) {
        *ret_wake = (fy_wake){.worker = worker, .held = held};
    }
    return status;
}

ferry_status fy_pool_wake(fy_pool *pool, fy_wake wake) {
    ferry_status status = wake.start ? fy_pool_start_worker(pool, &wake) : 0;
    if (wake.held)
        fy_host_go(&wake.worker->drain, wake.held);
    else if (wake.worker)
        fy_unpark(&wake.worker->parker);
    return status;
}

fy_worker *fy_pool_take_idle(fy_pool *pool) {
    fy_worker *taken = pool->idle;
    for (fy_worker *worker = taken; worker; worker = worker->next_idle)
        worker->is_idle = false;
    pool->idle = NULL;
    pool->idle_count = 0;
    return taken;
}

void fy_pool_wake_taken(fy_worker *idle) {
    while (idle) {
        fy_worker *next = idle->next_idle;
        fy_unpark(&idle->parker);
        idle = next;
    }
}

size_t fy_pool_queued(const fy_pool *pool) {
    uint32_t staged = atomic_load_explicit(&pool->stage_tail, memory_order_relaxed) -
                      atomic_load_explicit(&pool->stage_head, memory_order_relaxed);
    int64_t gone = atomic_load_explicit(&pool->gone_cancelled, memory_order_relaxed) +
                   atomic_load_explicit(&pool->gone_helped, memory_order_relaxed);
    int64_t queued = (int64_t)(fy_queue_count(&pool->queue) + staged) - gone;
    return queued > 0 ? (size_t)queued : 0;
}

/* Under the lock, since the stage is moved first. */
static ferry_job *take_any(fy_pool *pool) {
    fy_mutex_lock(&pool->lock);
    fy_pool_move_stage(pool);
    ferry_job *job = fy_queue_take(&pool->queue, 0, false);
    fy_mutex_unlock(&pool->lock);
    return job;
}

void fy_pool_fail_queued(fy_pool *pool, ferry_status status, const char *message) {
    for (ferry_job *job; (job = take_any(pool));) {
        if (fy_job_try_claim(job)) {
            bool async = fy_job_is_async(job);
            atomic_fetch_add_explicit(&pool->retired.cancelled, 1, memory_order_relaxed);
            fy_job_fail_claimed(job, status, message);
            if (!async)
                ferry_job_unref(job);
        } else {
            fy_pool_drop_stale(pool, job, &pool->retired);
        }
    }
    fy_pool_note_space(pool);
}

void fy_pool_fail_broken(fy_pool *pool) {
    fy_pool_fail_queued(pool, FERRY_EBROKEN, "a worker's initializer failed");
}

void fy_pool_drop_stale(fy_pool *pool, ferry_job *job, fy_worker *counters) {
    if ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_CANCELLED) {
        atomic_fetch_sub_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->cancelled, 1, memory_order_relaxed);
        ferry_job_drop(job);
    } else {
        atomic_fetch_sub_explicit(&pool->gone_helped, 1, memory_order_relaxed);
        ferry_job_unref(job);
    }
}
