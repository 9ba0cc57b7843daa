/* SPDX-License-Identifier: Apache-2.0 */
/* The modes that a descriptor of Ferry's has. It decides how they are set where no system call makes a descriptor with
 * them from the start. */
#ifndef FERRY_POSIX_DESCRIPTOR_H
#define FERRY_POSIX_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

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

#endif
