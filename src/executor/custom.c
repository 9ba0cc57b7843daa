/* SPDX-License-Identifier: Apache-2.0 */
/* Executors that users write. Between the public class and the inner operations it decides one thing: once a shutdown
 * has begun, no submission reaches the class any more, so a class need not know that it is shut down. A shutdown waits
 * for the submissions that are inside the class at that moment; hence the lock, under which no call of the class is
 * made. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "executor/executor.h"
#include "executor/lot.h"

typedef struct custom {
    ferry_executor base;
    const ferry_executor_class *class;
    void *self;
    fy_mutex lock;
    fy_cond left;       /* nobody is inside any more */
    size_t inside;      /* submissions under way; lock */
    bool closed;        /* lock */
} custom;

static custom *from_executor(ferry_executor *executor) {
    return FY_CONTAINER(executor, custom, base);
}

/* ---- submitting ---- */

static ferry_status enter(custom *executor) {
    fy_mutex_lock(&executor->lock);
    ferry_status status = executor->closed ? FERRY_ESHUTDOWN : 0;
    if (!status)
        executor->inside++;
    fy_mutex_unlock(&executor->lock);
    return status;
}

static void leave(custom *executor) {
    fy_mutex_lock(&executor->lock);
    if (!--executor->inside && executor->closed)
        fy_cond_broadcast(&executor->left);
    fy_mutex_unlock(&executor->lock);
}

static ferry_status custom_submit(ferry_executor *base, ferry_job *job, ferry_loop *loop_or_null) {
    (void)loop_or_null;
    custom *executor = from_executor(base);
    ferry_status status = enter(executor);
    if (status)
        return status;
    status = executor->class->submit(executor->self, job);
    leave(executor);
    return status;
}

static void custom_cancel(ferry_executor *base, ferry_job *job) {
    custom *executor = from_executor(base);
    if (executor->class->cancel)
        executor->class->cancel(executor->self, job);
}

/* ---- ending ---- */

static bool close_door(custom *executor, int64_t deadline_us) {
    bool in_time = true;
    fy_mutex_lock(&executor->lock);
    executor->closed = true;
    while (executor->inside && in_time)
        in_time = fy_cond_wait_until(&executor->left, &executor->lock, deadline_us);
    bool is_empty = !executor->inside;
    fy_mutex_unlock(&executor->lock);
    return is_empty;
}

static ferry_status custom_shutdown(ferry_executor *base, bool wait, bool cancel_futures, int64_t timeout_us) {
    custom *executor = from_executor(base);
    int64_t deadline_us = fy_deadline_after(timeout_us);
    if (!close_door(executor, wait ? deadline_us : FERRY_FOREVER))
        return FERRY_ETIMEDOUT;
    if (!executor->class->shutdown)
        return 0;
    return executor->class->shutdown(executor->self, wait, cancel_futures, fy_clock_left(deadline_us));
}

static void custom_stats(ferry_executor *base, ferry_executor_stats *ret_stats) {
    custom *executor = from_executor(base);
    if (executor->class->stats)
        executor->class->stats(executor->self, ret_stats);
}

/* A child made by fork has nothing of what the class works with but the memory. */
static void custom_destroy(ferry_executor *base) {
    custom *executor = from_executor(base);
    if (!fy_executor_check(base)) {
        if (executor->class->destroy)
            executor->class->destroy(executor->self);
        fy_executor_settle_cancels();
        fy_cond_fini(&executor->left);
        fy_mutex_fini(&executor->lock);
    }
    fy_free(executor);
}

static const fy_executor_ops custom_ops = {
    .name = "custom",
    .submit = custom_submit,
    .cancel = custom_cancel,
    .shutdown = custom_shutdown,
    .stats = custom_stats,
    .destroy = custom_destroy,
};

/* ---- making ---- */

static ferry_status init(custom *executor, const ferry_executor_class *executor_class, void *self) {
    ferry_status status = fy_executor_init(&executor->base, &custom_ops);
    if (status)
        return status;
    status = fy_mutex_init(&executor->lock);
    if (status)
        return status;
    status = fy_cond_init(&executor->left);
    if (status) {
        fy_mutex_fini(&executor->lock);
        return status;
    }
    executor->class = executor_class;
    executor->self = self;
    return 0;
}

ferry_status ferry_executor_create(const ferry_executor_class *executor_class, void *self,
                                   ferry_executor **ret_executor) {
    if (!executor_class || executor_class->size != sizeof *executor_class || !executor_class->submit || !ret_executor)
        return APR_EINVAL;
    custom *executor = fy_calloc(sizeof *executor);
    if (!executor)
        return APR_ENOMEM;
    ferry_status status = init(executor, executor_class, self);
    if (status) {
        fy_free(executor);
        return status;
    }
    *ret_executor = &executor->base;
    return 0;
}
