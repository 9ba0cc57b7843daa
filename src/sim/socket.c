/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated sockets and their handles: who holds them, and when they go. What they carry is in stream.c and
 * datagram.c. A handle is a number far above those of the system, so that neither is taken for the other. */
#include "sim/socket.h"

#include <apr_errno.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { HANDLE_FIRST = 1 << 20, BUFFER_DEFAULT = 32768, LINGER_OFF = -1 };

fy_sim_socket *fy_sim_socket_create(ferry_family family, fy_socket_type type) {
    fy_sim_socket *socket = fy_calloc(sizeof *socket);
    if (!socket)
        return NULL;
    socket->refs = 1;
    socket->number = SIZE_MAX;
    socket->family = family;
    socket->type = type;
    socket->options[FY_SOCKET_SEND_BUFFER] = BUFFER_DEFAULT;
    socket->options[FY_SOCKET_RECEIVE_BUFFER] = BUFFER_DEFAULT;
    socket->options[FY_SOCKET_LINGER] = LINGER_OFF;
    return socket;
}

ferry_status fy_sim_socket_give_handle(fy_sim *self, fy_sim_socket *socket) {
    return fy_sim_table_put(&self->sockets, socket, &socket->number);
}

fy_handle fy_sim_socket_handle(const fy_sim_socket *socket) {
    return (fy_handle)(intptr_t)(HANDLE_FIRST + socket->number);
}

fy_sim_socket *fy_sim_socket_find(fy_sim *self, fy_handle handle) {
    return fy_sim_table_get(&self->sockets, (intptr_t)handle - HANDLE_FIRST);
}

static void unref(fy_sim_socket *socket) {
    if (--socket->refs == 0)
        fy_free(socket);
}

void fy_sim_socket_close(fy_sim *self, fy_sim_socket *socket) {
    FY_ASSERT(!socket->is_closed);
    socket->is_closed = true;
    if (socket->number != SIZE_MAX)
        self->sockets.items[socket->number] = NULL;
    if (socket->type == FY_SOCKET_STREAM)
        fy_sim_stream_close(self, socket);
    else
        fy_sim_datagram_close(socket);
    unref(socket);
}

ferry_status fy_sim_socket_attach(fy_sim_socket *socket) {
    if (socket->is_attached)
        return APR_EEXIST;
    socket->is_attached = true;
    socket->refs++;
    return 0;
}

void fy_sim_socket_detach(fy_sim *self, fy_sim_socket *socket, bool is_owned) {
    socket->is_attached = false;
    if (is_owned && !socket->is_closed)
        fy_sim_socket_close(self, socket);
    unref(socket);
}

/* ---- for tests of streams ---- */

static ferry_status create_end(fy_sim *self, fy_sim_socket **ret_socket) {
    fy_sim_socket *socket = fy_sim_socket_create(FERRY_INET, FY_SOCKET_STREAM);
    if (!socket)
        return APR_ENOMEM;
    ferry_status status = fy_sim_socket_give_handle(self, socket);
    if (status)
        fy_free(socket);
    else
        *ret_socket = socket;
    return status;
}

ferry_status fy_sim_pair(fy_backend *backend, fy_handle ends[2]) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_socket *one = NULL, *other = NULL;
    ferry_status status = create_end(self, &one);
    if (status)
        return status;
    status = create_end(self, &other);
    if (!status)
        status = fy_sim_stream_join(one, other);
    if (status) {
        fy_sim_socket_close(self, one);
        if (other)
            fy_sim_socket_close(self, other);
        return status;
    }
    ends[0] = fy_sim_socket_handle(one);
    ends[1] = fy_sim_socket_handle(other);
    return 0;
}
