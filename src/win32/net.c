/* SPDX-License-Identifier: Apache-2.0 */
/* Making sockets on Windows. It decides which of the system's options mean what seam/net.h says. */
#include <string.h>

#include "seam/net.h"
#include "win32/sockets.h"
#include "win32/status.h"

static ferry_status last_error(void) {
    return fy_socket_status();
}

static ferry_status status_of(int failed) {
    return failed ? last_error() : 0;
}

static ferry_status net_open(fy_backend *backend, ferry_family family, fy_socket_type type, fy_handle *ret_handle) {
    SOCKET made;
    int native = fy_family_native((int)family);
    (void)backend;
    if (native == AF_UNSPEC)
        return fy_status_of(WSAEAFNOSUPPORT);
    ferry_status status = fy_socket_open(native, type == FY_SOCKET_STREAM ? SOCK_STREAM : SOCK_DGRAM, &made);
    if (!status)
        *ret_handle = (fy_handle)made;
    return status;
}

static void net_close(fy_backend *backend, fy_handle handle) {
    (void)backend;
    closesocket((SOCKET)handle);
}

static ferry_status net_bind(fy_backend *backend, fy_handle handle, const ferry_address *address) {
    fy_sockaddr native;
    int size = fy_sockaddr_from_address(address, &native);
    (void)backend;
    return status_of(bind((SOCKET)handle, &native.any, size));
}

static ferry_status net_listen(fy_backend *backend, fy_handle handle, int backlog) {
    (void)backend;
    return status_of(listen((SOCKET)handle, backlog));
}

typedef int(WSAAPI *name_call)(SOCKET socket, SOCKADDR *name, int *size);

static ferry_status name_of(name_call call, fy_handle handle, ferry_address *ret_address) {
    fy_sockaddr native;
    int size = sizeof native;
    if (call((SOCKET)handle, &native.any, &size) != 0)
        return last_error();
    *ret_address = fy_sockaddr_to_address(&native.any);
    return 0;
}

static ferry_status net_local_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    (void)backend;
    return name_of(getsockname, handle, ret_address);
}

static ferry_status net_peer_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    (void)backend;
    return name_of(getpeername, handle, ret_address);
}

static ferry_status net_shut_write(fy_backend *backend, fy_handle handle) {
    (void)backend;
    return status_of(shutdown((SOCKET)handle, SD_SEND));
}

/* ---- options ---- */

enum { LINGER_MAX = 0xffff };

/* The plain ones; SO_LINGER has a struct. Level 0: the system has none. */
static const struct {
    int level;
    int name;
} natives[FY_SOCKET_OPTIONS] = {
    [FY_SOCKET_NO_DELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [FY_SOCKET_KEEP_ALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
    [FY_SOCKET_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
    [FY_SOCKET_ONLY_IPV6] = {IPPROTO_IPV6, IPV6_V6ONLY},
    [FY_SOCKET_SEND_BUFFER] = {SOL_SOCKET, SO_SNDBUF},
    [FY_SOCKET_RECEIVE_BUFFER] = {SOL_SOCKET, SO_RCVBUF},
};

/* The system counts up to eighteen hours. */
static ferry_status set_linger(SOCKET socket, int value) {
    u_short seconds = (u_short)(value < 0 ? 0 : value < LINGER_MAX ? value : LINGER_MAX);
    struct linger linger = {.l_onoff = value >= 0, .l_linger = seconds};
    return status_of(setsockopt(socket, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger));
}

static ferry_status get_linger(SOCKET socket, int *ret_value) {
    struct linger linger = {0};
    int size = sizeof linger;
    if (getsockopt(socket, SOL_SOCKET, SO_LINGER, (char *)&linger, &size) != 0)
        return last_error();
    *ret_value = linger.l_onoff ? linger.l_linger : -1;
    return 0;
}

static ferry_status net_set_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int value) {
    (void)backend;
    if (option == FY_SOCKET_REUSE_ADDRESS)
        return 0;
    if (option == FY_SOCKET_LINGER)
        return set_linger((SOCKET)handle, value);
    if (option >= FY_SOCKET_OPTIONS || !natives[option].level)
        return FERRY_ENOTSUP;
    return status_of(setsockopt((SOCKET)handle, natives[option].level, natives[option].name, (const char *)&value,
                                sizeof value));
}

static ferry_status net_get_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int *ret_value) {
    DWORD value = 0; /* some options fill one byte of it */
    int size = sizeof value;
    (void)backend;
    if (option == FY_SOCKET_REUSE_ADDRESS) {
        *ret_value = 1;
        return 0;
    }
    if (option == FY_SOCKET_LINGER)
        return get_linger((SOCKET)handle, ret_value);
    if (option >= FY_SOCKET_OPTIONS || !natives[option].level)
        return FERRY_ENOTSUP;
    if (getsockopt((SOCKET)handle, natives[option].level, natives[option].name, (char *)&value, &size) != 0)
        return last_error();
    *ret_value = (int)value;
    return 0;
}

const fy_net_class fy_net_native = {
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
