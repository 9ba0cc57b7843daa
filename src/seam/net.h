/* SPDX-License-Identifier: Apache-2.0 */
/* Making sockets: everything about them that never blocks and so is no op. It belongs to the port, not to the nine
 * functions of backend.h: every native backend of a system has the same, fy_net_native. It is a table, and not plain
 * functions as in platform.h, because a simulated network has sockets of its own.
 *
 * All handles are of sockets that this table or an ACCEPT op made, or that the user brought; whether they are attached
 * makes no difference. Every function but close returns 0 or an OS code, and FERRY_ENOTSUP for what the system does not
 * have. Thread: the backend's. */
#ifndef FERRY_SEAM_NET_H
#define FERRY_SEAM_NET_H

#include "seam/backend.h"

typedef enum fy_socket_type { FY_SOCKET_STREAM, FY_SOCKET_DATAGRAM } fy_socket_type;

typedef enum fy_socket_option {
    FY_SOCKET_REUSE_ADDRESS, /* a listener may take the place of one that has just closed; on Windows that is so without
                              * it, and what the option of that name would allow there is not done */
    FY_SOCKET_REUSE_PORT,
    FY_SOCKET_NO_DELAY,
    FY_SOCKET_KEEP_ALIVE,
    FY_SOCKET_BROADCAST,
    FY_SOCKET_ONLY_IPV6,
    FY_SOCKET_SEND_BUFFER,    /* bytes */
    FY_SOCKET_RECEIVE_BUFFER, /* bytes */
    FY_SOCKET_LINGER,         /* seconds; -1: off */
    FY_SOCKET_OPTIONS
} fy_socket_option;

struct fy_net_class {
    /* The handle is non-blocking where the backends need that, and closed on exec. */
    ferry_status (*open)(fy_backend *backend, ferry_family family, fy_socket_type type, fy_handle *ret_handle);

    /* For a handle that is not attached; detach closes the others. */
    void (*close)(fy_backend *backend, fy_handle handle);

    ferry_status (*bind)(fy_backend *backend, fy_handle handle, const ferry_address *address);
    ferry_status (*listen)(fy_backend *backend, fy_handle handle, int backlog);
    ferry_status (*local_address)(fy_backend *backend, fy_handle handle, ferry_address *ret_address);
    ferry_status (*peer_address)(fy_backend *backend, fy_handle handle, ferry_address *ret_address);

    /* No more bytes will be written: the peer reads the end of the stream behind those that are under way. */
    ferry_status (*shut_write)(fy_backend *backend, fy_handle handle);

    ferry_status (*set_option)(fy_backend *backend, fy_handle handle, fy_socket_option option, int value);
    ferry_status (*get_option)(fy_backend *backend, fy_handle handle, fy_socket_option option, int *ret_value);
};

extern const fy_net_class fy_net_native;

#endif
