/* SPDX-License-Identifier: Apache-2.0 */
/* Turns readiness into completion: tries the system call, parks the op when the kernel would block, and tries again at
 * the next edge. It decides when a try is worth its cost; what the call is and what its answers mean stands in
 * attempt.c, and which kernel reports the edges, and how, is the poller's affair.
 *
 * An edge comes once, so each direction of a file remembers in `may_be_ready` whether a try may succeed:
 *
 *   set      at first, by every edge, and as long as tries succeed
 *   cleared  by EAGAIN; and by a short read where that proves the socket empty, which saves the call that would say so
 *
 * A direction in which it is cleared gets an edge as soon as that changes, whoever emptied or filled the file. A short
 * read is such a proof on TCP alone (other kinds end a read at the borders of messages), and there only while the last
 * event told of nothing but bytes: an end that came together with them gives no further edge, and urgent data ends a
 * read before the socket is empty. A kernel that does not tell of urgent data says how many bytes there are, and all of
 * them must have been read. Anything that comes later gives an edge of its own.
 *
 * The outgoing direction gets its edge only if the poller was told that one is wanted: after each try there that the
 * kernel would have blocked. So it is wanted whenever may_be_ready is cleared there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/reactor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hints.h"
#include "posix/attempt.h"
#include "posix/descriptor.h"
#include "posix/lease.h"
#include "posix/poller.h"
#include "posix/sigpipe.h"
#include "seam/net.h"
#include "seam/platform.h"

_Static_assert(FY_DIRECTIONS == sizeof((fy_file_native){0}.may_be_ready) / sizeof(bool), "one flag per direction");

typedef struct reactor {
    fy_backend base;
    fy_poller poller;
    fy_leases leases;
    unsigned fork_generation;
} reactor;

static reactor *of(fy_backend *backend) {
    return (reactor *)backend;
}

/* An inherited poller is the parent's too: what the child changed or took there, the parent would lose. */
static bool is_inherited(const reactor *self) {
    return self->fork_generation != fy_fork_generation();
}

static ferry_status reactor_open(fy_backend **ret_backend) {
    reactor *self = fy_calloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    ferry_status status = fy_poller_open(&self->poller);
    if (status) {
        fy_free(self);
        return status;
    }
    self->base.class = &fy_reactor_class;
    self->base.net = &fy_net_native;
    self->base.wait_handle = self->poller.fd;
    self->fork_generation = fy_fork_generation();
    *ret_backend = &self->base;
    return 0;
}

static void reactor_close(fy_backend *backend) {
    FY_ASSERT(fy_list_is_empty(&backend->finished) || is_inherited(of(backend)));
    fy_poller_close(&of(backend)->poller, is_inherited(of(backend)));
    fy_lease_free_all(&of(backend)->leases);
    fy_free(backend);
}

static int64_t reactor_now(fy_backend *backend) {
    (void)backend;
    return fy_clock_now();
}

/* ---- files ---- */

static bool is_datagram(fy_handle handle) {
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(handle, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/* One question tells most of the kinds apart: only TCP has this option, and only what is no socket says so. */
static void classify(fy_file *file) {
    int value;
    socklen_t size = sizeof value;
    bool is_tcp = getsockopt(file->handle, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0;
    bool is_socket = is_tcp || errno != ENOTSOCK;
    file->native = (fy_file_native){
        .may_be_ready = {true, true},
        .is_socket = is_socket,
        .is_tcp = is_tcp,
        .is_datagram = is_socket && !is_tcp && is_datagram(file->handle),
        .drained_by = is_tcp ? 0 : FY_NEVER,
    };
}

static ferry_status attach_owned(reactor *self, fy_file *file) {
    classify(file);
    ferry_status status = fy_poller_add(&self->poller, file->handle, file);
    if (status)
        return status;
    status = fy_descriptor_make_nonblocking(file->handle);
    if (status) {
        (void)fy_poller_remove(&self->poller, file->handle);
        return status;
    }
    fy_sigpipe_prepare(file->handle);
    fy_lease_supersede(&self->leases, file->handle);
    return 0;
}

static void detach_owned(reactor *self, fy_file *file) {
    if (!is_inherited(self)) {
        ferry_status status = fy_poller_remove(&self->poller, file->handle);
        FY_ASSERT(!status);
    }
    close(file->handle); /* whatever it says, the descriptor is gone */
}

static ferry_status attach_borrowed(reactor *self, fy_file *file) {
    ferry_status status = fy_lease_create(file);
    if (status)
        return status;
    file->native = (fy_file_native){.may_be_ready = {true, true}};
    status = fy_poller_add(&self->poller, file->handle, fy_lease_cookie(file->slot));
    bool is_added = status == 0;
    if (is_added)
        status = fy_lease_begin(&self->leases, file);
    if (status)
        fy_lease_end(&self->leases, file, !is_added || fy_poller_remove(&self->poller, file->handle) == 0);
    return status;
}

/* In a child made by fork nothing is reported to anybody. */
static void detach_borrowed(reactor *self, fy_file *file) {
    bool is_removed = is_inherited(self) || (fy_lease_is_current(&self->leases, file)
                                             && fy_poller_remove(&self->poller, file->handle) == 0);
    fy_lease_end(&self->leases, file, is_removed);
}

static ferry_status attach_process(reactor *self, fy_file *file) {
    file->native = (fy_file_native){.may_be_ready = {true, true}};
    ferry_status status = fy_poller_add_process(&self->poller, file->process, file, &file->handle);
    if (!status && file->handle >= 0)
        fy_lease_supersede(&self->leases, file->handle);
    return status;
}

static void detach_process(reactor *self, fy_file *file) {
    if (!is_inherited(self))
        fy_poller_remove_process(&self->poller, file->process, file->handle);
    if (file->handle >= 0)
        close(file->handle);
}

static ferry_status reactor_attach(fy_backend *backend, fy_file *file) {
    if (FY_LIKELY(file->use == FY_FILE_OWNED))
        return attach_owned(of(backend), file);
    return file->use == FY_FILE_BORROWED ? attach_borrowed(of(backend), file) : attach_process(of(backend), file);
}

static void reactor_detach(fy_backend *backend, fy_file *file) {
    if (!is_inherited(of(backend))) {
        FY_ASSERT(!file->in_flight[FY_IN]);
        FY_ASSERT(!file->in_flight[FY_OUT]);
    }
    if (FY_LIKELY(file->use == FY_FILE_OWNED))
        detach_owned(of(backend), file);
    else if (file->use == FY_FILE_BORROWED)
        detach_borrowed(of(backend), file);
    else
        detach_process(of(backend), file);
}

/* ---- ops ---- */

static void finish(fy_backend *backend, fy_op *op) {
    op->native.is_final = true;
    fy_list_push(&backend->finished, &op->node);
}

/* The outgoing direction is full: has its next edge reported. If the kernel refuses, that is the op's outcome. */
static bool want_out(fy_backend *backend, fy_op *op) {
    fy_file *file = op->file;
    void *cookie = file->use == FY_FILE_OWNED ? file : fy_lease_cookie(file->slot);
    ferry_status status = fy_poller_want_out(&of(backend)->poller, file->handle, cookie);
    if (FY_LIKELY(!status))
        return false;
    file->native.may_be_ready[FY_OUT] = true;
    op->status = status;
    op->count = 0;
    return true;
}

/* True once the op's outcome stands. */
static inline bool try_op(fy_backend *backend, fy_op *op) {
    return fy_attempt(op) || (fy_op_direction(op) == FY_OUT && want_out(backend, op));
}

/* A connect is never tried in vain: it is what makes the edge. */
static bool reactor_submit(fy_backend *backend, fy_op *op) {
    fy_file *file = op->file;
    int direction = fy_op_direction(op);
    FY_ASSERT(op->size > 0 || op->kind > FY_OP_WRITE);
    FY_ASSERT(!file->in_flight[direction]);
    if (op->may_end_at_once && file->native.may_be_ready[direction] && try_op(backend, op))
        return true;
    file->in_flight[direction] = op;
    op->native = (fy_op_native){.is_final = false};
    if ((file->native.may_be_ready[direction] || op->kind == FY_OP_CONNECT) && try_op(backend, op))
        finish(backend, op);
    return false;
}

static void reactor_cancel(fy_backend *backend, fy_op *op) {
    if (!fy_op_is_in_flight(op) || op->native.is_final)
        return;
    op->status = FERRY_ECANCELED;
    op->count = 0;
    finish(backend, op);
}

/* ---- waiting ---- */

static void try_again(fy_backend *backend, fy_op *op) {
    if (!op->native.is_final && try_op(backend, op))
        finish(backend, op);
}

static inline void take_edge(fy_backend *backend, fy_file *file, int direction) {
    file->native.may_be_ready[direction] = true;
    if (file->in_flight[direction])
        try_again(backend, file->in_flight[direction]);
}

/* What comes with an edge of the outgoing direction alone says nothing about what can be read. */
static void take_event(fy_backend *backend, const fy_poller_event *event) {
    fy_file *file = fy_lease_file(event->cookie);
    if (FY_UNLIKELY(!file))
        return;
    if (event->ready & FY_READY_IN) {
        bool is_plain = file->native.is_tcp && !(event->ready & FY_READY_SPECIAL);
        file->native.drained_by = is_plain ? event->bytes : FY_NEVER;
        take_edge(backend, file, FY_IN);
    }
    if (event->ready & FY_READY_OUT)
        take_edge(backend, file, FY_OUT);
}

/* Finished ops do not spare the look at the kernel: a program that always has some would never see anything else. */
static ferry_status reactor_wait(fy_backend *backend, int64_t deadline_us, fy_list *done) {
    fy_poller_event events[FY_POLLER_EVENTS_MAX];
    int count;
    if (is_inherited(of(backend)))
        return FERRY_EFORKED;
    if (deadline_us == FY_FINISHED) {
        fy_list_append(done, &backend->finished);
        return 0;
    }
    if (!fy_list_is_empty(&backend->finished))
        deadline_us = 0;
    ferry_status status = fy_poller_wait(&of(backend)->poller, deadline_us, backend->next_wait_us, events, &count);
    backend->has_old_deadline = fy_poller_has_timer(&of(backend)->poller);
    for (int i = 0; i < count; i++)
        take_event(backend, &events[i]);
    fy_list_append(done, &backend->finished);
    return status;
}

static void reactor_wake(fy_backend *backend) {
    if (!is_inherited(of(backend)))
        fy_poller_wake(&of(backend)->poller);
}

const fy_backend_class fy_reactor_class = {
    .name = fy_poller_name,
    .open = reactor_open,
    .close = reactor_close,
    .now = reactor_now,
    .attach = reactor_attach,
    .detach = reactor_detach,
    .submit = reactor_submit,
    .cancel = reactor_cancel,
    .wait = reactor_wait,
    .wake = reactor_wake,
};
