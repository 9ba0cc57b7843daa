/* SPDX-License-Identifier: Apache-2.0 */
/* A time limit for a future. It decides when the inner future is cancelled and what its end then means; it never ends
 * before the inner one has, so whoever sees the end knows that nothing is under way any more. */
#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "future/follower.h"

typedef struct waiting_for {
    fy_follower follower;
    ferry_handle *timer;    /* or NULL */
    fy_error *cancel_words; /* of the latest request to cancel, or NULL */
    bool cancel_requested;
    bool timed_out;         /* that is why the inner one was cancelled */
} waiting_for;

static waiting_for *from_future(ferry_future *future) {
    return (waiting_for *)(void *)future;
}

/* ---- its end ---- */

static void stop_timer(waiting_for *self) {
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
    self->timer = NULL;
}

static void let_go(waiting_for *self) {
    stop_timer(self);
    fy_follower_let_go(&self->follower);
}

static void run_close_hook(fy_close_hook *hook) {
    let_go(FY_CONTAINER(hook, waiting_for, follower.at_close));
}

static void finish_cancelled(waiting_for *self) {
    fy_future_finish_cancelled(&self->follower.future, self->cancel_words ? self->cancel_words->message : NULL);
}

static void finish(waiting_for *self) {
    ferry_future *future = &self->follower.future;
    if (self->cancel_requested) {
        finish_cancelled(self);
    } else if (self->timed_out && ferry_future_cancelled(self->follower.inner)) {
        fy_outcome_set_error(&future->outcome, FERRY_ETIMEDOUT, NULL);
        fy_future_finish(future);
    } else {
        fy_follower_end_as_inner(&self->follower);
    }
}

static ferry_status on_inner_done(ferry_future *inner, void *arg) {
    waiting_for *self = arg;
    (void)inner;
    if (self->follower.future.state == FY_FUTURE_PENDING)
        finish(self);
    let_go(self);
    return 0;
}

/* What has ended already, or can no longer be stopped, is in time. */
static ferry_status on_time_up(void *arg) {
    waiting_for *self = arg;
    stop_timer(self);
    self->timed_out = ferry_future_cancel(self->follower.inner);
    return 0;
}

/* The request is kept, whatever the inner one makes of it. If that has ended already, or its end would not be told
 * because the loop is closed, there is nothing to wait for. */
static bool cancel_wait_for(ferry_future *future, const char *message) {
    waiting_for *self = from_future(future);
    bool is_over = fy_loop_closed(future->loop) || self->follower.inner->state != FY_FUTURE_PENDING;
    fy_free(self->cancel_words);
    self->cancel_words = message ? fy_error_create(NULL, message) : NULL;
    self->cancel_requested = true;
    stop_timer(self);
    (void)ferry_future_cancel_with_message(self->follower.inner, message);
    if (is_over)
        finish_cancelled(self);
    return true;
}

static void free_wait_for(ferry_future *future) {
    waiting_for *self = from_future(future);
    fy_free(self->cancel_words);
    fy_follower_free(&self->follower);
}

const fy_future_class fy_wait_for_class = {
    .cancel = cancel_wait_for, .member = fy_follower_member, .free = free_wait_for};

/* ---- its beginning ---- */

static ferry_status start(waiting_for *self, int64_t timeout_us) {
    ferry_future *future = &self->follower.future;
    ferry_status status = 0;
    if (timeout_us > 0 && timeout_us != FERRY_FOREVER)
        status = ferry_call_later_from(future->origin, future->loop, timeout_us, on_time_up, self, &self->timer);
    if (status)
        return status;
    status = fy_follower_start(&self->follower, on_inner_done, run_close_hook);
    if (status)
        stop_timer(self);
    else if (timeout_us <= 0)
        on_time_up(self);
    return status;
}

ferry_status ferry_wait_for_from(const char *origin, ferry_future *inner, int64_t timeout_us,
                                 ferry_future **ret_future) {
    if (!inner || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(inner->loop);
    if (status)
        return status;
    waiting_for *self = fy_follower_create(sizeof *self, FY_FUTURE_WAIT_FOR, origin, inner);
    if (!self)
        return ENOMEM;
    if (inner->state != FY_FUTURE_PENDING)
        fy_follower_end_as_inner(&self->follower);
    else
        status = start(self, timeout_us);
    if (status) {
        ferry_future_unref(&self->follower.future);
        return status;
    }
    *ret_future = &self->follower.future;
    return 0;
}
