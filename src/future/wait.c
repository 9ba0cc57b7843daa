/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for some of several. It decides when a wait is over, and then takes back what it left with its members; it
 * never changes them. Until it is over it holds a reference to itself, so everybody else may let go of it. */
#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "future/watch.h"

typedef struct waiting {
    ferry_future future;
    fy_close_hook at_close;
    ferry_handle *timer;    /* or NULL */
    size_t count;           /* of the members; 0 once it has let go of them, and of itself */
    size_t left;            /* callbacks that have not run */
    ferry_return_when return_when;
    fy_watch members[];
} waiting;

static waiting *from_future(ferry_future *future) {
    return (waiting *)(void *)future;
}

/* ---- its end ---- */

static void let_go(waiting *self) {
    size_t count = self->count;
    self->count = 0;
    fy_loop_not_at_close(&self->at_close);
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
    fy_watch_end(self->members, count);
    ferry_future_unref(&self->future);
}

static void run_close_hook(fy_close_hook *hook) {
    let_go(FY_CONTAINER(hook, waiting, at_close));
}

/* The outcome comes first: letting go of a member may call the exception handler. */
static void finish(waiting *self) {
    int64_t done = 0;
    for (size_t i = 0; i < self->count; i++)
        done += ferry_future_done(self->members[i].future);
    fy_outcome_set_integer(&self->future.outcome, done);
    fy_future_finish(&self->future);
    let_go(self);
}

static bool cancel_wait(ferry_future *future, const char *message) {
    waiting *self = from_future(future);
    fy_future_finish_cancelled(future, message);
    if (self->count)
        let_go(self);
    return true;
}

static void free_wait(ferry_future *future) {
    ferry_loop *loop = future->loop;
    fy_free(from_future(future));
    fy_loop_release(loop);
}

static ferry_future *member_of(const ferry_future *future, size_t index) {
    const waiting *self = (const waiting *)(const void *)future;
    return index < self->count ? self->members[index].future : NULL;
}

const fy_future_class fy_wait_class = {.cancel = cancel_wait, .member = member_of, .free = free_wait};

/* A cancelled member is not an exception, and to ask whether it failed is no look at its error. */
static bool is_exception(const ferry_future *member) {
    return fy_future_peek(member) && !ferry_future_cancelled(member);
}

static ferry_status on_member_done(ferry_future *member, void *arg) {
    waiting *self = arg;
    self->left--;
    if (!self->left || self->return_when == FERRY_FIRST_COMPLETED ||
        (self->return_when == FERRY_FIRST_EXCEPTION && is_exception(member)))
        finish(self);
    return 0;
}

static ferry_status on_time_up(void *arg) {
    finish(arg);
    return 0;
}

/* ---- its beginning ---- */

static waiting *create(ferry_loop *loop, const char *origin, size_t count, ferry_return_when return_when) {
    waiting *self = fy_malloc(sizeof *self + count * sizeof self->members[0]);
    if (!self)
        return NULL;
    *self = (waiting){.at_close = {.run = run_close_hook}, .return_when = return_when};
    fy_future_init(&self->future, loop, FY_FUTURE_WAIT, origin);
    fy_loop_hold(loop);
    return self;
}

static ferry_status start(waiting *self, ferry_future *const *futures, size_t count, int64_t timeout_us) {
    ferry_loop *loop = self->future.loop;
    const char *origin = self->future.origin;
    size_t members = 0;
    ferry_status status = fy_watch_begin(self->members, &members, origin, loop, futures, count, on_member_done, self);
    if (status)
        return status;
    if (timeout_us != FERRY_FOREVER)
        status = ferry_call_later_from(origin, loop, timeout_us, on_time_up, self, &self->timer);
    if (status) {
        fy_watch_end(self->members, members);
        return status;
    }
    self->count = self->left = members;
    ferry_future_ref(&self->future);
    fy_loop_at_close(loop, &self->at_close);
    return 0;
}

ferry_status ferry_wait_from(const char *origin, ferry_future *const *futures, size_t count, int64_t timeout_us,
                             ferry_return_when return_when, ferry_future **ret_future) {
    size_t count_max = (SIZE_MAX - sizeof(waiting)) / sizeof(fy_watch);
    bool is_known = return_when == FERRY_ALL_COMPLETED || return_when == FERRY_FIRST_COMPLETED ||
                    return_when == FERRY_FIRST_EXCEPTION;
    if (!futures || !count || count > count_max || timeout_us < 0 || !is_known || !futures[0] || !ret_future)
        return EINVAL;
    ferry_loop *loop = futures[0]->loop;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    waiting *self = create(loop, origin, count, return_when);
    if (!self)
        return ENOMEM;
    status = start(self, futures, count, timeout_us);
    if (status) {
        ferry_future_unref(&self->future);
        return status;
    }
    *ret_future = &self->future;
    return 0;
}
