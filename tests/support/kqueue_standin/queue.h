/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the stand-in share: a queue, its places, and how an answer of epoll names one of them. All is
 * used under the lock of kqueue_standin.c. */
#ifndef FERRY_TESTS_KQUEUE_STANDIN_QUEUE_H
#define FERRY_TESTS_KQUEUE_STANDIN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/event.h>

enum { BATCH = 256 }; /* answers of epoll that are fetched at once */

/* Where an answer of epoll belongs: the upper half of its data; the lower half is the registration's number. */
enum { READER, WRITER, PROCESS, USER, WRITERS };

typedef struct place {
    bool is_used;
    uint32_t number;
    int fd; /* PROCESS: the pidfd */
    struct kevent filter;
} place;

typedef struct places {
    place *of;
    size_t size;
} places;

typedef struct queue {
    struct queue *next;
    int fd;
    int writers_fd; /* nested */
    int user_fd;    /* -1: no user filter */
    struct kevent user;
    places sorts[USER]; /* READER and WRITER by descriptor, PROCESS in any order */
} queue;

static inline uint64_t tag_of(int sort, size_t index) {
    return (uint64_t)sort << 60 | (uint64_t)index << 32;
}

static inline int epoll_of(const queue *self, int sort) {
    return sort == WRITER ? self->writers_fd : self->fd;
}

static inline void drop_process(place *of) {
    of->is_used = false;
    close(of->fd);
}

/* What the queue's epoll has found, as events, of which there is room for at least `count`. Returns how many. */
int standin_tell(queue *self, const struct epoll_event *found, int count, struct kevent *events, int event_count);

#endif
