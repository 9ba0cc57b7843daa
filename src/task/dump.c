/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for whom, as a tree: the tasks that nobody waits for, below each what it waits for, through futures of
 * several down to the last. A task's own tree is written once, however many wait for it. It reads, and changes nothing
 * but marks that it takes back. */
#include <errno.h>
#include <stdio.h>

#include "task/task.h"

/* Deeper than this nobody reads. */
enum { DEPTH_MAX = 40 };

static const char *kind_of(const ferry_future *future) {
    static const char *const kinds[] = {
        [FY_FUTURE_GATHER] = "gather", [FY_FUTURE_WAIT] = "wait",    [FY_FUTURE_SHIELD] = "shield",
        [FY_FUTURE_WAIT_FOR] = "wait_for", [FY_FUTURE_CLASSED] = "turn", /* at a lock, a queue and the like */
        [FY_FUTURE_JOB] = "job",       [FY_FUTURE_OP] = "operation"};
    size_t count = sizeof kinds / sizeof kinds[0];
    if (future->kind == FY_FUTURE_CLASSED && fy_future_member(future, 0))
        return "await_all";
    return future->kind < count && kinds[future->kind] ? kinds[future->kind] : "future";
}

/* Marks the loop's tasks that are waited for through this future. One that has ended is none of them any more, and
 * would keep its mark. */
static void mark(ferry_future *future, int depth) {
    if (!future || depth == DEPTH_MAX)
        return;
    if (future->kind == FY_FUTURE_TASK)
        future->is_marked = fy_task_of(future)->stage != FY_TASK_ENDED;
    ferry_future *member;
    for (size_t i = 0; (member = fy_future_member(future, i)); i++)
        mark(member, depth + 1);
}

/* What the task waits for: a future, or the children of a group. */
static void mark_awaited(const fy_task *task) {
    mark(task->awaited, 0);
    if (task->joined)
        for (fy_task *child = fy_task_group_first(task->joined); child; child = child->sibling)
            mark(&child->cell.future, 0);
}

static void print_future(FILE *file, ferry_future *future, int depth);

static void print_task(FILE *file, fy_task *task, int depth) {
    static const char *const stages[] = {[FY_TASK_CREATED] = "has not begun", [FY_TASK_RUNNING] = "runs",
                                         [FY_TASK_SUSPENDED] = "waits at", [FY_TASK_ENDED] = "has ended"};
    bool waits = task->stage == FY_TASK_SUSPENDED, was_shown = task->is_shown;
    fprintf(file, "%*s%s (%s) %s%s%s%s\n", 2 * depth, "", fy_task_show_name(task), task->cell.future.origin,
            stages[task->stage], waits ? " " : "", waits ? task->waits_at : "", was_shown ? ", as above" : "");
    if (was_shown)
        return;
    task->is_shown = task->stage != FY_TASK_ENDED;
    if (task->joined)
        for (fy_task *child = fy_task_group_first(task->joined); child; child = child->sibling)
            print_future(file, &child->cell.future, depth + 1);
    else if (task->awaited)
        print_future(file, task->awaited, depth + 1);
}

static void print_future(FILE *file, ferry_future *future, int depth) {
    if (depth == DEPTH_MAX) {
        fprintf(file, "%*s...\n", 2 * depth, "");
        return;
    }
    if (future->kind == FY_FUTURE_TASK) {
        print_task(file, fy_task_of(future), depth);
        return;
    }
    fprintf(file, "%*s%s (%s)%s\n", 2 * depth, "", kind_of(future), future->origin,
            ferry_future_done(future) ? " is done" : "");
    ferry_future *member;
    for (size_t i = 0; (member = fy_future_member(future, i)); i++)
        print_future(file, member, depth + 1);
}

static void print_census(FILE *file, const fy_tasks *tasks) {
    for (size_t i = 0; i < tasks->census_count; i++)
        fprintf(file, "stacks of %zu tasks made at %s: at most %zu bytes used\n", tasks->census[i].tasks,
                tasks->census[i].origin, tasks->census[i].deepest);
}

ferry_status ferry_loop_dump(ferry_loop *loop, void *file) {
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (!file)
        file = stderr;
    const fy_tasks *tasks = loop->tasks.state;
    fprintf(file, "loop on %s: %zu tasks\n", ferry_loop_backend(loop), tasks ? tasks->count : 0);
    if (!tasks)
        return 0;
    for (fy_task *task = tasks->first; task; task = task->next)
        mark_awaited(task);
    for (fy_task *task = tasks->first; task; task = task->next)
        if (!task->cell.future.is_marked)
            print_task(file, task, 1);
    /* Whom nobody at the top waits for stands in a circle. */
    for (fy_task *task = tasks->first; task; task = task->next)
        if (!task->is_shown)
            print_task(file, task, 1);
    for (fy_task *task = tasks->first; task; task = task->next)
        task->cell.future.is_marked = task->is_shown = false;
    print_census(file, tasks);
    return 0;
}
