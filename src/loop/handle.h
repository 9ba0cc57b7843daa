/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind a ferry_handle. There are seven kinds; all but the last lie in at most one place at a time, and that
 * place owns one reference:
 *
 *   FY_HANDLE_SOON        the ready queue
 *   FY_HANDLE_TIMER       the timers, then the ready queue
 *   FY_HANDLE_DONE        the callback list of its future, then the ready queue (which then holds the future too); a
 *                         gather's may be spared the latter
 *   FY_HANDLE_THREADSAFE  the inbox, then the ready queue; the only kind that other threads touch
 *                         (loop/threadsafe.c)
 *   FY_HANDLE_WATCH       its reader or writer (src/io/watch.c), and now and then the ready queue, again and again
 *   FY_HANDLE_TASK        its task (src/task/task.h), for ever; while the task waits, as SOON or as DONE
 *   FY_HANDLE_GATHER      part of a gather (src/future/gather.c): ends the callback lists of many of its children at
 *                         once, where NULL would stand, and comes before every callback there; is never queued */
#ifndef FERRY_LOOP_HANDLE_H
#define FERRY_LOOP_HANDLE_H

#include "ferry/loop.h"

enum { FY_HANDLE_FREE, FY_HANDLE_SOON, FY_HANDLE_TIMER, FY_HANDLE_DONE, FY_HANDLE_THREADSAFE, FY_HANDLE_WATCH,
       FY_HANDLE_TASK, FY_HANDLE_GATHER };

/* WAITING: among the timers or in a callback list; QUEUED: in the inbox or the ready queue, or running; ENDED: has run,
 * or never will. */
enum { FY_HANDLE_WAITING, FY_HANDLE_QUEUED, FY_HANDLE_ENDED };

struct ferry_handle {
    ferry_handle *next; /* in a callback list, or in the overflow of the ready queue */
    union {
        ferry_handle *previous; /* DONE, waiting: the first one's is the last one */
        int64_t when_us;        /* TIMER */
    };
    union {
        ferry_callback *callback;
        ferry_status (*done_callback)(ferry_future *future, void *arg); /* DONE: a ferry_done_callback */
    };
    void *arg;
    const char *origin;
    ferry_loop *loop;
    union {
        ferry_future *future; /* DONE; TASK: or NULL */
        uint64_t sequence;    /* TIMER: the order of equal deadlines */
        void *watch;          /* WATCH: the reader or writer; NULL once it was removed */
    };
    uint32_t refs;
    bool may_be_spared; /* DONE: a gather's, which is asked before it is queued */
    uint8_t kind;
    uint8_t place;
    bool cancelled;
};

/* Whether a callback list goes on with it: it neither ends there nor is it the gather that stands at the end. */
static inline bool fy_handle_is_callback(const ferry_handle *handle) {
    return handle && handle->kind != FY_HANDLE_GATHER;
}

/* A handle of the loop's slab with one reference, or NULL. */
ferry_handle *fy_handle_create(ferry_loop *loop, int kind, const char *origin, void *arg);

/* Runs what the handle says, unless it was cancelled, and uses up the queue's reference. */
void fy_handle_run(ferry_loop *loop, ferry_handle *handle);

/* Takes it from the ready queue of a loop that closes. */
void fy_handle_drop(ferry_handle *handle);

/* The same for a timer that was cancelled and is none of the loop's timers any more. */
void fy_handle_drop_timer(ferry_handle *handle);

/* What the loop's floor leaves to the future's: how a done callback is run, and how a handle leaves its future. */
typedef struct fy_done_hooks {
    void (*run)(ferry_handle *handle); /* as fy_handle_run */
    void (*drop)(ferry_handle *handle);   /* it was queued and will not run */
    void (*unlink)(ferry_handle *handle); /* it waits in its future's list and was cancelled */
} fy_done_hooks;

/* threadsafe.c */
void fy_threadsafe_run(ferry_loop *loop, ferry_handle *handle);
void fy_threadsafe_drop(ferry_handle *handle);
void fy_threadsafe_cancel(ferry_handle *handle);
bool fy_threadsafe_cancelled(const ferry_handle *handle);
void fy_threadsafe_ref(ferry_handle *handle);
void fy_threadsafe_unref(ferry_handle *handle);

#endif
