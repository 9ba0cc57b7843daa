/* SPDX-License-Identifier: Apache-2.0 */
/* A task's life but for its running: making, naming, listing, cancelling, ending. */
#include "task/task.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "task/context_var.h"

enum { STACK_DEFAULT_BYTES = 256 * 1024 };

/* ---- the loop's ---- */

static bool cancel_task(ferry_future *future, const char *message);
static void free_task(ferry_future *future);

static const fy_future_class task_class = {.cancel = cancel_task, .free = free_task};

static const fy_context *current_stack(void);
static void describe_stack(const fy_context *context, char *buffer, size_t size);

static const fy_task_hooks hooks = {
    .wake = fy_task_wake, .leave = fy_coroutine_leave, .close = fy_tasks_close, .abandon = fy_tasks_abandon,
    .call_sleep = ferry_sleep_from, .unref_values = fy_values_unref};

ferry_status fy_tasks_of(ferry_loop *loop, fy_tasks **ret_tasks) {
    if (FY_UNLIKELY(!loop->tasks.state)) {
        fy_tasks *tasks = fy_calloc(sizeof *tasks);
        if (!tasks)
            return ENOMEM;
        tasks->loop = loop;
        tasks->stack_size = STACK_DEFAULT_BYTES;
        fy_slab_init(&loop->tasks.cells, sizeof(fy_task));
        loop->tasks.hooks = &hooks;
        loop->tasks.future_class = &task_class;
        loop->tasks.state = tasks;
        fy_context_name_overflows(current_stack, describe_stack);
    }
    *ret_tasks = loop->tasks.state;
    return 0;
}

fy_task *fy_task_current(void) {
    const ferry_loop *loop = ferry_running_loop();
    const fy_tasks *tasks = loop ? loop->tasks.state : NULL;
    return tasks ? tasks->current : NULL;
}

ferry_status ferry_loop_set_task_stack_size(ferry_loop *loop, size_t stack_size) {
    if (!loop || stack_size < FY_STACK_MIN_BYTES || stack_size > PTRDIFF_MAX / 2)
        return EINVAL;
    fy_tasks *tasks;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        status = fy_tasks_of(loop, &tasks);
    if (status)
        return status;
    if (tasks->stack_size != stack_size)
        fy_coroutine_free_stacks(tasks);
    tasks->stack_size = stack_size;
    return 0;
}

static void link_last(fy_tasks *tasks, fy_task *task) {
    task->next = NULL;
    task->previous = tasks->last;
    *(tasks->last ? &tasks->last->next : &tasks->first) = task;
    tasks->last = task;
    tasks->count++;
}

static void unlink_task(fy_tasks *tasks, fy_task *task) {
    *(task->previous ? &task->previous->next : &tasks->first) = task->next;
    *(task->next ? &task->next->previous : &tasks->last) = task->previous;
    tasks->count--;
}

/* ---- making ---- */

void ferry_task_options_init(ferry_task_options *options) {
    if (options)
        *options = (ferry_task_options){FERRY_TASK_OPTIONS};
}

static void init_wake(fy_task *task, ferry_loop *loop, const char *origin) {
    task->wake = (ferry_handle){.arg = task,
                                .origin = origin,
                                .loop = loop,
                                .refs = 1,
                                .kind = FY_HANDLE_TASK,
                                .place = FY_HANDLE_ENDED};
}

/* What making does not set otherwise: one by one, for what clears a block of this size takes as long as all of this. */
static void init_rest(fy_task *task) {
    task->context = NULL;
    task->resumer = NULL;
    task->awaited = NULL;
    task->waits_at = NULL;
    task->cancel_words = NULL;
    task->defers = NULL;
    task->cancelling = 0;
    task->stage = FY_TASK_CREATED;
    task->must_cancel = task->is_passed_on = task->is_passing_on = task->is_shown = false;
    task->timer = NULL;
    task->sibling = task->previous_sibling = NULL;
    task->joined = NULL;
    task->ended = NULL;
    task->ended_arg = NULL;
    task->name = NULL;
    task->scopes = NULL;
}

/* The rest of what the options ask for. */
static ferry_status add_options(fy_task *task, const ferry_task_options *options) {
    if (options->name && !(task->name = fy_strdup(options->name)))
        return ENOMEM;
    if (!options->arg_size && !options->arg_free)
        return 0;
    ferry_job_options of_job = {FERRY_JOB_OPTIONS, .function = options->function, .arg = options->arg,
                                .arg_size = options->arg_size, .arg_free = options->arg_free};
    return fy_job_add_options(&task->cell.job, &of_job, NULL);
}

static ferry_status create(fy_tasks *tasks, const char *origin, const ferry_task_options *options,
                           fy_task **ret_task) {
    ferry_loop *loop = tasks->loop;
    fy_task *task = fy_slab_alloc(&loop->tasks.cells);
    if (!task)
        return ENOMEM;
    init_rest(task);
    fy_job_init(&task->cell.job, origin, NULL, options->function, options->arg, FY_JOB_RUNNING | FY_JOB_TASK);
    fy_future_init(&task->cell.future, loop, FY_FUTURE_TASK, origin);
    init_wake(task, loop, origin);
    ferry_status status = add_options(task, options);
    if (status) {
        fy_free(task->name);
        fy_slab_free(&loop->tasks.cells, task);
        return status;
    }
    task->given = ferry_context_ref(options->context);
    task->values = task->given ? NULL : fy_values_ref(fy_values_current());
    task->number = ++tasks->numbers;
    task->stack_size = options->stack_size ? options->stack_size : tasks->stack_size;
    link_last(tasks, task);
    *ret_task = task;
    return 0;
}

bool fy_task_options_are_sane(const ferry_task_options *options) {
    return options && options->size == sizeof *options && options->function &&
           (!options->arg_size || options->arg) && options->arg_size <= PTRDIFF_MAX / 2 &&
           (!options->stack_size ||
            (options->stack_size >= FY_STACK_MIN_BYTES && options->stack_size <= PTRDIFF_MAX / 2));
}

/* The options are sane. */
static ferry_status create_and_begin(const char *origin, ferry_loop *loop, const ferry_task_options *options,
                                     ferry_task_group *group, ferry_task **ret_task) {
    if (!loop)
        loop = ferry_running_loop();
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    fy_tasks *tasks = NULL;
    if (!status)
        status = fy_tasks_of(loop, &tasks);
    fy_task *task = NULL;
    if (!status)
        status = create(tasks, origin, options, &task);
    if (status)
        return status;
    if (ret_task)
        *ret_task = ferry_future_ref(&task->cell.future);
    if (group)
        fy_task_group_adopt(group, task);
    if (options->eager && ferry_running_loop() == loop)
        fy_task_step(task, NULL);
    else
        fy_task_make_ready(task);
    return 0;
}

ferry_status fy_task_create(const char *origin, ferry_loop *loop, const ferry_task_options *options,
                            ferry_task_group *group, ferry_task **ret_task) {
    return fy_task_options_are_sane(options) ? create_and_begin(origin, loop, options, group, ret_task) : EINVAL;
}

ferry_status ferry_task_create_with_from(const char *origin, ferry_loop *loop, const ferry_task_options *options,
                                         ferry_task **ret_task) {
    return fy_task_create(origin, loop, options, NULL, ret_task);
}

ferry_status ferry_task_create_from(const char *origin, ferry_loop *loop, ferry_function *function, void *arg,
                                    ferry_task **ret_task) {
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = function, .arg = arg};
    return function ? create_and_begin(origin, loop, &options, NULL, ret_task) : EINVAL;
}

/* ---- looking ---- */

bool ferry_future_is_task(const ferry_future *future) {
    return future && future->kind == FY_FUTURE_TASK;
}

const char *fy_task_show_name(fy_task *task) {
    fy_tasks *tasks = fy_task_tasks(task);
    if (task->name)
        return task->name;
    if (!tasks)
        return "a task of a loop that is closed";
    snprintf(tasks->name, sizeof tasks->name, "Task-%llu", (unsigned long long)task->number);
    return tasks->name;
}

const char *ferry_task_name(ferry_task *future) {
    if (!ferry_future_is_task(future))
        return NULL;
    fy_task *task = fy_task_of(future);
    if (!task->name) {
        /* Borrowed for longer than the next name is asked for: made once. Without memory it is a moment's. */
        const char *name = fy_task_show_name(task);
        (void)ferry_task_set_name(future, name);
        return task->name ? task->name : name;
    }
    return task->name;
}

ferry_status ferry_task_set_name(ferry_task *future, const char *name) {
    if (!ferry_future_is_task(future) || !name)
        return EINVAL;
    if (!fy_loop_may_touch(future->loop))
        return FERRY_EWRONGTHREAD;
    char *copy = fy_strdup(name);
    if (!copy)
        return ENOMEM;
    fy_free(fy_task_of(future)->name);
    fy_task_of(future)->name = copy;
    return 0;
}

ferry_task *ferry_current_task(void) {
    fy_task *task = fy_task_current();
    return task ? &task->cell.future : NULL;
}

size_t ferry_all_tasks(const ferry_loop *loop, ferry_task **ret_tasks, size_t size) {
    if (!loop || fy_loop_check(loop) || !loop->tasks.state)
        return 0;
    const fy_tasks *tasks = loop->tasks.state;
    size_t i = 0;
    for (fy_task *task = tasks->first; task && i < size && ret_tasks; task = task->next)
        ret_tasks[i++] = &task->cell.future;
    return tasks->count;
}

static const fy_context *current_stack(void) {
    const fy_task *task = fy_task_current();
    return task ? task->context : NULL;
}

/* In signal context: no formatting that may allocate. */
static void describe_stack(const fy_context *context, char *buffer, size_t size) {
    const fy_task *task = context->owner;
    const char *parts[] = {"task ", task->name ? task->name : "without a name", ", made at ",
                           task->cell.future.origin};
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (const char *at = parts[i]; at && *at && length + 1 < size; at++)
            buffer[length++] = *at;
    buffer[length] = '\0';
}

/* ---- cancelling ---- */

static void keep_words(fy_task *task, const char *message) {
    fy_free(task->cancel_words);
    task->cancel_words = message ? fy_error_create(NULL, message) : NULL;
}

/* Nothing that it waits for could be cancelled: if it is still to come, the task does not wait for it any longer. On a
 * closed loop nothing is to come, and the task is about to be ended. */
static bool stop_waiting(fy_task *task) {
    ferry_handle *waiting = task->timer ? task->timer : &task->wake;
    if (waiting->place != FY_HANDLE_WAITING || waiting->cancelled || fy_loop_closed(fy_task_loop(task)))
        return false;
    ferry_handle_cancel(waiting);
    fy_task_make_ready(task);
    return true;
}

/* Tasks may wait for each other in a circle, through futures of several; the request goes round once. A wait that was
 * cut short cannot go on, even if the request is undone before the task hears of it. */
void fy_task_pass_on(fy_task *task, const char *message) {
    task->is_passing_on = true;
    bool is_taken = task->awaited && ferry_future_cancel_with_message(task->awaited, message);
    task->is_passing_on = false;
    task->must_cancel |= !is_taken;
    if (is_taken || stop_waiting(task))
        task->is_passed_on = true;
}

static void take_request(fy_task *task, const char *message) {
    task->cancelling++;
    fy_job_show_cancelled(&task->cell.job, true);
    keep_words(task, message);
}

/* The task that this one waits for, and that will take a request; or NULL. */
static fy_task *next_in_chain(const fy_task *task) {
    const ferry_future *awaited = task->awaited;
    if (!awaited || awaited->kind != FY_FUTURE_TASK || awaited->state != FY_FUTURE_PENDING)
        return NULL;
    return fy_task_of(awaited)->is_passing_on ? NULL : fy_task_of(awaited);
}

/* However many tasks wait for each other one by one, the request goes down their chain without a call for each. */
static bool cancel_task(ferry_future *future, const char *message) {
    fy_task *first = fy_task_of(future), *task = first;
    if (first->is_passing_on)
        return false;
    take_request(task, message);
    for (fy_task *next; (next = next_in_chain(task)); task = next) {
        task->is_passing_on = task->is_passed_on = true;
        take_request(next, message);
    }
    fy_task_pass_on(task, message);
    for (; first != task; first = fy_task_of(first->awaited))
        first->is_passing_on = false;
    return true;
}

size_t ferry_task_cancelling(const ferry_task *future) {
    return ferry_future_is_task(future) ? fy_task_of(future)->cancelling : 0;
}

size_t ferry_task_uncancel(ferry_task *future) {
    if (!ferry_future_is_task(future))
        return 0;
    FY_ASSERT(fy_loop_may_touch(future->loop));
    fy_task *task = fy_task_of(future);
    if (task->cancelling && !--task->cancelling) {
        task->must_cancel = false;
        fy_job_show_cancelled(&task->cell.job, false);
    }
    return task->cancelling;
}

/* ---- ending ---- */

/* From here on it is a future like any other. */
static void leave_tasks(fy_task *task) {
    task->stage = FY_TASK_ENDED;
    unlink_task(fy_task_tasks(task), task);
    fy_job_release_arg(&task->cell.job);
    fy_values_unref(task->values);
    ferry_context_unref(task->given);
}

static void let_go(fy_task *task) {
    if (FY_UNLIKELY(task->ended != NULL))
        task->ended(task, task->ended_arg);
    ferry_future_unref(&task->cell.future);
}

void fy_task_end_cancelled(fy_task *task) {
    leave_tasks(task);
    fy_outcome_clear(&task->cell.future.outcome);
    fy_future_finish_cancelled(&task->cell.future, task->cancel_words ? task->cancel_words->message : NULL);
    let_go(task);
}

/* A request that came too late to be delivered still makes a success a cancellation; an error is not to be lost. */
void fy_task_end(fy_task *task, ferry_status status) {
    if (status == FERRY_ECANCELED || (task->must_cancel && !status)) {
        fy_task_end_cancelled(task);
        return;
    }
    leave_tasks(task);
    fy_job_settle(&task->cell.job, status);
    fy_future_finish(&task->cell.future);
    let_go(task);
}

static void free_task(ferry_future *future) {
    fy_task *task = fy_task_of(future);
    fy_free(task->name);
    fy_free(task->cancel_words);
    fy_job_fini_options(&task->cell.job);
    fy_loop_free_cell(future->loop, &future->loop->tasks.cells, task);
}
