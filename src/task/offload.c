/* SPDX-License-Identifier: Apache-2.0 */
/* A job as a call: submitted, awaited and taken at one place of a task, with no future to be seen. */
#include "ferry/run.h"
#include "task/task.h"

ferry_status ferry_call_in_from(const char *origin, ferry_executor *executor, ferry_function *function, void *arg,
                                ferry_place place) {
    ferry_future *future = NULL;
    if (!fy_task_current())
        return FERRY_ENOTASK;
    ferry_status status = ferry_run_in_executor_from(origin, NULL, executor, function, arg, &future);
    if (!status)
        status = ferry_await_value_from(origin, future, place);
    if (!status && place.address && place.kind == FERRY_PLACE_POINTER)
        fy_outcome_forget(&future->outcome);
    ferry_future_unref(future);
    return status;
}
