/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of a pool: counts, who runs what, and the request to stop that goes with seeing it. */
#include <inttypes.h>
#include <stdio.h>

#include "executor/lot.h"
#include "executor/threadpool.h"

static uint64_t read_counter(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The sums are also added to by threads that are no workers. */
static void move_counter(_Atomic uint64_t *sum, _Atomic uint64_t *counter) {
    atomic_fetch_add_explicit(sum, read_counter(counter), memory_order_relaxed);
    atomic_store_explicit(counter, 0, memory_order_relaxed);
}

void fy_pool_add_retired(fy_pool *pool, fy_worker *worker) {
    fy_worker *sums = &pool->retired;
    move_counter(&sums->done, &worker->done);
    move_counter(&sums->failed, &worker->failed);
    move_counter(&sums->cancelled, &worker->cancelled);
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        move_counter(&sums->queue_wait[i], &worker->queue_wait[i]);
        move_counter(&sums->run_time[i], &worker->run_time[i]);
    }
}

static void add_worker(ferry_executor_stats *stats, const fy_worker *worker) {
    stats->done += read_counter(&worker->done);
    stats->failed += read_counter(&worker->failed);
    stats->cancelled += read_counter(&worker->cancelled);
    stats->running += atomic_load_explicit(&worker->running, memory_order_relaxed) != NULL;
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        stats->queue_wait[i] += read_counter(&worker->queue_wait[i]);
        stats->run_time[i] += read_counter(&worker->run_time[i]);
    }
}

void fy_pool_stats(ferry_executor *executor, ferry_executor_stats *ret_stats) {
    fy_pool *pool = fy_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    ret_stats->workers = pool->workers_alive;
    ret_stats->workers_idle = pool->idle_count;
    ret_stats->workers_started = pool->workers_started;
    ret_stats->workers_retired = pool->workers_retired;
    ret_stats->queued = fy_pool_queued(pool);
    add_worker(ret_stats, &pool->retired);
    for (const fy_worker *worker = pool->workers; worker; worker = worker->next)
        add_worker(ret_stats, worker);
    int64_t cancelled = atomic_load_explicit(&pool->gone_cancelled, memory_order_relaxed);
    ret_stats->cancelled += cancelled > 0 ? (uint64_t)cancelled : 0;
    fy_mutex_unlock(&pool->lock);
}

size_t fy_pool_describe(ferry_executor *executor, char *buffer, size_t size) {
    fy_pool *pool = fy_pool_of(executor);
    uint64_t now = fy_clock_ticks();
    size_t count = 0;
    size_t used = 0;
    fy_mutex_lock(&pool->lock);
    for (const fy_worker *worker = pool->workers; worker; worker = worker->next) {
        const char *label = atomic_load_explicit(&worker->running, memory_order_relaxed);
        if (!label)
            continue;
        count++;
        int64_t ticks = (int64_t)(now - read_counter(&worker->running_since));
        uint64_t ran_us = ticks > 0 ? (uint64_t)ticks / pool->ticks_per_us : 0;
        int length = used < size ? snprintf(buffer + used, size - used, "%s runs %s for %" PRIu64 " us\n", worker->name,
                                            label, ran_us)
                                 : 0;
        used += length > 0 ? (size_t)length : 0;
    }
    fy_mutex_unlock(&pool->lock);
    return count;
}

void fy_pool_cancel_running(ferry_executor *executor) {
    fy_pool *pool = fy_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    for (fy_worker *worker = pool->workers; worker; worker = worker->next) {
        uint64_t sequence = read_counter(&worker->sequence);
        if (atomic_load_explicit(&worker->running, memory_order_relaxed))
            atomic_store_explicit(&worker->cancel_sequence, sequence, memory_order_relaxed);
    }
    fy_mutex_unlock(&pool->lock);
    fy_lots_wake_all();
}
