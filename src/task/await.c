/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for futures from inside a task. How the waiting went and what came of it are two things: ferry_await tells
 * the first alone, the others put both into one status. */
#include <errno.h>

#include "base/assert.h"
#include "task/task.h"

ferry_status fy_task_wait(fy_task *task, const char *origin, ferry_future *future) {
    ferry_status status = fy_task_wait_owned(task, origin, ferry_future_ref(future));
    ferry_future_unref(future);
    return status;
}

/* ---- what a task waits for ---- */

/* Several futures as one, which never ends: for as long as the task waits, whoever cancels or looks through it finds
 * all that are left. It lies on the task's stack. */
typedef struct several {
    fy_classed_future base;
    ferry_future *const *futures;
    size_t count;
    size_t current; /* the one that the task waits for; all before it are done. One reference */
} several;

static several *from_future(const ferry_future *future) {
    return FY_CONTAINER(future, several, base.future);
}

static bool cancel_left(ferry_future *future, const char *message) {
    const several *self = from_future(future);
    bool any = false;
    for (size_t i = self->current; i < self->count; i++)
        any |= ferry_future_cancel_with_message(self->futures[i], message);
    return any;
}

static ferry_future *member_left(const ferry_future *future, size_t index) {
    const several *self = from_future(future);
    return index < self->count - self->current ? self->futures[self->current + index] : NULL;
}

/* The task never goes on. */
static void let_go(ferry_future *future) {
    const several *self = from_future(future);
    ferry_future_unref(self->futures[self->current]);
}

static const fy_future_class several_class = {.cancel = cancel_left, .member = member_left, .free = let_go};

static ferry_future *awaited_by(const fy_task *task) {
    ferry_future *future = task->awaited;
    bool is_several = future && future->kind == FY_FUTURE_CLASSED && from_future(future)->base.class == &several_class;
    return is_several ? member_left(future, 0) : future;
}

static bool is_awaited(const fy_task *task) {
    const ferry_handle *handle = task->cell.future.callbacks;
    while (handle && handle->kind != FY_HANDLE_TASK)
        handle = handle->next;
    return handle;
}

/* Whether the future, through tasks that wait for each other, waits for this task, which runs. Mostly no task does, and
 * then the chain, which may be long, is not looked at. */
static bool waits_for(const ferry_future *future, const fy_task *task) {
    if (future->kind != FY_FUTURE_TASK || !is_awaited(task))
        return future == &task->cell.future;
    while (future && future->kind == FY_FUTURE_TASK) {
        if (fy_task_of(future) == task)
            return true;
        future = awaited_by(fy_task_of(future));
    }
    return false;
}

/* ---- one ---- */

ferry_status ferry_await_from(const char *origin, ferry_future *future) {
    fy_task *task = fy_task_current();
    if (FY_UNLIKELY(!task))
        return FERRY_ENOTASK;
    if (FY_UNLIKELY(!future))
        return EINVAL;
    if (FY_UNLIKELY(future->loop != fy_task_loop(task)))
        return FERRY_EWRONGLOOP;
    if (future->state != FY_FUTURE_PENDING)
        return 0;
    if (FY_UNLIKELY(waits_for(future, task)))
        return FERRY_EDEADLK;
    return fy_task_wait(task, origin, future);
}

/* ---- with the outcome ---- */

/* The future's own outcome, as one who waited for it sees it. */
static ferry_status outcome_of(ferry_future *future) {
    ferry_status status = ferry_future_status(future);
    return ferry_future_cancelled(future) ? FERRY_EAWAITED_CANCELED : status;
}

ferry_status ferry_await_value_from(const char *origin, ferry_future *future, ferry_place place) {
    ferry_status status = ferry_await_from(origin, future);
    if (!status)
        status = outcome_of(future);
    return status ? status : fy_place_put(place, future);
}

/* ---- several ---- */

/* One after the other, so that only the task that waits is woken. When it is cancelled, all that are pending are; and
 * they are waited for, so that nothing of them is under way any more, but for those that took no request. */
static ferry_status await_each(fy_task *task, several *self) {
    ferry_status first = 0;
    for (; self->current < self->count; self->current++) {
        ferry_future *future = self->futures[self->current];
        if (future->state != FY_FUTURE_PENDING)
            continue;
        ferry_status status = FERRY_EDEADLK;
        if (FY_LIKELY(!waits_for(future, task))) {
            status = fy_task_wait_among(task, self->base.future.origin, ferry_future_ref(future), &self->base.future);
            bool is_left = future->state == FY_FUTURE_PENDING;
            ferry_future_unref(future);
            if (is_left)
                return FERRY_ECANCELED;
        }
        if (!first)
            first = status;
    }
    return first;
}

static ferry_status await_several(fy_task *task, const char *origin, ferry_future *const *futures, size_t count) {
    several self = {.base.class = &several_class, .futures = futures, .count = count};
    fy_future_init(&self.base.future, fy_task_loop(task), FY_FUTURE_CLASSED, origin);
    return await_each(task, &self);
}

static ferry_status check_each(const fy_task *task, ferry_future *const *futures, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return EINVAL;
        if (futures[i]->loop != fy_task_loop(task))
            return FERRY_EWRONGLOOP;
        if (waits_for(futures[i], task))
            return FERRY_EDEADLK;
    }
    return 0;
}

ferry_status ferry_await_all_from(const char *origin, ferry_future *const *futures, size_t count, int flags) {
    fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    if ((!futures && count) || (flags & ~FERRY_RETURN_EXCEPTIONS))
        return EINVAL;
    ferry_status status = check_each(task, futures, count);
    if (!status)
        status = await_several(task, origin, futures, count);
    for (size_t i = 0; i < count && !status && !(flags & FERRY_RETURN_EXCEPTIONS); i++)
        status = outcome_of(futures[i]);
    return status;
}
