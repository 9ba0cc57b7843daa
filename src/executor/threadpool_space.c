/* SPDX-License-Identifier: Apache-2.0 */
/* Room in a bounded queue: who waits for it, thread or loop, and how they are told.
 *
 * Protocol: whoever wants room first counts himself in space_waiters, then looks at the queue, under the lock. Whoever
 * has taken a job looks at space_waiters after a full fence. So either he sees the waiter, or the waiter sees the
 * room. */
#include <apr_errno.h>

#include "executor/threadpool.h"

/* The wishes that can be granted: all, if there is room for one, for each of them will look again. Under the lock. */
static fy_wish *take_wishes(fy_pool *pool) {
    bool has_room = pool->closed || pool->broken || fy_pool_queued(pool) < pool->max_queue;
    fy_wish *wishes = has_room ? pool->space_wishes : NULL;
    if (has_room)
        pool->space_wishes = NULL;
    for (fy_wish *wish = wishes; wish; wish = wish->next)
        atomic_fetch_sub(&pool->space_waiters, 1);
    return wishes;
}

void fy_pool_note_space(fy_pool *pool) {
    if (!atomic_fetch_add(&pool->space_waiters, 0))
        return;
    fy_mutex_lock(&pool->lock);
    fy_wish *wishes = take_wishes(pool);
    fy_cond_broadcast(&pool->space);
    fy_mutex_unlock(&pool->lock);
    fy_wishes_grant(wishes);
}

ferry_status ferry_executor_wait_for_space_from(const char *origin, ferry_loop *loop, ferry_executor *executor,
                                                ferry_future **ret_future) {
    ferry_status status = fy_executor_check(executor);
    if (status)
        return status;
    if (!loop || !ret_future || executor->ops != &fy_thread_pool_ops)
        return APR_EINVAL;
    status = fy_loop_check(loop);
    if (status)
        return status;
    fy_pool *pool = fy_pool_of(executor);
    if (!fy_pool_accepts(pool))
        return FERRY_ESHUTDOWN;
    fy_wish *wish = NULL;
    status = fy_wish_create(loop, origin, &wish, ret_future);
    if (status)
        return status;
    if (!pool->max_queue) {
        fy_wishes_grant(wish);
        return 0;
    }
    fy_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->space_waiters, 1);
    wish->next = pool->space_wishes;
    pool->space_wishes = wish;
    fy_mutex_unlock(&pool->lock);
    fy_pool_note_space(pool);
    return 0;
}
