/* SPDX-License-Identifier: Apache-2.0 */
/* What every executor begins with, and what each kind of them supplies. */
#ifndef FERRY_EXECUTOR_EXECUTOR_H
#define FERRY_EXECUTOR_EXECUTOR_H

#include <apr_errno.h>

#include "executor/job.h"

typedef struct fy_executor_ops {
    const char *name;

    bool runs_elsewhere; /* in other processes: only portable functions, so it can carry nothing for another executor */

    /* Takes the executor's reference of the job, or refuses it untouched. `loop` is set on a running or idle loop's own
     * thread: then it must not block, and may hold the job back until the end of the turn.
     * Returns: as ferry_executor_submit. */
    ferry_status (*submit)(ferry_executor *executor, ferry_job *job, ferry_loop *loop_or_null);

    /* One of its pending jobs was cancelled just now. Quick, calls nobody: the cancel lock is held. May be NULL. */
    void (*note_cancelled)(ferry_executor *executor);

    /* One of its running jobs, which is REMOTE, was asked to stop just now. Likewise. */
    void (*note_stop_wanted)(ferry_executor *executor);

    /* A thread that is none of its own wants to take this pending job out of its hands: to run it, because it waits for
     * it (`to_run`: only if none of the executor's workers can), or to end it, because its time is up. Claims it and
     * notes that. The cancel lock is held. May be NULL: it cannot be taken. */
    bool (*claim_elsewhere)(ferry_executor *executor, ferry_job *job, bool to_run);

    /* As note_cancelled, without any lock: for user code. May be NULL. */
    void (*cancel)(ferry_executor *executor, ferry_job *job);

    ferry_status (*shutdown)(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us);

    /* How its pending jobs get to run, if not by workers of its own: at most *ret_places at once (untouched: no limit),
     * and while a place is free, by the job of another executor that is returned (one reference). NULL: it knows of
     * none that is still to begin. The cancel lock is held. May be NULL. */
    ferry_job *(*find_carrier)(ferry_executor *executor, size_t *ret_places);

    /* One of its workers begins (1) or ends (-1) to wait for a job. Under the waits' lock. NULL if it has no
     * workers. */
    void (*note_waiting)(ferry_executor *executor, int change);

    /* Whether it can be the default executor of that loop. NULL: it never can.
     * Returns: 0, FERRY_ESHUTDOWN, FERRY_EWRONGLOOP. */
    ferry_status (*check_default)(ferry_executor *executor, const ferry_loop *loop);

    /* As ferry_loop_shutdown_default_executor, of the loop whose default it is. */
    ferry_status (*end_default)(ferry_executor *executor, const char *origin, ferry_loop *loop, int64_t timeout_us,
                                ferry_future **ret_future);

    /* These three may be NULL. */
    void (*stats)(ferry_executor *executor, ferry_executor_stats *ret_stats);
    size_t (*describe)(ferry_executor *executor, char *buffer, size_t size);
    void (*cancel_running)(ferry_executor *executor);

    /* The last reference is gone. */
    void (*destroy)(ferry_executor *executor);
} fy_executor_ops;

struct ferry_executor {
    const fy_executor_ops *ops;
    _Atomic size_t refs;
    unsigned fork_generation;
    _Atomic uint64_t rejected;
};

/* One reference. Opens the lots as well. Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_executor_init(ferry_executor *executor, const fy_executor_ops *ops);

/* Why nothing can be asked of it: 0, APR_EINVAL (NULL), FERRY_EFORKED. */
static inline ferry_status fy_executor_check(const ferry_executor *executor) {
    if (!executor)
        return APR_EINVAL;
    return fy_is_fork_generation(executor->fork_generation) ? 0 : FERRY_EFORKED;
}

/* Submits; counts a refusal. */
static inline ferry_status fy_executor_submit_job(ferry_executor *executor, ferry_job *job, ferry_loop *loop_or_null) {
    ferry_status status = executor->ops->submit(executor, job, loop_or_null);
    if (FY_UNLIKELY(status))
        atomic_fetch_add_explicit(&executor->rejected, 1, memory_order_relaxed);
    return status;
}

/* fy_job_request, and lets an executor know that has a part in it. */
uint32_t fy_executor_cancel(ferry_job *job, uint32_t of_running);

/* Claims a pending job in its executor's place, if the executor lets go of it. */
bool fy_executor_claim_elsewhere(ferry_job *job, bool to_run);

/* Asks the pending job's executor for a carrier. One that is not pending is carried already. */
ferry_job *fy_executor_find_carrier(ferry_job *job, size_t *ret_places);

/* To be called between an executor's last touch of its jobs and the freeing of its memory: returns when no cancel that
 * found one of them pending is still about to note it. */
void fy_executor_settle_cancels(void);

extern const fy_executor_ops fy_thread_pool_ops;

/* default_executor.c: these two for the thread pool. */
ferry_status fy_pool_check_default(ferry_executor *executor, const ferry_loop *loop);
ferry_status fy_pool_end_default(ferry_executor *executor, const char *origin, ferry_loop *loop, int64_t timeout_us,
                                 ferry_future **ret_future);

/* default_executor.c: the loop's default executor (borrowed), made if need be. */
ferry_status fy_default_executor_get(ferry_loop *loop, ferry_executor **ret_executor);

/* bridge.c: as ferry_run_in_executor_with; the function sees the values, which may be NULL, if it runs in this process.
 * One reference to them is the job's on success. */
ferry_status fy_run_in_executor(const char *origin, ferry_loop *loop_or_null, ferry_executor *executor_or_null,
                                const ferry_job_options *options, struct fy_values *values, ferry_future **ret_future);

/* bridge.c: hangs this floor on a loop, once. */
void fy_bridge_attach(ferry_loop *loop);

/* bridge.c: an async job that no queue holds: whoever has it claims it, and finishes it from any thread. The future is
 * the caller's reference. Returns: 0, APR_ENOMEM. */
ferry_status fy_async_create_bare(ferry_loop *loop, const char *origin, ferry_job **ret_job, ferry_future **ret_future);

/* nested.c: what must be settled before this thread blocks until one of the jobs is done; the array stays where it is
 * until then. Returns: 0 (wait, or one is done by now), FERRY_EDEADLK. On 0 `fy_nested_leave` must follow. */
typedef struct fy_wait_record {
    struct fy_wait_record *next;
    const struct fy_frame *frames;
    ferry_job *const *jobs;
    size_t count;
    ferry_job *single;        /* the array, if there is only one */
    ferry_executor *executor; /* whose worker this thread is, or NULL */
    bool linked;
    bool is_seen;             /* while chains are followed */
} fy_wait_record;

/* Whether these two have anything to do on this thread: it runs a job, or is a worker, which runs jobs soon. */
bool fy_nested_concerns_thread(void);

ferry_status fy_nested_enter_any(fy_wait_record *record, ferry_job *const *jobs, size_t count);
ferry_status fy_nested_enter(fy_wait_record *record, ferry_job *job);
void fy_nested_leave(fy_wait_record *record);

/* Whether this thread must not block: a loop is running on it. */
bool fy_thread_must_not_block(void);

#endif
