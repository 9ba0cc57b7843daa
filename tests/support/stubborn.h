/* SPDX-License-Identifier: Apache-2.0 */
/* A future that is asked to cancel and decides itself what comes of it, as work with a clean-up does: the test ends it
 * when, and as what, it likes. */
#ifndef FERRY_TESTS_SUPPORT_STUBBORN_H
#define FERRY_TESTS_SUPPORT_STUBBORN_H

#include <stdlib.h>

#include "future/future.h"
#include "support/futures.h"

typedef struct stubborn {
    fy_classed_future base;
    int requests; /* to cancel */
} stubborn;

static inline stubborn *stubborn_of(ferry_future *future) {
    return (stubborn *)(void *)future;
}

static inline bool note_request(ferry_future *future, const char *message) {
    (void)message;
    stubborn_of(future)->requests++;
    return true;
}

static inline void free_stubborn(ferry_future *future) {
    ferry_loop *of = future->loop;
    free(future);
    fy_loop_release(of);
}

static inline ferry_future *make_stubborn(void) {
    static const fy_future_class class = {.cancel = note_request, .free = free_stubborn};
    stubborn *self = calloc(1, sizeof *self);
    CHECK(self);
    fy_future_init(&self->base.future, loop, FY_FUTURE_CLASSED, "stubborn");
    self->base.class = &class;
    fy_loop_hold(loop);
    return &self->base.future;
}

static inline void end_with_value(ferry_future *future, int64_t value) {
    fy_outcome_set_integer(&future->outcome, value);
    fy_future_finish(future);
}

static inline void end_with_error(ferry_future *future, ferry_status status, const char *message) {
    fy_outcome_set_error(&future->outcome, status, fy_error_create(NULL, message));
    fy_future_finish(future);
}

static inline void end_cancelled(ferry_future *future) {
    fy_future_finish_cancelled(future, NULL);
}

#endif
