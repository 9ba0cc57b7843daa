/* SPDX-License-Identifier: Apache-2.0 */
/* The loop as its own floor and the floors above see it. Everything here belongs to the loop's thread, but for the
 * inbox and what is atomic.
 *
 * Life: the struct lives as long as `refs` says. References are held by the user's handles on it, by thread-safe
 * handles, by each job that was still out when the loop was closed, by whatever else of the loop has memory of its own
 * (gathers, waits), and by one for all the cells that live in its slabs (so a future may outlive the closing of its
 * loop). */
#ifndef FERRY_LOOP_LOOP_H
#define FERRY_LOOP_LOOP_H

#include <stdatomic.h>

#include "base/hints.h"
#include "base/slab.h"
#include "base/spin.h"
#include "loop/handle.h"
#include "loop/inbox.h"
#include "loop/ready.h"
#include "loop/timer.h"

/* Something that wants to be called once at the end of the current turn (or right away outside of one). */
typedef struct fy_turn_hook {
    struct fy_turn_hook *next;
    void (*run)(struct fy_turn_hook *hook);
    bool linked;
} fy_turn_hook;

/* Something under way that holds itself alive until it ends. A loop that closes tells it that it never will. */
typedef struct fy_close_hook {
    struct fy_close_hook *next;
    struct fy_close_hook **link; /* what points to it; NULL: in no list */
    void (*run)(struct fy_close_hook *hook);
} fy_close_hook;

/* How the executors' floor hangs its things on a loop without the loop knowing them. */
typedef struct fy_loop_executors {
    void *default_executor;
    bool shut_down;                           /* the default one: no more submissions */
    const void *future_class;                 /* fy_future_class of a job's future */
    void (*message)(void *loop, fy_message *message); /* a finished job has come home */
    void (*close)(ferry_loop *loop);          /* the loop is closing: let go of the default executor */
    void (*forget_jobs)(ferry_loop *loop);    /* the inbox is shut: what is still out will not come home */
} fy_loop_executors;

/* signal.c */
typedef struct fy_loop_signals fy_loop_signals;

/* What the io floor keeps on a loop, likewise. */
typedef struct fy_loop_io {
    fy_slab sockets;
    fy_slab ops;                              /* an op with its future */
    fy_slab addresses;                        /* that ops go to */
    void *watchers;                           /* of readers and writers */
    void *cancel_notes;                       /* words of cancellations that are under way */
    const void *future_class;                 /* fy_future_class of an op's future */
    void (*run_watch)(ferry_handle *handle);  /* a reader or writer whose turn has come */
    void (*cancel_watch)(ferry_handle *handle); /* one that was cancelled */
    void (*close)(ferry_loop *loop);          /* the loop is closing: take everything back from the kernel */
} fy_loop_io;

struct fy_values;

/* What the tasks' floor does at moments of the loop's. */
typedef struct fy_task_hooks {
    void (*wake)(ferry_handle *handle); /* a task's turn has come */
    void (*leave)(ferry_loop *loop);   /* the thread that ran the loop leaves it */
    void (*close)(ferry_loop *loop);   /* the loop will be closed: it can still make turns */
    void (*abandon)(ferry_loop *loop); /* nothing runs on it any more */
    ferry_status (*call_sleep)(const char *origin, int64_t duration_us); /* ferry_call_sleep of a task's call */
    void (*unref_values)(struct fy_values *values); /* of a job that a task has called for; on any thread */
} fy_task_hooks;

typedef struct fy_loop_tasks {
    void *state;                  /* NULL until there was one; then all of these are set */
    const fy_task_hooks *hooks;
    const void *future_class;
    fy_slab cells;
} fy_loop_tasks;

struct ferry_loop {
    /* what other threads look at, and hardly anyone writes */
    const fy_backend_class *backend_class;
    _Atomic uintptr_t thread; /* that runs it, or 0 */
    unsigned fork_generation;
    _Atomic bool closed;
    _Atomic size_t user_refs; /* the user's; together they hold one of refs */
    _Atomic size_t refs;
    _Atomic bool has_signals; /* some have arrived and are not looked at yet */
    char apart[FY_APART_BYTES];

    fy_inbox inbox;         /* begins with what the others write, and keeps it apart from the rest */

    fy_ready ready;
    fy_backend *backend;    /* until it is closed */
    bool cells_hold;        /* closed, and cells still live: they hold a reference */
    bool stopping;
    bool debug;
    bool in_turn;
    size_t ready_left;      /* entries of the ready queue that this turn is still to run */
    bool has_virtual_time;  /* the backend's: the port's clock and ticks tell nothing */
    unsigned cpus;          /* that its threads may run on */

    /* polling */
    int64_t now_us;         /* as of the last look at the clock */
    uint64_t now_ticks;     /* the cheap counter at that moment */
    uint64_t polled_ticks;  /* the same when the kernel was asked last */
    uint64_t ticks_per_us;
    int64_t deadline_base_us; /* the last answer of fy_loop_now_for_deadline */
    uint32_t wakes_seen;    /* of the inbox's, by the kernel's word */
    uint32_t turns_unpolled;
    size_t callbacks_unlooked;
    uint32_t timers_due;    /* since the last wait */
    uint32_t dense_waits;   /* in a row, after each of which several were */
    int64_t wakes_late_us;  /* how late the last waits for timers ended, the average times WAKES_AVERAGED (turn.c) */
    int64_t gathered_until_us; /* by the last wait that gathered timers */
    fy_spin spin;           /* while it waits for a message */
    size_t files;           /* attached to the backend */
    void (*op_done)(ferry_loop *loop, fy_op *op); /* set by the floor that attaches the first one */

    fy_timers timers;
    fy_turn_hook *hooks;
    fy_close_hook *close_hooks;
    size_t jobs_out;        /* with executors, their messages still to come */
    uint64_t drained_ticks; /* when the inbox was last drained, while many are out */
    bool jobs_dense;        /* they came home close together then */
    size_t jobs_abandoned;  /* closed: of these, how many have a future that nobody holds any more */
    fy_loop_executors executors;
    const fy_done_hooks *done_hooks;
    fy_loop_io io;
    fy_loop_tasks tasks;
    fy_loop_signals *signals; /* NULL until a handler is added */

    fy_slab handles;        /* of 64 bytes */
    fy_slab futures;        /* of 64 bytes */
    fy_slab jobs;           /* a job with its future: 128 bytes */

    ferry_exception_handler *exception_handler;
    void *exception_arg;
    int64_t slow_callback_duration_us;
};

/* Why a loop-only call cannot be served now: 0, FERRY_EWRONGTHREAD, FERRY_EFORKED, FERRY_ECLOSED. */
ferry_status fy_loop_refusal(const ferry_loop *loop);

/* The same check, quick for the common case. */
static inline bool fy_loop_is_mine(const ferry_loop *loop) {
    uintptr_t thread = atomic_load_explicit(&loop->thread, memory_order_relaxed);
    return (thread == fy_thread_self() || !thread) && fy_is_fork_generation(loop->fork_generation);
}

/* Says which thread runs the loop from now on, or 0. */
static inline void fy_loop_set_thread(ferry_loop *loop, uintptr_t thread) {
    atomic_store_explicit(&loop->thread, thread, memory_order_relaxed);
}

/* Whether this thread runs the loop; in a child made by fork, whether it did so there where it was forked. */
static inline bool fy_loop_runs_here(const ferry_loop *loop) {
    return atomic_load_explicit(&loop->thread, memory_order_relaxed) == fy_thread_self();
}

/* Whether this thread corrupts nothing if it touches what is the loop's: it may also be a child's, which has its own
 * copy. */
static inline bool fy_loop_may_touch(const ferry_loop *loop) {
    uintptr_t thread = atomic_load_explicit(&loop->thread, memory_order_relaxed);
    return !thread || thread == fy_thread_self() || !fy_is_fork_generation(loop->fork_generation);
}

static inline bool fy_loop_closed(const ferry_loop *loop) {
    return atomic_load_explicit(&loop->closed, memory_order_relaxed);
}

static inline ferry_status fy_loop_check(const ferry_loop *loop) {
    return fy_loop_is_mine(loop) && !fy_loop_closed(loop) ? 0 : fy_loop_refusal(loop);
}

/* Makes a loop on a backend that is open; on failure it stays the caller's. Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_loop_create_on(const ferry_loop_options *options, fy_backend *backend, ferry_loop **ret_loop);

/* The time for a deadline that must not be early: at most 1 µs ahead of the clock, never behind it. */
int64_t fy_loop_now_for_deadline(ferry_loop *loop);

/* Looks at the clock. */
void fy_loop_refresh_now(ferry_loop *loop);

/* One turn; see turn.c. Waits until deadline_us at the latest (0: does not wait). */
ferry_status fy_loop_turn(ferry_loop *loop, int64_t deadline_us);

/* Takes the ops from a done list and ends each. */
void fy_loop_resolve(ferry_loop *loop, fy_list *done);

/* Marks the loop as run by this thread. Returns: as ferry_loop_run_forever. */
ferry_status fy_loop_enter(ferry_loop *loop);
void fy_loop_leave(ferry_loop *loop);

/* In a child made by fork: if the parent's loop was running on this thread, it is not running here. */
void fy_loop_forget_running(const ferry_loop *loop);

/* Turns until stop. */
ferry_status fy_loop_run(ferry_loop *loop);

/* Has `hook` run at the end of this turn; outside of a turn, now. */
void fy_loop_at_turn_end(ferry_loop *loop, fy_turn_hook *hook);

/* Has `hook` run when the loop closes, once nothing runs on it any more; and takes that back. */
void fy_loop_at_close(ferry_loop *loop, fy_close_hook *hook);
void fy_loop_not_at_close(fy_close_hook *hook);

/* After a cell was given back, or a job's future was abandoned: if the loop is closed and nothing of it is in anybody's
 * hands any more, the loop may go, and must not be touched after this. */
void fy_loop_cell_gone(ferry_loop *loop);

static inline void fy_loop_free_cell(ferry_loop *loop, fy_slab *slab, void *cell) {
    fy_slab_free(slab, cell);
    if (FY_UNLIKELY(loop->cells_hold))
        fy_loop_cell_gone(loop);
}

/* ferry_handle_unref of one that is not thread-safe. */
static inline void fy_handle_release(ferry_handle *handle) {
    if (--handle->refs)
        return;
    handle->kind = FY_HANDLE_FREE;
    fy_loop_free_cell(handle->loop, &handle->loop->handles, handle);
}

/* References from any thread, beside the public ones. */
void fy_loop_hold(ferry_loop *loop);
void fy_loop_release(ferry_loop *loop);

/* Queues the handlers of the signals that have arrived. */
void fy_signals_take(ferry_loop *loop);

/* Whether no loop and nothing else of the process handles the signal, or ignores it. Thread: any. */
bool fy_signals_are_default(int signum);

/* Whether the loop's handler of the signal is this one. */
bool fy_signals_have(const ferry_loop *loop, int signum, ferry_callback *callback);

/* The loop is closing: no handlers any more. */
void fy_signals_close(ferry_loop *loop);

static inline bool fy_loop_has_signals(const ferry_loop *loop) {
    return atomic_load_explicit(&loop->has_signals, memory_order_relaxed);
}

/* exception.c */
void fy_loop_report(ferry_loop *loop, const ferry_report *report);

/* The callback made at `origin` took that long. */
void fy_loop_report_slow(ferry_loop *loop, const char *origin, int64_t took_us);

/* A callback made at `origin` returned `status`. */
void fy_loop_report_callback(ferry_loop *loop, ferry_status status, const char *origin, ferry_handle *handle);

/* Its callback was run from the ready queue and has returned `status`: uses up the queue's reference. */
static inline void fy_handle_ran(ferry_handle *handle, ferry_status status) {
    handle->place = FY_HANDLE_ENDED;
    if (FY_UNLIKELY(status))
        fy_loop_report_callback(handle->loop, status, handle->origin, handle);
    fy_handle_release(handle);
}

#endif
