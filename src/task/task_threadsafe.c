/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that other threads ask for. The asking thread has a job; the loop has a task; between them stands a bridge,
 * which plays the executor whose queue the job is in, so that a cancel finds it.
 *
 *   the job    pending until the task has ended: then the loop's thread claims it, gives it the outcome and finishes
 *              it; or it was cancelled meanwhile, and is acknowledged. Only the loop's thread does either.
 *   the task   read and written by the loop's thread alone. There from the delivery of `begin` until it ends.
 *   begin      sent once, by the thread that asks, before anybody else can know the job.
 *   cancel     sent at most once, by whoever cancels the job while it is pending; so never before `begin`.
 *   options    written before `begin` is sent, then the loop's thread's. The argument is the task's once there is one;
 *              if there never is, it is freed here.
 *
 * References to the bridge: one until the job is ended, one for `cancel` while that is under way, one of the thread
 * that is sending it (which fy_executor_cancel takes). With the last one the loop's memory may go, so a sender always
 * finds the inbox, if only to be refused. Both messages carry their own link: neither can get lost for want of
 * memory. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "executor/executor.h"
#include "ferry/run.h"
#include "task/task.h"

typedef struct bridge {
    ferry_executor base;
    fy_call_message begin, cancel;
    ferry_loop *loop;           /* held */
    ferry_job *job;             /* the executor's reference; until it is ended */
    fy_task *task;              /* the loop's, or NULL */
    ferry_task_options options; /* copies of what they point to lie behind the bridge */
    bool is_asked_for;          /* somebody else has the job */
} bridge;

enum { ARGUMENT_ALIGNMENT = 16 };

static bridge *from_executor(ferry_executor *executor) {
    return FY_CONTAINER(executor, bridge, base);
}

static void destroy(ferry_executor *executor) {
    bridge *self = from_executor(executor);
    fy_executor_settle_cancels();
    fy_loop_release(self->loop);
    fy_free(self);
}

/* ---- the end ---- */

/* There is no task. The job ends with an error of Ferry's own. */
static void fail(bridge *self, ferry_status status, const char *message) {
    ferry_call *call = ferry_job_call(self->job);
    if (self->options.arg_free)
        self->options.arg_free(self->options.arg);
    if (ferry_job_claim(self->job))
        (void)ferry_job_finish(self->job, ferry_return_error(call, status, "%s", message));
    else
        ferry_job_drop(self->job);
    ferry_executor_unref(&self->base);
}

/* The task's own argument goes with the task. */
static ferry_status copy_argument(const fy_outcome *from, ferry_job *job) {
    void *copy = fy_malloc(from->size + 1);
    if (!copy)
        return ferry_return_error(ferry_job_call(job), ENOMEM, "there is no memory for its result");
    return ferry_return_bytes(ferry_job_call(job), memcpy(copy, from->pointer, from->size), from->size, fy_free);
}

/* Whoever has the job is told the same as whoever has the task, and looks at an error; but a pointer has one owner.
 * Returns: the job's status. */
static ferry_status hand_over(ferry_future *future, ferry_job *job) {
    fy_outcome *outcome = fy_job_outcome(job);
    bool owns = future->outcome.kind == FY_VALUE_POINTER || future->outcome.kind == FY_VALUE_BYTES;
    ferry_status status = fy_future_peek(future);
    future->looked_at = true;
    if (owns && future->outcome.is_borrowed)
        return copy_argument(&future->outcome, job);
    if (owns) {
        *outcome = future->outcome;
        fy_outcome_forget(&future->outcome);
    } else {
        fy_outcome_borrow(outcome, &future->outcome);
    }
    return status;
}

static void end_job(fy_task *task, void *arg) {
    bridge *self = arg;
    ferry_future *future = &task->cell.future;
    self->task = NULL;
    if (!ferry_future_cancelled(future) && ferry_job_claim(self->job)) {
        ferry_status status = self->is_asked_for ? hand_over(future, self->job) : fy_future_peek(future);
        (void)ferry_job_finish(self->job, status);
    } else {
        ferry_job_drop(self->job);
    }
    ferry_executor_unref(&self->base);
}

/* ---- what comes in through the inbox ---- */

static void begin_task(fy_call_message *message) {
    bridge *self = FY_CONTAINER(message, bridge, begin);
    ferry_job *job = self->job;
    ferry_task *task = NULL;
    if (ferry_job_cancelled(job)) {
        fail(self, FERRY_ECANCELED, "");
        return;
    }
    ferry_status status = ferry_task_create_with_from(job->origin, self->loop, &self->options, &task);
    if (status) {
        fail(self, status, "the task could not be begun");
        return;
    }
    self->task = fy_task_of(task);
    self->task->ended = end_job;
    self->task->ended_arg = self;
    ferry_future_unref(task);
}

static void cancel_task(fy_call_message *message) {
    bridge *self = FY_CONTAINER(message, bridge, cancel);
    if (self->task && !fy_loop_closed(self->loop))
        (void)ferry_future_cancel(&self->task->cell.future);
    ferry_executor_unref(&self->base);
}

/* In whatever thread has cancelled the job. */
static void send_cancel(ferry_executor *executor, ferry_job *job) {
    bridge *self = from_executor(executor);
    (void)job;
    if (self->base.fork_generation != fy_fork_generation())
        return;
    ferry_executor_ref(executor);
    if (!fy_inbox_send_call(&self->loop->inbox, &self->cancel))
        ferry_executor_unref(executor);
}

/* ---- asking ---- */

static const fy_executor_ops bridge_ops = {.name = "loop", .cancel = send_cancel, .destroy = destroy};

/* The bridge with its own copies of the argument and the name. */
static bridge *copy_options(const ferry_task_options *options) {
    size_t size = (sizeof(bridge) + ARGUMENT_ALIGNMENT - 1) / ARGUMENT_ALIGNMENT * ARGUMENT_ALIGNMENT;
    size_t name_size = options->name ? strlen(options->name) + 1 : 0;
    char *memory = fy_calloc(size + options->arg_size + name_size);
    if (!memory)
        return NULL;
    bridge *self = (bridge *)(void *)memory;
    self->options = *options;
    if (options->arg_size)
        self->options.arg = memcpy(memory + size, options->arg, options->arg_size);
    if (options->name)
        self->options.name = memcpy(memory + size + options->arg_size, options->name, name_size);
    return self;
}

static ferry_status create(const char *origin, ferry_loop *loop, const ferry_task_options *options, bridge **ret_self) {
    const ferry_job_options of_job = {FERRY_JOB_OPTIONS, .function = options->function};
    bridge *self = copy_options(options);
    if (!self)
        return ENOMEM;
    ferry_status status = fy_executor_init(&self->base, &bridge_ops);
    if (!status)
        status = fy_job_create_plain(origin, &self->base, &of_job, &self->job);
    if (status) {
        fy_free(self);
        return status;
    }
    self->begin.run = begin_task;
    self->cancel.run = cancel_task;
    self->loop = loop;
    fy_loop_hold(loop);
    *ret_self = self;
    return 0;
}

/* A refused argument is the caller's. */
static void refuse(bridge *self) {
    ferry_job *job = self->job;
    self->options.arg_free = NULL;
    fail(self, FERRY_ECLOSED, "");
    ferry_job_unref(job);
}

ferry_status ferry_run_coroutine_threadsafe_with_from(const char *origin, ferry_loop *loop,
                                                      const ferry_task_options *options, ferry_job **ret_job) {
    if (!loop || !fy_task_options_are_sane(options) || options->eager || options->context)
        return EINVAL;
    if (loop->fork_generation != fy_fork_generation())
        return FERRY_EFORKED;
    bridge *self = NULL;
    ferry_status status = create(origin, loop, options, &self);
    if (status)
        return status;
    ferry_job *job = self->job;
    self->is_asked_for = ret_job != NULL;
    if (!fy_inbox_send_call(&loop->inbox, &self->begin)) {
        refuse(self);
        return FERRY_ECLOSED;
    }
    if (ret_job)
        *ret_job = job;
    else
        ferry_job_unref(job);
    return 0;
}

ferry_status ferry_run_coroutine_threadsafe_from(const char *origin, ferry_loop *loop, ferry_function *function,
                                                 void *arg, ferry_job **ret_job) {
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = function, .arg = arg};
    return ferry_run_coroutine_threadsafe_with_from(origin, loop, &options, ret_job);
}
