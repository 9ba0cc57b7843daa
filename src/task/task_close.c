/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks whose loop is being closed. They are cancelled and given a moment to end; those that do not are named, and what
 * they have deferred is called, and what they have open is freed, since their functions never go on. */
#include <stdio.h>

#include "base/alloc.h"
#include "task/scope.h"

/* How long all of them together may take to end. */
enum { GRACE_US = 100000 };

/* Their numbers rise from the oldest to the youngest. */
static ferry_status end_until(fy_tasks *tasks, int64_t deadline_us) {
    ferry_loop *loop = tasks->loop;
    uint64_t last = tasks->numbers;
    ferry_status status = 0;
    loop->backend->is_ending = true;
    for (fy_task *task = tasks->first; task; task = task->next)
        (void)ferry_future_cancel(&task->cell.future);
    while (tasks->first && tasks->first->number <= last && loop->now_us < deadline_us && !status) {
        loop->stopping = false; /* the end is not put off */
        status = fy_loop_turn(loop, deadline_us);
    }
    loop->stopping = false;
    loop->backend->is_ending = false;
    return status;
}

void fy_tasks_end(ferry_loop *loop, int64_t timeout_us) {
    fy_tasks *tasks = loop->tasks.state;
    if (!tasks || !tasks->count || fy_loop_enter(loop))
        return;
    (void)end_until(tasks, fy_time_after(fy_loop_now_for_deadline(loop), timeout_us));
    fy_loop_leave(loop);
}

/* Those that others make while they end have to end, too. */
void fy_tasks_close(ferry_loop *loop) {
    fy_tasks *tasks = loop->tasks.state;
    if (!tasks->count || fy_loop_enter(loop))
        return; /* in a child made by fork, or on a thread that runs another loop, nothing can be run */
    int64_t deadline_us = fy_loop_now_for_deadline(loop) + GRACE_US;
    while (tasks->count && loop->now_us < deadline_us && !end_until(tasks, deadline_us))
        continue;
    fy_loop_leave(loop);
}

static void report_abandoned(fy_task *task) {
    enum { MESSAGE_MAX = 300 };
    char message[MESSAGE_MAX];
    const char *place = task->waits_at ? task->waits_at : "its beginning";
    snprintf(message, sizeof message,
             "task \"%.100s\" had not ended when its loop was closed; it was waiting at %.100s",
             fy_task_show_name(task), place);
    fy_loop_report(fy_task_loop(task), &(ferry_report){.message = message,
                                                       .origin = task->cell.future.origin,
                                                       .future = &task->cell.future});
}

/* Whatever would have brought it on is dropped already, but for what it waits for itself. */
static void abandon(fy_tasks *tasks, fy_task *task) {
    bool is_child = tasks->loop->fork_generation != fy_fork_generation();
    if (task->wake.place == FY_HANDLE_WAITING)
        ferry_handle_cancel(&task->wake);
    ferry_handle_unref(task->timer);
    task->timer = NULL;
    if (!is_child)
        fy_task_run_defers(task);
    fy_scopes_drop(task);
    ferry_future_unref(task->awaited); /* perhaps it lies on the stack */
    task->awaited = NULL;
    if (task->context)
        fy_coroutine_release(task);
    fy_task_end_cancelled(task);
}

/* The youngest that does not run. Only in a child made by fork are there others: it closes its parent's loop inside of
 * a task, and goes on there. Those that ran on another thread of the parent's never will. */
static fy_task *last_at_rest(const fy_tasks *tasks) {
    bool is_inside = fy_loop_runs_here(tasks->loop);
    fy_task *task = tasks->last;
    while (task && is_inside && task->stage == FY_TASK_RUNNING)
        task = task->previous;
    return task;
}

void fy_tasks_abandon(ferry_loop *loop) {
    fy_tasks *tasks = loop->tasks.state;
    if (loop->fork_generation == fy_fork_generation())
        for (fy_task *task = tasks->first; task; task = task->next)
            report_abandoned(task);
    for (fy_task *task; (task = last_at_rest(tasks));) /* a group's children before its owner, who waits for them */
        abandon(tasks, task);
    fy_coroutine_free_stacks(tasks);
    if (tasks->first)
        return; /* the rest goes when the thread leaves the loop: they have returned by then */
    fy_free(tasks->census);
    loop->tasks.state = NULL;
    fy_free(tasks);
}
