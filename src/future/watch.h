/* SPDX-License-Identifier: Apache-2.0 */
/* Several futures that somebody watches: each has one done callback there, and the callbacks can be taken back at any
 * moment. It decides nothing about what their endings mean. */
#ifndef FERRY_FUTURE_WATCH_H
#define FERRY_FUTURE_WATCH_H

#include <errno.h>

#include "future/future.h"

/* One reference to each. */
typedef struct fy_watch {
    ferry_future *future;
    ferry_handle *handle;
} fy_watch;

/* Whether a future may be one of several of this loop. Returns: 0, APR_EINVAL, FERRY_EWRONGLOOP. */
static inline ferry_status fy_watch_check(const ferry_loop *loop, const ferry_future *future) {
    if (FY_UNLIKELY(!future))
        return EINVAL;
    return FY_LIKELY(future->loop == loop) ? 0 : FERRY_EWRONGLOOP;
}

/* Watches each of the futures, once however often it is given, and tells in *ret_count how many they are. On failure
 * nothing is left behind.
 *
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_EWRONGLOOP, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED. */
ferry_status fy_watch_begin(fy_watch *watches, size_t *ret_count, const char *origin, ferry_loop *loop,
                            ferry_future *const *futures, size_t count, ferry_done_callback *callback, void *arg);

/* None of the callbacks will run any more. The last reference to a future may go, and with it an error be reported. */
void fy_watch_end(fy_watch *watches, size_t count);

#endif
