/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind a ferry_future. It belongs to its loop's thread alone.
 *
 *   state       outcome                          late
 *   PENDING     empty (JOB: the job's;           callbacks waiting for the end
 *               OP: part of the op, no outcome)
 *   DONE        the value or the error           -
 *   CANCELLED   empty (JOB: may still be the     the cancellation's words
 *               job's, which is out)
 *   TIMED_OUT   likewise; JOB only               -
 *
 * One that ends posts its callbacks and from then on holds one reference for each, until it has run or was dropped. A
 * gather's callback that would decide nothing is not posted, but counts as run at once; where it would be the first in
 * the list, the gather itself stands at the list's end instead. */
#ifndef FERRY_FUTURE_FUTURE_H
#define FERRY_FUTURE_FUTURE_H

#include "future/outcome.h"
#include "loop/loop.h"

enum { FY_FUTURE_FREE, FY_FUTURE_PENDING, FY_FUTURE_DONE, FY_FUTURE_CANCELLED, FY_FUTURE_TIMED_OUT };

/* PLAIN: made by the user. The others are parts of larger things that resolve them. */
enum {
    FY_FUTURE_PLAIN,
    FY_FUTURE_INNER,
    FY_FUTURE_GATHER,
    FY_FUTURE_WAIT,
    FY_FUTURE_SHIELD,
    FY_FUTURE_WAIT_FOR,
    FY_FUTURE_CLASSED,
    FY_FUTURE_JOB,
    FY_FUTURE_OP,
    FY_FUTURE_TASK
};

struct ferry_future {
    fy_outcome outcome;
    ferry_loop *loop;
    uint32_t refs;
    uint8_t state;
    uint8_t kind;
    union {
        struct {
            bool looked_at : 1;     /* at the error, if it is one */
            bool is_cancelling : 1; /* OP: with the kernel, which was told to let go of it */
            bool is_marked : 1;     /* only while a list is gone through in which it may stand twice */
        };
        uint8_t flags; /* all of them, so that making a future does not read what was there */
    };
    bool in_flight;     /* JOB: the job is out, the outcome is its own, and it holds the future without a count */
    union {
        ferry_handle *callbacks;   /* PENDING: oldest first; the first one's `previous` is the last, whose `next` is
                                      NULL or the FY_HANDLE_GATHER that comes before them all */
        fy_error *cancel_error;    /* CANCELLED */
    };
    const char *origin;
};

/* How the kinds differ. */
typedef struct fy_future_class {
    /* Cancels a pending one; NULL: it is simply cancelled. Returns: as ferry_future_cancel. */
    bool (*cancel)(ferry_future *future, const char *message);
    /* The index-th of the futures that it is made of, or NULL. NULL: it is made of none. */
    ferry_future *(*member)(const ferry_future *future, size_t index);
    /* The last reference is gone: frees everything but outcome and callbacks, which are free already. */
    void (*free)(ferry_future *future);
} fy_future_class;

/* gather.c, wait.c, shield.c, wait_for.c */
extern const fy_future_class fy_gather_class;
extern const fy_future_class fy_wait_class;
extern const fy_future_class fy_shield_class;
extern const fy_future_class fy_wait_for_class;

/* Whether a gather's callback for a child that has just ended would decide nothing: then it counts as run. */
bool fy_gather_spares(const ferry_handle *handle, const ferry_future *child);

/* The gather stands at the end of the callbacks of a child that has just ended: posts the telling, unless that is
 * spared. */
void fy_gather_post(const ferry_handle *end, ferry_future *child);

/* The gather at the end of these callbacks, or NULL. */
static inline ferry_handle *fy_gather_behind(ferry_handle *callbacks) {
    return fy_handle_is_callback(callbacks) ? callbacks->previous->next : callbacks;
}

/* CLASSED: one of a higher floor's, which brings its class along. */
typedef struct fy_classed_future {
    ferry_future future;
    const fy_future_class *class;
} fy_classed_future;

/* Asks for a future's line of memory, and for the one before it: a job's future lies behind its job. */
static inline void fy_future_fetch(const ferry_future *future) {
    fy_cpu_fetch_to_write(future);
    fy_cpu_fetch_to_write(future - 1);
}

/* While a list of futures is gone through: another thread has just put their outcomes into most of them, or nobody has
 * looked at them for long. */
static inline void fy_future_fetch_ahead(ferry_future *const *futures, size_t index, size_t count) {
    enum { AHEAD = 8 };
    if (index + AHEAD < count && futures[index + AHEAD])
        fy_future_fetch(futures[index + AHEAD]);
}

/* ferry_future_unref for whoever is mostly not the last one to let go. */
static inline void fy_future_release(ferry_future *future) {
    if (FY_LIKELY(future->refs > 1))
        future->refs--;
    else
        ferry_future_unref(future);
}

/* Makes a pending future of a kind in memory that the caller has; one reference. */
void fy_future_init(ferry_future *future, ferry_loop *loop, int kind, const char *origin);

/* The same without a touch of its outcome, which must be set up before it ends. */
void fy_future_init_pending(ferry_future *future, ferry_loop *loop, int kind, const char *origin);

/* A future in the loop's slab that only Ferry resolves. Returns: 0, APR_ENOMEM. */
ferry_status fy_future_create_inner(ferry_loop *loop, const char *origin, ferry_future **ret_future);

/* Ends a pending future whose outcome is set already: posts the callbacks. */
void fy_future_finish(ferry_future *future);

/* Ends a pending future as cancelled. `message` may be NULL. */
void fy_future_finish_cancelled(ferry_future *future, const char *message);

/* Ends a pending future with the value or the error of one that has ended, and outlives it; a cancellation becomes an
 * error. No look at it. */
void fy_future_finish_as(ferry_future *future, const ferry_future *other);

/* The loop has closed and the future will not end: lets go of its callbacks. */
void fy_future_forget_callbacks(ferry_future *future);

/* Ends the pending future of a job whose time is up. */
void fy_future_finish_timed_out(ferry_future *future);

/* The index-th of the futures that it is made of, or NULL. */
ferry_future *fy_future_member(const ferry_future *future, size_t index);

/* The status of the outcome, without counting as a look at it. */
ferry_status fy_future_peek(const ferry_future *future);

/* The words of an error or a cancellation, without counting as a look. */
const char *fy_future_peek_message(const ferry_future *future);

/* If it has ended with an error that nobody has looked at: tells the exception handler, which is the look. */
void fy_future_report_unseen_error(ferry_future *future);

/* The two halves of adding a done callback, for whoever must not fail halfway through several. A handle that was not
 * added is given back by ferry_handle_unref. create: NULL if there is no memory. */
ferry_handle *fy_done_callback_create(const char *origin, ferry_future *future, ferry_done_callback *callback,
                                      void *arg);
void fy_done_callback_add(ferry_handle *handle);

/* Has a task's handle, which is queued nowhere, queued when the future, which is pending, is done. */
void fy_done_callback_add_task(ferry_handle *handle, ferry_future *future);

#endif
