/* SPDX-License-Identifier: Apache-2.0 */
/* The poller on kqueue, for macOS and the BSDs. It decides which filters stand for a descriptor, a process and a
 * wake-up, and keeps to what all of the kernels do alike:
 *
 *   - every filter is deleted before its descriptor is closed by Ferry;
 *   - flags are given when a filter is added and never changed: no EV_DISABLE, no EV_DISPATCH;
 *   - udata is always given, for each change overwrites it;
 *   - the outgoing filter is added, for one edge, when somebody waits for it: with EV_CLEAR alone every byte that the
 *     peer acknowledges would be an edge;
 *   - a kernel without EVFILT_USER is woken through a pipe;
 *   - how a process ended is for waitpid to say.
 *
 * A second EV_ADD of a descriptor silently takes the place of the first. So the cookies that were added are kept by
 * descriptor: only for a number that is among them the kernel is asked whether that registration still lives. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "posix/descriptor.h"
#include "posix/poller.h"
#include "posix/timespec.h"
#include "seam/platform.h"

const char fy_poller_name[] = "kqueue";

enum { COOKIES_MIN = 64, WAKE_IDENT = 1 };

/* Some kernels take a longer timeout for none at all, or for 24 hours. */
#define WAIT_US_MAX (3600 * FY_US_PER_S)

/* ---- changes ---- */

/* EV_SET and casts, since the fields' types differ from system to system; one also wants the change to be writable. An
 * interrupted call has made its changes. */
static ferry_status change(int queue, uintptr_t ident, int filter, unsigned flags, unsigned fflags, void *cookie) {
    struct kevent event;
    memset(&event, 0, sizeof event);
    EV_SET(&event, ident, (short)filter, (unsigned short)flags, fflags, 0, cookie);
    return kevent(queue, &event, 1, NULL, 0, NULL) == 0 || errno == EINTR ? 0 : errno;
}

/* ---- opening and closing ---- */

static ferry_status open_wake_pipe(fy_poller *poller) {
    if (pipe(poller->wake_fd) != 0) {
        poller->wake_fd[0] = poller->wake_fd[1] = -1;
        return errno;
    }
    for (int i = 0; i < 2; i++) {
        ferry_status status = fy_descriptor_close_on_exec(poller->wake_fd[i]);
        if (!status)
            status = fy_descriptor_make_nonblocking(poller->wake_fd[i]);
        if (status)
            return status;
    }
    return change(poller->fd, (uintptr_t)poller->wake_fd[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, NULL);
}

static ferry_status add_wake(fy_poller *poller) {
#if defined(EVFILT_USER)
    if (change(poller->fd, WAKE_IDENT, EVFILT_USER, EV_ADD | EV_CLEAR, 0, NULL) == 0)
        return 0;
#endif
    return open_wake_pipe(poller);
}

ferry_status fy_poller_open(fy_poller *ret_poller) {
    fy_poller poller = {.fd = kqueue(), .wake_fd = {-1, -1}};
    if (poller.fd < 0)
        return errno;
    ferry_status status = fy_descriptor_close_on_exec(poller.fd);
    if (!status)
        status = add_wake(&poller);
    if (status)
        fy_poller_close(&poller, false);
    else
        *ret_poller = poller;
    return status;
}

/* A child made by fork has no queue: its number may stand for something else there. */
void fy_poller_close(fy_poller *poller, bool is_inherited) {
    for (int i = 0; i < 2; i++)
        if (poller->wake_fd[i] >= 0)
            close(poller->wake_fd[i]);
    if (!is_inherited)
        close(poller->fd);
    fy_free(poller->cookies);
}

/* ---- descriptors ---- */

/* A filter that is there is enabled; so this changes nothing, and is refused if there is none. */
static bool is_added(const fy_poller *poller, int fd) {
    void *cookie = (size_t)fd < poller->cookies_size ? poller->cookies[fd] : NULL;
    return cookie && change(poller->fd, (uintptr_t)fd, EVFILT_READ, EV_ENABLE, 0, cookie) == 0;
}

static ferry_status note_cookie(fy_poller *poller, int fd, void *cookie) {
    size_t size = poller->cookies_size ? poller->cookies_size : COOKIES_MIN;
    while (size <= (size_t)fd)
        size *= 2;
    if (size > poller->cookies_size) {
        void **cookies = fy_realloc(poller->cookies, size * sizeof *cookies);
        if (!cookies)
            return APR_ENOMEM;
        memset(cookies + poller->cookies_size, 0, (size - poller->cookies_size) * sizeof *cookies);
        poller->cookies = cookies;
        poller->cookies_size = size;
    }
    poller->cookies[fd] = cookie;
    return 0;
}

/* Kernels take plain files and folders and tell of them by rules of their own. */
static ferry_status refuse_plain(int fd) {
    struct stat kind;
    if (fstat(fd, &kind) != 0)
        return errno;
    return S_ISREG(kind.st_mode) || S_ISDIR(kind.st_mode) ? EPERM : 0;
}

ferry_status fy_poller_add(fy_poller *poller, int fd, void *cookie) {
    ferry_status status = refuse_plain(fd);
    if (!status && is_added(poller, fd))
        status = EEXIST;
    if (!status)
        status = change(poller->fd, (uintptr_t)fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, cookie);
    if (status)
        return status;
    status = note_cookie(poller, fd, cookie);
    if (status)
        (void)change(poller->fd, (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0, cookie);
    return status;
}

ferry_status fy_poller_want_out(fy_poller *poller, int fd, void *cookie) {
    return change(poller->fd, (uintptr_t)fd, EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, cookie);
}

/* Nobody may wait for the outgoing direction. */
ferry_status fy_poller_remove(fy_poller *poller, int fd) {
    void *cookie = poller->cookies[fd];
    poller->cookies[fd] = NULL;
    (void)change(poller->fd, (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, cookie);
    return change(poller->fd, (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0, cookie);
}

/* ---- processes ---- */

/* Some kernels know no process any more that only waits to be reaped; then there is no edge to wait for either. */
static bool has_ended(pid_t process) {
    siginfo_t how;
    memset(&how, 0, sizeof how);
    return waitid(P_PID, (id_t)process, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == process;
}

ferry_status fy_poller_add_process(fy_poller *poller, pid_t process, void *cookie, int *ret_fd) {
    if (process <= 0)
        return ESRCH;
    ferry_status status = change(poller->fd, (uintptr_t)process, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, cookie);
    if (status == ESRCH && has_ended(process))
        status = 0;
    if (!status)
        *ret_fd = -1;
    return status;
}

/* One that has told of its end is not there any more. */
void fy_poller_remove_process(fy_poller *poller, pid_t process, int fd) {
    (void)fd;
    (void)change(poller->fd, (uintptr_t)process, EVFILT_PROC, EV_DELETE, NOTE_EXIT, NULL);
}

/* The kernel tells of an end a moment before the process can be reaped. */
static void await_end(pid_t process) {
    siginfo_t how;
    while (waitid(P_PID, (id_t)process, &how, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
}

/* ---- waiting ---- */

static int wait_until(int queue, struct kevent *found, int64_t deadline_us) {
    int64_t left_us = fy_clock_left(deadline_us);
    if (left_us == FERRY_FOREVER)
        return kevent(queue, NULL, 0, found, FY_POLLER_EVENTS_MAX, NULL);
    int count;
    do {
        struct timespec timeout = fy_timespec(left_us < WAIT_US_MAX ? left_us : WAIT_US_MAX);
        count = kevent(queue, NULL, 0, found, FY_POLLER_EVENTS_MAX, &timeout);
        left_us = count == 0 && left_us > 0 ? fy_clock_left(deadline_us) : 0;
    } while (left_us > 0);
    return count;
}

static uint32_t told_bytes(int64_t data) {
    return data <= 0 ? 0 : data < UINT32_MAX - 1 ? (uint32_t)data : UINT32_MAX - 1;
}

static fy_poller_event event_of(const struct kevent *found) {
    fy_poller_event event = {.cookie = (void *)(uintptr_t)found->udata, .bytes = 0};
    int filter = (int)found->filter;
    if (filter == (int)EVFILT_WRITE) {
        event.ready = FY_READY_OUT;
    } else {
        event.ready = FY_READY_IN;
        event.bytes = told_bytes((int64_t)found->data);
    }
    if (found->flags & (EV_EOF | EV_ERROR))
        event.ready |= FY_READY_SPECIAL;
    if (filter == (int)EVFILT_PROC)
        await_end((pid_t)found->ident);
    return event;
}

/* The pipe must have room for the next wake; who comes after the last read makes a new edge. */
static void take_wake(const fy_poller *poller) {
    char bytes[64];
    while (poller->wake_fd[0] >= 0 && read(poller->wake_fd[0], bytes, sizeof bytes) > 0)
        continue;
}

ferry_status fy_poller_wait(fy_poller *poller, int64_t deadline_us, int64_t next_us,
                            fy_poller_event events[FY_POLLER_EVENTS_MAX], int *ret_count) {
    struct kevent found[FY_POLLER_EVENTS_MAX];
    (void)next_us;
    int count = wait_until(poller->fd, found, deadline_us);
    *ret_count = 0;
    if (count < 0)
        return errno == EINTR ? 0 : errno;
    for (int i = 0; i < count; i++) {
        if (found[i].udata)
            events[(*ret_count)++] = event_of(&found[i]);
        else
            take_wake(poller);
    }
    return 0;
}

/* A signal handler may be the caller, and whom it interrupted may be about to look at errno. A pipe that is full has a
 * wake in it. */
void fy_poller_wake(fy_poller *poller) {
    int error = errno;
    if (poller->wake_fd[1] >= 0) {
        ssize_t written = write(poller->wake_fd[1], "", 1);
        FY_ASSERT(written == 1 || errno == EAGAIN);
    }
#if defined(EVFILT_USER)
    else {
        ferry_status status = change(poller->fd, WAKE_IDENT, EVFILT_USER, 0, NOTE_TRIGGER, NULL);
        FY_ASSERT(!status);
    }
#endif
    errno = error;
}
