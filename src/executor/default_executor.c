/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's default executor: a slot that is empty until the first job for it. Shutting it down must not block the loop,
 * so a short-lived thread waits for the workers in its place. */
#include <apr_errno.h>

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
        ferry_status status = ferry_thread_pool_create(NULL, &executor);
        if (status)
            return status;
        put_default(loop, executor);
    }
    *ret_executor = loop->executors.default_executor;
    return 0;
}

ferry_status ferry_loop_set_default_executor(ferry_loop *loop, ferry_executor *executor) {
    if (!loop || !executor || executor->ops != &fy_thread_pool_ops)
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        status = fy_executor_check(executor);
    bool accepts = !status && atomic_load_explicit(&fy_pool_of(executor)->accepting, memory_order_relaxed);
    if (!status && (loop->executors.shut_down || !accepts))
        status = FERRY_ESHUTDOWN;
    if (status)
        return status;
    ferry_executor *former = loop->executors.default_executor;
    put_default(loop, ferry_executor_ref(executor));
    ferry_executor_unref(former);
    return 0;
}

/* ---- shutting down without blocking the loop ---- */

/* Lives until its thread has ended. */
typedef struct closer {
    fy_drain drain;
    fy_pool *pool; /* one holder */
    ferry_job *job; /* bare, claimed: finishing it ends the future */
    int64_t deadline_us;
} closer;

static void wait_for_workers(fy_drain *drain) {
    closer *self = FY_CONTAINER(drain, closer, drain);
    bool gone = fy_pool_wait_gone(self->pool, self->deadline_us);
    if (gone) {
        ferry_job_finish(self->job, 0);
        return;
    }
    char names[512];
    fy_pool_describe(&self->pool->base, names, sizeof names);
    ferry_return_error(ferry_job_call(self->job), FERRY_ETIMEDOUT, "the default executor's jobs still run: %s", names);
    ferry_job_finish(self->job, FERRY_ETIMEDOUT);
}

static void free_closer(fy_drain *drain) {
    closer *self = FY_CONTAINER(drain, closer, drain);
    fy_pool_release(self->pool);
    fy_free(self);
}

/* ED-009: the time limit is reported, whoever looks at the future. */
static ferry_status report_timeout(ferry_future *future, void *arg) {
    (void)arg;
    if (fy_future_peek(future) == FERRY_ETIMEDOUT)
        fy_loop_report(future->loop, &(ferry_report){.message = fy_future_peek_message(future),
                                                     .status = FERRY_ETIMEDOUT,
                                                     .origin = future->origin,
                                                     .future = future});
    return 0;
}

static ferry_status start_closer(const char *origin, ferry_loop *loop, int64_t timeout_us, ferry_future **ret_future) {
    fy_pool *pool = fy_pool_of(loop->executors.default_executor);
    closer *self = fy_malloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    ferry_future *future = NULL;
    ferry_status status = fy_async_create_bare(loop, origin, &self->job, &future);
    if (status)
        goto fail_job;
    ferry_job_claim(self->job);
    status = ferry_future_add_done_callback_from(origin, future, report_timeout, NULL, NULL);
    if (status)
        goto fail_start;
    self->drain = (fy_drain){.run = wait_for_workers, .gone = free_closer};
    self->pool = pool;
    self->deadline_us = fy_deadline_after(timeout_us);
    atomic_fetch_add_explicit(&pool->holders, 1, memory_order_relaxed);
    status = fy_host_start(&self->drain);
    if (status) {
        fy_pool_release(pool);
        goto fail_start;
    }
    *ret_future = future;
    return 0;

fail_start:
    ferry_future_unref(future);
    ferry_job_finish(self->job, 0);
fail_job:
    fy_free(self);
    return status;
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
    status = start_closer(origin, loop, timeout_us, ret_future);
    if (status)
        return status;
    loop->executors.shut_down = true;
    fy_pool_close(fy_pool_of(loop->executors.default_executor), false);
    return 0;
}
