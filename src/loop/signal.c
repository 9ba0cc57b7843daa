/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as callbacks. Every loop with a handler stands in one list of the process. An arrival marks the signal in
 * each loop that wants it and wakes that loop, which queues its handlers in its next turn.
 *
 * The list, what a loop wants, and how many want each signal change under the port's signal lock alone, and an arrival
 * reads them under it; so a loop that has left the list is woken no more. The marks are atomic: an arrival sets them,
 * first the signal's and then the loop's, and the loop takes them down in the opposite order, so none is missed. */
#include <errno.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "loop/loop.h"

struct fy_loop_signals {
    fy_loop_signals *next;
    ferry_loop *loop;
    ferry_handle *handles[FY_SIGNALS]; /* of those that are wanted; one reference each */
    _Atomic bool arrived[FY_SIGNALS];
};

/* Under the signal lock. */
static fy_loop_signals *all_loops;
static unsigned wanted_by[FY_SIGNALS]; /* how many loops */

/* ---- arrival ---- */

/* In signal context, with the lock held. A parent's loop is none of a child's. */
static void arrived(int signum) {
    for (fy_loop_signals *self = all_loops; self; self = self->next) {
        ferry_loop *loop = self->loop;
        if (!self->handles[signum] || loop->fork_generation != fy_fork_generation())
            continue;
        atomic_store(&self->arrived[signum], true);
        atomic_store(&loop->has_signals, true);
        loop->backend_class->wake(loop->backend);
    }
}

static void queue(ferry_loop *loop, ferry_handle *handle) {
    if (!handle || handle->place == FY_HANDLE_QUEUED)
        return;
    handle->place = FY_HANDLE_QUEUED;
    fy_ready_push_handle(&loop->ready, ferry_handle_ref(handle));
}

/* The wake may still be in the kernel, where a foreign loop would see it for ever: so the kernel is to be asked. */
void fy_signals_take(ferry_loop *loop) {
    fy_loop_signals *self = loop->signals;
    atomic_store(&loop->has_signals, false);
    loop->wakes_seen = loop->inbox.wakes_expected - 1;
    for (int signum = 1; self && signum < FY_SIGNALS; signum++)
        if (atomic_load_explicit(&self->arrived[signum], memory_order_relaxed) &&
            atomic_exchange(&self->arrived[signum], false))
            queue(loop, self->handles[signum]);
}

/* ---- the list ---- */

static ferry_status enter_list(ferry_loop *loop) {
    fy_loop_signals *self = fy_calloc(sizeof *self);
    if (!self)
        return ENOMEM;
    self->loop = loop;
    loop->signals = self;
    fy_signals_lock();
    self->next = all_loops;
    all_loops = self;
    fy_signals_unlock();
    return 0;
}

static void leave_list(const fy_loop_signals *self) {
    fy_loop_signals **link = &all_loops;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
}

/* ---- handlers ---- */

static ferry_status want(fy_loop_signals *self, int signum, ferry_handle *handle) {
    ferry_status status = 0;
    fy_signals_lock();
    if (!self->handles[signum] && !wanted_by[signum])
        status = fy_signal_open(signum, arrived);
    if (!status) {
        wanted_by[signum] += !self->handles[signum];
        self->handles[signum] = handle;
    }
    fy_signals_unlock();
    return status;
}

/* With the lock held. */
static ferry_handle *stop_wanting(fy_loop_signals *self, int signum) {
    ferry_handle *handle = self->handles[signum];
    self->handles[signum] = NULL;
    if (handle && --wanted_by[signum] == 0)
        fy_signal_close(signum);
    return handle;
}

/* It may be in the ready queue. */
static void drop(ferry_handle *handle) {
    if (!handle)
        return;
    handle->cancelled = true;
    ferry_handle_unref(handle);
}

ferry_status ferry_add_signal_handler_from(const char *origin, ferry_loop *loop, int signum, ferry_callback *callback,
                                           void *arg) {
    if (!loop || !callback || signum < 1 || signum >= FY_SIGNALS)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status && !loop->signals)
        status = enter_list(loop);
    if (status)
        return status;
    ferry_handle *handle = fy_handle_create(loop, FY_HANDLE_SOON, origin, arg);
    if (!handle)
        return ENOMEM;
    handle->callback = callback;
    handle->place = FY_HANDLE_ENDED;
    ferry_handle *replaced = loop->signals->handles[signum];
    status = want(loop->signals, signum, handle);
    if (!status && replaced && replaced->place == FY_HANDLE_QUEUED)
        queue(loop, handle); /* what has arrived is for the new one now */
    drop(status ? handle : replaced);
    return status;
}

bool ferry_remove_signal_handler(ferry_loop *loop, int signum) {
    if (!loop || signum < 1 || signum >= FY_SIGNALS || fy_loop_check(loop) || !loop->signals)
        return false;
    fy_signals_lock();
    ferry_handle *handle = stop_wanting(loop->signals, signum);
    fy_signals_unlock();
    drop(handle);
    return handle;
}

bool fy_signals_are_default(int signum) {
    fy_signals_lock();
    bool are_default = fy_signal_is_default(signum);
    fy_signals_unlock();
    return are_default;
}

/* Only the loop's own thread changes its handlers. */
bool fy_signals_have(const ferry_loop *loop, int signum, ferry_callback *callback) {
    const ferry_handle *handle = loop->signals ? loop->signals->handles[signum] : NULL;
    return handle && handle->callback == callback;
}

void fy_signals_close(ferry_loop *loop) {
    fy_loop_signals *self = loop->signals;
    ferry_handle *handles[FY_SIGNALS];
    if (!self)
        return;
    fy_signals_lock();
    for (int signum = 1; signum < FY_SIGNALS; signum++)
        handles[signum] = stop_wanting(self, signum);
    leave_list(self);
    fy_signals_unlock();
    loop->signals = NULL;
    for (int signum = 1; signum < FY_SIGNALS; signum++)
        drop(handles[signum]);
    fy_free(self);
}
