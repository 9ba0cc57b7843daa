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

/* The job was run, and its outcome, which lies in place already, is how the future ends. */
static bool ends_as_run(const fy_async_job *self) {
    return self->future.state == FY_FUTURE_PENDING &&
           (fy_job_load_state(&self->job) & FY_JOB_STATE) == FY_JOB_RUNNING &&
           self->future.outcome.status != FERRY_ECANCELED;
}

/* How the future ends, if it has not ended before. */
static void end_future(fy_async_job *self) {
    ferry_future *future = &self->future;
    if (ends_as_run(self)) {
        fy_future_finish(future);
    } else if (future->state == FY_FUTURE_PENDING) {
        fy_outcome cancelled = future->outcome;
        future->outcome = (fy_outcome){.kind = FY_VALUE_NONE};
        fy_future_finish_cancelled(future, fy_outcome_message(&cancelled));
        fy_outcome_clear(&cancelled);
    } else {
        fy_outcome_clear(&future->outcome);
    }
}

/* Where user code may be called, which may let go of the future, or nobody wants it any more. */
FY_NOINLINE static void deliver_carefully(fy_async_job *self) {
    ferry_future *future = &self->future;
    future->refs++;
    if (self->job.extra) {
        drop_timer(self->job.extra);
        fy_job_release_arg(&self->job);
    }
    end_future(self);
    ferry_future_unref(future);
}

static void deliver(void *arg, fy_message *message) {
    ferry_loop *loop = arg;
    fy_async_job *self = fy_job_as_async(FY_CONTAINER(message, ferry_job, message));
    loop->jobs_out--;
    self->future.in_flight = false;
    bool is_wanted = self->future.callbacks || self->future.refs;
    if (FY_LIKELY(is_wanted && !self->job.extra && !fy_loop_closed(loop) && ends_as_run(self)))
        fy_future_finish(&self->future);
    else
        deliver_carefully(self);
}

static void free_extra(ferry_job *job) {
    if (!job->extra)
        return;
    ferry_job_unref(job->extra->wrapped);
    fy_free(job->extra);
}

/* The loop is closed. */
FY_NOINLINE static void discard(fy_async_job *self) {
    ferry_loop *loop = self->future.loop;
    fy_job_release_arg(&self->job);
    fy_outcome_clear(&self->future.outcome);
    free_extra(&self->job);
    fy_loop_release(loop);
}

void fy_async_send(ferry_job *job) {
    fy_async_job *self = fy_job_as_async(job);
    if (FY_UNLIKELY(!fy_inbox_send(&self->future.loop->inbox, &job->message)))
        discard(self);
}

/* ---- the future's side ---- */

/* A job that has not started does not run; one that runs is told, and what it returns is dropped. Once the loop is
 * closed the rest of the job is its executor's, and what belongs to it may be freed just now. */
static void cancel_job(ferry_job *job, const ferry_loop *loop) {
    uint32_t state = fy_executor_cancel(job, FY_JOB_CANCEL_REQUESTED);
    if (fy_loop_closed(loop))
        return;
    if ((state & FY_JOB_STATE) == FY_JOB_PENDING)
        fy_job_release_arg(job);
    if (state & FY_JOB_WATCHED)
        fy_lot_notify(job);
    if (job->extra)
        ferry_job_cancel(job->extra->wrapped);
}

static bool cancel_async(ferry_future *future, const char *message) {
    fy_async_job *self = from_future(future);
    cancel_job(&self->job, future->loop);
    if (future->state == FY_FUTURE_PENDING) /* the argument's destructor may have cancelled it, too */
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

static void count_abandoned(void *cell, void *arg) {
    ferry_loop *loop = arg;
    const ferry_future *future = &((fy_async_job *)cell)->future;
    if (future->state != FY_FUTURE_FREE && future->in_flight && !future->refs)
        loop->jobs_abandoned++;
}

/* Counts first, for the second walk may call user code; from there on ferry_future_unref goes on counting. */
static void forget_jobs(ferry_loop *loop) {
    loop->jobs_abandoned = 0;
    if (!loop->jobs_out)
        return;
    fy_slab_walk(&loop->jobs, count_abandoned, loop);
    fy_slab_walk(&loop->jobs, forget_job, loop);
}

void fy_bridge_attach(ferry_loop *loop) {
    loop->executors.forget_jobs = forget_jobs;
    loop->executors.future_class = &async_class;
    loop->executors.message = deliver;
}

/* ---- submission ---- */

static inline fy_async_job *create_async(ferry_loop *loop, const char *origin, ferry_executor *executor,
                                         ferry_function *function, void *arg) {
    fy_async_job *self = fy_slab_alloc(&loop->jobs);
    if (FY_UNLIKELY(!self))
        return NULL;
    fy_job_init(&self->job, origin, executor, function, arg, FY_JOB_PENDING | FY_JOB_ASYNC);
    fy_future_init(&self->future, loop, FY_FUTURE_JOB, origin);
    self->future.in_flight = true;
    loop->jobs_out++;
    return self;
}

/* It was refused. Returns: `status`. */
FY_NOINLINE static ferry_status undo_create(ferry_loop *loop, fy_async_job *self, ferry_status status) {
    if (self->job.extra)
        drop_timer(self->job.extra);
    fy_job_fini_options(&self->job);
    loop->jobs_out--;
    self->future.state = FY_FUTURE_FREE;
    fy_slab_free(&loop->jobs, self);
    return status;
}

/* The time is up: the future ends now; the job does not start, or is told. */
static ferry_status time_is_up(void *arg) {
    fy_async_job *self = arg;
    ferry_future *future = &self->future;
    self->job.extra->timer = NULL;
    if (future->state != FY_FUTURE_PENDING)
        return 0;
    cancel_job(&self->job, future->loop);
    if (future->state == FY_FUTURE_PENDING)
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
        when_us = fy_time_after(fy_loop_now_for_deadline(loop), extra->timeout_us);
    if (when_us == FERRY_FOREVER)
        return 0;
    ferry_status status = ferry_call_at_from(self->job.origin, loop, when_us, time_is_up, self, &extra->timer);
    if (!status)
        ferry_handle_unref(extra->timer);
    return status;
}

/* Returns: as ferry_run_in_executor. */
static inline ferry_status submit(ferry_loop *loop, fy_async_job *self, ferry_future **ret_future) {
    ferry_status status = fy_executor_submit_job(self->job.executor, &self->job, loop);
    if (FY_UNLIKELY(status))
        return undo_create(loop, self, status);
    if (FY_LIKELY(ret_future != NULL))
        *ret_future = &self->future;
    else
        ferry_future_unref(&self->future);
    return 0;
}

/* Fills in what may be left out. Returns: as ferry_run_in_executor, but nothing about the job. */
static inline ferry_status choose(ferry_loop **loop, ferry_executor **executor) {
    if (!*loop)
        *loop = ferry_running_loop();
    if (FY_UNLIKELY(!*loop))
        return APR_EINVAL;
    ferry_status status = fy_loop_check(*loop);
    if (FY_UNLIKELY(status))
        return status;
    if (FY_UNLIKELY(!(*loop)->executors.message))
        fy_bridge_attach(*loop);
    return FY_LIKELY(*executor != NULL) ? fy_executor_check(*executor) : fy_default_executor_get(*loop, executor);
}

ferry_status fy_run_in_executor(const char *origin, ferry_loop *loop_or_null, ferry_executor *executor_or_null,
                                const ferry_job_options *options, struct fy_values *values, ferry_future **ret_future) {
    ferry_status status = fy_job_options_check(options);
    if (!status)
        status = choose(&loop_or_null, &executor_or_null);
    if (status)
        return status;
    fy_async_job *self = create_async(loop_or_null, origin, executor_or_null, options->function, options->arg);
    if (!self)
        return APR_ENOMEM;
    status = fy_job_add_options(&self->job, options, values);
    if (!status)
        status = start_timer(loop_or_null, self);
    return status ? undo_create(loop_or_null, self, status) : submit(loop_or_null, self, ret_future);
}

ferry_status ferry_run_in_executor_with_from(const char *origin, ferry_loop *loop_or_null,
                                             ferry_executor *executor_or_null, const ferry_job_options *options,
                                             ferry_future **ret_future) {
    return fy_run_in_executor(origin, loop_or_null, executor_or_null, options, NULL, ret_future);
}

ferry_status ferry_run_in_executor_from(const char *origin, ferry_loop *loop_or_null, ferry_executor *executor_or_null,
                                        ferry_function *function, void *arg, ferry_future **ret_future) {
    if (FY_UNLIKELY(!function))
        return APR_EINVAL;
    ferry_status status = choose(&loop_or_null, &executor_or_null);
    if (FY_UNLIKELY(status))
        return status;
    fy_async_job *self = create_async(loop_or_null, origin, executor_or_null, function, arg);
    return FY_LIKELY(self != NULL) ? submit(loop_or_null, self, ret_future) : APR_ENOMEM;
}

ferry_status fy_async_create_bare(ferry_loop *loop, const char *origin, ferry_job **ret_job,
                                  ferry_future **ret_future) {
    if (!loop->executors.message)
        fy_bridge_attach(loop);
    fy_async_job *self = create_async(loop, origin, NULL, NULL, NULL);
    if (!self)
        return APR_ENOMEM;
    *ret_job = &self->job;
    *ret_future = &self->future;
    return 0;
}
