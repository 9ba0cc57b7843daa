/* SPDX-License-Identifier: Apache-2.0 */
/* The poller on epoll. It decides how a deadline is told to the kernel, how another thread breaks a wait, and what
 * stands for a process.
 *
 * A deadline is the time of a timerfd. A timeout would come later by the thread's timer slack, and by a thousandth of
 * its length. There are two timers, so that the end of the next but one wait can be set while that of the next one is
 * still to come: then the processor's timer is set when that one fires, in the same interrupt, and not once more when
 * the thread has woken up. Setting it is what most of a short wait costs where it takes a hypervisor. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hints.h"
#include "posix/poller.h"
#include "posix/timespec.h"
#include "seam/platform.h"

const char fy_poller_name[] = "epoll";

/* What stands in place of a cookie: the wake, or a timer's slot. Cookies are addresses, and greater. */
enum { WAKE = 0, FIRST_TIMER = 1, LAST_TIMER = FY_POLLER_TIMERS };

/* ---- opening and closing ---- */

static ferry_status add_own(const fy_poller *poller, int fd, uint64_t what) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = what};
    return fd >= 0 && epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

/* The eventfd is edge-triggered and never read: each write is an edge, so a wake-up costs its waiter no system call.
 * Its counter would be full after 2^64 wakes. The timers come with the first deadline, and are not read either. */
ferry_status fy_poller_open(fy_poller *ret_poller) {
    fy_poller poller = {.fd = epoll_create1(EPOLL_CLOEXEC), .wake_fd = {-1, -1}, .timer_fd = {-1, -1}};
    if (poller.fd < 0)
        return errno;
    poller.wake_fd[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ferry_status status = add_own(&poller, poller.wake_fd[0], WAKE);
    if (status)
        fy_poller_close(&poller, false);
    else
        *ret_poller = poller;
    return status;
}

/* In a child made by fork these are copies. */
void fy_poller_close(fy_poller *poller, bool is_inherited) {
    (void)is_inherited;
    for (int i = 0; i < FY_POLLER_TIMERS; i++)
        if (poller->timer_fd[i] >= 0)
            close(poller->timer_fd[i]);
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

/* false: there are no descriptors left for them, or a sandbox does not know the call. */
static bool open_timers(fy_poller *poller) {
    for (int i = 0; i < FY_POLLER_TIMERS; i++) {
        if (FY_LIKELY(poller->timer_fd[i] >= 0))
            continue;
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (fd < 0)
            return false;
        if (add_own(poller, fd, FIRST_TIMER + (uint64_t)i) != 0) {
            close(fd);
            return false;
        }
        poller->timer_fd[i] = fd;
    }
    return true;
}

/* At 0 it is not set any more. */
static void set_timer(fy_poller *poller, int slot, int64_t when_us) {
    struct itimerspec setting = {.it_value = fy_timespec(when_us)};
    int failed = timerfd_settime(poller->timer_fd[slot], TFD_TIMER_ABSTIME, &setting, NULL);
    FY_ASSERT(!failed);
    poller->timer_us[slot] = when_us;
}

/* A timer that is set already is left alone, and one that would end the wait too early is not left set. */
static void set_timers(fy_poller *poller, int64_t deadline_us, int64_t next_us) {
    const int64_t *set_us = poller->timer_us;
    int slot = set_us[0] == deadline_us ? 0 : set_us[1] == deadline_us ? 1 : set_us[0] > set_us[1];
    int other = !slot;
    if (set_us[slot] != deadline_us)
        set_timer(poller, slot, deadline_us);
    if (set_us[other] != next_us && (next_us || set_us[other] < deadline_us))
        set_timer(poller, other, next_us);
}

static int timeout_ms(int64_t left_us) {
    int64_t left_ms = left_us / 1000 + (left_us % 1000 != 0);
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static int wait_until(fy_poller *poller, struct epoll_event *found, int64_t deadline_us, int64_t next_us) {
    int64_t left_us = fy_clock_left(deadline_us);
    int limit_ms = left_us ? -1 : 0;
    if (left_us && left_us != FERRY_FOREVER) {
        if (open_timers(poller))
            set_timers(poller, deadline_us, next_us);
        else
            limit_ms = timeout_ms(left_us);
    }
    return epoll_wait(poller->fd, found, FY_POLLER_EVENTS_MAX, limit_ms);
}

ferry_status fy_poller_wait(fy_poller *poller, int64_t deadline_us, int64_t next_us,
                            fy_poller_event events[FY_POLLER_EVENTS_MAX], int *ret_count) {
    struct epoll_event found[FY_POLLER_EVENTS_MAX];
    int count = wait_until(poller, found, deadline_us, next_us);
    *ret_count = 0;
    if (count < 0)
        return errno == EINTR ? 0 : errno;
    for (int i = 0; i < count; i++) {
        uint64_t what = found[i].data.u64;
        if (what > LAST_TIMER)
            events[(*ret_count)++] =
                (fy_poller_event){.cookie = found[i].data.ptr, .ready = readiness(found[i].events)};
        else if (what != WAKE)
            poller->timer_us[what - FIRST_TIMER] = 0;
    }
    return 0;
}

/* A signal handler may be the caller, and whom it interrupted may be about to look at errno. */
void fy_poller_wake(fy_poller *poller) {
    int error = errno;
    ssize_t written = write(poller->wake_fd[0], &(uint64_t){1}, sizeof(uint64_t));
    FY_ASSERT(written == (ssize_t)sizeof(uint64_t));
    errno = error;
}
