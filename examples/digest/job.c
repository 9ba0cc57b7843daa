/* SPDX-License-Identifier: Apache-2.0 */
/* Submit and add a callback, as one step that succeeds or fails as a whole. It knows nothing of what the jobs do. */
#include "digest.h"

ferry_status start_job(ferry_loop *loop, ferry_executor *pool, const ferry_job_options *options,
                       ferry_done_callback *done, void *arg, ferry_future **ret_future) {
    ferry_future *future = NULL;
    ferry_status status = ferry_run_in_executor_with(loop, pool, options, &future);
    if (!status)
        status = ferry_future_add_done_callback(future, done, arg, NULL);
    if (status) {
        ferry_future_cancel(future);
        ferry_future_unref(future);
        return status;
    }
    *ret_future = future;
    return 0;
}
