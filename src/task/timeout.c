/* SPDX-License-Identifier: Apache-2.0 */
/* Timeout scopes: a timer that cancels its task, and at the scope's end the decision whose cancellation it was. That
 * is read from the count of requests: the scope takes its own back, and if no more are left than when it was opened,
 * nobody else has cancelled the task meanwhile. */
#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "task/scope.h"

struct ferry_timeout {
    fy_scope scope;
    ferry_handle *timer;   /* or NULL */
    int64_t when_us;
    uint32_t cancelling;   /* of the task, when the scope was opened */
    bool is_expired;
};

static ferry_status on_time_up(void *arg) {
    ferry_timeout *self = arg;
    self->is_expired = true;
    ferry_future_cancel(&self->scope.task->cell.future);
    return 0;
}

static void drop_timer(ferry_timeout *self) {
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
    self->timer = NULL;
}

ferry_status ferry_timeout_reschedule(ferry_timeout *self, int64_t when_us) {
    if (!self)
        return EINVAL;
    if (self->is_expired)
        return FERRY_EINVALIDSTATE;
    ferry_handle *timer = NULL;
    if (when_us != FERRY_FOREVER) {
        ferry_status status = ferry_call_at(fy_task_loop(self->scope.task), when_us, on_time_up, self, &timer);
        if (status)
            return status;
    }
    drop_timer(self);
    self->timer = timer;
    self->when_us = when_us;
    return 0;
}

static void destroy(fy_scope *scope) {
    ferry_timeout *self = FY_CONTAINER(scope, ferry_timeout, scope);
    drop_timer(self);
    fy_scope_leave(scope);
    fy_free(self);
}

ferry_status ferry_timeout_open_at(int64_t when_us, ferry_timeout **ret_timeout) {
    fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    if (!ret_timeout)
        return EINVAL;
    ferry_timeout *self = fy_malloc(sizeof *self);
    if (!self)
        return ENOMEM;
    *self = (ferry_timeout){.when_us = FERRY_FOREVER, .cancelling = task->cancelling};
    fy_scope_open(&self->scope, task, destroy);
    ferry_status status = ferry_timeout_reschedule(self, when_us);
    if (status) {
        destroy(&self->scope);
        return status;
    }
    *ret_timeout = self;
    return 0;
}

ferry_status ferry_timeout_open(int64_t timeout_us, ferry_timeout **ret_timeout) {
    const fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    if (timeout_us == FERRY_FOREVER)
        return ferry_timeout_open_at(FERRY_FOREVER, ret_timeout);
    /* One that is over already is due in the order of how long it has been. */
    int64_t now_us = timeout_us > 0 ? fy_loop_now_for_deadline(fy_task_loop(task)) : fy_task_loop(task)->now_us;
    if (timeout_us < -now_us)
        timeout_us = -now_us;
    return ferry_timeout_open_at(fy_time_after(now_us, timeout_us), ret_timeout);
}

int64_t ferry_timeout_when(const ferry_timeout *self) {
    return self ? self->when_us : FERRY_FOREVER;
}

bool ferry_timeout_expired(const ferry_timeout *self) {
    return self && self->is_expired;
}

ferry_status ferry_timeout_close(ferry_timeout *self, ferry_status status) {
    if (!self)
        return status;
    FY_ASSERT(self->scope.task == fy_task_current() || fy_scope_is_over(&self->scope));
    bool is_own = self->is_expired && ferry_task_uncancel(&self->scope.task->cell.future) <= self->cancelling;
    destroy(&self->scope);
    return is_own && status == FERRY_ECANCELED ? FERRY_ETIMEDOUT : status;
}
