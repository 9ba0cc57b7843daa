/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of a process pool, and the request to stop that goes with seeing it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "process/process_pool.h"

/* The oldest job that it has not answered, or NULL. */
static const fy_offer *current_offer(const fy_process_worker *worker) {
    for (uint64_t index = worker->reaped; index != worker->filled; index++)
        if (worker->offers[index % FY_CELLS].job)
            return &worker->offers[index % FY_CELLS];
    return NULL;
}

void fy_process_pool_stats(ferry_executor *executor, ferry_executor_stats *ret_stats) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    ret_stats->workers = pool->workers_alive;
    ret_stats->workers_started = pool->workers_started;
    ret_stats->workers_retired = pool->workers_retired;
    ret_stats->queued = fy_process_pool_queued(pool);
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next) {
        ret_stats->running += worker->jobs != 0;
        ret_stats->queued += worker->jobs ? worker->jobs - 1 : 0;
        ret_stats->workers_idle += worker->stage == FY_WORKER_READY && !worker->jobs;
    }
    ret_stats->done = pool->done;
    ret_stats->failed = pool->failed;
    ret_stats->cancelled = pool->cancelled;
    memcpy(ret_stats->queue_wait, pool->queue_wait, sizeof pool->queue_wait);
    memcpy(ret_stats->run_time, pool->run_time, sizeof pool->run_time);
    fy_mutex_unlock(&pool->lock);
}

size_t fy_process_pool_describe(ferry_executor *executor, char *buffer, size_t size) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    uint64_t now = fy_clock_ticks();
    size_t count = 0;
    size_t used = 0;
    fy_mutex_lock(&pool->lock);
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next) {
        const fy_offer *what = current_offer(worker);
        if (!what)
            continue;
        count++;
        int64_t ticks = (int64_t)(now - what->ticks);
        uint64_t ran_us = ticks > 0 ? (uint64_t)ticks / pool->ticks_per_us : 0;
        const char *label = what->job->extra && what->job->extra->name ? what->job->extra->name
                                                                       : fy_portable_at(what->function)->name;
        int length = used < size ? snprintf(buffer + used, size - used, "%s runs %s for %" PRIu64 " us\n", worker->name,
                                            label, ran_us)
                                 : 0;
        used += length > 0 ? (size_t)length : 0;
    }
    fy_mutex_unlock(&pool->lock);
    return count;
}

void fy_process_pool_cancel_running(ferry_executor *executor) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (current_offer(worker))
            fy_job_request_cancel(current_offer(worker)->job);
    pool->wants_kills = true;
    fy_manager_wake(pool);
    fy_mutex_unlock(&pool->lock);
}

size_t ferry_process_pool_get_workers(ferry_executor *executor, ferry_process_worker_stats *ret_stats, size_t count) {
    if (fy_executor_check(executor) || executor->ops != &fy_process_pool_ops || (count && !ret_stats))
        return 0;
    fy_process_pool *pool = fy_process_pool_of(executor);
    size_t alive = 0;
    fy_mutex_lock(&pool->lock);
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next, alive++)
        if (alive < count)
            ret_stats[alive] = (ferry_process_worker_stats){
                .pid = worker->child.pid,
                .number = worker->number,
                .done = worker->done,
                .failed = worker->failed,
                .run_time_us = worker->run_ns / 1000,
                .is_running = worker->jobs != 0,
            };
    fy_mutex_unlock(&pool->lock);
    return alive;
}
