/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind a ferry_job. There are two forms, equal up to and including the outcome:
 *
 *   plain    made by ferry_executor_submit: thread-safe, counted by `refs`, from the allocator.
 *   async    made by ferry_run_in_executor: a job and its future in one cell of the loop's slab. The executor's side
 *            ends by sending it to the loop's inbox; from then on it is the loop's alone. Nobody else ever holds one.
 *
 * `state`, its low bits and who may do what:
 *
 *   PENDING      any: CAS to RUNNING (the claim) or to CANCELLED. executor: holds it in its queue
 *   RUNNING      claimer alone: writes the outcome, runs the function; then FINISHED
 *   CANCELLED    executor still has to acknowledge it (drop): then CANCELLED_NOTIFIED
 *   FINISHED, CANCELLED_NOTIFIED   the outcome may be read by all who hold a reference; nobody writes it any more
 *
 * Flags beside them: CANCEL_REQUESTED, set by any thread while RUNNING; WATCHED, set under the lot's lock by whoever
 * wants to be told: whoever then changes the state looks after the watchers under that lock (lot.h). FINISHING, set by
 * the one call of ferry_job_finish that may go on. ASYNC never changes, nor does TASK: the job is only the call that a
 * task's function is given, and the loop's thread alone touches it. REMOTE, set by its executor before others see it: a
 * cancel of the running job is for the executor to carry out. UNWANTED, set by any thread while a REMOTE one is
 * RUNNING: if it has not begun where it was sent to, it shall not. */
#ifndef FERRY_EXECUTOR_JOB_H
#define FERRY_EXECUTOR_JOB_H

#include <stdatomic.h>

#include "ferry/executor.h"
#include "future/future.h"
#include "seam/platform.h"

enum {
    FY_JOB_PENDING = 0,
    FY_JOB_RUNNING = 1,
    FY_JOB_CANCELLED = 2,
    FY_JOB_CANCELLED_NOTIFIED = 3,
    FY_JOB_FINISHED = 4,
    FY_JOB_STATE = 7,
    FY_JOB_CANCEL_REQUESTED = 8,
    FY_JOB_WATCHED = 16,
    FY_JOB_ASYNC = 32,
    FY_JOB_FINISHING = 64,
    FY_JOB_TASK = 128,
    FY_JOB_REMOTE = 256,
    FY_JOB_UNWANTED = 512
};

typedef struct fy_watcher fy_watcher;

/* The parts of a job that most do without. */
typedef struct fy_job_extra {
    ferry_free *arg_free;     /* not called yet */
    const char *name;
    size_t arg_size;          /* 0: the argument is the pointer itself */
    int64_t deadline_us;      /* 0: none */
    int64_t timeout_us;       /* what the deadline was made of */
    ferry_handle *timer;      /* async, loop's thread: of the deadline, while it is pending; not counted */
    ferry_job *wrapped;       /* async, of a wrapped future: the job whose outcome it borrows; one reference */
    struct fy_values *values; /* async, of a task's call: what its function sees; one reference. NULL: nothing */
    int priority;
} fy_job_extra;

struct ferry_job {
    union {
        fy_message message;   /* async: on its way to the loop */
        fy_watcher *watchers; /* plain: under the lot's lock, oldest first */
    };
    _Atomic uint32_t state;
    _Atomic uint32_t refs;    /* plain */
    ferry_function *function;
    void *arg;
    fy_job_extra *extra;      /* or NULL */
    ferry_executor *executor; /* borrowed: whoever queues a job outlives it */
    uint64_t submitted_ticks; /* the cheap clock at submission */
    const char *origin;
};

typedef struct fy_plain_job {
    ferry_job job;
    fy_outcome outcome;
} fy_plain_job;

typedef struct fy_async_job {
    ferry_job job;
    ferry_future future;
} fy_async_job;

_Static_assert(sizeof(ferry_job) == 64, "the part of a job that both forms share fills one cache line");
_Static_assert(sizeof(fy_async_job) == 128, "a job with its future fills two cache lines");
_Static_assert(offsetof(fy_plain_job, outcome) == offsetof(fy_async_job, future) + offsetof(ferry_future, outcome),
               "both forms have the outcome in one place");

static inline fy_outcome *fy_job_outcome(const ferry_job *job) {
    return (fy_outcome *)(void *)((char *)(uintptr_t)job + offsetof(fy_plain_job, outcome));
}

static inline fy_async_job *fy_job_as_async(ferry_job *job) {
    return (fy_async_job *)(void *)job;
}

static inline bool fy_job_is_async(const ferry_job *job) {
    return atomic_load_explicit(&job->state, memory_order_relaxed) & FY_JOB_ASYNC;
}

static inline uint32_t fy_job_load_state(const ferry_job *job) {
    return atomic_load_explicit(&job->state, memory_order_acquire);
}

static inline bool fy_job_state_is_done(uint32_t state) {
    return (state & FY_JOB_STATE) >= FY_JOB_CANCELLED;
}

/* What is shown where running jobs are named. */
static inline const char *fy_job_label(const ferry_job *job) {
    return job->extra && job->extra->name ? job->extra->name : job->origin;
}

/* Its time is up. */
static inline bool fy_job_is_late(const ferry_job *job) {
    return job->extra && job->extra->deadline_us && fy_clock_now() >= job->extra->deadline_us;
}

static inline int fy_job_priority(const ferry_job *job) {
    return job->extra ? job->extra->priority : 0;
}

/* Whether the options make sense. Returns: 0, APR_EINVAL. */
ferry_status fy_job_options_check(const ferry_job_options *options);

/* Fills the part that both forms use. */
static inline void fy_job_init(ferry_job *job, const char *origin, ferry_executor *executor, ferry_function *function,
                               void *arg, uint32_t state) {
    job->function = function;
    job->arg = arg;
    job->extra = NULL;
    job->executor = executor;
    job->origin = origin;
    atomic_init(&job->state, state);
}

/* Adds what the options ask for beyond function and argument, and the values, if there are any; copies the argument if
 * it is to be copied. Returns: 0, APR_ENOMEM. */
ferry_status fy_job_add_options(ferry_job *job, const ferry_job_options *options, struct fy_values *values);

/* Gives back what that took, without calling the argument's destructor or giving the values back: the submission was
 * refused, or that is done. */
void fy_job_fini_options(ferry_job *job);

/* A plain job with two references: the caller's and the executor's. Returns: 0, APR_ENOMEM. */
ferry_status fy_job_create_plain(const char *origin, ferry_executor *executor, const ferry_job_options *options,
                                 ferry_job **ret_job);

/* From here on no cancel goes to its executor any more: before it ends, or runs elsewhere. */
static inline void fy_job_end_remote(ferry_job *job) {
    atomic_fetch_and_explicit(&job->state, ~(uint32_t)FY_JOB_REMOTE, memory_order_acq_rel);
}

/* PENDING -> RUNNING. */
static inline bool fy_job_try_claim(ferry_job *job) {
    uint32_t state = atomic_load_explicit(&job->state, memory_order_relaxed);
    while ((state & FY_JOB_STATE) == FY_JOB_PENDING)
        if (atomic_compare_exchange_weak_explicit(&job->state, &state, state + FY_JOB_RUNNING, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* PENDING -> CANCELLED; sets that flag on one that runs, or CANCEL_REQUESTED. Returns the state it found. */
uint32_t fy_job_request(ferry_job *job, uint32_t of_running);
uint32_t fy_job_request_cancel(ferry_job *job);

/* ferry_job_cancel that ends nothing which has begun: one that runs in this process is told, as there; one that runs
 * elsewhere goes on. */
void fy_job_withdraw(ferry_job *job);

/* Runs a claimed job's function; the job is still to be finished with what this returns. */
ferry_status fy_job_call_function(ferry_job *job);

/* Finishes a claimed job. An async one is gone after this; a plain one is not unref'ed. */
void fy_job_finish_claimed(ferry_job *job, ferry_status status);

/* Both in one; returns whether it succeeded. A plain job is not unref'ed. */
bool fy_job_run_claimed(ferry_job *job);

/* A task's call: what ferry_call_is_cancelled tells. */
static inline void fy_job_show_cancelled(ferry_job *job, bool is_cancelled) {
    uint32_t state = FY_JOB_RUNNING | FY_JOB_TASK | (is_cancelled ? FY_JOB_CANCEL_REQUESTED : 0);
    atomic_store_explicit(&job->state, state, memory_order_relaxed);
}

/* Makes the outcome agree with the status that the function returned. */
void fy_job_settle(ferry_job *job, ferry_status status);

/* Calls the argument's destructor, and gives the values back, if that was not done yet. */
void fy_job_release_arg(ferry_job *job);

#define FY_JOB_LATE "the job's time was up before it could start"

/* Completes a claimed job whose function will not be run. */
void fy_job_fail_claimed(ferry_job *job, ferry_status status, const char *message);

/* The other end of an async job (bridge.c): sends it to its loop, or discards it if the loop is closed. */
void fy_async_send(ferry_job *job);

#endif
