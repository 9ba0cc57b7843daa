/* SPDX-License-Identifier: Apache-2.0 */
/* What epoll.c and kqueue.c each define, and reactor.c uses: edge-triggered readiness, ends of processes, a wake-up.
 * Exactly one is linked. A poller knows descriptors, processes and cookies; it refuses to know files, ops and system
 * calls that move bytes or reap. */
#ifndef FERRY_POSIX_POLLER_H
#define FERRY_POSIX_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ferry/base.h"

/* The backend's name, e.g. "epoll". */
extern const char fy_poller_name[];

/* How many deadlines the kernel is told at once. */
enum { FY_POLLER_TIMERS = 2 };

typedef struct fy_poller {
    int fd;         /* becomes readable when a wait would return something */
    int wake_fd[2]; /* -1 where unused */
    int timer_fd[FY_POLLER_TIMERS];     /* where the kernel has such a thing */
    int64_t timer_us[FY_POLLER_TIMERS]; /* when each makes `fd` readable; 0: it is not set, or that was seen */
    void **cookies; /* by descriptor, where the kernel takes one twice without a word; else NULL */
    size_t cookies_size;
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
    uint32_t bytes; /* with FY_READY_IN: so many can be read, at least; where urgent data is told of, it may be 0 */
} fy_poller_event;

ferry_status fy_poller_open(fy_poller *ret_poller);

/* Takes a half-open poller, too. `is_inherited`: this is a child made by fork, and the parent's is left alone. */
void fy_poller_close(fy_poller *poller, bool is_inherited);

/* From now on an edge of the incoming direction is reported with the cookie, which is not NULL; what is ready already
 * counts as an edge. Edges of the outgoing direction may be reported, too.
 * Returns: 0, or an OS code (EEXIST, EPERM, EBADF, ENOMEM, ENOSPC). */
ferry_status fy_poller_add(fy_poller *poller, int fd, void *cookie);

/* A descriptor that was added cannot be written to, which the kernel has said since the last edge of that direction:
 * the next one is reported, also if it has come by now.
 * Returns: 0, or an OS code. */
ferry_status fy_poller_want_out(fy_poller *poller, int fd, void *cookie);

/* No event of this descriptor is reported from now on. It was added, and must still be open.
 * Returns: 0, or an OS code (EBADF, ENOENT) if it was closed. */
ferry_status fy_poller_remove(fy_poller *poller, int fd);

/* Once the child process can be reaped, an FY_READY_IN is reported with the cookie; an end that came before counts. The
 * descriptor is the caller's to close, -1 if none is needed.
 * Returns: 0; FERRY_ENOTSUP; ESRCH; or another OS code. */
ferry_status fy_poller_add_process(fy_poller *poller, pid_t process, void *cookie, int *ret_fd);

/* Nothing is reported of it from now on. It was added, and may have been reaped. */
void fy_poller_remove_process(fy_poller *poller, pid_t process, int fd);

/* Waits as fy_backend_class says; next_us is when the next wait will most likely end, or 0. *ret_count is set whatever
 * it returns; events that do not fit come with the next wait. */
ferry_status fy_poller_wait(fy_poller *poller, int64_t deadline_us, int64_t next_us,
                            fy_poller_event events[FY_POLLER_EVENTS_MAX], int *ret_count);

/* Whether `fd` will become readable for a deadline. */
static inline bool fy_poller_has_timer(const fy_poller *poller) {
    return poller->timer_us[0] || poller->timer_us[1];
}

/* Breaks the wait that is under way or the next one.
 * Thread: any, signal-safe. */
void fy_poller_wake(fy_poller *poller);

#endif
