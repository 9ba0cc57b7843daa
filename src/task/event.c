/* SPDX-License-Identifier: Apache-2.0 */
/* Events: set once, seen by all who wait. */
#include <errno.h>

#include "ferry/sync.h"
#include "task/waiters.h"

struct ferry_event {
    fy_sync sync;
    fy_line waiters;
    bool is_set;
};

ferry_status ferry_event_create(ferry_loop *loop, ferry_event **ret_event) {
    if (!ret_event)
        return EINVAL;
    ferry_status status = 0;
    ferry_event *self = fy_sync_create(loop, sizeof *self, &status);
    if (self)
        *ret_event = self;
    return status;
}

ferry_event *ferry_event_ref(ferry_event *event) {
    if (event)
        event->sync.user_refs++;
    return event;
}

void ferry_event_unref(ferry_event *event) {
    if (!event || !fy_sync_unref(&event->sync))
        return;
    fy_line_end_all(&event->waiters, FERRY_ECANCELED);
    fy_sync_release(&event->sync);
}

ferry_status ferry_event_set(ferry_event *event) {
    if (!event)
        return EINVAL;
    ferry_status status = fy_loop_check(event->sync.loop);
    if (status)
        return status;
    event->is_set = true;
    fy_line_end_all(&event->waiters, 0);
    return 0;
}

ferry_status ferry_event_clear(ferry_event *event) {
    if (!event)
        return EINVAL;
    ferry_status status = fy_loop_check(event->sync.loop);
    if (!status)
        event->is_set = false;
    return status;
}

bool ferry_event_is_set(const ferry_event *event) {
    return event && event->is_set;
}

ferry_status ferry_event_wait_future_from(const char *origin, ferry_event *event, ferry_future **ret_future) {
    if (!event || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(event->sync.loop);
    if (status)
        return status;
    if (!event->is_set)
        return fy_line_wait(&event->waiters, &event->sync, origin, ret_future);
    return fy_sync_create_done(&event->sync, origin, ret_future);
}

ferry_status ferry_event_wait_from(const char *origin, ferry_event *event) {
    if (!event)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&event->sync, &task);
    if (status || event->is_set)
        return status;
    return fy_line_await(&event->waiters, &event->sync, task, origin, NULL);
}
