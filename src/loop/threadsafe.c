/* SPDX-License-Identifier: Apache-2.0 */
/* Posts from other threads, and the handles of such posts: the only handles that two threads may use at once.
 *
 * `state` of such a handle:
 *
 *   value        set by                      who may do what then
 *   QUEUED       the poster                  anyone: CAS to CANCELLED. loop: CAS to RUNNING
 *   RUNNING      the loop, before the call   cancel on another thread: sets REQUESTED and waits on `ended`;
 *                                            cancel on the loop's thread: sets REQUESTED
 *   ENDED        the loop, after the call    nobody changes it; REQUESTED stays as it was
 *   CANCELLED    whoever cancelled           the loop skips it
 *
 * Invariant: the callback is called only between RUNNING and ENDED, and exactly one CAS leaves QUEUED. The lock and the
 * condition serve only the rare cancel that has to wait; the loop takes them only if REQUESTED was set meanwhile. */
#include <errno.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "loop/loop.h"

enum { QUEUED, RUNNING, ENDED, CANCELLED, REQUESTED = 8 };

typedef struct threadsafe_handle {
    ferry_handle base;
    _Atomic unsigned state;
    _Atomic unsigned refs;
    fy_mutex lock;
    fy_cond ended;
} threadsafe_handle;

static threadsafe_handle *from_base(const ferry_handle *handle) {
    return (threadsafe_handle *)handle;
}

static void destroy(threadsafe_handle *self) {
    ferry_loop *loop = self->base.loop;
    fy_cond_fini(&self->ended);
    fy_mutex_fini(&self->lock);
    fy_free(self);
    fy_loop_release(loop);
}

void fy_threadsafe_ref(ferry_handle *handle) {
    atomic_fetch_add_explicit(&from_base(handle)->refs, 1, memory_order_relaxed);
}

FY_NOINLINE void fy_threadsafe_unref(ferry_handle *handle) {
    if (atomic_fetch_sub_explicit(&from_base(handle)->refs, 1, memory_order_acq_rel) == 1)
        destroy(from_base(handle));
}

static ferry_status create(ferry_loop *loop, const char *origin, ferry_callback *callback, void *arg,
                           threadsafe_handle **ret_self) {
    threadsafe_handle *self = fy_calloc(sizeof *self);
    if (!self)
        return ENOMEM;
    ferry_status status = fy_mutex_init(&self->lock);
    if (status)
        goto fail_lock;
    status = fy_cond_init(&self->ended);
    if (status)
        goto fail_cond;
    self->base.kind = FY_HANDLE_THREADSAFE;
    self->base.callback = callback;
    self->base.arg = arg;
    self->base.origin = origin;
    self->base.loop = loop;
    atomic_init(&self->refs, 2);
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    *ret_self = self;
    return 0;

fail_cond:
    fy_mutex_fini(&self->lock);
fail_lock:
    fy_free(self);
    return status;
}

ferry_status ferry_call_soon_threadsafe_from(const char *origin, ferry_loop *loop, ferry_callback *callback, void *arg,
                                             ferry_handle **ret_handle) {
    if (!loop || !callback)
        return EINVAL;
    if (loop->fork_generation != fy_fork_generation())
        return FERRY_EFORKED;
    if (!ret_handle)
        return fy_inbox_post(&loop->inbox, callback, arg, origin);
    threadsafe_handle *self = NULL;
    ferry_status status = create(loop, origin, callback, arg, &self);
    if (status)
        return status;
    status = fy_inbox_post_handle(&loop->inbox, &self->base);
    if (status) {
        destroy(self);
        return status;
    }
    *ret_handle = &self->base;
    return 0;
}

void fy_threadsafe_run(ferry_loop *loop, ferry_handle *handle) {
    threadsafe_handle *self = from_base(handle);
    unsigned state = QUEUED;
    if (atomic_compare_exchange_strong(&self->state, &state, RUNNING)) {
        ferry_status status = handle->callback(handle->arg);
        state = RUNNING;
        if (!atomic_compare_exchange_strong(&self->state, &state, ENDED)) {
            fy_mutex_lock(&self->lock);
            atomic_store(&self->state, ENDED | REQUESTED);
            fy_cond_broadcast(&self->ended);
            fy_mutex_unlock(&self->lock);
        }
        if (status)
            fy_loop_report_callback(loop, status, handle->origin, handle);
    }
    fy_threadsafe_unref(handle);
}

void fy_threadsafe_drop(ferry_handle *handle) {
    unsigned state = QUEUED;
    atomic_compare_exchange_strong(&from_base(handle)->state, &state, CANCELLED);
}

void fy_threadsafe_cancel(ferry_handle *handle) {
    threadsafe_handle *self = from_base(handle);
    unsigned state = QUEUED;
    if (atomic_compare_exchange_strong(&self->state, &state, CANCELLED))
        return;
    if (state == RUNNING)
        atomic_compare_exchange_strong(&self->state, &state, RUNNING | REQUESTED);
    if (state == ENDED)
        return;
    /* In a child made by fork the callback's thread may not exist, and would not end it here. */
    if (ferry_running_loop() == handle->loop || handle->loop->fork_generation != fy_fork_generation())
        return;
    fy_mutex_lock(&self->lock);
    while (atomic_load(&self->state) == (RUNNING | REQUESTED))
        fy_cond_wait(&self->ended, &self->lock);
    fy_mutex_unlock(&self->lock);
}

bool fy_threadsafe_cancelled(const ferry_handle *handle) {
    unsigned state = atomic_load(&from_base(handle)->state);
    return state == CANCELLED || (state & REQUESTED);
}
