/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool's inside, for its own files: threadpool.c (making, submitting), threadpool_worker.c (what a worker
 * does), threadpool_wake.c (who is woken or started when), threadpool_shutdown.c (ending), threadpool_stats.c
 * (looking).
 *
 * State and who may touch it. "lock" is the pool's; every decision of a worker to sleep, wake, start or end is taken
 * under it, and only taking from the queue is lock-free, so the queue needs no stronger order than acquire and release.
 *
 *   queue           put: lock. take: any worker
 *   stage           jobs that one loop has submitted lately. put: that loop's thread, no lock. move to the
 *                   queue: lock, by anyone, and always before anything else is put, so the order is kept
 *   idle, searching, workers, closed, broken    lock
 *   hungry          written under lock; read by anyone as a hint: a submission should go to the lock at once
 *   a worker's counters, running, sequence      written by that worker; read by anyone
 *
 * Searching: at most one worker at a time looks for work: one that spins, was just woken, or was just started. While
 * there is one, nobody is woken or started. When it has found a job, and before it runs it, it gives the role up and
 * wakes or starts the next one if more jobs wait. So a burst wakes as many as it needs, one after the other, and no
 * more, and a long job blocks nobody.
 *
 * Progress: a job that is put while a worker searches will be seen by it (it looks under the lock before it sleeps).
 * One that is staged is moved at the end of the turn at the latest. The stage has room in the queue reserved, so moving
 * it cannot fail.
 *
 * References: `holders` counts one for the users together (executor.refs), one for each thread until it is gone
 * (host.h: its exit hook has run, or, where threads are shared, its drain has returned), one while the stage's hook is
 * linked to a loop, and one for whoever else waits for the pool's end. */
#ifndef FERRY_EXECUTOR_THREADPOOL_H
#define FERRY_EXECUTOR_THREADPOOL_H

#include "base/spin.h"
#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/host.h"
#include "executor/pool_exit.h"
#include "executor/queue.h"

enum { FY_STAGE = 64, FY_WORKER_NAME_MAX = 64 };

typedef struct fy_pool fy_pool;

typedef struct fy_worker {
    fy_worker_view view;
    fy_drain drain;
    fy_pool *pool;
    struct fy_worker *next;      /* of the pool's workers; lock */
    struct fy_worker *next_idle; /* lock */
    bool is_idle;                /* lock */
    bool given_search;           /* lock: whoever woke it made it the searcher */
    bool is_searching;           /* its own */
    _Atomic bool is_between;     /* its own: it has ended a job, and has taken no other one; so it will look at once */
    unsigned turn;               /* its own: jobs taken */
    fy_spin spin;                /* its own: while it looks for a job */
    uint64_t ticks;              /* its own: when the last job ended */
    fy_parker parker;

    _Atomic(const char *) running;      /* the job's label, or NULL */
    _Atomic uint64_t running_since;     /* ticks */
    _Atomic uint64_t sequence;          /* jobs begun */
    _Atomic uint64_t cancel_sequence;   /* of the job that was asked to stop; any thread */
    _Atomic uint64_t done;
    _Atomic uint64_t failed;
    _Atomic uint64_t cancelled;
    _Atomic uint64_t queue_wait[FERRY_HISTOGRAM_BUCKETS];
    _Atomic uint64_t run_time[FERRY_HISTOGRAM_BUCKETS];
    char name[FY_WORKER_NAME_MAX];
} fy_worker;

/* A loop's wish to hear of something: of space in a bounded queue, or of the end of all threads. */
typedef struct fy_wish {
    struct fy_wish *next;
    ferry_job *job; /* bare, claimed: finishing it grants the wish */
} fy_wish;

struct fy_pool {
    ferry_executor base;
    _Atomic size_t holders;
    fy_exit_link exit_link;

    /* what it was made with */
    char prefix[FY_WORKER_NAME_MAX - 16];
    size_t max_workers;
    ferry_status (*initializer)(void *arg);
    void *initializer_arg;
    size_t max_queue;
    ferry_queue_policy queue_policy;
    int64_t idle_timeout_us;
    uint64_t ticks_per_us;
    uint64_t us_per_tick_q32; /* its inverse, times 2^32 */
    unsigned cpus;       /* that its threads may run on */
    bool shares_threads; /* with the pools before and after it that do (thread_cache.h) */

    fy_queue queue;

    fy_mutex lock;
    fy_cond gone;          /* a thread has ended */
    fy_cond space;         /* the bounded queue has room */
    fy_worker *workers;
    fy_worker *spare;      /* ended, to be used again */
    size_t workers_alive;  /* started and not retired */
    size_t threads_alive;  /* that are not gone */
    size_t workers_started;
    size_t workers_retired;
    fy_worker *idle;       /* last in first out */
    size_t idle_count;
    bool searching;
    bool closed;           /* takes no more */
    bool broken;
    _Atomic size_t workers_waiting; /* for jobs; written under the waits' lock */
    _Atomic size_t space_waiters;
    fy_wish *space_wishes;
    fy_wish *end_wishes;
    fy_worker retired;     /* sums of those that have ended: counters only */

    _Atomic bool hungry;
    _Atomic bool accepting;           /* !closed && !broken, as a hint for the stage */
    _Atomic int64_t gone_cancelled;   /* in the queue, but cancelled */
    _Atomic int64_t gone_helped;      /* in the queue, but run elsewhere (nested waits) */

    /* the stage */
    _Atomic(ferry_loop *) stage_loop; /* whose it is */
    _Atomic bool stage_open;          /* room for it is reserved in the queue; written under lock */
    _Atomic uint32_t stage_tail;      /* the loop's thread */
    _Atomic uint32_t stage_head;      /* lock */
    uint64_t stage_ticks;             /* the loop's thread: the time of its first job */
    fy_turn_hook stage_hook;
    ferry_job *stage[FY_STAGE];
};

static inline fy_pool *fy_pool_of(ferry_executor *executor) {
    return FY_CONTAINER(executor, fy_pool, base);
}

/* Whether submissions are not refused: a hint, which may be outdated at once. */
static inline bool fy_pool_accepts(const fy_pool *pool) {
    return atomic_load_explicit(&pool->accepting, memory_order_relaxed);
}

/* One holder more, by somebody who knows of one. */
static inline void fy_pool_hold(fy_pool *pool) {
    atomic_fetch_add_explicit(&pool->holders, 1, memory_order_relaxed);
}

/* One holder less; the last one frees the pool. */
void fy_pool_release(fy_pool *pool);

/* A pool of default options, whose threads may have served another such pool. Returns: as ferry_thread_pool_create. */
ferry_status fy_pool_create_default(ferry_executor **ret_executor);

/* What a worker does from its start to its end. */
void fy_worker_run(fy_drain *drain);
void fy_worker_gone(fy_drain *drain);

/* ---- threadpool_wake.c; under the lock, where it is not said otherwise ---- */

/* Moves the stage into the queue. */
void fy_pool_move_stage(fy_pool *pool);

/* Opens the stage if the queue has or gets room for all of it; else what comes is not staged. */
void fy_pool_reserve_stage(fy_pool *pool);

/* Brings `hungry` up to date. */
void fy_pool_publish(fy_pool *pool);

/* What is to be done once the lock is released: wake that worker, or start a new one, or let one go that was started on
 * a thread that is held back. */
typedef struct fy_wake {
    fy_worker *worker;
    bool start;
    fy_kept_thread *held;
} fy_wake;

/* If jobs wait and nobody searches: makes an idle worker, or a new one, the searcher. */
fy_wake fy_pool_choose_wake(fy_pool *pool);

/* Does what was chosen. Returns: 0, APR_ENOMEM, FERRY_ENOTHREAD. Without the lock. */
ferry_status fy_pool_wake(fy_pool *pool, fy_wake wake);

/* Starts a worker that was counted and made the searcher. If *ret_wake is not empty, it is yet to be done.
 * Returns: as fy_pool_wake. Without the lock. */
ferry_status fy_pool_start_worker(fy_pool *pool, fy_wake *ret_wake);

/* Takes a worker out of all of them, or of the idle ones. */
void fy_pool_unlink_worker(fy_pool *pool, fy_worker *worker);
void fy_pool_unlink_idle(fy_pool *pool, fy_worker *worker);

/* In a pool that is closed or broken, where nobody becomes idle any more: takes all who are. */
fy_worker *fy_pool_take_idle(fy_pool *pool);
/* Makes them look again. Without the lock, which they will want at once. */
void fy_pool_wake_taken(fy_worker *idle);

/* Jobs that wait: submitted, neither started nor cancelled. */
size_t fy_pool_queued(const fy_pool *pool);

/* Ends all queued jobs with an error. Without the lock. */
void fy_pool_fail_queued(fy_pool *pool, ferry_status status, const char *message);
/* The same in a pool that an initializer has broken. */
void fy_pool_fail_broken(fy_pool *pool);

/* Lets go of a job that was taken from the queue and is not pending any more; counts it. */
void fy_pool_drop_stale(fy_pool *pool, ferry_job *job, fy_worker *counters);

/* Tells those who wait for space in a bounded queue that a job has left it. Without the lock. */
void fy_pool_note_space(fy_pool *pool);

/* ---- threadpool_wish.c ---- */

/* Returns: 0, APR_ENOMEM. */
ferry_status fy_wish_create(ferry_loop *loop, const char *origin, fy_wish **ret_wish, ferry_future **ret_future);

/* Grants all of a list that was taken off the pool. Without the lock. */
void fy_wishes_grant(fy_wish *wishes);

/* A thread does not count any more. Under the lock. Returns: the wishes to grant without it. */
fy_wish *fy_pool_thread_gone(fy_pool *pool);

/* Grants the wish when no thread of the pool is alive; at once if that is so. */
void fy_pool_wish_end(fy_pool *pool, fy_wish *wish);

/* Takes the wish with this job back; NULL: it is being granted. */
fy_wish *fy_pool_unwish_end(fy_pool *pool, const ferry_job *job);

/* ---- threadpool_shutdown.c ---- */
ferry_status fy_pool_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us);

/* Begins a shutdown without waiting. */
void fy_pool_close(fy_pool *pool, bool cancel_futures);

/* What the process's exit does with it. */
extern const fy_exit_class fy_pool_exit_class;

/* ---- threadpool_stats.c ---- */
void fy_pool_stats(ferry_executor *executor, ferry_executor_stats *ret_stats);
size_t fy_pool_describe(ferry_executor *executor, char *buffer, size_t size);
void fy_pool_cancel_running(ferry_executor *executor);

/* Moves a worker's counters to the pool's sums. Under the lock. */
void fy_pool_add_retired(fy_pool *pool, fy_worker *worker);

#endif
