/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for time, and giving the others a turn. */
#include <errno.h>

#include "task/task.h"

static ferry_status step(void *task) {
    fy_task_step(task, NULL);
    return 0;
}

static ferry_status sleep_for(fy_task *task, const char *origin, int64_t duration_us) {
    if (FY_UNLIKELY(fy_task_take_cancel(task)))
        return FERRY_ECANCELED;
    if (duration_us != FERRY_FOREVER) {
        ferry_status status =
            ferry_call_later_from(origin, fy_task_loop(task), duration_us, step, task, &task->timer);
        if (status)
            return status;
        fy_task_suspend(task, origin);
        ferry_handle_unref(task->timer);
        task->timer = NULL;
        return fy_task_take_interruption(task) ? FERRY_ECANCELED : 0;
    }
    ferry_future *never = NULL;
    ferry_status status = fy_future_create_inner(fy_task_loop(task), origin, &never);
    if (status)
        return status;
    status = fy_task_wait_owned(task, origin, never);
    ferry_future_unref(never);
    return status;
}

/* Between the two steps everything that was ready has had its turn. */
static ferry_status give_way(fy_task *task, const char *origin) {
    fy_task_make_ready(task);
    fy_task_suspend(task, origin);
    return FY_UNLIKELY(fy_task_take_cancel(task)) ? FERRY_ECANCELED : 0;
}

ferry_status ferry_sleep_from(const char *origin, int64_t duration_us) {
    fy_task *task = fy_task_current();
    if (FY_UNLIKELY(!task))
        return FERRY_ENOTASK;
    return duration_us > 0 ? sleep_for(task, origin, duration_us) : give_way(task, origin);
}

ferry_status ferry_task_checkpoint(void) {
    fy_task *task = fy_task_current();
    if (!task)
        return FERRY_ENOTASK;
    return fy_task_take_cancel(task) ? FERRY_ECANCELED : 0;
}
