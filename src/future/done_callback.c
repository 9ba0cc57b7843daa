/* SPDX-License-Identifier: Apache-2.0 */
/* The callbacks of a future: a handle each, first in its future's list, then in the loop's ready queue, but for those
 * that a gather spares. */
#include <errno.h>

#include "future/future.h"

static void link_last(ferry_future *future, ferry_handle *handle) {
    handle->place = FY_HANDLE_WAITING;
    if (fy_handle_is_callback(future->callbacks)) {
        handle->previous = future->callbacks->previous;
        handle->next = handle->previous->next;
        handle->previous->next = handle;
    } else {
        handle->next = future->callbacks;
        future->callbacks = handle;
    }
    future->callbacks->previous = handle;
}

static void unlink_waiting(ferry_handle *handle) {
    ferry_future *future = handle->future;
    bool is_last = !fy_handle_is_callback(handle->next);
    if (future->callbacks == handle) {
        future->callbacks = handle->next;
        if (!is_last)
            handle->next->previous = handle->previous;
    } else {
        handle->previous->next = handle->next;
        (is_last ? future->callbacks : handle->next)->previous = handle->previous;
    }
    handle->place = FY_HANDLE_ENDED;
    ferry_handle_unref(handle);
}

static void run_queued(ferry_handle *handle) {
    if (FY_UNLIKELY(handle->cancelled)) {
        fy_handle_drop(handle);
        return;
    }
    ferry_future *future = handle->future;
    fy_handle_ran(handle, handle->done_callback(future, handle->arg));
    ferry_future_unref(future);
}

static void drop_queued(ferry_handle *handle) {
    if (handle->place == FY_HANDLE_QUEUED)
        ferry_future_unref(handle->future);
}

static const fy_done_hooks hooks = {run_queued, drop_queued, unlink_waiting};

ferry_handle *fy_done_callback_create(const char *origin, ferry_future *future, ferry_done_callback *callback,
                                      void *arg) {
    ferry_handle *handle = fy_handle_create(future->loop, FY_HANDLE_DONE, origin, arg);
    if (!handle)
        return NULL;
    future->loop->done_hooks = &hooks;
    handle->done_callback = callback;
    handle->future = future;
    return handle;
}

void fy_done_callback_add(ferry_handle *handle) {
    ferry_future *future = handle->future;
    if (FY_LIKELY(future->state == FY_FUTURE_PENDING)) {
        link_last(future, handle);
    } else {
        future->refs++;
        fy_ready_push_handle(&future->loop->ready, handle);
    }
}

void fy_done_callback_add_task(ferry_handle *handle, ferry_future *future) {
    future->loop->done_hooks = &hooks;
    handle->future = future;
    handle->cancelled = false;
    handle->refs++;
    link_last(future, handle);
}

ferry_status ferry_future_add_done_callback_from(const char *origin, ferry_future *future,
                                                 ferry_done_callback *callback, void *arg, ferry_handle **ret_handle) {
    if (!future || !callback)
        return EINVAL;
    ferry_status status = fy_loop_check(future->loop);
    if (FY_UNLIKELY(status))
        return status;
    ferry_handle *handle = fy_done_callback_create(origin, future, callback, arg);
    if (!handle)
        return ENOMEM;
    fy_done_callback_add(handle);
    if (ret_handle) {
        handle->refs++;
        *ret_handle = handle;
    }
    return 0;
}

static bool is_meant(const ferry_handle *handle, const ferry_future *future, ferry_done_callback *callback,
                     const void *arg) {
    return handle && handle->kind == FY_HANDLE_DONE && handle->future == future && !handle->cancelled &&
           handle->done_callback == callback && handle->arg == arg;
}

static size_t cancel_queued(ferry_future *future, ferry_done_callback *callback, void *arg) {
    size_t removed = 0;
    const fy_ready *ready = &future->loop->ready;
    for (size_t i = ready->head; i != ready->tail; i++)
        if (is_meant(ready->entries[i & ready->mask].handle, future, callback, arg)) {
            ferry_handle_cancel(ready->entries[i & ready->mask].handle);
            removed++;
        }
    for (ferry_handle *handle = ready->overflow; handle; handle = handle->next)
        if (is_meant(handle, future, callback, arg)) {
            ferry_handle_cancel(handle);
            removed++;
        }
    return removed;
}

size_t ferry_future_remove_done_callback(ferry_future *future, ferry_done_callback *callback, void *arg) {
    if (!future || fy_loop_check(future->loop))
        return 0;
    if (future->state != FY_FUTURE_PENDING)
        return cancel_queued(future, callback, arg);
    size_t removed = 0;
    for (ferry_handle *handle = future->callbacks, *next; handle; handle = next) {
        next = handle->next;
        if (is_meant(handle, future, callback, arg)) {
            ferry_handle_cancel(handle);
            removed++;
        }
    }
    return removed;
}
