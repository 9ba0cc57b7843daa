/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the scopes that a task has open, the innermost first. */
#include "task/scope.h"

void fy_scope_open(fy_scope *scope, fy_task *task, void (*drop)(fy_scope *scope)) {
    ferry_future_ref(&task->cell.future);
    *scope = (fy_scope){.outer = task->scopes, .task = task, .drop = drop};
    task->scopes = scope;
}

void fy_scope_leave(fy_scope *scope) {
    fy_scope **link = &scope->task->scopes;
    while (*link != scope)
        link = &(*link)->outer;
    *link = scope->outer;
    ferry_future_unref(&scope->task->cell.future);
}

bool fy_scope_is_over(const fy_scope *scope) {
    const ferry_loop *loop = fy_task_loop(scope->task);
    return fy_loop_closed(loop) || !fy_is_fork_generation(loop->fork_generation);
}

void fy_scopes_drop(fy_task *task) {
    while (task->scopes)
        task->scopes->drop(task->scopes);
}
