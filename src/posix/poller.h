/* SPDX-License-Identifier: Apache-2.0 */
/* What epoll.c and kqueue.c each define, and reactor.c uses: edge-triggered readiness, and a wake-up. Exactly one is
 * linked. A poller knows descriptors and cookies; it refuses to know files, ops and system calls that move bytes. */
#ifndef FERRY_POSIX_POLLER_H
#define FERRY_POSIX_POLLER_H

#include <stdint.h>

#include "ferry/base.h"

/* The backend's name, e.g. "epoll". */
extern const char fy_poller_name[];

typedef struct fy_poller {
    int fd;         /* becomes readable when a wait would return something */
    int wake_fd[2]; /* -1 where unused */
} fy_poller;

enum {
    FY_READY_IN = 1,
    FY_READY_OUT = 2,
    FY_READY_SPECIAL = 4 /* there is more than bytes: an end, an error, a hang-up or urgent data */
};

/* How many events one wait takes at most. */
enum { FY_POLLER_EVENTS_MAX = 256 };

typedef struct fy_poller_event {
    void *cookie;
    unsigned ready; /* FY_READY_ bits as they stand now, whatever the edge was */
} fy_poller_event;

ferry_status fy_poller_open(fy_poller *ret_poller);

/* Takes a half-open poller, too. In a child made by fork it leaves the parent's alone. */
void fy_poller_close(fy_poller *poller);

/* From now on an edge in either direction is reported with the cookie, which is not NULL; what is ready already counts
 * as an edge. */
ferry_status fy_poller_add(fy_poller *poller, int fd, void *cookie);

/* No event of this descriptor is reported from now on. It is still open, and was added. */
void fy_poller_remove(fy_poller *poller, int fd);

/* Waits as fy_backend_class says. *ret_count is set whatever it returns; events that do not fit come with the next
 * wait. */
ferry_status fy_poller_wait(fy_poller *poller, int64_t deadline_us, fy_poller_event events[FY_POLLER_EVENTS_MAX],
                            int *ret_count);

/* Breaks the wait that is under way or the next one.
 * Thread: any, signal-safe. */
void fy_poller_wake(fy_poller *poller);

#endif
