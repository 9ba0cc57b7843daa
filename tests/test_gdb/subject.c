/* SPDX-License-Identifier: Apache-2.0 */
/* A program for a debugger to stop in: when `stop_here` is called, one task runs, which has waited before, and another
 * one stands still amid its calls. It decides nothing about what the debugger shall see. */
#include <ferry.h>

#include "task/task.h"

static volatile int calls; /* written behind each call, so that none is the last thing its caller does */

static void stop_here(const fy_context *suspended) {
    calls += suspended != NULL;
}

static void (*volatile stop)(const fy_context *) = stop_here; /* no compiler puts it into its caller */

static ferry_status wait_in_the_middle(ferry_future *future) {
    ferry_status status = ferry_await(future);
    calls++;
    return status;
}

static ferry_status stand_still(void *future, ferry_call *call) {
    (void)call;
    ferry_status status = wait_in_the_middle(future);
    calls++;
    return status;
}

static ferry_status run_on(void *other, ferry_call *call) {
    (void)call;
    ferry_status status = ferry_sleep(0);
    stop(fy_task_of(other)->context);
    calls++;
    return status;
}

static ferry_status start_both(void *arg, ferry_call *call) {
    ferry_future *future = NULL;
    ferry_task *tasks[2] = {NULL, NULL};
    (void)arg;
    (void)call;
    ferry_status status = ferry_future_create(ferry_running_loop(), &future);
    if (!status)
        status = ferry_task_create(NULL, stand_still, future, &tasks[0]);
    if (!status)
        status = ferry_task_create(NULL, run_on, tasks[0], &tasks[1]);
    if (!status)
        status = FERRY_AWAIT(tasks[1], NULL);
    if (!status)
        status = ferry_future_set_result(future);
    if (!status)
        status = FERRY_AWAIT(tasks[0], NULL);
    ferry_future_unref_all(tasks, 2);
    ferry_future_unref(future);
    return status;
}

int main(void) {
    return ferry_run(start_both, NULL) || calls != 4;
}
