/* SPDX-License-Identifier: Apache-2.0 */
/* A job as a call: submitted, awaited and taken at one place of a task, with no future to be seen. If the task has
 * values of its own, the job sees them. */
#include "ferry/run.h"
#include "task/context_var.h"
#include "task/task.h"

static void free_call(void *arg) {
    fy_values_unref(((fy_values_call *)arg)->values);
}

static ferry_status submit_with_values(const char *origin, ferry_executor *executor, fy_values_call *call,
                                       ferry_future **ret_future) {
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_values_job, .arg = call, .arg_size = sizeof *call,
                                 .arg_free = free_call};
    (void)fy_values_ref(call->values);
    ferry_status status = ferry_run_in_executor_with_from(origin, NULL, executor, &options, ret_future);
    if (status)
        fy_values_unref(call->values);
    return status;
}

static ferry_status submit(const char *origin, ferry_executor *executor, ferry_function *function, void *arg,
                           ferry_future **ret_future) {
    fy_values *values = fy_values_current();
    if (values && function)
        return submit_with_values(origin, executor, &(fy_values_call){function, arg, values}, ret_future);
    return ferry_run_in_executor_from(origin, NULL, executor, function, arg, ret_future);
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
