/* SPDX-License-Identifier: Apache-2.0 */
/* The pools of the process, and what becomes of them when it exits: what was submitted is finished, nothing more is
 * taken. The list belongs to the pools' lock; that the process exits is said to every submission by a flag. */
#include <apr_errno.h>

#include "executor/lot.h"
#include "executor/threadpool.h"

static fy_pool *pools;
static unsigned pools_generation;
static bool is_hooked;
static _Atomic bool is_exiting;
static void (*finish_others)(void);

bool fy_process_is_exiting(void) {
    return atomic_load_explicit(&is_exiting, memory_order_relaxed);
}

/* Whoever starts a thread holds its pool, and so does the thread, until it does not count as alive any more. */
static bool hold_if_threads(fy_pool *pool) {
    fy_mutex_lock(&pool->lock);
    bool has_threads = pool->threads_alive;
    if (has_threads)
        fy_pool_hold(pool);
    fy_mutex_unlock(&pool->lock);
    return has_threads;
}

/* The first pool of this process that has threads, with a holder more, or NULL. */
static fy_pool *hold_first(void) {
    fy_mutex_lock(fy_pools_lock());
    fy_pool *pool = pools;
    while (pool && !hold_if_threads(pool))
        pool = pool->next_pool;
    fy_mutex_unlock(fy_pools_lock());
    return pool;
}

/* A worker that calls exit does not wait, since some pool may wait for it. */
static void finish_pools(void) {
    if (pools_generation != fy_fork_generation() || fy_frame_worker_view())
        return;
    atomic_store(&is_exiting, true);
    if (finish_others)
        finish_others();
    for (fy_pool *pool; (pool = hold_first());) {
        fy_pool_close(pool, false);
        fy_pool_wait_gone(pool, FERRY_FOREVER);
        fy_pool_release(pool);
    }
    fy_hosts_end();
}

/* A child made by fork leaves its parent's pools alone. Under the pools' lock. */
static ferry_status open_list(void) {
    if (pools_generation != fy_fork_generation()) {
        pools = NULL;
        pools_generation = fy_fork_generation();
    }
    if (is_hooked)
        return 0;
    ferry_status status = fy_process_at_exit(finish_pools);
    is_hooked = !status;
    return status;
}

ferry_status fy_pools_finish_at_exit(void (*finish)(void)) {
    fy_mutex_lock(fy_pools_lock());
    ferry_status status = open_list();
    if (!status)
        finish_others = finish;
    fy_mutex_unlock(fy_pools_lock());
    return status;
}

ferry_status fy_pool_register(fy_pool *pool) {
    fy_mutex_lock(fy_pools_lock());
    ferry_status status = open_list();
    if (!status) {
        pool->next_pool = pools;
        if (pools)
            pools->previous_pool = pool;
        pools = pool;
    }
    fy_mutex_unlock(fy_pools_lock());
    return status;
}

void fy_pool_unregister(fy_pool *pool) {
    if (pool->base.fork_generation != fy_fork_generation())
        return;
    fy_mutex_lock(fy_pools_lock());
    if (pool->next_pool)
        pool->next_pool->previous_pool = pool->previous_pool;
    if (pool->previous_pool)
        pool->previous_pool->next_pool = pool->next_pool;
    else
        pools = pool->next_pool;
    fy_mutex_unlock(fy_pools_lock());
}
