/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done with a socket without waiting: each call is checked and handed to the backend's table of socket
 * calls. */
#include <errno.h>
#include <limits.h>

#include "io/file.h"

/* ---- making ---- */

/* Whether this loop can make a socket now. */
static ferry_status may_make(ferry_loop *loop, const void *ret_socket) {
    if (!loop || !ret_socket)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    fy_io_attach(loop);
    return 0;
}

ferry_status ferry_socket_create_from(const char *origin, ferry_loop *loop, ferry_family family,
                                      ferry_socket_type type, ferry_socket **ret_socket) {
    bool is_known = (family == FERRY_INET || family == FERRY_INET6) &&
                    (type == FERRY_SOCKET_STREAM || type == FERRY_SOCKET_DATAGRAM);
    ferry_status status = is_known ? may_make(loop, ret_socket) : EINVAL;
    if (status)
        return status;
    if (!loop->backend->net)
        return FERRY_ENOTSUP;
    fy_handle handle;
    fy_socket_type native = type == FERRY_SOCKET_STREAM ? FY_SOCKET_STREAM : FY_SOCKET_DATAGRAM;
    status = loop->backend->net->open(loop->backend, family, native, &handle);
    if (status)
        return status;
    status = fy_socket_wrap(origin, loop, handle, ret_socket);
    if (status)
        loop->backend->net->close(loop->backend, handle);
    return status;
}

ferry_status ferry_socket_adopt_from(const char *origin, ferry_loop *loop, intptr_t handle,
                                     ferry_socket **ret_socket) {
    ferry_status status = may_make(loop, ret_socket);
    if (status)
        return status;
    if (handle < 0 || (intptr_t)(fy_handle)handle != handle)
        return EBADF;
    return fy_socket_wrap(origin, loop, (fy_handle)handle, ret_socket);
}

/* ---- questions ---- */

bool ferry_socket_is_closed(const ferry_socket *socket) {
    return !socket || socket->state != FY_SOCKET_OPEN;
}

intptr_t ferry_socket_handle(const ferry_socket *socket) {
    return ferry_socket_is_closed(socket) ? -1 : (intptr_t)socket->file.handle;
}

ferry_loop *ferry_socket_loop(const ferry_socket *socket) {
    return socket ? socket->loop : NULL;
}

const char *ferry_socket_origin(const ferry_socket *socket) {
    return socket ? socket->origin : NULL;
}

/* ---- calls ---- */

/* Whether the socket's calls can be made now; tells the table of them. */
static ferry_status may_call(const ferry_socket *socket, const fy_net_class **ret_net) {
    if (!socket)
        return EINVAL;
    ferry_status status = fy_loop_check(socket->loop);
    if (status)
        return status;
    *ret_net = socket->loop->backend->net;
    if (socket->state != FY_SOCKET_OPEN)
        return FERRY_ECLOSED;
    return *ret_net ? 0 : FERRY_ENOTSUP;
}

ferry_status ferry_socket_bind(ferry_socket *socket, const ferry_address *address) {
    const fy_net_class *net;
    ferry_status status = address ? may_call(socket, &net) : EINVAL;
    return status ? status : net->bind(socket->loop->backend, socket->file.handle, address);
}

ferry_status ferry_socket_listen(ferry_socket *socket, int backlog) {
    const fy_net_class *net;
    ferry_status status = may_call(socket, &net);
    return status ? status : net->listen(socket->loop->backend, socket->file.handle, backlog > 0 ? backlog : INT_MAX);
}

ferry_status ferry_socket_local_address(const ferry_socket *socket, ferry_address *ret_address) {
    const fy_net_class *net;
    ferry_status status = ret_address ? may_call(socket, &net) : EINVAL;
    return status ? status : net->local_address(socket->loop->backend, socket->file.handle, ret_address);
}

ferry_status ferry_socket_peer_address(const ferry_socket *socket, ferry_address *ret_address) {
    const fy_net_class *net;
    ferry_status status = ret_address ? may_call(socket, &net) : EINVAL;
    return status ? status : net->peer_address(socket->loop->backend, socket->file.handle, ret_address);
}

ferry_status ferry_socket_shutdown_write(ferry_socket *socket) {
    const fy_net_class *net;
    ferry_status status = may_call(socket, &net);
    if (status)
        return status;
    if (socket->file.in_flight[FY_OUT])
        return FERRY_EINVALIDSTATE;
    return net->shut_write(socket->loop->backend, socket->file.handle);
}

/* ---- options ---- */

/* The seam's name of the option; false if there is no such one. */
static bool translate(ferry_socket_option option, fy_socket_option *ret_option) {
    static const fy_socket_option table[] = {
        [FERRY_SOCKET_REUSE_ADDRESS] = FY_SOCKET_REUSE_ADDRESS,
        [FERRY_SOCKET_REUSE_PORT] = FY_SOCKET_REUSE_PORT,
        [FERRY_SOCKET_NO_DELAY] = FY_SOCKET_NO_DELAY,
        [FERRY_SOCKET_KEEP_ALIVE] = FY_SOCKET_KEEP_ALIVE,
        [FERRY_SOCKET_BROADCAST] = FY_SOCKET_BROADCAST,
        [FERRY_SOCKET_ONLY_IPV6] = FY_SOCKET_ONLY_IPV6,
        [FERRY_SOCKET_SEND_BUFFER] = FY_SOCKET_SEND_BUFFER,
        [FERRY_SOCKET_RECEIVE_BUFFER] = FY_SOCKET_RECEIVE_BUFFER,
        [FERRY_SOCKET_LINGER] = FY_SOCKET_LINGER,
    };
    if ((size_t)option >= sizeof table / sizeof table[0])
        return false;
    *ret_option = table[option];
    return true;
}

static bool fits(fy_socket_option option, int value) {
    if (option == FY_SOCKET_LINGER)
        return value >= -1;
    if (option == FY_SOCKET_SEND_BUFFER || option == FY_SOCKET_RECEIVE_BUFFER)
        return value > 0;
    return value == 0 || value == 1;
}

ferry_status ferry_socket_set_option(ferry_socket *socket, ferry_socket_option option, int value) {
    const fy_net_class *net;
    fy_socket_option native;
    ferry_status status = translate(option, &native) && fits(native, value) ? may_call(socket, &net) : EINVAL;
    return status ? status : net->set_option(socket->loop->backend, socket->file.handle, native, value);
}

ferry_status ferry_socket_get_option(const ferry_socket *socket, ferry_socket_option option, int *ret_value) {
    const fy_net_class *net;
    fy_socket_option native;
    ferry_status status = ret_value && translate(option, &native) ? may_call(socket, &net) : EINVAL;
    return status ? status : net->get_option(socket->loop->backend, socket->file.handle, native, ret_value);
}
