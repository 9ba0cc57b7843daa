/* SPDX-License-Identifier: Apache-2.0 */
/* Making simulated sockets: everything about them that never blocks. Options are kept and told; those that shape the
 * model (buffers, reuse of addresses) take effect, the others have nothing to act on. */
#include <apr_errno.h>
#include <errno.h>

#include "base/alloc.h"
#include "sim/socket.h"

enum { BACKLOG_MIN = 1, BACKLOG_MAX = 4096, BUFFER_MIN = 256, BUFFER_MAX = 1 << 24 };

static ferry_status net_open(fy_backend *backend, ferry_family family, fy_socket_type type, fy_handle *ret_handle) {
    fy_sim *self = fy_sim_of(backend);
    if (family != FERRY_INET && family != FERRY_INET6)
        return APR_EAFNOSUPPORT;
    if (fy_sim_fails(self, self->options.socket_error_rate))
        return APR_EMFILE;
    fy_sim_socket *socket = fy_sim_socket_create(family, type);
    if (!socket)
        return APR_ENOMEM;
    ferry_status status = fy_sim_socket_give_handle(self, socket);
    if (status) {
        fy_free(socket);
        return status;
    }
    *ret_handle = fy_sim_socket_handle(socket);
    fy_sim_note(self, "socket", (int64_t)socket->number, type);
    return 0;
}

static void net_close(fy_backend *backend, fy_handle handle) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_socket *socket = fy_sim_socket_find(self, handle);
    if (!socket)
        return;
    fy_sim_note(self, "close", (int64_t)socket->number, 0);
    fy_sim_socket_close(self, socket);
}

static ferry_status net_bind(fy_backend *backend, fy_handle handle, const ferry_address *address) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    return socket ? fy_sim_bind(fy_sim_of(backend), socket, address) : EBADF;
}

static ferry_status net_listen(fy_backend *backend, fy_handle handle, int backlog) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    if (socket->type != FY_SOCKET_STREAM)
        return EOPNOTSUPP;
    if (socket->state == FY_SIM_CONNECTED)
        return APR_EINVAL;
    ferry_status status = fy_sim_bind_any(fy_sim_of(backend), socket, false);
    if (status)
        return status;
    socket->state = FY_SIM_LISTENING;
    socket->backlog = (size_t)(backlog < BACKLOG_MIN ? BACKLOG_MIN : backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
    return 0;
}

static ferry_status net_local_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    *ret_address = socket->local;
    ret_address->family = (uint16_t)socket->family;
    return 0;
}

static ferry_status net_peer_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    if (!socket->peer.family)
        return ENOTCONN;
    *ret_address = socket->peer;
    return 0;
}

static ferry_status net_shut_write(fy_backend *backend, fy_handle handle) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    if (socket->state != FY_SIM_CONNECTED)
        return ENOTCONN;
    socket->out->has_ended = true;
    fy_sim_note(fy_sim_of(backend), "shut", (int64_t)socket->number, 0);
    return 0;
}

static int clamp_buffer(int size) {
    return size < BUFFER_MIN ? BUFFER_MIN : size > BUFFER_MAX ? BUFFER_MAX : size;
}

static ferry_status net_set_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int value) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    if (option >= FY_SOCKET_OPTIONS)
        return FERRY_ENOTSUP;
    if (option == FY_SOCKET_SEND_BUFFER || option == FY_SOCKET_RECEIVE_BUFFER)
        value = clamp_buffer(value);
    else if (option != FY_SOCKET_LINGER)
        value = value != 0;
    socket->options[option] = value;
    if (option == FY_SOCKET_RECEIVE_BUFFER && socket->in && (size_t)value > socket->in->limit)
        socket->in->limit = (size_t)value;
    return 0;
}

static ferry_status net_get_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int *ret_value) {
    fy_sim_socket *socket = fy_sim_socket_find(fy_sim_of(backend), handle);
    if (!socket)
        return EBADF;
    if (option >= FY_SOCKET_OPTIONS)
        return FERRY_ENOTSUP;
    *ret_value = socket->options[option];
    return 0;
}

const fy_net_class fy_sim_net = {
    .open = net_open,
    .close = net_close,
    .bind = net_bind,
    .listen = net_listen,
    .local_address = net_local_address,
    .peer_address = net_peer_address,
    .shut_write = net_shut_write,
    .set_option = net_set_option,
    .get_option = net_get_option,
};
