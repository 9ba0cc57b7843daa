/* SPDX-License-Identifier: Apache-2.0 */
/* A job as a call: submitted, awaited and taken at one place of a task, with no future to be seen. The job
 * carries the values of the task, if it has any. */
#include "executor/executor.h"
#include "ferry/run.h"
#include "task/context_var.h"
#include "task/task.h"

static ferry_status submit(const char *origin, ferry_executor *executor, ferry_function *function, void *arg,
                           ferry_future **ret_future) {
    const ferry_job_options options = {FERRY_JOB_OPTIONS, .function = function, .arg = arg};
    fy_values *values = fy_values_current();
    if (!values)
        return ferry_run_in_executor_from(origin, NULL, executor, function, arg, ret_future);
    ferry_status status = fy_run_in_executor(origin, NULL, executor, &options, fy_values_ref(values), ret_future);
    if (status)
        fy_values_unref(values);
    return status;
}

ferry_status ferry_call_in_from(const char *origin, ferry_executor *executor, ferry_function *function, void *arg,
                                ferry_place place) {
    ferry_future *future = NULL;
    if (!fy_task_current())
        return FERRY_ENOTASK;
    ferry_status status = submit(origin, executor, function, arg, &future);
    if (!status)
        status = ferry_await_value_from(origin, future, place);
    if (!status && place.address && place.kind == FERRY_PLACE_POINTER)
        fy_outcome_forget(&future->outcome);
    ferry_future_unref(future);
    return status;
}
