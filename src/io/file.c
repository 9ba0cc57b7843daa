/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of ops, their way to the backend and back, and the end of a file. It decides the order of ops, what is sent
 * again after a partial write, and how a delivered op ends its future. */
#include "io/file.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"

static const char closed_message[] = "the socket was closed";

static fy_async_op *from_op(fy_op *op) {
    return FY_CONTAINER(op, fy_async_op, op);
}

static fy_async_op *from_future(ferry_future *future) {
    return FY_CONTAINER(future, fy_async_op, ended.future);
}

static ferry_socket *socket_of(const fy_op *op) {
    return FY_CONTAINER(op->file, ferry_socket, file);
}

static bool is_inherited(const ferry_loop *loop) {
    return loop->fork_generation != fy_fork_generation();
}

/* ---- a cell's life ---- */

static void free_cell(ferry_future *future) {
    fy_loop_free_cell(future->loop, &future->loop->io.ops, from_future(future));
}

/* Where a SENDTO or CONNECT goes is a copy; where a RECVFROM's sender is told is the user's. */
static void free_address(ferry_loop *loop, const fy_op *op) {
    if (op->address && (op->kind == FY_OP_CONNECT || op->kind == FY_OP_SENDTO))
        fy_slab_free(&loop->io.addresses, op->address);
}

/* ---- queues ---- */

static fy_op *next_of(const fy_op *op) {
    return FY_CONTAINER(op->node.next, fy_op, node);
}

static void enqueue(ferry_socket *socket, fy_op *op) {
    fy_op **last = &socket->last_queued[fy_op_direction(op)];
    op->node.next = *last ? (*last)->node.next : &op->node;
    if (*last)
        (*last)->node.next = &op->node;
    *last = op;
}

/* Takes out the one behind `before`. */
static fy_op *take_next(fy_op **last, fy_op *before) {
    fy_op *op = next_of(before);
    before->node.next = op->node.next;
    if (op == *last)
        *last = op == before ? NULL : before;
    return op;
}

static fy_op *take_oldest(ferry_socket *socket, int direction) {
    fy_op **last = &socket->last_queued[direction];
    return *last ? take_next(last, *last) : NULL;
}

static void take_out(ferry_socket *socket, const fy_op *op) {
    fy_op **last = &socket->last_queued[fy_op_direction(op)];
    fy_op *before = *last;
    while (next_of(before) != op)
        before = next_of(before);
    take_next(last, before);
}

/* It does not end at once. */
static void submit(ferry_socket *socket, fy_op *op) {
    (void)socket->loop->backend_class->submit(socket->loop->backend, op);
}

static void submit_oldest(ferry_socket *socket, int direction) {
    fy_op *op = take_oldest(socket, direction);
    if (op)
        submit(socket, op);
}

/* ---- how ops end ---- */

/* What of an op is needed once its memory is the outcome's. */
typedef struct ending {
    fy_op_kind kind;
    ferry_status status;
    size_t count;       /* but for an ACCEPT */
    fy_handle accepted; /* ACCEPT */
} ending;

/* The op becomes an outcome that is still empty. */
static ending leave_op(fy_async_op *self) {
    ending how = {.kind = self->op.kind, .status = self->op.status};
    if (how.kind == FY_OP_ACCEPT)
        how.accepted = self->op.accepted;
    else
        how.count = self->op.count;
    if (FY_UNLIKELY(self->op.address != NULL))
        free_address(self->ended.future.loop, &self->op);
    memset(&self->ended.future.outcome, 0, sizeof(fy_outcome));
    return how;
}

/* One that never came to the backend. */
static void end_queued(fy_async_op *self, const char *message) {
    (void)leave_op(self);
    fy_future_finish_cancelled(&self->ended.future, message);
    ferry_future_unref(&self->ended.future);
}

static void close_socket(void *socket) {
    ferry_socket_close(socket);
}

/* The accepted handle becomes a socket, or is closed. */
static void set_accepted(ferry_future *future, fy_handle handle) {
    ferry_loop *loop = future->loop;
    ferry_socket *accepted = NULL;
    ferry_status status = fy_socket_wrap(future->origin, loop, handle, &accepted);
    if (status) {
        loop->backend->net->close(loop->backend, handle);
        fy_outcome_set_error(&future->outcome, status, NULL);
    } else {
        fy_outcome_set_pointer(&future->outcome, accepted, close_socket);
    }
}

static void set_outcome(ferry_future *future, const ending *how) {
    if (FY_UNLIKELY(how->status))
        fy_outcome_set_error(&future->outcome, how->status, NULL);
    else if (how->kind == FY_OP_ACCEPT)
        set_accepted(future, how->accepted);
    else if (how->kind != FY_OP_WRITE && how->kind != FY_OP_CONNECT)
        fy_outcome_set_integer(&future->outcome, (int64_t)how->count);
}

/* A sendall that was cancelled has not sent all; a connection that came to a listener as it was closed is refused. */
static bool is_cancelled(const fy_async_op *self, bool is_open) {
    const fy_op *op = &self->op;
    if (FY_UNLIKELY(op->status))
        return op->status == FERRY_ECANCELED;
    return (op->kind == FY_OP_WRITE && op->count < op->size && self->ended.future.is_cancelling) ||
           (op->kind == FY_OP_ACCEPT && !is_open);
}

FY_NOINLINE static void end_cancelled(fy_async_op *self, bool is_open) {
    ferry_future *future = &self->ended.future;
    ferry_loop *loop = future->loop;
    ending how = leave_op(self);
    if (how.kind == FY_OP_ACCEPT && !how.status)
        loop->backend->net->close(loop->backend, how.accepted);
    fy_cancel_note_end(future, is_open ? NULL : closed_message);
    ferry_future_unref(future);
}

FY_NOINLINE static void end_in_general(fy_async_op *self, bool is_open) {
    ferry_future *future = &self->ended.future;
    if (is_cancelled(self, is_open)) {
        end_cancelled(self, is_open);
        return;
    }
    ending how = leave_op(self);
    if (future->is_cancelling)
        fy_cancel_note_drop(future);
    set_outcome(future, &how);
    fy_future_finish(future);
    ferry_future_unref(future);
}

/* Bytes that have moved are what most ops end with, and nothing goes with them. */
static inline void end_delivered(fy_async_op *self, bool is_open) {
    ferry_future *future = &self->ended.future;
    if (FY_UNLIKELY(self->op.kind > FY_OP_WRITE || self->op.status || future->is_cancelling)) {
        end_in_general(self, is_open);
        return;
    }
    bool is_read = self->op.kind == FY_OP_READ;
    size_t count = self->op.count;
    memset(&future->outcome, 0, sizeof future->outcome);
    if (is_read) {
        future->outcome.kind = FY_VALUE_INTEGER;
        future->outcome.integer = (int64_t)count;
    }
    fy_future_finish(future);
    ferry_future_unref(future);
}

/* ---- the end of a file ---- */

static void free_socket(ferry_socket *socket) {
    socket->state = FY_SOCKET_FREE;
    fy_loop_free_cell(socket->loop, &socket->loop->io.sockets, socket);
}

static void detach_if_idle(ferry_socket *socket) {
    ferry_loop *loop = socket->loop;
    if (socket->state != FY_SOCKET_CLOSING || !fy_file_is_idle(&socket->file))
        return;
    loop->backend_class->detach(loop->backend, &socket->file);
    loop->files--;
    socket->state = FY_SOCKET_CLOSED;
    if (!socket->refs)
        free_socket(socket);
}

/* In a child made by fork the kernel works for the parent: the child's copy of the op has ended. */
static void take_back_inherited(ferry_socket *socket, fy_op *op) {
    socket->file.in_flight[fy_op_direction(op)] = NULL;
    op->status = FERRY_ECANCELED;
    end_delivered(from_op(op), false);
}

static void withdraw(ferry_socket *socket, fy_op *op) {
    ferry_loop *loop = socket->loop;
    if (!op)
        return;
    from_op(op)->ended.future.is_cancelling = true;
    if (is_inherited(loop))
        take_back_inherited(socket, op);
    else
        loop->backend_class->cancel(loop->backend, op);
}

static void withdraw_all(ferry_socket *socket) {
    for (int direction = 0; direction < FY_DIRECTIONS; direction++)
        withdraw(socket, socket->file.in_flight[direction]);
    detach_if_idle(socket);
}

void fy_socket_shut(ferry_socket *socket) {
    if (socket->state != FY_SOCKET_OPEN)
        return;
    socket->state = FY_SOCKET_CLOSING;
    for (int direction = 0; direction < FY_DIRECTIONS; direction++)
        for (fy_op *op; (op = take_oldest(socket, direction));)
            end_queued(from_op(op), closed_message);
    withdraw_all(socket);
}

ferry_socket *ferry_socket_ref(ferry_socket *socket) {
    if (socket)
        socket->refs++;
    return socket;
}

void ferry_socket_unref(ferry_socket *socket) {
    if (!socket)
        return;
    FY_ASSERT(socket->state != FY_SOCKET_FREE && socket->refs);
    FY_ASSERT(fy_loop_may_touch(socket->loop));
    if (--socket->refs)
        return;
    if (socket->state == FY_SOCKET_CLOSED)
        free_socket(socket);
    else
        fy_socket_shut(socket);
}

void ferry_socket_close(ferry_socket *socket) {
    if (!socket)
        return;
    FY_ASSERT(fy_loop_may_touch(socket->loop));
    fy_socket_shut(socket);
    ferry_socket_unref(socket);
}

/* ---- delivery ---- */

/* True if the rest of a sendall was handed to the backend. */
static bool send_rest(ferry_socket *socket, fy_async_op *self) {
    fy_op *op = &self->op;
    if (op->kind != FY_OP_WRITE || op->status || op->count >= op->size || self->ended.future.is_cancelling)
        return false;
    op->data = (const char *)op->data + op->count;
    op->size -= op->count;
    submit(socket, op);
    return true;
}

/* The future ends last: whoever hears of its error may do anything. */
void fy_async_op_delivered(fy_op *op) {
    ferry_socket *socket = socket_of(op);
    fy_async_op *self = from_op(op);
    bool is_open = socket->state == FY_SOCKET_OPEN;
    if (send_rest(socket, self))
        return;
    if (FY_UNLIKELY(op->kind == FY_OP_CONNECT && op->status))
        fy_socket_shut(socket);
    submit_oldest(socket, fy_op_direction(op));
    if (FY_UNLIKELY(socket->state != FY_SOCKET_OPEN))
        detach_if_idle(socket);
    end_delivered(self, is_open);
}

/* ---- starting ---- */

/* Most of what is sent is taken by the kernel at once, and then there is nothing to wait for. Without a future an error
 * would be reported from within the call that made it, so such an op goes the long way. */
static void submit_hastily(ferry_socket *socket, fy_async_op *self) {
    self->op.may_end_at_once = true;
    bool has_ended = socket->loop->backend_class->submit(socket->loop->backend, &self->op);
    self->op.may_end_at_once = false;
    if (has_ended && !send_rest(socket, self))
        end_delivered(self, true);
}

/* A direction is free only while nothing is queued in it: whoever comes back hands on at once. */
void fy_async_op_start(fy_async_op *self, ferry_future **ret_future) {
    ferry_socket *socket = socket_of(&self->op);
    if (ret_future)
        *ret_future = ferry_future_ref(&self->ended.future);
    if (socket->file.in_flight[fy_op_direction(&self->op)])
        enqueue(socket, &self->op);
    else if (self->op.kind == FY_OP_WRITE && ret_future)
        submit_hastily(socket, self);
    else
        submit(socket, &self->op);
}

/* ---- cancelling ---- */

/* Nothing of a child's may reach the parent's backend. */
static bool cancel_op(ferry_future *future, const char *message) {
    fy_async_op *self = from_future(future);
    ferry_socket *socket = socket_of(&self->op);
    ferry_loop *loop = future->loop;
    if (is_inherited(loop))
        return false;
    if (!fy_op_is_in_flight(&self->op)) {
        take_out(socket, &self->op);
        end_queued(self, message);
        return true;
    }
    if (!future->is_cancelling && message)
        fy_cancel_note_keep(future, message);
    future->is_cancelling = true;
    loop->backend_class->cancel(loop->backend, &self->op);
    return true;
}

/* ---- the loop's side ---- */

static const fy_future_class op_class = {.cancel = cancel_op, .free = free_cell};

static void op_done(ferry_loop *loop, fy_op *op) {
    (void)loop;
    if (op->kind == FY_OP_POLL_IN || op->kind == FY_OP_POLL_OUT)
        fy_watch_delivered(op);
    else
        fy_async_op_delivered(op);
}

/* What the parent was closing when it forked does not come back in the child: it ends, and its cell may go, here. */
static void shut_with_loop(void *cell, void *arg) {
    ferry_socket *socket = cell;
    ferry_loop *loop = arg;
    if (socket->state != FY_SOCKET_OPEN) {
        if (socket->state == FY_SOCKET_CLOSING && is_inherited(loop))
            withdraw_all(socket);
        return;
    }
    if (loop->debug)
        fy_loop_report(loop, &(ferry_report){.message = "a socket was still open when its loop was closed",
                                             .origin = socket->origin});
    fy_socket_shut(socket);
}

static void shut_all(ferry_loop *loop) {
    fy_slab_walk(&loop->io.sockets, shut_with_loop, loop);
    fy_watch_shut_all(loop);
}

/* What the kernel has is waited for: it may still write into buffers. Whoever hears of the end of an op may fork, and
 * then nothing comes back to the child any more. */
static void close_files(ferry_loop *loop) {
    shut_all(loop);
    while (loop->files) {
        fy_list done = {NULL, NULL};
        if (loop->backend_class->wait(loop->backend, FERRY_FOREVER, &done) == FERRY_EFORKED)
            shut_all(loop);
        fy_loop_resolve(loop, &done);
    }
    fy_watch_free_table(loop);
}

void fy_io_attach(ferry_loop *loop) {
    if (FY_LIKELY(loop->op_done != NULL))
        return;
    fy_slab_init(&loop->io.sockets, sizeof(ferry_socket));
    fy_slab_init(&loop->io.ops, sizeof(fy_async_op));
    fy_slab_init(&loop->io.addresses, (sizeof(ferry_address) + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *));
    loop->io.future_class = &op_class;
    loop->io.run_watch = fy_watch_run;
    loop->io.cancel_watch = fy_watch_cancelled;
    loop->io.close = close_files;
    loop->op_done = op_done;
}

ferry_status fy_socket_wrap(const char *origin, ferry_loop *loop, fy_handle handle, ferry_socket **ret_socket) {
    ferry_socket *socket = fy_slab_alloc(&loop->io.sockets);
    if (!socket)
        return ENOMEM;
    *socket = (ferry_socket){.file = {.handle = handle, .use = FY_FILE_OWNED},
                             .loop = loop,
                             .origin = origin,
                             .refs = 1,
                             .state = FY_SOCKET_OPEN};
    ferry_status status = loop->backend_class->attach(loop->backend, &socket->file);
    if (status) {
        socket->state = FY_SOCKET_FREE;
        fy_slab_free(&loop->io.sockets, socket);
        return status;
    }
    loop->files++;
    *ret_socket = socket;
    return 0;
}
