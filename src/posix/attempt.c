/* SPDX-License-Identifier: Apache-2.0 */
/* One try of an op: which system call it is, and what outcome each of its answers means. When to try, and what to do
 * with an outcome, is the reactor's affair; reactor.c also says what may_be_ready promises. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/attempt.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_errno.h>

#include "base/hints.h"
#include "posix/descriptor.h"
#include "posix/sigpipe.h"
#include "posix/sockaddr.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* fy_sigpipe_prepare has seen to it */
#endif

/* Some systems refuse a size beyond an int. */
enum { TRANSFER_MAX = 1 << 30 };

/* ---- outcomes ---- */

static bool would_block(fy_op *op) {
    op->file->native.may_be_ready[fy_op_direction(op)] = false;
    return false;
}

static bool end(fy_op *op, ferry_status status) {
    op->status = status;
    op->count = 0;
    return true;
}

static bool end_moved(fy_op *op, ssize_t moved) {
    op->status = 0;
    op->count = (size_t)moved;
    return true;
}

/* ---- streams ---- */

/* See drained_by in native.h. */
static inline void note_read(fy_file_native *file, size_t moved, size_t size) {
    if (moved >= file->drained_by) {
        file->drained_by = 0;
        if (moved < size)
            file->may_be_ready[FY_IN] = false;
    } else if (file->drained_by != FY_NEVER) {
        file->drained_by -= (uint32_t)moved;
    }
}

/* Nothing was moved, and errno says why. */
FY_NOINLINE static bool move_nothing(fy_op *op) {
    if (errno == EINTR)
        return fy_attempt(op);
    return errno == EAGAIN ? would_block(op) : end(op, errno);
}

static inline bool read_bytes(fy_op *op) {
    fy_file *file = op->file;
    size_t size = op->size < TRANSFER_MAX ? op->size : TRANSFER_MAX;
    ssize_t moved = FY_LIKELY(file->native.is_socket) ? recv(file->handle, op->buffer, size, 0)
                                                      : read(file->handle, op->buffer, size);
    if (FY_UNLIKELY(moved <= 0))
        return moved < 0 ? move_nothing(op) : end(op, APR_EOF);
    note_read(&file->native, (size_t)moved, size);
    return end_moved(op, moved);
}

static inline bool write_bytes(fy_op *op) {
    const fy_file *file = op->file;
    size_t size = op->size < TRANSFER_MAX ? op->size : TRANSFER_MAX;
    ssize_t moved = FY_LIKELY(file->native.is_socket) ? send(file->handle, op->data, size, MSG_NOSIGNAL)
                                                      : fy_sigpipe_write(file->handle, op->data, size);
    if (FY_UNLIKELY(moved <= 0))
        return moved < 0 ? move_nothing(op) : end(op, EIO); /* the rest would be tried for ever */
    return end_moved(op, moved);
}

/* ---- datagrams ---- */

static bool receive(fy_op *op) {
    fy_sockaddr from;
    struct iovec buffer = {.iov_base = op->buffer, .iov_len = op->size};
    struct msghdr message = {.msg_iov = &buffer, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
    ssize_t moved;
    do
        moved = recvmsg(op->file->handle, &message, 0);
    while (moved < 0 && errno == EINTR);
    if (moved < 0)
        return errno == EAGAIN ? would_block(op) : end(op, errno);
    if (op->address)
        fy_sockaddr_to(&from, message.msg_namelen, op->address);
    return message.msg_flags & MSG_TRUNC ? end(op, FERRY_ETRUNCATED) : end_moved(op, moved);
}

/* A connected socket takes no address; some systems refuse even its peer's. */
static bool send_datagram(fy_op *op) {
    fy_sockaddr to;
    socklen_t length = op->address ? fy_sockaddr_from(op->address, &to) : 0;
    if (op->address && length == 0)
        return end(op, EAFNOSUPPORT);
    ssize_t moved;
    do
        moved = sendto(op->file->handle, op->data, op->size, MSG_NOSIGNAL, length ? &to.any : NULL, length);
    while (moved < 0 && errno == EINTR);
    if (moved < 0)
        return errno == EAGAIN ? would_block(op) : end(op, errno);
    return end_moved(op, moved);
}

/* ---- connections ---- */

#if defined(FY_SOCKET_MODES)

static int accept_one(int fd, fy_sockaddr *peer, socklen_t *length) {
    return accept4(fd, &peer->any, length, FY_SOCKET_MODES);
}

#else

static int accept_one(int fd, fy_sockaddr *peer, socklen_t *length) {
    int accepted = accept(fd, &peer->any, length);
    if (accepted >= 0) {
        (void)fy_descriptor_close_on_exec(accepted); /* neither fails on a descriptor that is open */
        (void)fy_descriptor_make_nonblocking(accepted);
    }
    return accepted;
}

#endif

/* The connection was there and is not any more; some systems tell of its network error in place of ECONNABORTED. */
static bool is_gone(int error) {
    switch (error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
#if defined(ENONET)
    case ENONET:
#endif
        return true;
    default:
        return false;
    }
}

/* macOS hands out a connection that has gone as a socket without an address. */
static bool accept_connection(fy_op *op) {
    for (;;) {
        fy_sockaddr peer;
        socklen_t length = sizeof peer;
        int fd = accept_one(op->file->handle, &peer, &length);
        if (fd >= 0 && length > 0) {
            if (op->address)
                fy_sockaddr_to(&peer, length, op->address);
            op->status = 0;
            op->accepted = fd;
            return true;
        }
        if (fd >= 0)
            close(fd);
        else if (errno == EAGAIN)
            return would_block(op);
        else if (errno != EINTR && !is_gone(errno))
            return end(op, errno);
    }
}

/* What poll(2) says of one direction, without waiting: some bits, 0, or -1. */
static int ask_poll(const fy_op *op) {
    struct pollfd question = {.fd = op->file->handle, .events = fy_op_direction(op) == FY_IN ? POLLIN : POLLOUT};
    int count;
    do
        count = poll(&question, 1, 0);
    while (count < 0 && errno == EINTR);
    return count > 0 ? question.revents : count;
}

/* SO_ERROR is 0 for a socket that is connected, for one that is still trying, and for one whose error somebody else has
 * asked for already; poll and the peer's name tell them apart. */
static bool end_connect(fy_op *op) {
    fy_sockaddr peer;
    int error = 0, answer = ask_poll(op);
    socklen_t size = sizeof error, length = sizeof peer;
    if (answer <= 0)
        return answer == 0 ? would_block(op) : end(op, errno);
    if (getsockopt(op->file->handle, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && (answer & (POLLERR | POLLHUP)) && getpeername(op->file->handle, &peer.any, &length) != 0)
        error = errno;
    return end(op, error);
}

/* An interrupted connect goes on by itself. */
static bool connect_socket(fy_op *op) {
    fy_sockaddr to;
    if (op->native.is_started)
        return end_connect(op);
    socklen_t length = fy_sockaddr_from(op->address, &to);
    op->native.is_started = true;
    if (length == 0)
        return end(op, EAFNOSUPPORT);
    if (connect(op->file->handle, &to.any, length) == 0)
        return end(op, 0);
    return errno == EINPROGRESS || errno == EINTR ? would_block(op) : end(op, errno);
}

/* ---- readiness and processes ---- */

static bool look_at_readiness(fy_op *op) {
    int answer = ask_poll(op);
    if (answer < 0)
        return end(op, errno);
    if (answer & POLLNVAL)
        return end(op, EBADF);
    return answer ? end(op, 0) : would_block(op);
}

static bool reap(fy_op *op) {
    int how = 0;
    pid_t found;
    do
        found = waitpid(op->file->process, &how, WNOHANG);
    while (found < 0 && errno == EINTR);
    if (found <= 0)
        return found == 0 ? would_block(op) : end(op, errno);
    op->status = 0;
    op->exit = (fy_exit){.code = WIFEXITED(how) ? WEXITSTATUS(how) : 0, .signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0};
    return true;
}

/* What is not a stream's bytes. */
FY_NOINLINE static bool attempt_other(fy_op *op) {
    switch (op->kind) {
    case FY_OP_READ: /* of datagrams: one, and not from where */
    case FY_OP_RECVFROM:
        return receive(op);
    case FY_OP_SENDTO:
        return send_datagram(op);
    case FY_OP_ACCEPT:
        return accept_connection(op);
    case FY_OP_CONNECT:
        return connect_socket(op);
    case FY_OP_POLL_IN:
    case FY_OP_POLL_OUT:
        return look_at_readiness(op);
    case FY_OP_CHILD:
        return reap(op);
    default:
        return end(op, FERRY_ENOTSUP);
    }
}

bool fy_attempt(fy_op *op) {
    if (op->kind == FY_OP_READ && FY_LIKELY(!op->file->native.is_datagram))
        return read_bytes(op);
    return op->kind == FY_OP_WRITE ? write_bytes(op) : attempt_other(op);
}
