/* SPDX-License-Identifier: Apache-2.0 */
/* Wishes: how a loop waits for something of a pool without a thread of its own. A wish is a bare job whose future the
 * loop awaits; whoever makes it come true takes it off the pool's list under the lock, and then finishes the job, which
 * cannot fail. So of the pool's side and a time limit on the loop's side exactly one ends it. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "executor/threadpool.h"

ferry_status fy_wish_create(ferry_loop *loop, const char *origin, fy_wish **ret_wish, ferry_future **ret_future) {
    fy_wish *wish = fy_malloc(sizeof *wish);
    if (!wish)
        return APR_ENOMEM;
    ferry_status status = fy_async_create_bare(loop, origin, &wish->job, ret_future);
    if (status) {
        fy_free(wish);
        return status;
    }
    wish->next = NULL;
    ferry_job_claim(wish->job);
    *ret_wish = wish;
    return 0;
}

void fy_wishes_grant(fy_wish *wishes) {
    while (wishes) {
        fy_wish *next = wishes->next;
        ferry_job_finish(wishes->job, 0);
        fy_free(wishes);
        wishes = next;
    }
}

void fy_pool_wish_end(fy_pool *pool, fy_wish *wish) {
    fy_mutex_lock(&pool->lock);
    bool is_over = !pool->threads_alive;
    if (!is_over) {
        wish->next = pool->end_wishes;
        pool->end_wishes = wish;
    }
    fy_mutex_unlock(&pool->lock);
    if (is_over)
        fy_wishes_grant(wish);
}

fy_wish *fy_pool_unwish_end(fy_pool *pool, const ferry_job *job) {
    fy_mutex_lock(&pool->lock);
    fy_wish **link = &pool->end_wishes;
    while (*link && (*link)->job != job)
        link = &(*link)->next;
    fy_wish *wish = *link;
    if (wish)
        *link = wish->next;
    fy_mutex_unlock(&pool->lock);
    return wish;
}
