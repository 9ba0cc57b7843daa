/* SPDX-License-Identifier: Apache-2.0 */
/* A job of any executor as a future of a loop. The future is that of a bare async job (bridge.c), which ends when the
 * wrapped one does: all the memory for that is taken here, so that nothing can fail later. Cancelling the future, and
 * letting the wrapped job go once nobody can read its value through the future, are bridge.c's. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "executor/executor.h"
#include "executor/lot.h"

/* In whatever thread the wrapped job has ended. The async one may be gone when this returns. */
static ferry_status pass_on(ferry_job *wrapped, void *arg) {
    ferry_job *async = arg;
    ferry_status status = ferry_job_status(wrapped);
    if (!ferry_job_cancelled(wrapped))
        fy_outcome_borrow(fy_job_outcome(async), fy_job_outcome(wrapped));
    return ferry_job_finish(async, status);
}

/* Claimed from the beginning: only the end of the wrapped job ends it. */
static ferry_status create_async(const char *origin, ferry_loop *loop, ferry_job *wrapped, ferry_job **ret_async,
                                 ferry_future **ret_future) {
    fy_job_extra *extra = fy_malloc(sizeof *extra);
    if (!extra)
        return APR_ENOMEM;
    ferry_status status = fy_async_create_bare(loop, origin, ret_async, ret_future);
    if (status) {
        fy_free(extra);
        return status;
    }
    *extra = (fy_job_extra){.wrapped = ferry_job_ref(wrapped)};
    (*ret_async)->extra = extra;
    ferry_job_claim(*ret_async);
    return 0;
}

ferry_status ferry_wrap_future_from(const char *origin, ferry_loop *loop, ferry_job *job, ferry_future **ret_future) {
    if (!loop || !job || !ret_future)
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (fy_lots_forked())
        return FERRY_EFORKED;
    ferry_job *async = NULL;
    ferry_future *future = NULL;
    status = create_async(origin, loop, job, &async, &future);
    if (status)
        return status;
    status = ferry_job_add_done_callback(job, pass_on, async);
    if (status) {
        /* Nobody holds the future: it is delivered as cancelled, which is not reported, and gone. */
        ferry_future_unref(future);
        (void)ferry_job_finish(async, FERRY_ECANCELED);
        return status;
    }
    *ret_future = future;
    return 0;
}
