/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated connections: pipes, listeners with a backlog, and what reads, writes, accepts and connects do to them. The
 * seed decides how much of what could be moved is moved, and which of them fail. */
#include <apr_errno.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/socket.h"

/* ---- pipes ---- */

enum { PIPE_CAPACITY_FIRST = 256 };

static fy_sim_pipe *create_pipe(const fy_sim_socket *reader) {
    fy_sim_pipe *pipe = fy_calloc(sizeof *pipe);
    if (!pipe)
        return NULL;
    pipe->refs = 2;
    pipe->limit = (size_t)reader->options[FY_SOCKET_RECEIVE_BUFFER];
    return pipe;
}

static void unref_pipe(fy_sim_pipe *pipe) {
    if (!pipe || --pipe->refs)
        return;
    fy_free(pipe->bytes);
    fy_free(pipe);
}

/* Makes room behind the bytes for up to `size` more; returns for how many there is. */
static size_t make_room(fy_sim_pipe *pipe, size_t size) {
    size_t room = pipe->limit - pipe->count;
    if (size > room)
        size = room;
    if (pipe->begin) {
        memmove(pipe->bytes, pipe->bytes + pipe->begin, pipe->count);
        pipe->begin = 0;
    }
    size_t capacity = pipe->capacity ? pipe->capacity : PIPE_CAPACITY_FIRST;
    while (capacity < pipe->count + size)
        capacity *= 2;
    if (capacity != pipe->capacity) {
        char *bytes = fy_realloc(pipe->bytes, capacity);
        if (!bytes)
            return pipe->capacity - pipe->count < size ? pipe->capacity - pipe->count : size;
        pipe->bytes = bytes;
        pipe->capacity = capacity;
    }
    return size;
}

/* ---- connections ---- */

ferry_status fy_sim_stream_join(fy_sim_socket *one, fy_sim_socket *other) {
    fy_sim_pipe *to_one = create_pipe(one), *to_other = create_pipe(other);
    if (!to_one || !to_other) {
        fy_free(to_one);
        fy_free(to_other);
        return APR_ENOMEM;
    }
    one->in = other->out = to_one;
    one->out = other->in = to_other;
    one->state = other->state = FY_SIM_CONNECTED;
    return 0;
}

static void reset(fy_sim_socket *socket) {
    socket->in->is_reset = true;
    socket->out->is_reset = true;
}

/* Who closes over bytes that it has not read breaks the connection. */
void fy_sim_stream_close(fy_sim *self, fy_sim_socket *socket) {
    if (socket->state == FY_SIM_CONNECTED) {
        if (socket->in->count)
            reset(socket);
        socket->out->has_ended = true;
        socket->in->is_unread = true;
        unref_pipe(socket->in);
        unref_pipe(socket->out);
        socket->in = socket->out = NULL;
    }
    for (fy_node *node; (node = fy_list_pop(&socket->queue));) {
        fy_sim_socket *unaccepted = FY_CONTAINER(node, fy_sim_socket, node);
        reset(unaccepted);
        fy_sim_socket_close(self, unaccepted);
    }
    socket->state = FY_SIM_FRESH;
}

/* ---- whether an op would end ---- */

static bool can_read(const fy_sim_socket *socket) {
    if (socket->state == FY_SIM_LISTENING)
        return !fy_list_is_empty(&socket->queue);
    const fy_sim_pipe *in = socket->in;
    return socket->state == FY_SIM_FRESH || in->count || in->has_ended || in->is_reset;
}

static bool can_write(const fy_sim_socket *socket) {
    const fy_sim_pipe *out = socket->out;
    return socket->state != FY_SIM_CONNECTED || out->count < out->limit || out->has_ended || out->is_unread ||
           out->is_reset;
}

/* A full backlog answers nobody, so who connects goes on trying. */
static bool is_answered(fy_sim *self, const fy_sim_socket *socket, const ferry_address *address) {
    if (!fy_sim_is_reachable(socket, address))
        return true;
    const fy_sim_socket *listener = fy_sim_find_bound(self, address, FY_SOCKET_STREAM, true);
    return !listener || listener->queued < listener->backlog;
}

bool fy_sim_stream_is_ready(fy_sim *self, const fy_sim_socket *socket, const fy_op *op) {
    switch (op->kind) {
    case FY_OP_READ:
    case FY_OP_RECVFROM:
        return socket->state == FY_SIM_LISTENING || can_read(socket);
    case FY_OP_POLL_IN:
        return can_read(socket);
    case FY_OP_ACCEPT:
        return socket->state != FY_SIM_LISTENING || can_read(socket);
    case FY_OP_CONNECT:
        return socket->state != FY_SIM_FRESH || is_answered(self, socket, op->address);
    default:
        return can_write(socket);
    }
}

/* ---- what ops do ---- */

static size_t how_much(fy_sim *self, size_t possible) {
    if (possible < 2 || !fy_sim_happens(self, self->options.short_rate))
        return possible;
    self->stats.shortened++;
    return 1 + (size_t)fy_sim_below(self, possible - 1);
}

static ferry_status read_bytes(fy_sim *self, fy_sim_socket *socket, fy_op *op) {
    fy_sim_pipe *in = socket->in;
    if (socket->state != FY_SIM_CONNECTED)
        return ENOTCONN;
    if (fy_sim_fails(self, self->options.read_error_rate))
        reset(socket);
    if (in->is_reset)
        return APR_ECONNRESET;
    if (!in->count)
        return APR_EOF;
    op->count = how_much(self, in->count < op->size ? in->count : op->size);
    memcpy(op->buffer, in->bytes + in->begin, op->count);
    in->begin += op->count;
    in->count -= op->count;
    return 0;
}

/* The first bytes that come there bring the answer, which only a later write meets. */
static ferry_status write_to_nobody(fy_sim *self, fy_sim_pipe *out, fy_op *op) {
    if (out->is_refused)
        return APR_EPIPE;
    out->is_refused = true;
    op->count = how_much(self, op->size);
    return 0;
}

static ferry_status write_bytes(fy_sim *self, fy_sim_socket *socket, fy_op *op) {
    fy_sim_pipe *out = socket->out;
    if (socket->state != FY_SIM_CONNECTED)
        return ENOTCONN;
    if (fy_sim_fails(self, self->options.write_error_rate))
        reset(socket);
    if (out->is_reset)
        return APR_ECONNRESET;
    if (out->has_ended)
        return APR_EPIPE;
    if (out->is_unread)
        return write_to_nobody(self, out, op);
    size_t room = out->limit - out->count;
    size_t size = make_room(out, how_much(self, op->size < room ? op->size : room));
    if (!size)
        return APR_ENOMEM;
    memcpy(out->bytes + out->count, op->data, size);
    out->count += size;
    op->count = size;
    return 0;
}

static ferry_status accept_one(fy_sim *self, fy_sim_socket *listener, fy_op *op) {
    if (listener->state != FY_SIM_LISTENING)
        return APR_EINVAL;
    if (fy_sim_fails(self, self->options.accept_error_rate))
        return APR_EMFILE;
    fy_sim_socket *accepted = FY_CONTAINER(listener->queue.head, fy_sim_socket, node);
    ferry_status status = fy_sim_socket_give_handle(self, accepted);
    if (status)
        return status;
    fy_list_pop(&listener->queue);
    listener->queued--;
    op->accepted = fy_sim_socket_handle(accepted);
    if (op->address)
        *op->address = accepted->peer;
    return 0;
}

static ferry_status connect_failure(fy_sim *self) {
    static const ferry_status failures[] = {APR_ECONNREFUSED, APR_ETIMEDOUT, APR_EHOSTUNREACH};
    return failures[fy_sim_below(self, sizeof failures / sizeof failures[0])];
}

/* The listener's side of the connection waits in its queue. */
static ferry_status join_listener(fy_sim_socket *socket, fy_sim_socket *listener, const ferry_address *address) {
    fy_sim_socket *accepted = fy_sim_socket_create(listener->family, FY_SOCKET_STREAM);
    if (!accepted)
        return APR_ENOMEM;
    memcpy(accepted->options, listener->options, sizeof accepted->options);
    ferry_status status = fy_sim_stream_join(socket, accepted);
    if (status) {
        fy_free(accepted);
        return status;
    }
    accepted->is_accepted = true;
    accepted->local = socket->peer = fy_sim_as_seen(address);
    accepted->peer = fy_sim_as_seen(&socket->local);
    fy_list_push(&listener->queue, &accepted->node);
    listener->queued++;
    return 0;
}

static ferry_status connect_stream(fy_sim *self, fy_sim_socket *socket, const ferry_address *address) {
    if (socket->state != FY_SIM_FRESH)
        return socket->state == FY_SIM_CONNECTED ? EISCONN : APR_EINVAL;
    if (address->family != socket->family)
        return APR_EAFNOSUPPORT;
    if (!fy_sim_is_reachable(socket, address))
        return APR_ENETUNREACH;
    if (fy_sim_fails(self, self->options.connect_error_rate))
        return connect_failure(self);
    fy_sim_socket *listener = fy_sim_find_bound(self, address, FY_SOCKET_STREAM, true);
    if (!listener)
        return APR_ECONNREFUSED;
    ferry_status status = fy_sim_bind_any(self, socket, true);
    return status ? status : join_listener(socket, listener, address);
}

void fy_sim_stream_perform(fy_sim *self, fy_sim_socket *socket, fy_op *op) {
    switch (op->kind) {
    case FY_OP_READ:
    case FY_OP_RECVFROM:
        op->status = read_bytes(self, socket, op);
        break;
    case FY_OP_WRITE:
    case FY_OP_SENDTO:
        op->status = write_bytes(self, socket, op);
        break;
    case FY_OP_ACCEPT:
        op->status = accept_one(self, socket, op);
        break;
    case FY_OP_CONNECT:
        op->status = connect_stream(self, socket, op->address);
        break;
    default:
        op->status = 0; /* it is ready */
    }
}
