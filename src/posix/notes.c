/* SPDX-License-Identifier: Apache-2.0 */
/* The channel between a parent and its worker: a pair of local sockets. It decides how whole notes are made of a
 * stream, and what is done with one that has room for only a part; what a note says is none of its business.
 *
 * A memory's handle travels with the first byte of its note. The worker never asks for more than is missing of a note,
 * so it never meets the next one's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif
#include "seam/process.h"

#include <apr_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "posix/descriptor.h"
#include "posix/sigpipe.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* fy_sigpipe_prepare has seen to it */
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

/* One is sent; room for more lets those that somebody else sends be closed. */
enum { HANDLES_MAX = 4 };

typedef union control_room {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(HANDLES_MAX * sizeof(int))];
} control_room;

/* ---- the parent's side ---- */

static void attach_handle(struct msghdr *message, control_room *room, int fd) {
    memset(room, 0, sizeof *room);
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(sizeof fd);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

/* Once a part of a note is on its way all that follows would be misread: so nothing does, and the worker sees the
 * channel closed. */
ferry_status fy_child_send(const fy_child *child, const void *note, const fy_shared *shared_or_null) {
    control_room room;
    struct iovec data = {.iov_base = (void *)(uintptr_t)note, .iov_len = FY_NOTE_SIZE};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    ssize_t sent;
    if (shared_or_null)
        attach_handle(&message, &room, shared_or_null->handle);
    do
        sent = sendmsg(child->channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    if (sent == FY_NOTE_SIZE)
        return 0;
    (void)shutdown(child->channel, SHUT_WR);
    return EAGAIN;
}

/* ---- the worker's side ---- */

static bool is_channel(int fd) {
    struct sockaddr_un name;
    socklen_t name_size = sizeof name, type_size = sizeof(int);
    int type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM
           && getsockname(fd, (struct sockaddr *)&name, &name_size) == 0 && name.sun_family == AF_UNIX;
}

ferry_status fy_parent_open(fy_parent *ret_parent) {
    if (!is_channel(STDIN_FILENO))
        return ENOTSOCK;
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (empty < 0)
        return errno;
    int channel = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ferry_status status = channel >= 0 && dup2(empty, STDIN_FILENO) >= 0 ? 0 : errno;
    (void)close(empty);
    if (!status) {
        fy_sigpipe_prepare(channel);
        ret_parent->channel = channel;
    } else if (channel >= 0) {
        (void)close(channel);
    }
    return status;
}

/* The first one is kept. */
static void take_handle(int fd, int *kept) {
    if (*kept >= 0) {
        (void)close(fd);
        return;
    }
    *kept = fd;
    (void)fy_descriptor_leave_standard(kept);
}

static void take_handles(struct msghdr *message, int *kept) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            take_handle(fd, kept);
        }
    }
}

static ferry_status receive_part(int channel, void *part, size_t size, size_t *ret_count, int *kept) {
    control_room room;
    struct iovec data = {.iov_base = part, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room.bytes};
    ssize_t count;
    do
        count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == ECONNRESET ? APR_EOF : errno; /* it has gone with bytes unread */
    take_handles(&message, kept);
    *ret_count = (size_t)count;
    return count ? 0 : APR_EOF;
}

ferry_status fy_parent_receive(const fy_parent *parent, void *note, fy_handle *ret_handle) {
    char *bytes = note;
    size_t total = 0, count = 0;
    int handle = -1;
    ferry_status status = 0;
    while (!status && total < FY_NOTE_SIZE) {
        status = receive_part(parent->channel, bytes + total, FY_NOTE_SIZE - total, &count, &handle);
        total += status ? 0 : count;
    }
    if (handle < 0)
        return status;
    if (status)
        (void)close(handle);
    else
        *ret_handle = handle;
    return status;
}

ferry_status fy_parent_send(const fy_parent *parent, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size) {
        ssize_t sent = send(parent->channel, next, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EPIPE || errno == ECONNRESET ? APR_EOF : errno;
        next += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* ---- the parent's end ---- */

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <sys/event.h>

enum { NEXT_TRY_US = 100 * 1000 };

/* poll(2) that is asked for the end alone never tells of it on some of these. Bytes that arrive end a kevent, once. */
void fy_parent_wait_gone(const fy_parent *parent) {
    struct kevent change, event = {0};
    int queue;
    EV_SET(&change, (uintptr_t)parent->channel, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, 0);
    while ((queue = kqueue()) < 0)
        ferry_thread_sleep(NEXT_TRY_US); /* until there is a descriptor for it */
    (void)kevent(queue, &change, 1, NULL, 0, NULL);
    while (!(event.flags & (EV_EOF | EV_ERROR)))
        (void)kevent(queue, NULL, 0, &event, 1, NULL);
    (void)close(queue);
}

#else

#ifndef POLLRDHUP
#define POLLRDHUP 0 /* POLLHUP needs no asking for */
#endif

/* The channel stays open while anybody has the parent's end, such as a child that the parent has forked; so whoever has
 * made the channel is watched as well, where the system can. A descriptor of -1 is not looked at. */
enum { IS_GONE = -2 };

#if defined(__linux__) && defined(SYS_pidfd_open)

static int watch_maker(const fy_parent *parent) {
    struct ucred maker;
    socklen_t size = sizeof maker;
    if (getsockopt(parent->channel, SOL_SOCKET, SO_PEERCRED, &maker, &size) != 0 || maker.pid <= 0)
        return -1;
    int process = (int)syscall(SYS_pidfd_open, maker.pid, 0u);
    if (process < 0)
        return errno == ESRCH ? IS_GONE : -1;
    (void)fy_descriptor_leave_standard(&process);
    return process;
}

#else

static int watch_maker(const fy_parent *parent) {
    (void)parent;
    return -1;
}

#endif

void fy_parent_wait_gone(const fy_parent *parent) {
    int maker = watch_maker(parent);
    struct pollfd watched[] = {{.fd = parent->channel, .events = POLLRDHUP}, {.fd = maker, .events = POLLIN}};
    while (maker != IS_GONE && poll(watched, 2, -1) <= 0)
        continue;
}

#endif
