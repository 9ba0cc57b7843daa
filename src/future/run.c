/* SPDX-License-Identifier: Apache-2.0 */
/* Running a loop until a future is done: where the loop's floor meets the future's. */
#include <errno.h>

#include "future/future.h"

static ferry_status stop_loop(ferry_future *future, void *arg) {
    (void)arg;
    future->loop->stopping = true;
    return 0;
}

ferry_status ferry_loop_run_until_complete(ferry_loop *loop, ferry_future *future) {
    if (!loop || !future)
        return EINVAL;
    if (future->loop != loop)
        return FERRY_EWRONGLOOP;
    ferry_status status = fy_loop_enter(loop);
    if (status)
        return status;
    ferry_handle *handle = NULL;
    ferry_future_ref(future);
    status = ferry_future_add_done_callback(future, stop_loop, NULL, &handle);
    if (!status) {
        status = fy_loop_run(loop);
        /* A run that ended for another reason leaves nothing behind that would stop a later one. */
        ferry_handle_cancel(handle);
        ferry_handle_unref(handle);
    }
    fy_loop_leave(loop);
    if (!status && !ferry_future_done(future))
        status = FERRY_EINVALIDSTATE;
    ferry_future_unref(future);
    return status;
}
