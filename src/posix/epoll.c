/* SPDX-License-Identifier: Apache-2.0 */
/* The poller on epoll. It decides how a deadline becomes a timeout, how another thread breaks a wait, and what stands
 * for a process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "posix/poller.h"
#include "posix/timespec.h"
#include "seam/platform.h"

const char fy_poller_name[] = "epoll";

enum {
    /* The kernel lets a wait end late by a thousandth of its length, so that wake-ups can share an interrupt. From here
     * on that is more than its smallest delay; such a wait is made in two steps, the second of which is short. */
    LONG_WAIT_US = 50000,
    LONG_WAIT_REST = 512 /* the second step's part of the whole: enough to hold the first one's delay */
};

/* ---- opening and closing ---- */

/* The eventfd is edge-triggered and never read: each write is an edge, so a wake-up costs its waiter no system call.
 * Its counter would be full after 2^64 wakes. */
ferry_status fy_poller_open(fy_poller *ret_poller) {
    fy_poller poller = {.fd = epoll_create1(EPOLL_CLOEXEC), .wake_fd = {-1, -1}};
    struct epoll_event wake_event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (poller.fd < 0)
        return errno;
    poller.wake_fd[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (poller.wake_fd[0] < 0 || epoll_ctl(poller.fd, EPOLL_CTL_ADD, poller.wake_fd[0], &wake_event) != 0) {
        ferry_status status = errno;
        fy_poller_close(&poller, false);
        return status;
    }
    *ret_poller = poller;
    return 0;
}

/* In a child made by fork these are copies. */
void fy_poller_close(fy_poller *poller, bool is_inherited) {
    (void)is_inherited;
    if (poller->wake_fd[0] >= 0)
        close(poller->wake_fd[0]);
    close(poller->fd);
}

/* ---- descriptors ---- */

ferry_status fy_poller_add(fy_poller *poller, int fd, void *cookie) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, .data.ptr = cookie};
    return epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

/* Both directions are asked for once and for all. */
ferry_status fy_poller_want_out(fy_poller *poller, int fd, void *cookie) {
    (void)poller;
    (void)fd;
    (void)cookie;
    return 0;
}

/* Closing alone would not do: a duplicate in another process keeps the registration alive, cookie and all. */
ferry_status fy_poller_remove(fy_poller *poller, int fd) {
    return epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : errno;
}

/* ---- processes ---- */

/* Before Linux 5.3 there is no such call; some sandboxes answer EPERM to it. Headers may be older than the kernel. */
static int open_process(pid_t process) {
#if defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, process, 0u);
#else
    (void)process;
    errno = ENOSYS;
    return -1;
#endif
}

ferry_status fy_poller_add_process(fy_poller *poller, pid_t process, void *cookie, int *ret_fd) {
    int fd = open_process(process);
    if (fd < 0)
        return errno == ENOSYS || errno == EPERM ? FERRY_ENOTSUP : errno;
    ferry_status status = fy_poller_add(poller, fd, cookie);
    if (status)
        close(fd);
    else
        *ret_fd = fd;
    return status;
}

/* A pidfd is Ferry's own: nobody has closed it. */
void fy_poller_remove_process(fy_poller *poller, pid_t process, int fd) {
    ferry_status status = fy_poller_remove(poller, fd);
    (void)process;
    FY_ASSERT(!status);
}

static unsigned readiness(uint32_t events) {
    unsigned ready = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP))
        ready |= FY_READY_IN;
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        ready |= FY_READY_OUT;
    if (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP))
        ready |= FY_READY_SPECIAL;
    return ready;
}

/* ---- waiting ---- */

static int wait_ms(int fd, struct epoll_event *events, int64_t timeout_us) {
    int64_t timeout_ms = timeout_us / 1000 + (timeout_us % 1000 != 0);
    return epoll_wait(fd, events, FY_POLLER_EVENTS_MAX, timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX);
}

/* Before Linux 5.11 epoll counts in milliseconds; some sandboxes answer EPERM to a call that they do not know. The
 * answer never changes while the process lives. */
static int wait_us(int fd, struct epoll_event *events, int64_t timeout_us) {
    static atomic_bool is_missing;
    if (!atomic_load_explicit(&is_missing, memory_order_relaxed)) {
        struct __kernel_timespec timeout = fy_kernel_timespec(timeout_us);
        int count = (int)syscall(SYS_epoll_pwait2, fd, events, FY_POLLER_EVENTS_MAX, &timeout, NULL, (size_t)0);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        atomic_store_explicit(&is_missing, true, memory_order_relaxed);
    }
    return wait_ms(fd, events, timeout_us);
}

static int wait_until(int fd, struct epoll_event *events, int64_t deadline_us) {
    int64_t left_us = fy_clock_left(deadline_us);
    if (left_us == 0)
        return epoll_wait(fd, events, FY_POLLER_EVENTS_MAX, 0);
    if (left_us == FERRY_FOREVER)
        return epoll_wait(fd, events, FY_POLLER_EVENTS_MAX, -1);
    if (left_us >= LONG_WAIT_US) {
        int count = wait_us(fd, events, left_us - left_us / LONG_WAIT_REST);
        if (count != 0)
            return count;
        left_us = fy_clock_left(deadline_us);
    }
    return wait_us(fd, events, left_us);
}

ferry_status fy_poller_wait(fy_poller *poller, int64_t deadline_us, fy_poller_event events[FY_POLLER_EVENTS_MAX],
                            int *ret_count) {
    struct epoll_event found[FY_POLLER_EVENTS_MAX];
    int count = wait_until(poller->fd, found, deadline_us);
    *ret_count = 0;
    if (count < 0)
        return errno == EINTR ? 0 : errno;
    for (int i = 0; i < count; i++)
        if (found[i].data.ptr)
            events[(*ret_count)++] =
                (fy_poller_event){.cookie = found[i].data.ptr, .ready = readiness(found[i].events)};
    return 0;
}

/* A signal handler may be the caller, and whom it interrupted may be about to look at errno. */
void fy_poller_wake(fy_poller *poller) {
    int error = errno;
    ssize_t written = write(poller->wake_fd[0], &(uint64_t){1}, sizeof(uint64_t));
    FY_ASSERT(written == (ssize_t)sizeof(uint64_t));
    errno = error;
}
