/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of tasks share: running a function as a task to its end. It knows nothing of what a test wants to
 * see. */
#ifndef FERRY_TESTS_SUPPORT_TASKS_H
#define FERRY_TESTS_SUPPORT_TASKS_H

#include "ferry/task.h"
#include "support/loops.h"

static inline ferry_task *new_task(ferry_loop *loop, ferry_function *function, void *arg) {
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, function, arg, &task), 0);
    CHECK(task);
    return task;
}

/* Runs the loop until the future is done, and tells its outcome. */
static inline ferry_status run_until(ferry_loop *loop, ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    return ferry_future_status(future);
}

/* Runs the function as a task to its end; returns its outcome. */
static inline ferry_status run_task(ferry_loop *loop, ferry_function *function, void *arg) {
    ferry_task *task = new_task(loop, function, arg);
    ferry_status status = run_until(loop, task);
    ferry_future_unref(task);
    return status;
}

#endif
