/* SPDX-License-Identifier: Apache-2.0 */
/* How each kind of op begins, what its packet means, and how it is given up. Three ways lead to an outcome:
 *
 *   overlapped   READ, ACCEPT, CONNECT: the kernel performs the op in its own time; the packet brings the outcome.
 *   readiness    WRITE, SENDTO and RECVFROM on sockets, READ on those for datagrams, and POLL: the op is tried without
 *                blocking; when the kernel would block, a packet tells that it is worth another try. Given up in
 *                between, it has moved nothing: an overlapped send that is given up may have sent part of its bytes and
 *                does not say how many, and one that receives a datagram too long for its buffer says so in more than
 *                one way.
 *   elsewhere    pipes, and CHILD. */
#include <string.h>

#include "base/assert.h"
#include "win32/iocp.h"
#include "win32/sockets.h"
#include "win32/status.h"

enum { TRANSFER_MAX = 1 << 30 };

static SOCKET socket_of(const fy_op *op) {
    return (SOCKET)op->file->handle;
}

static WSABUF buffer_of(const fy_op *op) {
    return (WSABUF){.len = op->size < TRANSFER_MAX ? (ULONG)op->size : TRANSFER_MAX, .buf = op->buffer};
}

/* ---- outcomes ---- */

bool fy_op_fail(fy_op *op, DWORD error) {
    return fy_op_end(op, op->native.is_cancelled ? FERRY_ECANCELED : fy_status_of(error), 0);
}

/* Winsock and the others have words of their own for what the driver said. */
DWORD fy_iocp_result(const fy_op *op, DWORD *ret_count) {
    DWORD flags;
    OVERLAPPED *overlapped = (OVERLAPPED *)(uintptr_t)&op->native.overlapped;
    *ret_count = 0;
    if (op->file->native.is_socket)
        return WSAGetOverlappedResult(socket_of(op), overlapped, ret_count, FALSE, &flags) ? 0
                                                                                           : (DWORD)WSAGetLastError();
    return GetOverlappedResult((HANDLE)op->file->handle, overlapped, ret_count, FALSE) ? 0 : GetLastError();
}

/* A warning (more is to come of a message) is no failure, and brings its packet. */
bool fy_iocp_started(fy_iocp *self, fy_op *op, bool has_succeeded, DWORD error, DWORD count) {
    if (has_succeeded && op->file->native.skips_packets) {
        op->native.overlapped.Internal = 0;
        op->native.overlapped.InternalHigh = count;
        return fy_iocp_continue(self, op);
    }
    if (has_succeeded || error == ERROR_IO_PENDING || error == ERROR_MORE_DATA)
        return false;
    if (op->kind == FY_OP_READ && (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF))
        return fy_op_end(op, APR_EOF, 0);
    return fy_op_fail(op, error);
}

/* ---- streams ---- */

static bool read_begin(fy_iocp *self, fy_op *op) {
    if (!op->file->native.is_socket)
        return fy_pipe_read(self, op);
    WSABUF buffer = buffer_of(op);
    DWORD count = 0, flags = 0;
    op->native.overlapped = (OVERLAPPED){0};
    int failed = WSARecv(socket_of(op), &buffer, 1, &count, &flags, &op->native.overlapped, NULL);
    return fy_iocp_started(self, op, !failed, (DWORD)WSAGetLastError(), count);
}

static bool read_continue(fy_iocp *self, fy_op *op) {
    DWORD count, error = fy_iocp_result(op, &count);
    (void)self;
    if (error == ERROR_MORE_DATA && count)
        error = 0;
    if (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF || (!error && !count))
        return fy_op_end(op, APR_EOF, 0);
    return error ? fy_op_fail(op, error) : fy_op_end(op, 0, count);
}

/* ---- tries ---- */

/* Each tries once; 0, or an error. */
static int try_send(const fy_op *op, DWORD *ret_count) {
    WSABUF buffer = buffer_of(op);
    fy_sockaddr to;
    int size = op->kind == FY_OP_SENDTO && op->address ? fy_sockaddr_from_address(op->address, &to) : 0;
    int failed = WSASendTo(socket_of(op), &buffer, 1, ret_count, 0, size ? &to.any : NULL, size, NULL, NULL);
    return failed ? WSAGetLastError() : 0;
}

static int try_receive(const fy_op *op, DWORD *ret_count) {
    WSABUF buffer = buffer_of(op);
    fy_sockaddr from = {0};
    DWORD flags = 0;
    int size = sizeof from;
    if (WSARecvFrom(socket_of(op), &buffer, 1, ret_count, &flags, &from.any, &size, NULL, NULL))
        return WSAGetLastError();
    if (op->address)
        *op->address = fy_sockaddr_to_address(&from.any);
    return 0;
}

/* Tries; or asks to be told when another try is worth it. */
static bool attempt(fy_iocp *self, fy_op *op) {
    DWORD count = 0;
    bool receives = fy_op_direction(op) == FY_IN;
    int error = receives ? try_receive(op, &count) : try_send(op, &count);
    if (error == WSAEWOULDBLOCK)
        return fy_afd_poll_begin(self, op, receives ? FY_AFD_IN : FY_AFD_OUT);
    if (error == WSAEMSGSIZE && receives)
        return fy_op_end(op, FERRY_ETRUNCATED, 0);
    return error ? fy_op_fail(op, (DWORD)error) : fy_op_end(op, 0, count);
}

/* The driver may have told of the socket's error so that no call meets it any more. */
static bool fail_as_polled(fy_op *op, LONG status) {
    DWORD count;
    op->native.overlapped.Internal = (ULONG_PTR)status;
    return fy_op_fail(op, fy_iocp_result(op, &count));
}

static bool attempt_again(fy_iocp *self, fy_op *op) {
    LONG told = fy_afd_failure(op);
    if (op->native.is_cancelled)
        return fy_op_end(op, FERRY_ECANCELED, 0);
    return told < 0 ? fail_as_polled(op, told) : attempt(self, op);
}

static bool write_begin(fy_iocp *self, fy_op *op) {
    return op->file->native.is_socket ? attempt(self, op) : fy_pipe_write(self, op);
}

static bool write_continue(fy_iocp *self, fy_op *op) {
    DWORD count, error;
    if (op->file->native.is_socket)
        return attempt_again(self, op);
    error = fy_iocp_result(op, &count);
    return error ? fy_op_fail(op, error) : fy_op_end(op, 0, count);
}

static bool poll_in_begin(fy_iocp *self, fy_op *op) {
    return fy_afd_poll_begin(self, op, FY_AFD_IN);
}

static bool poll_out_begin(fy_iocp *self, fy_op *op) {
    return fy_afd_poll_begin(self, op, FY_AFD_OUT);
}

/* What went wrong on the socket is for the call that follows to find out. */
static bool poll_continue(fy_iocp *self, fy_op *op) {
    (void)self;
    LONG status = (LONG)op->native.overlapped.Internal;
    return fy_op_end(op, status < 0 && op->native.is_cancelled ? FERRY_ECANCELED : 0, 0);
}

/* ---- connections ---- */

/* The peer has gone while its connection waited to be accepted. */
static bool is_peers_end(DWORD error) {
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAENOTCONN
           || error == ERROR_NETNAME_DELETED;
}

/* Goes on to the next connection if the one that waited has gone. */
static bool accept_begin(fy_iocp *self, fy_op *op) {
    for (;;) {
        SOCKET made;
        DWORD count = 0;
        ferry_status status = fy_socket_open(op->file->native.family, SOCK_STREAM, &made);
        if (status)
            return fy_op_end(op, status, 0);
        op->native.overlapped = (OVERLAPPED){0};
        op->native.accept.socket = made;
        BOOL has_succeeded = fy_accept_ex(socket_of(op), made, op->native.accept.addresses, 0, FY_ACCEPT_ADDRESS_SIZE,
                                          FY_ACCEPT_ADDRESS_SIZE, &count, &op->native.overlapped);
        DWORD error = has_succeeded ? 0 : (DWORD)WSAGetLastError();
        if (has_succeeded || error == ERROR_IO_PENDING)
            return fy_iocp_started(self, op, has_succeeded, error, count);
        closesocket(made);
        if (!is_peers_end(error))
            return fy_op_fail(op, error);
    }
}

static void note_peer(fy_op *op) {
    SOCKADDR *local, *peer;
    int local_size, peer_size;
    fy_accept_ex_addresses(op->native.accept.addresses, 0, FY_ACCEPT_ADDRESS_SIZE, FY_ACCEPT_ADDRESS_SIZE, &local,
                           &local_size, &peer, &peer_size);
    *op->address = fy_sockaddr_to_address(peer);
}

static bool accept_continue(fy_iocp *self, fy_op *op) {
    SOCKET made = op->native.accept.socket, listener = socket_of(op);
    DWORD count, error = fy_iocp_result(op, &count);
    if (!error && setsockopt(made, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener, sizeof listener))
        error = (DWORD)WSAGetLastError();
    if (error) {
        closesocket(made);
        return is_peers_end(error) && !op->native.is_cancelled ? accept_begin(self, op) : fy_op_fail(op, error);
    }
    if (op->address)
        note_peer(op);
    op->status = 0;
    op->accepted = (fy_handle)made;
    return true;
}

/* ConnectEx takes only a socket that has a local address; one that has keeps it. */
static int bind_to_any(const fy_op *op, int family) {
    fy_sockaddr any;
    memset(&any, 0, sizeof any);
    any.any.sa_family = (ADDRESS_FAMILY)family;
    int size = family == AF_INET6 ? (int)sizeof any.in6 : (int)sizeof any.in;
    if (bind(socket_of(op), &any.any, size) == 0)
        return 0;
    int error = WSAGetLastError();
    return error == WSAEINVAL ? 0 : error;
}

static bool connect_begin(fy_iocp *self, fy_op *op) {
    fy_sockaddr to;
    int size = fy_sockaddr_from_address(op->address, &to);
    if (op->file->native.is_datagram) {
        int failed = connect(socket_of(op), &to.any, size);
        return failed ? fy_op_fail(op, (DWORD)WSAGetLastError()) : fy_op_end(op, 0, 0);
    }
    int error = bind_to_any(op, op->file->native.family);
    if (error)
        return fy_op_fail(op, (DWORD)error);
    op->native.overlapped = (OVERLAPPED){0};
    BOOL has_succeeded = fy_connect_ex(socket_of(op), &to.any, size, NULL, 0, NULL, &op->native.overlapped);
    return fy_iocp_started(self, op, has_succeeded, (DWORD)WSAGetLastError(), 0);
}

static bool connect_continue(fy_iocp *self, fy_op *op) {
    DWORD count, error = fy_iocp_result(op, &count);
    (void)self;
    if (!error && setsockopt(socket_of(op), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0))
        error = (DWORD)WSAGetLastError();
    return error ? fy_op_fail(op, error) : fy_op_end(op, 0, 0);
}

/* ---- all ---- */

static bool child_continue(fy_iocp *self, fy_op *op) {
    (void)self;
    return fy_child_continue(op);
}

static const struct {
    bool (*begin)(fy_iocp *self, fy_op *op);
    bool (*next)(fy_iocp *self, fy_op *op);
    bool waits_on_afd;
} kinds[FY_OP_KINDS] = {
    [FY_OP_READ] = {read_begin, read_continue, false},
    [FY_OP_WRITE] = {write_begin, write_continue, true},
    [FY_OP_RECVFROM] = {attempt, attempt_again, true},
    [FY_OP_SENDTO] = {attempt, attempt_again, true},
    [FY_OP_ACCEPT] = {accept_begin, accept_continue, false},
    [FY_OP_CONNECT] = {connect_begin, connect_continue, false},
    [FY_OP_POLL_IN] = {poll_in_begin, poll_continue, true},
    [FY_OP_POLL_OUT] = {poll_out_begin, poll_continue, true},
    [FY_OP_CHILD] = {fy_child_begin, child_continue, false},
};

/* Of datagrams a READ receives one, and does not ask from where. */
static fy_op_kind kind_of(const fy_op *op) {
    return op->kind == FY_OP_READ && op->file->native.is_datagram ? FY_OP_RECVFROM : op->kind;
}

bool fy_iocp_begin(fy_iocp *self, fy_op *op) {
    return kinds[kind_of(op)].begin(self, op);
}

bool fy_iocp_continue(fy_iocp *self, fy_op *op) {
    return kinds[kind_of(op)].next(self, op);
}

/* Where the kernel finds nothing to cancel, the op's packet is in the port already. */
bool fy_iocp_give_up(fy_iocp *self, fy_op *op) {
    if (op->kind == FY_OP_CHILD)
        return fy_child_give_up(op);
    bool is_on_afd = kinds[kind_of(op)].waits_on_afd && op->file->native.is_socket;
    CancelIoEx(is_on_afd ? self->afd : (HANDLE)op->file->handle, &op->native.overlapped);
    return false;
}
