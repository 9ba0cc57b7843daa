/* SPDX-License-Identifier: Apache-2.0 */
/* How a simulated executor ends: by a shutdown, which can wait only by having every job done at once; as a loop's
 * default executor, without blocking it; and with its loop. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "future/future.h"
#include "sim/executor.h"

static void drop_queue(fy_sim_executor *self) {
    int64_t deadline_us;
    for (ferry_job *job; (job = fy_sim_queue_pop(self, &deadline_us));) {
        self->cancelled++;
        ferry_job_drop(job);
        fy_sim_executor_forget_job(self);
    }
}

static void drop_unclaimed(fy_sim_executor *self) {
    drop_queue(self);
    for (size_t i = 0; i < self->options.workers; i++)
        if (self->workers[i].job && !self->workers[i].is_claimed)
            fy_sim_worker_drop(&self->workers[i]);
}

static bool is_inside(const fy_sim_executor *self) {
    for (size_t i = 0; i < self->options.workers; i++)
        if (self->workers[i].is_inside)
            return true;
    return false;
}

/* As in a turn of the loop, so that no job closes it. */
static ferry_status finish_at_once(fy_sim_executor *self) {
    if (is_inside(self))
        return FERRY_EDEADLK;
    bool is_running = ferry_running_loop() == self->loop;
    if (!is_running && fy_loop_enter(self->loop))
        return FERRY_EDEADLK;
    fy_sim_executor_hurry(self);
    if (!is_running)
        fy_loop_leave(self->loop);
    return 0;
}

ferry_status fy_sim_executor_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us) {
    fy_sim_executor *self = fy_sim_executor_of(executor);
    (void)timeout_us;
    ferry_status status = fy_loop_check(self->loop);
    if (status == FERRY_ECLOSED) {
        self->is_closed = true;
        return 0;
    }
    if (status)
        return status;
    self->is_closed = true;
    if (cancel_futures)
        drop_unclaimed(self);
    return wait && self->jobs ? finish_at_once(self) : 0;
}

/* ---- as a loop's default executor ---- */

ferry_status fy_sim_executor_check_default(ferry_executor *executor, const ferry_loop *loop) {
    const fy_sim_executor *self = fy_sim_executor_of(executor);
    if (self->loop != loop)
        return FERRY_EWRONGLOOP;
    return self->is_closed ? FERRY_ESHUTDOWN : 0;
}

static void free_end(fy_sim_end *end) {
    fy_sim_end **link = &end->executor->ends;
    while (*link != end)
        link = &(*link)->next;
    *link = end->next;
    ferry_handle_cancel(end->timer);
    ferry_handle_unref(end->timer);
    ferry_future_unref(end->future);
    fy_free(end);
}

void fy_sim_executor_tell_end(fy_sim_executor *self) {
    while (self->ends) {
        if (!ferry_future_done(self->ends->future))
            fy_future_finish(self->ends->future);
        free_end(self->ends);
    }
}

#define LATE "the simulated default executor's jobs still run"

static ferry_status give_up(void *arg) {
    fy_sim_end *end = arg;
    ferry_future *future = end->future;
    fy_loop_report(end->executor->loop, &(ferry_report){
        .message = LATE, .status = FERRY_ETIMEDOUT, .origin = ferry_future_origin(future)});
    if (!ferry_future_done(future)) {
        fy_outcome_set_error(&future->outcome, FERRY_ETIMEDOUT, fy_error_create(NULL, LATE));
        fy_future_finish(future);
    }
    free_end(end);
    return 0;
}

/* Returns: 0, APR_ENOMEM. */
static ferry_status start_limit(fy_sim_end *end, const char *origin, ferry_loop *loop, int64_t timeout_us) {
    return timeout_us == FERRY_FOREVER ? 0
                                       : ferry_call_later_from(origin, loop, timeout_us, give_up, end, &end->timer);
}

ferry_status fy_sim_executor_end_default(ferry_executor *executor, const char *origin, ferry_loop *loop,
                                         int64_t timeout_us, ferry_future **ret_future) {
    fy_sim_executor *self = fy_sim_executor_of(executor);
    ferry_future *future = NULL;
    fy_sim_end *end = fy_calloc(sizeof *end);
    if (!end)
        return APR_ENOMEM;
    ferry_status status = fy_future_create_inner(loop, origin, &future);
    if (!status)
        status = start_limit(end, origin, loop, timeout_us);
    if (status) {
        ferry_future_unref(future);
        fy_free(end);
        return status;
    }
    end->executor = self;
    end->future = ferry_future_ref(future);
    end->next = self->ends;
    self->ends = end;
    self->is_closed = true;
    *ret_future = future;
    if (!self->jobs)
        fy_sim_executor_tell_end(self);
    return 0;
}

/* ---- the loop closes ---- */

static void fail_claimed(fy_sim_worker *worker) {
    ferry_job *job = worker->job;
    bool is_async = fy_job_is_async(job);
    ferry_handle_unref(worker->timer);
    worker->timer = NULL;
    worker->executor->done++;
    worker->executor->failed++;
    fy_job_fail_claimed(job, FERRY_ECLOSED, "the job's loop was closed");
    if (!is_async)
        ferry_job_unref(job);
    fy_sim_worker_release(worker);
}

/* Nothing ends the rest any more: the loop's timers are gone. */
void fy_sim_executor_loop_closes(fy_close_hook *hook) {
    fy_sim_executor *self = FY_CONTAINER(hook, fy_sim_executor, close_hook);
    ferry_executor_ref(&self->base);
    self->is_closed = true;
    while (self->ends)
        free_end(self->ends);
    drop_unclaimed(self);
    for (size_t i = 0; i < self->options.workers; i++)
        if (self->workers[i].job)
            fail_claimed(&self->workers[i]);
    ferry_executor_unref(&self->base);
}
