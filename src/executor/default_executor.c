/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's default executor: a slot that is empty until the first job for it. Shutting it down does not block the
 * loop: its future is a wish that the pool's last thread grants, or that a timer of the loop gives up. */
#include <apr_errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "executor/lot.h"
#include "executor/threadpool.h"

static void close_default(ferry_loop *loop) {
    ferry_executor *executor = loop->executors.default_executor;
    loop->executors.default_executor = NULL;
    loop->executors.shut_down = true;
    if (executor) {
        ferry_executor_shutdown(executor, false, false, 0);
        ferry_executor_unref(executor);
    }
}

static void put_default(ferry_loop *loop, ferry_executor *executor) {
    fy_bridge_attach(loop);
    loop->executors.close = close_default;
    loop->executors.default_executor = executor;
}

ferry_status fy_default_executor_get(ferry_loop *loop, ferry_executor **ret_executor) {
    if (loop->executors.shut_down)
        return FERRY_ESHUTDOWN;
    if (!loop->executors.default_executor) {
        ferry_executor *executor = NULL;
        ferry_status status = fy_pool_create_default(&executor);
        if (status)
            return status;
        put_default(loop, executor);
    }
    *ret_executor = loop->executors.default_executor;
    return 0;
}

ferry_executor *ferry_loop_default_executor(const ferry_loop *loop) {
    return loop ? loop->executors.default_executor : NULL;
}

ferry_status fy_pool_check_default(ferry_executor *executor, const ferry_loop *loop) {
    (void)loop;
    return fy_pool_accepts(fy_pool_of(executor)) ? 0 : FERRY_ESHUTDOWN;
}

ferry_status ferry_loop_set_default_executor(ferry_loop *loop, ferry_executor *executor) {
    if (!loop || !executor || !executor->ops->check_default)
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        status = fy_executor_check(executor);
    if (!status)
        status = loop->executors.shut_down ? FERRY_ESHUTDOWN : executor->ops->check_default(executor, loop);
    if (status)
        return status;
    ferry_executor *former = loop->executors.default_executor;
    put_default(loop, ferry_executor_ref(executor));
    ferry_executor_unref(former);
    return 0;
}

/* ---- shutting down without blocking the loop ---- */

/* The time limit of a shutdown. It lives until its future is done, when the timer is taken back. */
typedef struct time_limit {
    fy_pool *pool; /* one holder */
    ferry_job *job; /* the wish's */
    ferry_handle *timer;
    fy_close_hook close_hook;
} time_limit;

/* ED-009: the time limit is reported, whoever looks at the future. */
static void report_timeout(ferry_loop *loop, const char *message, const char *origin) {
    fy_loop_report(loop, &(ferry_report){.message = message, .status = FERRY_ETIMEDOUT, .origin = origin});
}

static ferry_status give_up(void *arg) {
    time_limit *self = arg;
    fy_pool *pool = self->pool;
    fy_wish *wish = fy_pool_unwish_end(pool, self->job);
    if (!wish)
        return 0; /* the last thread has just taken it */
    ferry_job *job = self->job;
    fy_free(wish);
    char names[512];
    char message[640];
    fy_pool_describe(&pool->base, names, sizeof names);
    snprintf(message, sizeof message, "the default executor's jobs still run: %s", names);
    report_timeout(fy_job_as_async(job)->future.loop, message, job->origin);
    ferry_return_error(ferry_job_call(job), FERRY_ETIMEDOUT, "%s", message);
    ferry_job_finish(job, FERRY_ETIMEDOUT);
    return 0;
}

static void free_limit(time_limit *self) {
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
    fy_pool_release(self->pool);
    fy_free(self);
}

static ferry_status end_limit(ferry_future *future, void *arg) {
    time_limit *self = arg;
    (void)future;
    fy_loop_not_at_close(&self->close_hook);
    free_limit(self);
    return 0;
}

static void end_limit_at_close(fy_close_hook *hook) {
    free_limit(FY_CONTAINER(hook, time_limit, close_hook));
}

static ferry_status start_limit(const char *origin, ferry_loop *loop, int64_t timeout_us, fy_pool *pool,
                                const fy_wish *wish, ferry_future *future) {
    if (timeout_us == FERRY_FOREVER)
        return 0;
    time_limit *self = fy_malloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    *self = (time_limit){.pool = pool, .job = wish->job, .close_hook = {.run = end_limit_at_close}};
    ferry_status status = ferry_call_later_from(origin, loop, timeout_us, give_up, self, &self->timer);
    if (status)
        goto fail_timer;
    status = ferry_future_add_done_callback_from(origin, future, end_limit, self, NULL);
    if (status)
        goto fail_callback;
    fy_loop_at_close(loop, &self->close_hook);
    fy_pool_hold(pool);
    return 0;

fail_callback:
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
fail_timer:
    fy_free(self);
    return status;
}

ferry_status fy_pool_end_default(ferry_executor *executor, const char *origin, ferry_loop *loop, int64_t timeout_us,
                                 ferry_future **ret_future) {
    fy_pool *pool = fy_pool_of(executor);
    fy_wish *wish = NULL;
    ferry_future *future = NULL;
    ferry_status status = fy_wish_create(loop, origin, &wish, &future);
    if (status)
        return status;
    status = start_limit(origin, loop, timeout_us, pool, wish, future);
    if (status) {
        ferry_future_unref(future);
        fy_wishes_grant(wish);
        return status;
    }
    fy_pool_wish_end(pool, wish);
    *ret_future = future;
    fy_pool_close(pool, false);
    return 0;
}

static ferry_status finished_future(const char *origin, ferry_loop *loop, ferry_future **ret_future) {
    ferry_status status = ferry_future_create_from(origin, loop, ret_future);
    return status ? status : ferry_future_set_result(*ret_future);
}

ferry_status ferry_loop_shutdown_default_executor_from(const char *origin, ferry_loop *loop, int64_t timeout_us,
                                                       ferry_future **ret_future) {
    if (!loop || !ret_future || timeout_us < 0)
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (!loop->executors.default_executor) {
        loop->executors.shut_down = true;
        return finished_future(origin, loop, ret_future);
    }
    ferry_executor *executor = loop->executors.default_executor;
    status = executor->ops->end_default(executor, origin, loop, timeout_us, ret_future);
    if (!status)
        loop->executors.shut_down = true;
    return status;
}
