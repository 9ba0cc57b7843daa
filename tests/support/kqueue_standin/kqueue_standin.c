/* SPDX-License-Identifier: Apache-2.0 */
/* kqueue(2) over epoll, as far as src/posix/kqueue.c needs it and no further. It decides how filters are told apart
 * where epoll knows descriptors only; what an answer of epoll means as a kevent stands in events.c.
 *
 * A queue is an epoll descriptor, so it can be polled. Filters to read are registered there; filters to write in a
 * second epoll that is nested in it, so that an edge of one direction is none of the other. Each filter has a place,
 * those of descriptors by descriptor and direction; each registration has a number, by which an answer for one that is
 * gone is recognized: close() removes a descriptor's filters here, too, even if a duplicate lives.
 *
 * What it does not do: other filters, flags and notes than sys/event.h has; EV_RECEIPT, EV_DISABLE, EV_DISPATCH; more
 * than one EVFILT_USER in a queue; plain files (EPERM); the socket's error in fflags. `data` of EVFILT_READ is for
 * datagrams the size of the next one, and where urgent data stands between the bytes at least one more than can be read
 * up to there; `data` of EVFILT_WRITE is 1. What belongs to a queue that was closed is given back when the next is
 * made. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/kqueue_standin/kqueue_standin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "support/kqueue_standin/queue.h"

enum { PLACES_MIN = 64, NS_PER_S = 1000000000 };

/* All of it is under the lock, which no wait holds. A signal handler may trigger an event, so none runs meanwhile. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static queue *queues;
static uint32_t last_number;
static unsigned quirks;

static void lock(sigset_t *ret_mask) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_mask);
    pthread_mutex_lock(&mutex);
}

static void unlock(const sigset_t *mask) {
    int error = errno;
    pthread_mutex_unlock(&mutex);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    errno = error;
}

void kqueue_standin_set_quirks(unsigned new_quirks) {
    sigset_t mask;
    lock(&mask);
    quirks = new_quirks;
    unlock(&mask);
}

/* ---- queues ---- */

static void free_queue(queue *self) {
    close(self->writers_fd);
    if (self->user_fd >= 0)
        close(self->user_fd);
    for (size_t i = 0; i < self->sorts[PROCESS].size; i++)
        if (self->sorts[PROCESS].of[i].is_used)
            close(self->sorts[PROCESS].of[i].fd);
    for (int sort = 0; sort < USER; sort++)
        free(self->sorts[sort].of);
    free(self);
}

/* Only in the queue's own epoll the nested one is registered. */
static bool is_open(const queue *self) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag_of(WRITERS, 0)};
    return epoll_ctl(self->fd, EPOLL_CTL_MOD, self->writers_fd, &event) == 0;
}

static void free_closed_queues(void) {
    for (queue **link = &queues; *link;) {
        queue *self = *link;
        if (is_open(self)) {
            link = &self->next;
        } else {
            *link = self->next;
            free_queue(self);
        }
    }
}

/* "The queue is not inherited by a child created with fork(2)." */
static sigset_t mask_of_forker;

static void before_fork(void) {
    sigset_t mask;
    lock(&mask);
    mask_of_forker = mask;
}

static void after_fork(void) {
    sigset_t mask = mask_of_forker;
    unlock(&mask);
}

static void in_child(void) {
    for (queue *self; (self = queues);) {
        queues = self->next;
        if (is_open(self))
            close(self->fd);
        free_queue(self);
    }
    after_fork();
}

static void watch_forks(void) {
    if (pthread_atfork(before_fork, after_fork, in_child) != 0)
        abort();
}

static int open_queue(queue *self) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag_of(WRITERS, 0)};
    self->user_fd = -1;
    self->writers_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->writers_fd < 0)
        return -1;
    self->fd = epoll_create1(0);
    if (self->fd >= 0 && epoll_ctl(self->fd, EPOLL_CTL_ADD, self->writers_fd, &event) == 0)
        return self->fd;
    int error = errno;
    close(self->writers_fd);
    if (self->fd >= 0)
        close(self->fd);
    errno = error;
    return -1;
}

int kqueue(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t mask;
    pthread_once(&once, watch_forks);
    lock(&mask);
    free_closed_queues();
    queue *self = calloc(1, sizeof *self);
    int fd = self ? open_queue(self) : -1;
    if (fd >= 0) {
        self->next = queues;
        queues = self;
    } else {
        free(self);
    }
    unlock(&mask);
    return fd;
}

static queue *find_queue(int fd) {
    queue *self = queues;
    while (self && self->fd != fd)
        self = self->next;
    return self;
}

/* ---- changes of descriptors' filters: each returns 0 or an errno ---- */

static bool reserve(places *sort, size_t index) {
    size_t size = sort->size ? sort->size : PLACES_MIN;
    while (size <= index)
        size *= 2;
    if (size == sort->size)
        return true;
    place *of = realloc(sort->of, size * sizeof *of);
    if (!of)
        return false;
    memset(of + sort->size, 0, (size - sort->size) * sizeof *of);
    *sort = (places){.of = of, .size = size};
    return true;
}

static uint32_t interest(int sort, unsigned flags) {
    uint32_t events = sort == WRITER ? EPOLLOUT : EPOLLIN | EPOLLRDHUP | EPOLLPRI;
    return events | (flags & EV_CLEAR ? EPOLLET : 0);
}

/* A place whose registration epoll does not know any more belongs to a descriptor that was closed. */
static bool modify(queue *self, int sort, int fd, place *of) {
    struct epoll_event event = {.events = interest(sort, of->filter.flags),
                                .data.u64 = tag_of(sort, (size_t)fd) | of->number};
    of->is_used = of->is_used && epoll_ctl(epoll_of(self, sort), EPOLL_CTL_MOD, fd, &event) == 0;
    return of->is_used;
}

static int add_descriptor(queue *self, int sort, const struct kevent *change) {
    int fd = (int)change->ident;
    if (fcntl(fd, F_GETFD) < 0)
        return EBADF;
    if (sort == WRITER && quirks & KQUEUE_STANDIN_NO_MEMORY)
        return ENOMEM;
    if (!reserve(&self->sorts[sort], (size_t)fd))
        return ENOMEM;
    place *of = &self->sorts[sort].of[fd];
    of->filter = *change;
    if (modify(self, sort, fd, of))
        return 0;
    of->number = ++last_number;
    struct epoll_event event = {.events = interest(sort, change->flags),
                                .data.u64 = tag_of(sort, (size_t)fd) | of->number};
    of->is_used = epoll_ctl(epoll_of(self, sort), EPOLL_CTL_ADD, fd, &event) == 0;
    return of->is_used ? 0 : errno;
}

static int change_descriptor(queue *self, int sort, const struct kevent *change) {
    size_t index = change->ident;
    if (index > INT_MAX || fcntl((int)index, F_GETFD) < 0)
        return EBADF;
    if (change->flags & EV_ADD)
        return add_descriptor(self, sort, change);
    place *of = index < self->sorts[sort].size ? &self->sorts[sort].of[index] : NULL;
    if (!of || !modify(self, sort, (int)index, of))
        return ENOENT;
    of->filter.udata = change->udata;
    if (!(change->flags & EV_DELETE))
        return 0;
    of->is_used = false;
    return epoll_ctl(epoll_of(self, sort), EPOLL_CTL_DEL, (int)index, NULL) == 0 ? 0 : errno;
}

/* ---- changes of the other filters ---- */

static place *find_process(queue *self, uintptr_t process) {
    places *all = &self->sorts[PROCESS];
    for (size_t i = 0; i < all->size; i++)
        if (all->of[i].is_used && all->of[i].filter.ident == process)
            return &all->of[i];
    return NULL;
}

static bool has_ended(pid_t process) {
    siginfo_t how = {.si_pid = 0};
    return waitid(P_PID, (id_t)process, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == process;
}

static int add_process(queue *self, const struct kevent *change) {
    places *all = &self->sorts[PROCESS];
    size_t index = 0;
    while (index < all->size && all->of[index].is_used)
        index++;
    if (!reserve(all, index))
        return ENOMEM;
    if (quirks & KQUEUE_STANDIN_NO_ENDED_PROCESS && has_ended((pid_t)change->ident))
        return ESRCH;
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)change->ident, 0u);
    if (fd < 0)
        return errno == EINVAL ? ESRCH : errno;
    all->of[index] = (place){.is_used = true, .number = ++last_number, .fd = fd, .filter = *change};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag_of(PROCESS, index) | all->of[index].number};
    if (epoll_ctl(self->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    int error = errno;
    drop_process(&all->of[index]);
    return error;
}

static int change_process(queue *self, const struct kevent *change) {
    place *of = find_process(self, change->ident);
    if (!of)
        return change->flags & EV_ADD ? add_process(self, change) : ENOENT;
    of->filter.udata = change->udata;
    if (change->flags & EV_DELETE)
        drop_process(of);
    return 0;
}

static int add_user(queue *self, const struct kevent *change) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag_of(USER, 0)};
    if (quirks & KQUEUE_STANDIN_NO_USER_FILTER || self->user_fd >= 0)
        return EINVAL;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return errno;
    self->user = *change;
    self->user_fd = fd;
    return epoll_ctl(self->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

static int change_user(queue *self, const struct kevent *change) {
    if (change->flags & EV_ADD)
        return add_user(self, change);
    if (self->user_fd < 0 || self->user.ident != change->ident)
        return ENOENT;
    self->user.udata = change->udata;
    if (change->fflags & NOTE_TRIGGER)
        (void)!write(self->user_fd, &(uint64_t){1}, sizeof(uint64_t)); /* one that is full tells already */
    return 0;
}

static int apply(queue *self, const struct kevent *change) {
    const unsigned known = EV_ADD | EV_DELETE | EV_ENABLE | EV_ONESHOT | EV_CLEAR;
    if (change->flags & ~known)
        return EINVAL;
    switch (change->filter) {
    case EVFILT_READ:
        return change_descriptor(self, READER, change);
    case EVFILT_WRITE:
        return change_descriptor(self, WRITER, change);
    case EVFILT_PROC:
        return change_process(self, change);
    case EVFILT_USER:
        return change_user(self, change);
    default:
        return EINVAL;
    }
}

/* Returns how many errors were written to `events`; -1: one had no room there. */
static int apply_all(queue *self, const struct kevent *changes, int change_count, struct kevent *events,
                     int event_count) {
    int errors = 0;
    for (int i = 0; i < change_count; i++) {
        int error = apply(self, &changes[i]);
        if (error == 0)
            continue;
        if (errors == event_count) {
            errno = error;
            return -1;
        }
        events[errors] = changes[i];
        events[errors].flags |= EV_ERROR;
        events[errors++].data = error;
    }
    return errors;
}

/* ---- waiting ---- */

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Nothing that was found may be told after all, and then the rest of the time is waited for. */
static int wait_and_tell(int fd, struct kevent *events, int event_count, int64_t timeout_ns) {
    struct epoll_event found[BATCH];
    sigset_t mask;
    int64_t deadline_ns = timeout_ns > 0 ? now_ns() + timeout_ns : timeout_ns;
    for (;;) {
        int64_t left_ns = deadline_ns > 0 ? deadline_ns - now_ns() : deadline_ns;
        if (deadline_ns > 0 && left_ns < 0)
            left_ns = 0;
        struct timespec left = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
        int room = event_count < BATCH ? event_count : BATCH;
        int count = epoll_pwait2(fd, found, room, left_ns < 0 ? NULL : &left, NULL);
        if (count < 0)
            return -1;
        lock(&mask);
        queue *self = find_queue(fd);
        int told = self ? standin_tell(self, found, count, events, event_count) : 0;
        unlock(&mask);
        if (told > 0 || left_ns == 0)
            return told;
    }
}

int kevent(int fd, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
           const struct timespec *timeout) {
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NS_PER_S)) {
        errno = EINVAL;
        return -1;
    }
    sigset_t mask;
    lock(&mask);
    queue *self = find_queue(fd);
    int errors = self && is_open(self) ? apply_all(self, changes, change_count, events, event_count) : -2;
    unlock(&mask);
    if (errors == -2) {
        errno = EBADF;
        return -1;
    }
    if (errors != 0 || event_count == 0)
        return errors;
    int64_t timeout_ns = timeout ? (int64_t)timeout->tv_sec * NS_PER_S + timeout->tv_nsec : -1;
    return wait_and_tell(fd, events, event_count, timeout_ns);
}
