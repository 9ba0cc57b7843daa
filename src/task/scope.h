/* SPDX-License-Identifier: Apache-2.0 */
/* What timeout scopes and task groups have in common: a task opens them, and closes them itself; or it never goes on,
 * and they go with it. This refuses to know what a scope is for. */
#ifndef FERRY_TASK_SCOPE_H
#define FERRY_TASK_SCOPE_H

#include "task/task.h"

/* First in every scope. */
struct fy_scope {
    fy_scope *outer; /* of the same task's, or NULL */
    fy_task *task;   /* one reference */
    void (*drop)(fy_scope *scope); /* frees the scope of a task that never goes on */
};

/* The task has opened it: what a user can make of it now is to close it. */
void fy_scope_open(fy_scope *scope, fy_task *task, void (*drop)(fy_scope *scope));

/* It is gone from its task, and the reference, too. */
void fy_scope_leave(fy_scope *scope);

/* On a loop that is closed, and in a child made by fork, a scope can only be given up: nothing is waited for, and there
 * is no current task, although it may be the task's own function that goes on, or a call that it has deferred. */
bool fy_scope_is_over(const fy_scope *scope);

/* Frees all that the task has open. */
void fy_scopes_drop(fy_task *task);

#endif
