/* SPDX-License-Identifier: Apache-2.0 */
/* The port's life, waiting for packets and waking the waiter. It decides how a deadline becomes a timeout and when a
 * wake needs a packet; what an op is, ops.c knows.
 *
 * Waking: `is_wake_posted` is set by whoever posts the wake's packet, and cleared by the waiter when it has taken it.
 * Who finds it set posts nothing: the packet is still in the port, or the wait that has taken it is under way.
 *
 * The port's handle is no wait_handle: it is a queue object, and the kernel lets nobody but the port's own calls wait
 * for one. What waits for it like for an event may swallow a packet. */
#include "base/alloc.h"
#include "base/assert.h"
#include "seam/net.h"
#include "seam/platform.h"
#include "win32/clock.h"
#include "win32/iocp.h"
#include "win32/sockets.h"
#include "win32/status.h"

enum { PACKETS_MAX = 128, NO_WAIT_HANDLE = -1 };

/* ---- opening and closing ---- */

static ferry_status iocp_open(fy_backend **ret_backend) {
    ferry_status status = fy_winsock_start();
    if (status)
        return status;
    fy_iocp *self = fy_calloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    self->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (!self->port) {
        status = fy_last_status();
        fy_free(self);
        return status;
    }
    self->timer = fy_timer_open();
    self->base.class = &fy_iocp_class;
    self->base.net = &fy_net_native;
    self->base.wait_handle = NO_WAIT_HANDLE;
    *ret_backend = &self->base;
    return 0;
}

static void iocp_close(fy_backend *backend) {
    fy_iocp *self = fy_iocp_of(backend);
    FY_ASSERT(fy_list_is_empty(&backend->finished));
    if (self->afd)
        CloseHandle(self->afd);
    if (self->timer)
        CloseHandle(self->timer);
    CloseHandle(self->port);
    fy_free(self);
}

static int64_t iocp_now(fy_backend *backend) {
    (void)backend;
    return fy_clock_now();
}

/* ---- ops ---- */

static void finish(fy_backend *backend, fy_op *op) {
    op->native.is_final = true;
    fy_list_push(&backend->finished, &op->node);
}

static bool iocp_submit(fy_backend *backend, fy_op *op) {
    int direction = fy_op_direction(op);
    FY_ASSERT(!op->file->in_flight[direction]);
    op->file->in_flight[direction] = op;
    op->native.is_final = false;
    op->native.is_cancelled = false;
    if (fy_iocp_begin(fy_iocp_of(backend), op))
        finish(backend, op);
    return false; /* whatever is over at once comes back by the next wait all the same */
}

static void iocp_cancel(fy_backend *backend, fy_op *op) {
    if (!fy_op_is_in_flight(op) || op->native.is_final || op->native.is_cancelled)
        return;
    op->native.is_cancelled = true;
    if (fy_iocp_give_up(fy_iocp_of(backend), op))
        finish(backend, op);
}

/* ---- waiting ---- */

static void CALLBACK note_timer(void *self, DWORD low, DWORD high) {
    (void)low;
    (void)high;
    ((fy_iocp *)self)->timer_has_fired = true;
}

/* The timer is a call that the kernel queues to this thread, which ends an alertable wait; the timeout stands behind
 * it, a little later. */
static ULONG take_packets(fy_iocp *self, int64_t left_us, OVERLAPPED_ENTRY *packets, DWORD *ret_error) {
    bool has_end = left_us > 0 && left_us != FERRY_FOREVER;
    bool is_timed = has_end && self->timer && fy_timer_set(self->timer, left_us, note_timer, self);
    ULONG count = 0;
    self->timer_has_fired = false;
    BOOL taken = GetQueuedCompletionStatusEx(self->port, packets, PACKETS_MAX, &count, fy_timeout_ms(left_us),
                                             is_timed);
    *ret_error = taken ? 0 : GetLastError();
    if (is_timed && !self->timer_has_fired)
        CancelWaitableTimer(self->timer);
    return taken ? count : 0;
}

/* A timeout counts in ticks of the kernel's and may be early by our clock. What else has interrupted the wait, a call
 * that the program has queued to this thread, ends it. */
static ferry_status take_packets_until(fy_iocp *self, int64_t deadline_us, OVERLAPPED_ENTRY *packets,
                                       ULONG *ret_count) {
    for (;;) {
        DWORD error;
        int64_t left_us = fy_clock_left(deadline_us);
        *ret_count = take_packets(self, left_us, packets, &error);
        if (*ret_count || left_us == 0)
            break;
        if (error == WAIT_IO_COMPLETION && !self->timer_has_fired)
            break;
        if (error != WAIT_TIMEOUT && error != WAIT_IO_COMPLETION)
            return fy_status_of(error);
    }
    return 0;
}

static void take_packet(fy_iocp *self, const OVERLAPPED_ENTRY *packet) {
    if (!packet->lpOverlapped) {
        atomic_exchange_explicit(&self->is_wake_posted, false, memory_order_acq_rel);
        return;
    }
    fy_op *op = FY_CONTAINER(packet->lpOverlapped, fy_op, native.overlapped);
    if (fy_iocp_continue(self, op))
        finish(&self->base, op);
}

/* Finished ops do not spare the look at the port: a program that always has some would never see anything else. */
static ferry_status iocp_wait(fy_backend *backend, int64_t deadline_us, fy_list *done) {
    OVERLAPPED_ENTRY packets[PACKETS_MAX];
    ULONG count = 0;
    if (deadline_us == FY_FINISHED) {
        fy_list_append(done, &backend->finished);
        return 0;
    }
    if (!fy_list_is_empty(&backend->finished))
        deadline_us = 0;
    ferry_status status = take_packets_until(fy_iocp_of(backend), deadline_us, packets, &count);
    for (ULONG i = 0; i < count; i++)
        take_packet(fy_iocp_of(backend), &packets[i]);
    fy_list_append(done, &backend->finished);
    return status;
}

/* ---- waking ---- */

void fy_iocp_post(HANDLE port, OVERLAPPED *overlapped) {
    while (!PostQueuedCompletionStatus(port, 0, 0, overlapped))
        Sleep(1);
}

static void iocp_wake(fy_backend *backend) {
    fy_iocp *self = fy_iocp_of(backend);
    if (!atomic_exchange_explicit(&self->is_wake_posted, true, memory_order_acq_rel))
        fy_iocp_post(self->port, NULL);
}

const fy_backend_class fy_iocp_class = {
    .name = "iocp",
    .open = iocp_open,
    .close = iocp_close,
    .now = iocp_now,
    .attach = fy_iocp_attach,
    .detach = fy_iocp_detach,
    .submit = iocp_submit,
    .cancel = iocp_cancel,
    .wait = iocp_wait,
    .wake = iocp_wake,
};
