/* SPDX-License-Identifier: Apache-2.0 */
/* Between a loop and its executors: a job and its future in one cell of the loop's slab (see job.h).
 *
 * Who may touch what of the cell:
 *
 *   from submission until the job is sent   job and outcome: the executor's side, by the job's state. future: the
 *                                           loop's thread, which must not touch the outcome.
 *   once it was sent                        all of it: the loop's thread.
 *
 * `in_flight` of the future is true from submission until delivery; during that time the cell is alive whatever the
 * future's count says. A future that nobody holds by then is delivered all the same, so that an error is reported.
 *
 * A job that ends after its loop was closed finds the inbox shut: then the worker frees what the job owns, and gives
 * the loop's memory the reference back that it was granted at closing. The cell itself goes with the slab. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "executor/executor.h"
#include "executor/lot.h"

static fy_async_job *from_future(ferry_future *future) {
    return FY_CONTAINER(future, fy_async_job, future);
}

/* ---- delivery ---- */

static void drop_timer(fy_job_extra *extra) {
    if (extra->timer)
        ferry_handle_cancel(extra->timer);
    extra->timer = NULL;
}

/* How the future ends, if it has not ended before: the outcome lies in place already. */
static void end_future(fy_async_job *self) {
    ferry_future *future = &self->future;
    fy_outcome *outcome = &future->outcome;
    if (future->state != FY_FUTURE_PENDING) {
        fy_outcome_clear(outcome);
        return;
    }
    bool was_run = (fy_job_load_state(&self->job) & FY_JOB_STATE) == FY_JOB_RUNNING;
    if (was_run && outcome->status != FERRY_ECANCELED) {
        fy_future_finish(future);
        return;
    }
    fy_outcome cancelled = *outcome;
    *outcome = (fy_outcome){.kind = FY_VALUE_NONE};
    fy_future_finish_cancelled(future, fy_outcome_message(&cancelled));
    fy_outcome_clear(&cancelled);
}

static void deliver(ferry_loop *loop, fy_message *message) {
    fy_async_job *self = fy_job_as_async(FY_CONTAINER(message, ferry_job, message));
    ferry_future *future = &self->future;
    loop->jobs_out--;
    future->in_flight = false;
    if (FY_UNLIKELY(!future->refs))
        loop->jobs_abandoned--;
    future->refs++;
    if (FY_UNLIKELY(self->job.extra != NULL)) {
        drop_timer(self->job.extra);
        fy_job_release_arg(&self->job);
    }
    end_future(self);
    ferry_future_unref(future);
}

static void free_extra(ferry_job *job) {
    if (!job->extra)
        return;
    ferry_job_unref(job->extra->wrapped);
    fy_free(job->extra);
}

void fy_async_send(ferry_job *job) {
    fy_async_job *self = fy_job_as_async(job);
    ferry_loop *loop = self->future.loop;
    if (FY_LIKELY(fy_inbox_send(&loop->inbox, &job->message)))
        return;
    fy_job_release_arg(job);
    fy_outcome_clear(&self->future.outcome);
    free_extra(job);
    fy_loop_release(loop);
}

/* ---- the future's side ---- */

/* A job that has not started does not run; one that runs is told, and what it returns is dropped. */
static void cancel_job(ferry_job *job) {
    uint32_t state = fy_executor_cancel(job);
    if ((state & FY_JOB_STATE) == FY_JOB_PENDING)
        fy_job_release_arg(job);
    if (state & FY_JOB_WATCHED)
        fy_lot_notify(job);
    if (job->extra)
        ferry_job_cancel(job->extra->wrapped);
}

static bool cancel_async(ferry_future *future, const char *message) {
    fy_async_job *self = from_future(future);
    cancel_job(&self->job);
    fy_future_finish_cancelled(future, message);
    return true;
}

static void free_async(ferry_future *future) {
    fy_async_job *self = from_future(future);
    free_extra(&self->job);
    fy_loop_free_cell(future->loop, &future->loop->jobs, self);
}

static const fy_future_class async_class = {.cancel = cancel_async, .free = free_async};

/* A job that is out when its loop has closed goes on, but its future will not end any more. */
static void forget_job(void *cell, void *arg) {
    ferry_loop *loop = arg;
    ferry_future *future = &((fy_async_job *)cell)->future;
    if (future->state == FY_FUTURE_FREE || !future->in_flight)
        return;
    if (loop->debug && future->state == FY_FUTURE_PENDING)
        fy_loop_report(loop, &(ferry_report){.message = "a job was still out when its loop was closed",
                                             .origin = future->origin,
                                             .future = future});
    fy_future_forget_callbacks(future);
}

static void forget_jobs(ferry_loop *loop) {
    if (loop->jobs_out)
        fy_slab_walk(&loop->jobs, forget_job, loop);
}

void fy_bridge_attach(ferry_loop *loop) {
    loop->executors.forget_jobs = forget_jobs;
    loop->executors.future_class = &async_class;
    loop->executors.message = deliver;
}

/* ---- submission ---- */

/* The options are NULL, or say more than function and argument. */
static ferry_status create_async(ferry_loop *loop, const char *origin, ferry_executor *executor,
                                 ferry_function *function, void *arg, const ferry_job_options *options,
                                 fy_async_job **ret_self) {
    if (FY_UNLIKELY(!loop->executors.message))
        fy_bridge_attach(loop);
    fy_async_job *self = fy_slab_alloc(&loop->jobs);
    if (!self)
        return APR_ENOMEM;
    fy_job_init(&self->job, origin, executor, function, arg, FY_JOB_PENDING | FY_JOB_ASYNC);
    ferry_status status = options ? fy_job_add_options(&self->job, options) : 0;
    if (FY_UNLIKELY(status)) {
        self->future.state = FY_FUTURE_FREE;
        fy_slab_free(&loop->jobs, self);
        return status;
    }
    fy_future_init(&self->future, loop, FY_FUTURE_JOB, origin);
    self->future.in_flight = true;
    loop->jobs_out++;
    *ret_self = self;
    return 0;
}

static void undo_create(ferry_loop *loop, fy_async_job *self) {
    loop->jobs_out--;
    fy_job_fini_options(&self->job);
    self->future.state = FY_FUTURE_FREE;
    fy_slab_free(&loop->jobs, self);
}

/* The time is up: the future ends now; the job does not start, or is told. */
static ferry_status time_is_up(void *arg) {
    fy_async_job *self = arg;
    ferry_future *future = &self->future;
    self->job.extra->timer = NULL;
    if (future->state != FY_FUTURE_PENDING)
        return 0;
    cancel_job(&self->job);
    fy_future_finish_timed_out(future);
    return 0;
}

/* The job's deadline is on the clock of the threads that run it; a loop of virtual time has another one. */
static ferry_status start_timer(ferry_loop *loop, fy_async_job *self) {
    fy_job_extra *extra = self->job.extra;
    if (FY_LIKELY(!extra) || !extra->deadline_us)
        return 0;
    int64_t when_us = extra->deadline_us;
    if (FY_UNLIKELY(loop->has_virtual_time))
        when_us = fy_loop_now_for_deadline(loop) + extra->timeout_us;
    ferry_status status = ferry_call_at_from(self->job.origin, loop, when_us, time_is_up, self, &extra->timer);
    if (!status)
        ferry_handle_unref(extra->timer);
    return status;
}

static ferry_status submit(const char *origin, ferry_loop *loop, ferry_executor *executor, ferry_function *function,
                           void *arg, const ferry_job_options *options, ferry_future **ret_future) {
    fy_async_job *self = NULL;
    ferry_status status = create_async(loop, origin, executor, function, arg, options, &self);
    if (FY_UNLIKELY(status))
        return status;
    status = start_timer(loop, self);
    if (!status)
        status = fy_executor_submit_job(executor, &self->job, loop);
    if (FY_UNLIKELY(status)) {
        if (self->job.extra)
            drop_timer(self->job.extra);
        undo_create(loop, self);
        return status;
    }
    if (ret_future)
        *ret_future = &self->future;
    else
        ferry_future_unref(&self->future);
    return 0;
}

/* Fills in what may be left out. Returns: as ferry_run_in_executor, but nothing about the job. */
static ferry_status choose(ferry_loop **loop, ferry_executor **executor) {
    if (!*loop)
        *loop = ferry_running_loop();
    if (!*loop)
        return APR_EINVAL;
    ferry_status status = fy_loop_check(*loop);
    if (FY_UNLIKELY(status))
        return status;
    return FY_LIKELY(*executor != NULL) ? fy_executor_check(*executor) : fy_default_executor_get(*loop, executor);
}

ferry_status ferry_run_in_executor_with_from(const char *origin, ferry_loop *loop_or_null,
                                             ferry_executor *executor_or_null, const ferry_job_options *options,
                                             ferry_future **ret_future) {
    ferry_status status = fy_job_options_check(options);
    if (!status)
        status = choose(&loop_or_null, &executor_or_null);
    if (status)
        return status;
    return submit(origin, loop_or_null, executor_or_null, options->function, options->arg, options, ret_future);
}

ferry_status ferry_run_in_executor_from(const char *origin, ferry_loop *loop_or_null, ferry_executor *executor_or_null,
                                        ferry_function *function, void *arg, ferry_future **ret_future) {
    if (FY_UNLIKELY(!function))
        return APR_EINVAL;
    ferry_status status = choose(&loop_or_null, &executor_or_null);
    if (FY_UNLIKELY(status))
        return status;
    return submit(origin, loop_or_null, executor_or_null, function, arg, NULL, ret_future);
}

ferry_status fy_async_create_bare(ferry_loop *loop, const char *origin, ferry_job **ret_job,
                                  ferry_future **ret_future) {
    fy_async_job *self = NULL;
    ferry_status status = create_async(loop, origin, NULL, NULL, NULL, NULL, &self);
    if (status)
        return status;
    *ret_job = &self->job;
    *ret_future = &self->future;
    return 0;
}
