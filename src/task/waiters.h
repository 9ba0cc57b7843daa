/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of those who wait for their turn: what locks, queues and the like have in common. It decides who is next and
 * how a waiter leaves its line, and refuses to know what is waited for.
 *
 * A waiter is a future that its line holds a reference to. A thing with lines (fy_sync) dies in two steps: when the
 * user's last reference goes it ends all who wait, and its memory goes after the last waiter's, so a waiter may always
 * look at what it waited for. Nothing here runs user code before the last unref of a waiter, which may report an error
 * or free a value; whatever is done to a line is done by then. */
#ifndef FERRY_TASK_WAITERS_H
#define FERRY_TASK_WAITERS_H

#include "task/task.h"

/* First in every thing that is waited for. */
typedef struct fy_sync {
    ferry_loop *loop;
    size_t user_refs; /* together they hold one of refs */
    size_t refs;      /* on the memory: with the user's, one for each waiter that lives */
} fy_sync;

typedef struct fy_waiter fy_waiter;

/* All zero is the empty line. */
typedef struct fy_line {
    fy_waiter *first;
    fy_waiter *last; /* valid while first is set */
    size_t count;
} fy_line;

struct fy_waiter {
    fy_classed_future base;
    fy_sync *sync;    /* what is waited for */
    fy_line *line;    /* where it stands, which holds a reference to it; NULL: nowhere any more */
    fy_waiter *next;
    fy_waiter *previous;
    uint64_t owner;   /* the number of the task that joined, or 0 */
    bool is_blocking; /* that task waits here: it can give back what it is given, if it was cancelled meanwhile */
    union {
        void *item;             /* of a queue: to be put */
        fy_error *cancel_words; /* of a condition: once it is_cancelling; or NULL */
    };
};

/* ---- things that are waited for ---- */

/* `size` bytes, all zero behind their fy_sync; or NULL, and then *ret_status says why: as a public maker. */
void *fy_sync_create(ferry_loop *loop, size_t size, ferry_status *ret_status);

/* True: that was the user's last reference; whoever waits must be ended, and then the memory released. */
bool fy_sync_unref(fy_sync *sync);
void fy_sync_release(fy_sync *sync);

/* The calling task, which may wait for a turn. Returns: 0, as fy_loop_check, FERRY_ENOTASK, FERRY_EWRONGLOOP. */
ferry_status fy_sync_check_task(const fy_sync *sync, fy_task **ret_task);

/* The number of the calling task, or 0. Another loop's, which may call while this one does not run, has none here. */
static inline uint64_t fy_sync_caller(const fy_sync *sync) {
    const fy_task *task = fy_task_current();
    return task && fy_task_loop(task) == sync->loop ? task->number : 0;
}

/* A future for somebody whose turn it is at once. Returns: 0, APR_ENOMEM. */
ferry_status fy_sync_create_done(const fy_sync *sync, const char *origin, ferry_future **ret_future);

/* ---- waiters ---- */

/* One who can simply leave its line when it is cancelled. */
extern const fy_future_class fy_waiter_class;

/* A waiter at the end of a line; *ret_waiter is one reference more. Returns: 0, APR_ENOMEM. */
ferry_status fy_line_join(fy_line *line, fy_sync *sync, const fy_future_class *class, const char *origin,
                          fy_waiter **ret_waiter);

/* The same with the common class, as a public call that hands out a future does it. */
ferry_status fy_line_wait(fy_line *line, fy_sync *sync, const char *origin, ferry_future **ret_future);

/* What a task has waited for. Until it is ended, what the line belongs to can be touched. */
typedef struct fy_turn {
    ferry_future *future; /* the waiter's; one reference; NULL: it could not join the line */
    bool is_granted;      /* with a result, whatever the wait returned: a task that was cancelled gives it back */
} fy_turn;

static inline void fy_turn_end(fy_turn *turn) {
    ferry_future_unref(turn->future);
}

/* Blocks the task until the waiter, its own, whose reference becomes the turn's, has ended.
 *
 * Returns: 0, FERRY_ECANCELED (the task was cancelled), FERRY_EAWAITED_CANCELED (what it waited for was dropped), or
 *          the error that the waiter was ended with. */
ferry_status fy_waiter_await(fy_waiter *waiter, fy_task *task, const char *origin, fy_turn *ret_turn);

/* Joins a line with the common class and blocks until it has ended; also after a failure the turn is to be ended.
 * NULL: nothing is given that could be given back. Returns: as both. */
ferry_status fy_line_await(fy_line *line, fy_sync *sync, fy_task *task, const char *origin, fy_turn *ret_turn_or_null);

/* Goes to the end of another line. */
void fy_waiter_move(fy_waiter *waiter, fy_line *line);

/* It leaves the line, whose reference is the caller's from now on, to be given up by fy_waiter_end. */
void fy_waiter_leave(fy_waiter *waiter);

/* Ends one that has left its line: with a status, with what its outcome was set to if that is 0, or as cancelled if it
 * is FERRY_ECANCELED or the waiter was cancelled before. */
void fy_waiter_end(fy_waiter *waiter, ferry_status status);

/* It is the first one's turn: leaves and ends. */
static inline void fy_waiter_grant(fy_waiter *waiter) {
    fy_waiter_leave(waiter);
    fy_waiter_end(waiter, 0);
}

/* Ends all of a line, which is empty before any of them is told. */
void fy_line_end_all(fy_line *line, ferry_status status);

static inline fy_waiter *fy_waiter_of(ferry_future *future) {
    return (fy_waiter *)(void *)future;
}

static inline ferry_future *fy_waiter_future(fy_waiter *waiter) {
    return &waiter->base.future;
}

#endif
