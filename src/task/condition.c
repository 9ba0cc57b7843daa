/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions. Who is notified, or cancelled, goes from the condition's line to the end of its lock's, and ends when the
 * lock is granted: so however a wait ends, its holder has the lock. A notification that meets a cancellation goes to
 * the next one who waits. */
#include <errno.h>

#include "base/alloc.h"
#include "task/lock.h"

struct ferry_condition {
    fy_sync sync;
    ferry_lock *lock; /* one of the user's references to it */
    fy_line waiters;
};

static ferry_condition *condition_of(const fy_waiter *waiter) {
    return (ferry_condition *)(void *)waiter->sync;
}

/* ---- life ---- */

ferry_status ferry_condition_create(ferry_loop *loop, ferry_lock *lock_or_null, ferry_condition **ret_condition) {
    if (!ret_condition)
        return EINVAL;
    if (loop && lock_or_null && lock_or_null->sync.loop != loop)
        return FERRY_EWRONGLOOP;
    ferry_lock *lock = ferry_lock_ref(lock_or_null);
    ferry_status status = lock ? 0 : ferry_lock_create(loop, &lock);
    if (status)
        return status;
    ferry_condition *self = fy_sync_create(loop, sizeof *self, &status);
    if (!self) {
        ferry_lock_unref(lock);
        return status;
    }
    self->lock = lock;
    *ret_condition = self;
    return 0;
}

ferry_condition *ferry_condition_ref(ferry_condition *condition) {
    if (condition)
        condition->sync.user_refs++;
    return condition;
}

void ferry_condition_unref(ferry_condition *condition) {
    if (!condition || !fy_sync_unref(&condition->sync))
        return;
    fy_line_end_all(&condition->waiters, FERRY_ECANCELED);
    ferry_lock_unref(condition->lock);
    fy_sync_release(&condition->sync);
}

ferry_lock *ferry_condition_lock(const ferry_condition *condition) {
    return condition ? condition->lock : NULL;
}

/* ---- waiting ---- */

/* The lock is held by somebody. */
static void notify(ferry_condition *self, size_t count) {
    for (; count && self->waiters.first; count--)
        fy_waiter_move(self->waiters.first, &self->lock->waiters);
}

/* On a closed loop nobody will release the lock any more: it ends without it. */
static bool cancel_wait(ferry_future *future, const char *message) {
    fy_waiter *waiter = fy_waiter_of(future);
    ferry_condition *self = condition_of(waiter);
    bool was_notified = waiter->line != &self->waiters, is_first = !future->is_cancelling;
    fy_free(waiter->cancel_words);
    waiter->cancel_words = message ? fy_error_create(NULL, message) : NULL;
    future->is_cancelling = true;
    if (fy_loop_closed(future->loop)) {
        fy_waiter_grant(waiter);
    } else if (was_notified) {
        notify(self, is_first);
    } else {
        fy_waiter_move(waiter, &self->lock->waiters);
        if (!self->lock->is_locked)
            fy_lock_hand_on(self->lock);
    }
    return true;
}

static void free_wait(ferry_future *future) {
    fy_free(fy_waiter_of(future)->cancel_words);
    fy_waiter_class.free(future);
}

static const fy_future_class wait_class = {.cancel = cancel_wait, .free = free_wait};

static ferry_status check_held(const ferry_condition *self) {
    ferry_status status = fy_loop_check(self->sync.loop);
    if (status)
        return status;
    return fy_lock_is_held(self->lock) ? 0 : FERRY_EINVALIDSTATE;
}

/* The caller has the lock, and lets go of it. */
static ferry_status start(ferry_condition *self, const char *origin, fy_waiter **ret_waiter) {
    ferry_status status = check_held(self);
    if (!status)
        status = fy_line_join(&self->waiters, &self->sync, &wait_class, origin, ret_waiter);
    if (!status)
        fy_lock_hand_on(self->lock);
    return status;
}

ferry_status ferry_condition_wait_future_from(const char *origin, ferry_condition *condition,
                                              ferry_future **ret_future) {
    if (!condition || !ret_future)
        return EINVAL;
    fy_waiter *waiter = NULL;
    ferry_status status = start(condition, origin, &waiter);
    if (!status)
        *ret_future = fy_waiter_future(waiter);
    return status;
}

/* A notification that came together with a cancellation of the task is handed on. */
static ferry_status wait_in_turn(ferry_condition *self, fy_task *task, const char *origin) {
    fy_waiter *waiter = NULL;
    ferry_status status = start(self, origin, &waiter);
    if (status)
        return status;
    fy_turn turn;
    status = fy_waiter_await(waiter, task, origin, &turn);
    if (status && turn.is_granted)
        notify(self, 1);
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_condition_wait_from(const char *origin, ferry_condition *condition) {
    if (!condition)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&condition->sync, &task);
    return status ? status : wait_in_turn(condition, task, origin);
}

ferry_status ferry_condition_wait_for_from(const char *origin, ferry_condition *condition, ferry_predicate *predicate,
                                           void *arg) {
    if (!condition || !predicate)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&condition->sync, &task);
    if (!status)
        status = check_held(condition);
    while (!status && !predicate(arg))
        status = wait_in_turn(condition, task, origin);
    return status;
}

/* ---- notifying ---- */

ferry_status ferry_condition_notify(ferry_condition *condition, size_t count) {
    if (!condition)
        return EINVAL;
    ferry_status status = check_held(condition);
    if (!status)
        notify(condition, count);
    return status;
}

ferry_status ferry_condition_notify_all(ferry_condition *condition) {
    return ferry_condition_notify(condition, SIZE_MAX);
}
