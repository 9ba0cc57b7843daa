/* SPDX-License-Identifier: Apache-2.0 */
/* Telling whose stack it was that has run into its guard. */
#ifndef FERRY_POSIX_OVERFLOW_H
#define FERRY_POSIX_OVERFLOW_H

#include "seam/context.h"

/* The calling thread can tell from now on: it has a stack for signals. Without memory for one it cannot. */
void fy_overflow_prepare_thread(void);

typedef struct fy_overflow_watched {
    const fy_context *context;
    const char *guard; /* NULL: the thread's own stack, whose guard is not ours */
    size_t guard_size;
} fy_overflow_watched;

extern _Thread_local fy_overflow_watched fy_overflow_now;

/* The calling thread goes on on that context. */
static inline void fy_overflow_watch(const fy_context *context, const char *guard, size_t guard_size) {
    fy_overflow_now.context = context;
    fy_overflow_now.guard = guard;
    fy_overflow_now.guard_size = guard_size;
}

#endif
