/* SPDX-License-Identifier: Apache-2.0 */
/* The pools of the process, of any kind, and what becomes of them when it exits: what was submitted is finished,
 * nothing more is taken. The list belongs to the pools' lock; that the process exits is said to every submission by a
 * flag. */
#include "executor/pool_exit.h"

#include "executor/frame.h"
#include "executor/host.h"
#include "executor/lot.h"

static fy_exit_link *pools;
static unsigned pools_generation;
static bool is_hooked;
static _Atomic bool is_exiting;

bool fy_process_is_exiting(void) {
    return atomic_load_explicit(&is_exiting, memory_order_relaxed);
}

/* The first pool of this process that has threads, with a holder more, or NULL. */
static fy_exit_link *hold_first(void) {
    fy_mutex_lock(fy_pools_lock());
    fy_exit_link *pool = pools;
    while (pool && !pool->class->hold(pool))
        pool = pool->next;
    fy_mutex_unlock(fy_pools_lock());
    return pool;
}

/* A thread of some pool that calls exit, be it when it ends, does not wait, since that pool waits for it. */
static void finish_pools(void) {
    if (pools_generation != fy_fork_generation() || fy_frame_worker_view() || fy_host_has_this_thread())
        return;
    atomic_store(&is_exiting, true);
    for (fy_exit_link *pool; (pool = hold_first());)
        pool->class->finish(pool);
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

ferry_status fy_exit_register(fy_exit_link *pool) {
    fy_mutex_lock(fy_pools_lock());
    ferry_status status = open_list();
    if (!status) {
        pool->next = pools;
        if (pools)
            pools->previous = pool;
        pools = pool;
    }
    fy_mutex_unlock(fy_pools_lock());
    return status;
}

void fy_exit_unregister(fy_exit_link *pool) {
    fy_mutex_lock(fy_pools_lock());
    if (pool->next)
        pool->next->previous = pool->previous;
    if (pool->previous)
        pool->previous->next = pool->next;
    else
        pools = pool->next;
    fy_mutex_unlock(fy_pools_lock());
}
