/* SPDX-License-Identifier: Apache-2.0 */
/* A future that ends when another one has: what shield and wait_for have in common. It watches the inner future by one
 * done callback, and holds a reference to itself until that has run or the loop is closed, so that everybody else may
 * let go of it at any time. What the inner one's end means, and what a cancellation does, its two kinds decide. */
#ifndef FERRY_FUTURE_FOLLOWER_H
#define FERRY_FUTURE_FOLLOWER_H

#include "future/future.h"

typedef struct fy_follower {
    ferry_future future;
    fy_close_hook at_close;
    ferry_future *inner; /* one reference for as long as there is memory: values are borrowed from it */
} fy_follower;

/* Makes a pending follower in `size` bytes, all zero behind it. Returns: NULL if there is no memory. */
void *fy_follower_create(size_t size, int kind, const char *origin, ferry_future *inner);

/* Begins to watch a pending inner future; `let_go` is for a loop that closes. Returns: 0, APR_ENOMEM. */
ferry_status fy_follower_start(fy_follower *self, ferry_done_callback *on_inner_done,
                               void (*let_go)(fy_close_hook *hook));

/* The callback has run, or never will. */
void fy_follower_let_go(fy_follower *self);

/* Ends it, pending, as the inner future did. */
void fy_follower_end_as_inner(fy_follower *self);

/* The inner future is the only one that it is made of. */
ferry_future *fy_follower_member(const ferry_future *future, size_t index);

/* Frees it once it is no future any more. */
void fy_follower_free(fy_follower *self);

#endif
