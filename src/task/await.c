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

/* Whether the future, through tasks that wait for each other, waits for this task. */
static bool waits_for(const ferry_future *future, const fy_task *task) {
    while (future && future->kind == FY_FUTURE_TASK) {
        if (fy_task_of(future) == task)
            return true;
        future = fy_task_of(future)->awaited;
    }
    return false;
}

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

/* One after the other: all are awaited in the end, and only the task that waits is woken. When it is cancelled, those
 * that are pending are, too; and they are waited for, so that nothing of them is under way any more. */
static ferry_status await_each(const char *origin, ferry_future *const *futures, size_t count) {
    ferry_status first = 0;
    for (size_t i = 0; i < count; i++) {
        ferry_status status = ferry_await_from(origin, futures[i]);
        if (status == FERRY_ECANCELED && !first)
            for (size_t j = i + 1; j < count; j++)
                (void)ferry_future_cancel(futures[j]);
        if (!first)
            first = status;
    }
    return first;
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
    const fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    if ((!futures && count) || (flags & ~FERRY_RETURN_EXCEPTIONS))
        return EINVAL;
    ferry_status status = check_each(task, futures, count);
    if (!status)
        status = await_each(origin, futures, count);
    for (size_t i = 0; i < count && !status && !(flags & FERRY_RETURN_EXCEPTIONS); i++)
        status = outcome_of(futures[i]);
    return status;
}
