/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and stacks: a task is given a stack at its first step and gives it back at its end. It decides which stack is
 * used again and how much memory it keeps; who goes on when a task stops: whoever made its step, or, if that is the
 * loop and it would go on with another task, that one; and whether a wait that is over was cancelled. */
#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "task/task.h"

/* Of the free stacks so many keep all their memory, and so many more their first page. Now and then a stack that is
 * used again and again gives back what is below its first pages, in case one of its tasks has gone deep. */
enum { FREE_WARM = 64, FREE_MAX = 1024, TRIM_EVERY = 512, KEEP_BYTES = 16 * 1024, KEEP_COLD_BYTES = 1 };

/* So many places ahead of the one that goes on next. */
enum { TASK_FETCHED = 4, CONTEXT_FETCHED = 2, STACK_FETCHED = 1 };

/* ---- stacks that nobody uses ---- */

/* In debug mode: how deep the task has gone. The stack is made clean, so that the next one's depth is its own. */
static void take_census(fy_tasks *tasks, const fy_task *task) {
    size_t touched = fy_context_touched(task->context);
    const char *origin = task->cell.future.origin;
    size_t i = 0;
    while (i < tasks->census_count && tasks->census[i].origin != origin)
        i++;
    if (i == tasks->census_count) {
        fy_census *census = fy_realloc(tasks->census, (i + 1) * sizeof *census);
        if (!census)
            return; /* one place less is told of */
        tasks->census = census;
        census[i] = (fy_census){.origin = origin};
        tasks->census_count++;
    }
    tasks->census[i].tasks++;
    if (touched > tasks->census[i].deepest)
        tasks->census[i].deepest = touched;
    fy_context_trim(task->context, KEEP_COLD_BYTES);
}

/* One that is not simply used again. false: it is gone. */
FY_NOINLINE static bool tidy(fy_tasks *tasks, fy_task *task) {
    if (tasks->loop->debug)
        take_census(tasks, task);
    if (task->stack_size != tasks->stack_size || tasks->free_count >= FREE_MAX) {
        fy_context_destroy(task->context);
        return false;
    }
    fy_context_trim(task->context, tasks->free_count >= FREE_WARM ? KEEP_COLD_BYTES : KEEP_BYTES);
    return true;
}

static inline void release(fy_tasks *tasks, fy_task *task) {
    fy_context *context = task->context;
    bool is_plain = task->stack_size == tasks->stack_size && tasks->free_count < FREE_WARM &&
                    ++context->uses % TRIM_EVERY && !tasks->loop->debug;
    if (FY_LIKELY(is_plain) || tidy(tasks, task)) {
        context->next = tasks->free;
        tasks->free = context;
        tasks->free_count++;
    }
    task->context = NULL;
}

void fy_coroutine_release(fy_task *task) {
    release(fy_task_tasks(task), task);
}

void fy_coroutine_free_stacks(fy_tasks *tasks) {
    while (tasks->free) {
        fy_context *context = tasks->free;
        tasks->free = context->next;
        fy_context_destroy(context);
    }
    tasks->free_count = 0;
}

/* ---- running ---- */

static ferry_status call_function(fy_task *task) {
    ferry_job *job = &task->cell.job;
    ferry_status status = job->function(job->arg, ferry_job_call(job));
    if (FY_UNLIKELY(task->defers != NULL))
        fy_task_run_defers(task);
    return status;
}

static fy_context *back(const fy_task *task) {
    return task->resumer ? task->resumer->context : fy_task_tasks(task)->own;
}

/* A stack's whole life: one task after the other. */
static void run_tasks(fy_context *self) {
    for (;;) {
        fy_task *task = self->owner;
        fy_outcome *outcome = &task->cell.future.outcome;
        ferry_status status = call_function(task);
        outcome->status = status; /* until the step's maker settles it */
        task->stage = FY_TASK_ENDED;
        fy_context_switch(self, back(task));
    }
}

static ferry_status take_stack(fy_tasks *tasks, fy_task *task) {
    if (tasks->free && task->stack_size == tasks->stack_size) {
        task->context = tasks->free;
        tasks->free = task->context->next;
        tasks->free_count--;
    } else {
        ferry_status status = fy_context_create(task->stack_size, run_tasks, &task->context);
        if (status)
            return status;
        task->context->uses = 0;
    }
    task->context->owner = task;
    return 0;
}

static void fail_without_stack(fy_task *task, ferry_status status) {
    (void)ferry_return_error(ferry_job_call(&task->cell.job), status, "there is no stack for the task to run on");
    fy_task_end(task, status);
}

/* What must be there before the task can go on; false: it cannot, not now or never. */
static bool is_ready_for_step(fy_tasks *tasks, fy_task *task) {
    if (FY_UNLIKELY(!tasks->own) && FY_UNLIKELY(fy_context_open_own(&tasks->own))) {
        fy_task_make_ready(task); /* perhaps there is memory then */
        return false;
    }
    if (task->stage != FY_TASK_CREATED)
        return true;
    if (task->must_cancel) {
        fy_task_end_cancelled(task);
        return false;
    }
    ferry_status status = take_stack(tasks, task);
    if (FY_UNLIKELY(status))
        fail_without_stack(task, status);
    return !status;
}

static void go_on(fy_tasks *tasks, fy_task *task) {
    task->stage = FY_TASK_RUNNING;
    tasks->current = task;
}

void fy_task_step(fy_task *task, ferry_future *done) {
    fy_tasks *tasks = fy_task_tasks(task);
    if (FY_UNLIKELY(!is_ready_for_step(tasks, task))) {
        ferry_future_unref(done);
        return;
    }
    bool begins = task->stage == FY_TASK_CREATED;
    task->resumer = tasks->current;
    go_on(tasks, task);
    if (begins)
        fy_context_switch_begin(back(task), task->context);
    else
        fy_context_switch(back(task), task->context);
    task = tasks->current; /* perhaps another one, which went on in the place of this one */
    tasks->current = task->resumer;
    if (task->stage == FY_TASK_ENDED) {
        release(tasks, task);
        fy_task_end(task, task->cell.future.outcome.status);
    }
    ferry_future_unref(done);
}

/* ---- stopping ---- */

/* What the loop does before it makes the step of a task whose turn has come. */
static ferry_future *leave_queue(ferry_handle *wake) {
    ferry_future *done = wake->future;
    wake->future = NULL;
    wake->place = FY_HANDLE_ENDED;
    wake->refs--;
    return done;
}

static inline ferry_handle *queued_at(const fy_ready *ready, size_t index) {
    return ready->entries[(ready->head + index) & ready->mask].handle;
}

static inline fy_task *task_at(const fy_ready *ready, size_t index) {
    const ferry_handle *wake = queued_at(ready, index);
    return wake && wake->kind == FY_HANDLE_TASK ? wake->arg : NULL;
}

/* Where thousands of tasks go on in turn, each has been away from the caches by the time its turn comes, and what
 * going on touches is a chain: its handle; its context, and what it has waited for; its stack. So of those that
 * come next each is asked for one link, whose place the link before it has told meanwhile. */
static inline void fetch_ahead(const ferry_loop *loop) {
    const fy_ready *ready = &loop->ready;
    if (loop->ready_left <= TASK_FETCHED)
        return;
    const ferry_handle *wake = queued_at(ready, TASK_FETCHED);
    if (wake) {
        fy_cpu_fetch_to_write(wake);
        fy_cpu_fetch_to_write(wake + 1); /* what lies beside it */
    }
    const fy_task *later = task_at(ready, CONTEXT_FETCHED), *next = task_at(ready, STACK_FETCHED);
    if (later)
        fy_cpu_fetch_to_write(later->context);
    if (later && later->awaited)
        fy_future_fetch(later->awaited);
    if (next && next->context)
        fy_context_fetch(next->context);
}

/* If the loop would now go on with a task that has stopped before, that one can as well go on directly. */
static fy_task *take_next(fy_tasks *tasks, const fy_task *task) {
    ferry_loop *loop = tasks->loop;
    if (!loop->ready_left || task->resumer || loop->debug ||
        !fy_is_fork_generation(loop->fork_generation))
        return NULL;
    ferry_handle *wake = fy_ready_first(&loop->ready)->handle;
    if (!wake || wake->kind != FY_HANDLE_TASK || ((fy_task *)wake->arg)->stage != FY_TASK_SUSPENDED)
        return NULL;
    fetch_ahead(loop);
    loop->ready_left--;
    (void)fy_ready_pop(&loop->ready);
    ferry_future_unref(leave_queue(wake)); /* the task holds it, too */
    return wake->arg;
}

static inline void suspend(fy_task *task, const char *origin) {
    fy_tasks *tasks = fy_task_tasks(task);
    task->waits_at = origin;
    task->stage = FY_TASK_SUSPENDED;
    fy_task *next = take_next(tasks, task);
    if (!next) {
        fy_context_switch(task->context, back(task));
        return;
    }
    next->resumer = NULL;
    go_on(tasks, next);
    fy_context_switch_alike(task->context, next->context);
}

void fy_task_suspend(fy_task *task, const char *origin) {
    suspend(task, origin);
}

bool fy_task_take_cancel(fy_task *task) {
    bool must = task->must_cancel;
    task->must_cancel = false;
    return must;
}

bool fy_task_take_interruption(fy_task *task) {
    bool is_passed_on = task->is_passed_on;
    task->is_passed_on = false;
    return fy_task_take_cancel(task) || is_passed_on;
}

/* A request that came before the task had anything to pass it on to goes to what it is about to wait for. */
static void request_again(fy_task *task) {
    const char *message = task->cancel_words ? task->cancel_words->message : NULL;
    task->must_cancel = false;
    fy_task_pass_on(task, message);
}

/* Asked to end, it has: but only what runs the user's code decides how. What an operation has done by then it has done
 * without having been asked. */
static bool has_answered(const ferry_future *future) {
    return future->state == FY_FUTURE_DONE && future->kind != FY_FUTURE_OP;
}

/* Until the one future is done; meanwhile a request goes to the other, which may be the same. */
static inline ferry_status wait_for(fy_task *task, const char *origin, ferry_future *future, ferry_future *awaited) {
    task->awaited = awaited;
    fy_done_callback_add_task(&task->wake, future);
    if (FY_UNLIKELY(task->must_cancel))
        request_again(task);
    suspend(task, origin);
    task->awaited = NULL;
    bool is_passed_on = task->is_passed_on;
    task->is_passed_on = false;
    bool is_cancelled = fy_task_take_cancel(task) || (is_passed_on && !has_answered(awaited));
    return is_cancelled ? FERRY_ECANCELED : 0;
}

ferry_status fy_task_wait_owned(fy_task *task, const char *origin, ferry_future *future) {
    return wait_for(task, origin, future, future);
}

ferry_status fy_task_wait_among(fy_task *task, const char *origin, ferry_future *future, ferry_future *all) {
    return wait_for(task, origin, future, all);
}

void fy_task_wake(ferry_handle *wake) {
    ferry_future *done = leave_queue(wake);
    fy_task_step(wake->arg, done);
}

void fy_task_make_ready(fy_task *task) {
    ferry_handle *wake = &task->wake;
    wake->place = FY_HANDLE_QUEUED;
    wake->cancelled = false;
    wake->future = NULL;
    wake->refs++;
    fy_ready_push_handle(&fy_task_loop(task)->ready, wake);
}

void fy_coroutine_leave(ferry_loop *loop) {
    fy_tasks *tasks = loop->tasks.state;
    if (!tasks->own)
        return;
    fy_context_close_own(tasks->own);
    tasks->own = NULL;
    if (FY_UNLIKELY(fy_loop_closed(loop))) /* by a task, in a child made by fork: it has returned */
        fy_tasks_abandon(loop);
}

/* ---- C++ ---- */

void ferry_use_cxx_runtime(ferry_cxx_runtime *get_globals) {
    fy_context_use_exceptions(get_globals);
}
