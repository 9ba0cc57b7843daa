/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of sockets, each an op with its future: what is checked, and what the op is given. How it is queued
 * and how it ends is file.c's. */
#include <errno.h>

#include "io/file.h"

/* Makes an op, if one may be asked for: zero but for kind and file, and its future is pending and the op's. */
static inline ferry_status create(const char *origin, ferry_socket *socket, fy_op_kind kind, fy_async_op **ret_self) {
    if (FY_UNLIKELY(!socket))
        return EINVAL;
    ferry_status status = fy_loop_check(socket->loop);
    if (FY_UNLIKELY(status))
        return status;
    if (FY_UNLIKELY(socket->state != FY_SOCKET_OPEN))
        return FERRY_ECLOSED;
    fy_async_op *self = fy_slab_alloc(&socket->loop->io.ops);
    if (FY_UNLIKELY(!self))
        return ENOMEM;
    fy_future_init_pending(&self->ended.future, socket->loop, FY_FUTURE_OP, origin);
    self->op = (fy_op){.kind = kind, .file = &socket->file};
    *ret_self = self;
    return 0;
}

/* One that was not started. */
static void discard(ferry_socket *socket, fy_async_op *self) {
    self->ended.future.state = FY_FUTURE_FREE;
    fy_slab_free(&socket->loop->io.ops, self);
}

/* What a backend is given names somebody: to none of them an address without a family means what it means to others. */
static bool is_named(const ferry_address *address) {
    return address->family == FERRY_INET || address->family == FERRY_INET6;
}

/* Gives the op a copy of the address. */
static ferry_status copy_address(ferry_socket *socket, fy_async_op *self, const ferry_address *address) {
    ferry_address *copy = fy_slab_alloc(&socket->loop->io.addresses);
    if (!copy) {
        discard(socket, self);
        return ENOMEM;
    }
    *copy = *address;
    self->op.address = copy;
    return 0;
}

ferry_status ferry_sock_connect_from(const char *origin, ferry_socket *socket, const ferry_address *address,
                                     ferry_future **ret_future) {
    fy_async_op *self;
    ferry_status status = address && is_named(address) ? create(origin, socket, FY_OP_CONNECT, &self) : EINVAL;
    if (!status)
        status = copy_address(socket, self, address);
    if (!status)
        fy_async_op_start(self, ret_future);
    return status;
}

ferry_status ferry_sock_accept_from(const char *origin, ferry_socket *socket, ferry_future **ret_future) {
    fy_async_op *self;
    ferry_status status = create(origin, socket, FY_OP_ACCEPT, &self);
    if (!status)
        fy_async_op_start(self, ret_future);
    return status;
}

ferry_status ferry_sock_recv_from(const char *origin, ferry_socket *socket, void *buffer, size_t size,
                                  ferry_future **ret_future) {
    fy_async_op *self;
    ferry_status status = buffer && size ? create(origin, socket, FY_OP_READ, &self) : EINVAL;
    if (FY_UNLIKELY(status))
        return status;
    self->op.buffer = buffer;
    self->op.size = size;
    fy_async_op_start(self, ret_future);
    return 0;
}

/* There is nothing to wait for. */
static ferry_status send_nothing(const char *origin, ferry_socket *socket, ferry_future **ret_future) {
    ferry_future *future = NULL;
    if (!socket)
        return EINVAL;
    ferry_status status = fy_loop_check(socket->loop);
    if (!status && socket->state != FY_SOCKET_OPEN)
        status = FERRY_ECLOSED;
    if (!status && ret_future)
        status = fy_future_create_inner(socket->loop, origin, &future);
    if (status || !ret_future)
        return status;
    fy_future_finish(future);
    *ret_future = future;
    return 0;
}

ferry_status ferry_sock_sendall_from(const char *origin, ferry_socket *socket, const void *data, size_t size,
                                     ferry_future **ret_future) {
    fy_async_op *self;
    if (FY_UNLIKELY(!size))
        return send_nothing(origin, socket, ret_future);
    ferry_status status = data ? create(origin, socket, FY_OP_WRITE, &self) : EINVAL;
    if (FY_UNLIKELY(status))
        return status;
    self->op.data = data;
    self->op.size = size;
    fy_async_op_start(self, ret_future);
    return 0;
}

ferry_status ferry_sock_recvfrom_from(const char *origin, ferry_socket *socket, void *buffer, size_t size,
                                      ferry_address *ret_address, ferry_future **ret_future) {
    fy_async_op *self;
    ferry_status status = buffer || !size ? create(origin, socket, FY_OP_RECVFROM, &self) : EINVAL;
    if (status)
        return status;
    self->op.buffer = buffer;
    self->op.size = size;
    self->op.address = ret_address;
    fy_async_op_start(self, ret_future);
    return 0;
}

ferry_status ferry_sock_sendto_from(const char *origin, ferry_socket *socket, const void *data, size_t size,
                                    const ferry_address *address, ferry_future **ret_future) {
    fy_async_op *self;
    bool makes_sense = (data || !size) && (!address || is_named(address));
    ferry_status status = makes_sense ? create(origin, socket, FY_OP_SENDTO, &self) : EINVAL;
    if (!status && address)
        status = copy_address(socket, self, address);
    if (status)
        return status;
    self->op.data = data;
    self->op.size = size;
    fy_async_op_start(self, ret_future);
    return 0;
}
