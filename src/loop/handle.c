/* SPDX-License-Identifier: Apache-2.0 */
/* Posting to the loop from its own thread, and what may be done with what was posted. The rule behind every function
 * here: cancelling only marks, but in the three places where a mark would keep something for long (the timers count it,
 * a future's callback list lets go of it, a watched handle is left alone from then on). */
#include "loop/handle.h"

#include <errno.h>

#include "base/assert.h"
#include "loop/loop.h"

/* ---- life ---- */

ferry_handle *fy_handle_create(ferry_loop *loop, int kind, const char *origin, void *arg) {
    ferry_handle *handle = fy_slab_alloc(&loop->handles);
    if (!handle)
        return NULL;
    handle->arg = arg;
    handle->origin = origin;
    handle->loop = loop;
    handle->when_us = 0;
    handle->refs = 1;
    handle->may_be_spared = false;
    handle->kind = (uint8_t)kind;
    handle->place = FY_HANDLE_QUEUED;
    handle->cancelled = false;
    return handle;
}

ferry_handle *ferry_handle_ref(ferry_handle *handle) {
    if (!handle)
        return NULL;
    if (handle->kind == FY_HANDLE_THREADSAFE)
        fy_threadsafe_ref(handle);
    else
        handle->refs++;
    return handle;
}

void ferry_handle_unref(ferry_handle *handle) {
    if (!handle)
        return;
    FY_ASSERT(handle->kind != FY_HANDLE_FREE);
    if (handle->kind == FY_HANDLE_THREADSAFE)
        fy_threadsafe_unref(handle);
    else
        fy_handle_release(handle);
}

/* ---- running ---- */

void fy_handle_drop(ferry_handle *handle) {
    if (handle->kind == FY_HANDLE_THREADSAFE)
        fy_threadsafe_drop(handle);
    else if (handle->kind == FY_HANDLE_DONE || (handle->kind == FY_HANDLE_TASK && handle->future))
        handle->loop->done_hooks->drop(handle);
    handle->place = FY_HANDLE_ENDED;
    ferry_handle_unref(handle);
}

void fy_handle_drop_timer(ferry_handle *handle) {
    handle->place = FY_HANDLE_ENDED;
    fy_handle_release(handle);
}

static void run_own(ferry_handle *handle) {
    if (handle->cancelled)
        fy_handle_drop(handle);
    else
        fy_handle_ran(handle, handle->callback(handle->arg));
}

void fy_handle_run(ferry_loop *loop, ferry_handle *handle) {
    if (handle->kind == FY_HANDLE_DONE)
        loop->done_hooks->run(handle);
    else if (handle->kind < FY_HANDLE_DONE)
        run_own(handle);
    else if (handle->kind == FY_HANDLE_THREADSAFE)
        fy_threadsafe_run(loop, handle);
    else if (handle->kind == FY_HANDLE_WATCH)
        loop->io.run_watch(handle);
    else
        loop->tasks.hooks->wake(handle);
}

/* ---- what the user may do with it ---- */

FY_NOINLINE static void cancel_other(ferry_handle *handle) {
    if (handle->kind == FY_HANDLE_THREADSAFE) {
        fy_threadsafe_cancel(handle);
        return;
    }
    if (handle->cancelled || handle->place == FY_HANDLE_ENDED)
        return;
    handle->cancelled = true;
    if (handle->kind == FY_HANDLE_WATCH)
        handle->loop->io.cancel_watch(handle);
    else if (handle->place == FY_HANDLE_WAITING)
        handle->loop->done_hooks->unlink(handle);
}

/* Timers are cancelled by the thousand, and each lies elsewhere in memory: the fewer instructions are between two of
 * them, the more the processor fetches at once. */
void ferry_handle_cancel(ferry_handle *handle) {
    if (!handle)
        return;
    if (handle->kind != FY_HANDLE_TIMER) {
        cancel_other(handle);
        return;
    }
    if (handle->cancelled || handle->place == FY_HANDLE_ENDED)
        return;
    handle->cancelled = true;
    if (handle->place == FY_HANDLE_WAITING)
        fy_timers_note_cancelled(&handle->loop->timers);
}

bool ferry_handle_cancelled(const ferry_handle *handle) {
    if (!handle)
        return false;
    return handle->kind == FY_HANDLE_THREADSAFE ? fy_threadsafe_cancelled(handle) : handle->cancelled;
}

int64_t ferry_handle_when(const ferry_handle *handle) {
    return handle && handle->kind == FY_HANDLE_TIMER ? handle->when_us : 0;
}

const char *ferry_handle_origin(const ferry_handle *handle) {
    return handle ? handle->origin : NULL;
}

/* ---- posting ---- */

ferry_status ferry_call_soon_from(const char *origin, ferry_loop *loop, ferry_callback *callback, void *arg,
                                  ferry_handle **ret_handle) {
    if (FY_UNLIKELY(!loop || !callback))
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (FY_UNLIKELY(status))
        return status;
    if (FY_LIKELY(!ret_handle))
        return fy_ready_push(&loop->ready, callback, arg, origin);
    ferry_handle *handle = fy_handle_create(loop, FY_HANDLE_SOON, origin, arg);
    if (!handle)
        return ENOMEM;
    handle->callback = callback;
    handle->refs = 2;
    fy_ready_push_handle(&loop->ready, handle);
    *ret_handle = handle;
    return 0;
}

ferry_status ferry_call_at_from(const char *origin, ferry_loop *loop, int64_t when_us, ferry_callback *callback,
                                void *arg, ferry_handle **ret_handle) {
    if (!loop || !callback || when_us == FERRY_FOREVER)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (FY_UNLIKELY(status))
        return status;
    ferry_handle *handle = fy_handle_create(loop, FY_HANDLE_TIMER, origin, arg);
    if (!handle)
        return ENOMEM;
    handle->callback = callback;
    handle->when_us = when_us;
    handle->place = FY_HANDLE_WAITING;
    status = fy_timers_add(&loop->timers, handle);
    if (status) {
        ferry_handle_unref(handle);
        return status;
    }
    if (ret_handle) {
        handle->refs++;
        *ret_handle = handle;
    }
    return 0;
}

ferry_status ferry_call_later_from(const char *origin, ferry_loop *loop, int64_t delay_us, ferry_callback *callback,
                                   void *arg, ferry_handle **ret_handle) {
    if (!loop || !callback || delay_us == FERRY_FOREVER)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    /* Due at once means: by the time the loop knows of now, in the order of how overdue they are. */
    int64_t now_us = delay_us > 0 ? fy_loop_now_for_deadline(loop) : loop->now_us;
    if (delay_us < -now_us)
        delay_us = -now_us;
    else if (delay_us > FERRY_FOREVER - 1 - now_us)
        delay_us = FERRY_FOREVER - 1 - now_us;
    return ferry_call_at_from(origin, loop, now_us + delay_us, callback, arg, ret_handle);
}
