/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of epoll means as a kevent: the end of a stream beside bytes that can still be read, how many there
 * are, how a process has ended; and which answers mean nothing to kqueue(2). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/kqueue_standin/queue.h"

/* Only a listening socket has a backlog, and TCP tells it where others count what was not acknowledged. */
static int64_t readable_bytes(int fd, uint32_t found) {
    int value = 0;
    socklen_t size = sizeof value;
    struct tcp_info info;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value) {
        size = sizeof info;
        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_unacked : 1;
    }
    if (ioctl(fd, FIONREAD, &value) != 0)
        value = 0;
    return value + (found & EPOLLPRI ? 1 : 0);
}

static bool is_socket(int fd) {
    struct stat kind;
    return fstat(fd, &kind) == 0 && S_ISSOCK(kind.st_mode);
}

/* epoll goes on telling of a descriptor that was closed while a duplicate of it lives. */
static bool is_registered(const queue *self, int sort, int fd) {
    struct epoll_event event = {.events = 0};
    if (epoll_ctl(epoll_of(self, sort), EPOLL_CTL_ADD, fd, &event) != 0)
        return errno == EEXIST;
    (void)epoll_ctl(epoll_of(self, sort), EPOLL_CTL_DEL, fd, NULL);
    return false;
}

/* A socket that was never connected hangs up to epoll, and to kqueue does nothing. False: the filter does not hold. */
static bool tell_descriptor(int sort, int fd, const place *of, uint32_t found, struct kevent *ret_event) {
    bool is_end = found & (EPOLLHUP | EPOLLERR);
    if (sort == READER && is_socket(fd)) {
        if (!(found & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLERR)))
            return false;
        is_end = found & EPOLLRDHUP;
    }
    *ret_event = of->filter;
    ret_event->flags |= is_end ? EV_EOF : 0;
    ret_event->fflags = 0;
    ret_event->data = sort == READER ? readable_bytes(fd, found) : 1;
    return true;
}

static void tell_end(place *of, struct kevent *ret_event) {
    siginfo_t how = {.si_code = 0};
    (void)waitid(P_PID, (id_t)of->filter.ident, &how, WEXITED | WNOHANG | WNOWAIT);
    *ret_event = of->filter;
    ret_event->flags |= EV_EOF | EV_ONESHOT;
    ret_event->fflags = NOTE_EXIT;
    ret_event->data = how.si_code == CLD_EXITED ? (how.si_status & 0xff) << 8 : how.si_status;
    drop_process(of);
}

/* Without EV_CLEAR it stays triggered. */
static bool tell_user(queue *self, struct kevent *ret_event) {
    uint64_t count;
    *ret_event = self->user;
    ret_event->fflags = 0;
    if ((self->user.flags & EV_CLEAR) && read(self->user_fd, &count, sizeof count) != (ssize_t)sizeof count)
        return false;
    if (self->user.flags & EV_ONESHOT) {
        close(self->user_fd);
        self->user_fd = -1;
    }
    return true;
}

/* One answer of epoll; false if it is about something that is gone. */
static bool tell(queue *self, const struct epoll_event *found, struct kevent *ret_event) {
    int sort = (int)(found->data.u64 >> 60);
    size_t index = found->data.u64 >> 32 & 0xfffffff;
    if (sort == USER)
        return tell_user(self, ret_event);
    place *of = &self->sorts[sort].of[index];
    if (!of->is_used || of->number != (uint32_t)found->data.u64)
        return false;
    if (sort == PROCESS) {
        tell_end(of, ret_event);
        return true;
    }
    of->is_used = is_registered(self, sort, (int)index);
    if (!of->is_used || !tell_descriptor(sort, (int)index, of, found->events, ret_event))
        return false;
    if (of->filter.flags & EV_ONESHOT) {
        of->is_used = false;
        (void)epoll_ctl(epoll_of(self, sort), EPOLL_CTL_DEL, (int)index, NULL);
    }
    return true;
}

/* What the nested epoll has is fetched last, into the room that is left. */
int standin_tell(queue *self, const struct epoll_event *found, int count, struct kevent *events, int event_count) {
    struct epoll_event writers[BATCH];
    int told = 0, room = event_count - count;
    bool has_writers = false;
    for (int i = 0; i < count; i++) {
        if (found[i].data.u64 == tag_of(WRITERS, 0))
            has_writers = true;
        else if (tell(self, &found[i], &events[told]))
            told++;
    }
    if (!has_writers)
        return told;
    room++;
    count = epoll_wait(self->writers_fd, writers, room < BATCH ? room : BATCH, 0);
    for (int i = 0; i < count; i++)
        if (tell(self, &writers[i], &events[told]))
            told++;
    return told;
}
