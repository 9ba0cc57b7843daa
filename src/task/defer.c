/* SPDX-License-Identifier: Apache-2.0 */
/* Calls put off until a task's function has returned: the last one first, on the task's own stack, so they may wait. */
#include <errno.h>

#include "base/alloc.h"
#include "task/task.h"

struct fy_defer {
    fy_defer *next;
    ferry_free *function;
    void *arg;
};

ferry_status ferry_defer(ferry_free *function, void *arg) {
    fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    if (!function)
        return EINVAL;
    fy_defer *self = fy_malloc(sizeof *self);
    if (!self) {
        function(arg);
        return ENOMEM;
    }
    *self = (fy_defer){task->defers, function, arg};
    task->defers = self;
    return 0;
}

/* A function that returns nothing cannot hand on the cancellation of a wait in it, so that is taken to be meant for the
 * task, unless it was undone: a scope, or a group, takes its own back. */
void fy_task_run_defers(fy_task *task) {
    bool was_asked = task->must_cancel;
    uint32_t cancelling = task->cancelling;
    while (task->defers) {
        fy_defer self = *task->defers;
        fy_free(task->defers);
        task->defers = self.next;
        self.function(self.arg);
    }
    if (task->cancelling > (was_asked ? 0 : cancelling))
        task->must_cancel = true;
}
