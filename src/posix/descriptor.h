/* SPDX-License-Identifier: Apache-2.0 */
/* The modes and the number that a descriptor of Ferry's has. It decides how they are set where no system call makes a
 * descriptor with them from the start. */
#ifndef FERRY_POSIX_DESCRIPTOR_H
#define FERRY_POSIX_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ferry/base.h"

#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
#define FY_SOCKET_MODES (SOCK_CLOEXEC | SOCK_NONBLOCK) /* socket and accept4 take them */
#endif

static inline ferry_status fy_descriptor_make_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK))
        return 0;
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : errno;
}

static inline ferry_status fy_descriptor_close_on_exec(int fd) {
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : errno;
}

/* In a program that has closed a standard stream a new descriptor takes its number, and what is printed by mistake goes
 * there. So *fd, which is open, becomes one above these, closed on exec; after a failure it is -1. */
static inline ferry_status fy_descriptor_leave_standard(int *fd) {
    int moved = *fd;
    if (moved > STDERR_FILENO)
        return fy_descriptor_close_on_exec(moved);
    moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ferry_status status = moved >= 0 ? 0 : errno;
    (void)close(*fd);
    *fd = moved;
    return status;
}

#endif
