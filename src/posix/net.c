/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets as seam/net.h describes them: a system call each. It decides which of the system's options is meant by
 * Ferry's, and hides how they differ between systems. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "seam/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/descriptor.h"
#include "posix/sockaddr.h"

/* ---- life ---- */

#if defined(FY_SOCKET_MODES)

static ferry_status make_socket(int family, int type, int *ret_fd) {
    *ret_fd = socket(family, type | FY_SOCKET_MODES, 0);
    return *ret_fd >= 0 ? 0 : errno;
}

#else

static ferry_status make_socket(int family, int type, int *ret_fd) {
    int fd = socket(family, type, 0);
    if (fd < 0)
        return errno;
    ferry_status status = fy_descriptor_close_on_exec(fd);
    if (!status)
        status = fy_descriptor_make_nonblocking(fd);
    if (status)
        close(fd);
    else
        *ret_fd = fd;
    return status;
}

#endif

static ferry_status net_open(fy_backend *backend, ferry_family family, fy_socket_type type, fy_handle *ret_handle) {
    int fd, native_family = fy_sockaddr_family(family);
    (void)backend;
    if (native_family == AF_UNSPEC)
        return EAFNOSUPPORT;
    ferry_status status = make_socket(native_family, type == FY_SOCKET_STREAM ? SOCK_STREAM : SOCK_DGRAM, &fd);
    if (!status)
        *ret_handle = fd;
    return status;
}

static void net_close(fy_backend *backend, fy_handle handle) {
    (void)backend;
    close(handle); /* whatever it says, the descriptor is gone */
}

/* ---- addresses ---- */

static ferry_status net_bind(fy_backend *backend, fy_handle handle, const ferry_address *address) {
    fy_sockaddr native;
    socklen_t length = fy_sockaddr_from(address, &native);
    (void)backend;
    if (length == 0)
        return EAFNOSUPPORT;
    return bind(handle, &native.any, length) == 0 ? 0 : errno;
}

static ferry_status net_listen(fy_backend *backend, fy_handle handle, int backlog) {
    (void)backend;
    return listen(handle, backlog) == 0 ? 0 : errno;
}

static ferry_status ask_address(int (*ask)(int, struct sockaddr *, socklen_t *), int fd, ferry_address *ret_address) {
    fy_sockaddr native;
    socklen_t length = sizeof native;
    if (ask(fd, &native.any, &length) != 0)
        return errno;
    fy_sockaddr_to(&native, length, ret_address);
    return 0;
}

static ferry_status net_local_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    (void)backend;
    return ask_address(getsockname, handle, ret_address);
}

static ferry_status net_peer_address(fy_backend *backend, fy_handle handle, ferry_address *ret_address) {
    (void)backend;
    return ask_address(getpeername, handle, ret_address);
}

static ferry_status net_shut_write(fy_backend *backend, fy_handle handle) {
    (void)backend;
    return shutdown(handle, SHUT_WR) == 0 ? 0 : errno;
}

/* ---- options ---- */

typedef struct native_option {
    int level; /* 0: the system has none */
    int name;
    bool is_flag;
} native_option;

/* Where SO_LINGER counts in ticks, another option counts in seconds. */
#if defined(SO_LINGER_SEC)
#define LINGER SO_LINGER_SEC
#else
#define LINGER SO_LINGER
#endif

static const native_option options[FY_SOCKET_OPTIONS] = {
    [FY_SOCKET_REUSE_ADDRESS] = {SOL_SOCKET, SO_REUSEADDR, true},
#if defined(SO_REUSEPORT)
    [FY_SOCKET_REUSE_PORT] = {SOL_SOCKET, SO_REUSEPORT, true},
#endif
    [FY_SOCKET_NO_DELAY] = {IPPROTO_TCP, TCP_NODELAY, true},
    [FY_SOCKET_KEEP_ALIVE] = {SOL_SOCKET, SO_KEEPALIVE, true},
    [FY_SOCKET_BROADCAST] = {SOL_SOCKET, SO_BROADCAST, true},
    [FY_SOCKET_ONLY_IPV6] = {IPPROTO_IPV6, IPV6_V6ONLY, true},
    [FY_SOCKET_SEND_BUFFER] = {SOL_SOCKET, SO_SNDBUF, false},
    [FY_SOCKET_RECEIVE_BUFFER] = {SOL_SOCKET, SO_RCVBUF, false},
    [FY_SOCKET_LINGER] = {SOL_SOCKET, LINGER, false},
};

_Static_assert(SOL_SOCKET != 0 && IPPROTO_TCP != 0 && IPPROTO_IPV6 != 0, "level 0 says that there is no such option");

static bool is_known(fy_socket_option option) {
    return option < FY_SOCKET_OPTIONS && options[option].level != 0;
}

static ferry_status net_set_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int value) {
    (void)backend;
    if (!is_known(option))
        return FERRY_ENOTSUP;
    struct linger linger = {.l_onoff = value >= 0, .l_linger = value >= 0 ? value : 0};
    bool is_linger = option == FY_SOCKET_LINGER;
    const void *native = is_linger ? (const void *)&linger : &value;
    socklen_t size = is_linger ? sizeof linger : sizeof value;
    return setsockopt(handle, options[option].level, options[option].name, native, size) == 0 ? 0 : errno;
}

/* Some systems tell of a flag by the bit that it is to them. */
static ferry_status net_get_option(fy_backend *backend, fy_handle handle, fy_socket_option option, int *ret_value) {
    int value = 0;
    struct linger linger = {0};
    (void)backend;
    if (!is_known(option))
        return FERRY_ENOTSUP;
    bool is_linger = option == FY_SOCKET_LINGER;
    socklen_t size = is_linger ? sizeof linger : sizeof value;
    void *native = is_linger ? (void *)&linger : &value;
    if (getsockopt(handle, options[option].level, options[option].name, native, &size) != 0)
        return errno;
    if (is_linger)
        value = linger.l_onoff ? linger.l_linger : -1;
    *ret_value = options[option].is_flag ? value != 0 : value;
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
