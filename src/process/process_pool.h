/* SPDX-License-Identifier: Apache-2.0 */
/* The process pool's inside, for its own files: process_pool.c (making, submitting), process_manager.c (its one
 * thread), process_worker.c (a worker from its start to its death), process_offer.c (what it is given),
 * process_answer.c (what it answers), process_end.c (ending), process_look.c (looking).
 *
 * Who does what. Whoever submits puts the job into the queue and hands out what can be handed out, under the lock; so a
 * worker that sleeps begins without the manager. The manager, a thread that lives from the first submission until the
 * pool is closed and done, starts workers, collects answers, completes jobs, kills, and sees workers die. It has a
 * backend of its own, whose `wake` is the only way to it.
 *
 * State and who may touch it:
 *
 *   queue          put and take: lock
 *   returned       jobs that were handed out and came back unbegun; lock
 *   a worker's arena and segments: the cell that is DONE or NEEDS_ROOM at `reaped`: manager; a cell to be filled: lock
 *   a worker's offers, filled, reaped, counts     written under the lock (`reaped` by the manager alone)
 *   a worker's files, ops, hello                 manager
 *   manager_sleeps  lock
 *
 * No user code and no completion under the lock: what a step has decided about jobs it notes as endings, which are
 * carried out once the lock is released.
 *
 * Every job that was taken from the queue is claimed, and stands in exactly one place: an offer, `returned`, or an
 * ending. A worker's death moves its offers to the other two.
 *
 * References: `holders` counts one for the users together (executor.refs), one for the manager until its thread is
 * gone, and one for whoever else waits for the pool's end. */
#ifndef FERRY_PROCESS_PROCESS_POOL_H
#define FERRY_PROCESS_PROCESS_POOL_H

#include "base/bits.h"
#include "base/spin.h"
#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/host.h"
#include "executor/pool_exit.h"
#include "executor/queue.h"
#include "process/portable.h"
#include "process/wire.h"
#include "seam/backend.h"
#include "seam/process.h"

/* A worker's name, with twelve digits and its process's number behind the prefix, is never cut. */
enum { FY_BROKEN_REASON_SIZE = 512, FY_PREFIX_SIZE = 20 };

typedef struct fy_process_pool fy_process_pool;

/* ---- a worker ---- */

/* What stands in a cell that is not free. It is written under the lock; the manager reads without it what is answered,
 * for that nobody changes. */
typedef struct fy_offer {
    ferry_job *job;      /* claimed; NULL: the initializer, the order to end, or a job that was taken back */
    uint32_t function;   /* number */
    uint32_t segment;    /* where its argument lies */
    uint32_t cost_us;    /* what it was expected to take */
    uint32_t retries;
    uint64_t ticks;      /* when it was handed out */
    bool was_taken_back;
} fy_offer;

typedef enum {
    FY_WORKER_STARTING, /* until its hello */
    FY_WORKER_READY,
    FY_WORKER_LEAVING,  /* it was told to end, and gets no more jobs */
    FY_WORKER_LOST,     /* its channel is closed: its process is about to end, or else is killed */
    FY_WORKER_KILLED    /* no more answers than there are */
} fy_worker_stage;

/*   files attached, ops in flight until the process has ended; then the read is cancelled, and with the last op back
 *   the worker is buried */
typedef struct fy_process_worker {
    fy_process_pool *pool;
    struct fy_process_worker *next;
    uint64_t number;
    fy_child child;
    fy_file channel;
    fy_file process;
    fy_op read;
    fy_op exit;
    bool has_exited;
    char bytes[64];            /* what is read from the channel */
    fy_hello_reader hello;
    fy_worker_stage stage;     /* lock */
    bool is_initialized;       /* its initializer has succeeded, or there is none; lock */
    bool is_unwanted;          /* it broke the wire, and is killed */
    bool is_sacrificed;        /* the pool has killed it for want of another way to end a job; lock */
    int64_t started_us;
    int64_t idle_since_us;     /* lock */
    uint64_t busy_since_ticks; /* since it was idle, or has last answered; lock */
    bool is_stalled;           /* its job takes so long that nothing is given in advance; lock */
    int64_t kill_at_us;        /* it was asked gently: by force then; FERRY_FOREVER */
    int64_t deadline_us;       /* of its jobs, the earliest or earlier; lock */

    fy_shared memory;
    fy_arena *arena;
    fy_shared segments[FY_SEGMENTS];
    uint64_t serials[FY_SEGMENTS];
    bool is_segment_used[FY_SEGMENTS];

    fy_offer offers[FY_CELLS];
    _Atomic uint64_t filled;   /* cells, ever; written under the lock */
    uint64_t reaped;
    uint64_t collecting;       /* what was offered before it is the manager's alone just now; lock */
    uint64_t ran_ns[FY_CELLS]; /* manager: of what it has just collected */
    bool has_failed[FY_CELLS];
    size_t jobs;               /* in its offers; lock */
    uint64_t cost_us;          /* of these together; lock */
    uint64_t given;            /* jobs, ever, that were not taken back; lock */
    uint64_t done;             /* lock, as all that follows */
    uint64_t failed;
    uint64_t run_ns;
    char name[FY_WORKER_NAME_SIZE - 4];
} fy_process_worker;

/* ---- the pool ---- */

typedef struct fy_returned {
    ferry_job *job;
    uint32_t retries;
} fy_returned;

/* What a step has decided about a job that it has claimed, or about one that is not pending any more. */
typedef struct fy_ending {
    ferry_job *job;
    ferry_status status;
    bool is_stale; /* to be dropped */
} fy_ending;

enum { FY_ENDINGS_MAX = 128 };

typedef struct fy_endings {
    size_t count;
    fy_ending entries[FY_ENDINGS_MAX];
} fy_endings;

struct fy_process_pool {
    ferry_executor base;
    _Atomic size_t holders;
    fy_exit_link exit_link;

    /* what it was made with */
    size_t max_workers;
    uint64_t max_tasks_per_child;
    int64_t idle_timeout_us;
    int64_t start_timeout_us;
    ferry_worker_death on_worker_death;
    unsigned max_retries;
    bool has_initializer;
    uint32_t initializer;
    void *initializer_arg;
    size_t initializer_arg_size;
    char prefix[FY_PREFIX_SIZE];
    char program[FY_PROGRAM_PATH_SIZE];
    void *environment;
    uint64_t ticks_per_us;
    unsigned cpus;              /* that it may run on: with one there is nothing to look on at */

    fy_backend *backend;
    fy_drain manager;
    fy_worker_view manager_view; /* what done callbacks run in */

    fy_mutex lock;
    fy_cond gone;               /* the manager's thread has ended, or is there, or will not be */
    bool manager_alive;
    bool manager_is_starting;   /* then it counts as alive already */
    bool manager_sleeps;        /* or is about to */
    _Atomic bool has_news;      /* for the manager; written under the lock */
    bool wants_kills;           /* a job that was handed out was cancelled, or is late */
    bool closed;
    bool terminating;
    bool broken;
    char reason[FY_BROKEN_REASON_SIZE];

    fy_queue queue;
    unsigned turn;              /* takes from it; lock */
    fy_returned *returned;      /* a ring with room for every offer */
    size_t returned_first;
    size_t returned_count;
    size_t returned_room;
    uint32_t *costs_us;         /* by function: what it takes, or FY_COST_UNKNOWN */

    fy_process_worker *workers; /* oldest first; changed by the manager, under the lock */
    size_t workers_alive;
    uint64_t workers_started;
    uint64_t workers_retired;
    bool was_greeted;           /* by some worker, ever */
    unsigned failed_starts;     /* in a row */
    int64_t start_again_us;     /* not before then */
    int64_t idle_check_us;      /* when to look for workers that were idle for too long; manager */
    uint64_t done;
    uint64_t failed;
    uint64_t cancelled;
    _Atomic int64_t gone_cancelled; /* in the queue, but not pending any more */
    uint64_t queue_wait[FERRY_HISTOGRAM_BUCKETS];
    uint64_t run_time[FERRY_HISTOGRAM_BUCKETS];
};

#define FY_COST_UNKNOWN UINT32_MAX

/* A worker that is busy gets jobs in advance that take so long together; those that it has not begun long after that
 * are taken back, for the one before them, whatever others of its function took, may be waiting for them. */
enum { FY_WORKER_BUDGET_US = 100, FY_WORKER_STALL_US = 2000 };

extern const fy_executor_ops fy_process_pool_ops;

static inline fy_process_pool *fy_process_pool_of(ferry_executor *executor) {
    return FY_CONTAINER(executor, fy_process_pool, base);
}

void fy_process_pool_hold(fy_process_pool *pool);
void fy_process_pool_release(fy_process_pool *pool);

/* Jobs that wait to be handed out. Under the lock. */
size_t fy_process_pool_queued(const fy_process_pool *pool);

/* ---- endings ---- */

static inline bool fy_endings_are_full(const fy_endings *endings) {
    return endings->count == FY_ENDINGS_MAX;
}

static inline void fy_endings_add(fy_endings *endings, ferry_job *job, ferry_status status, bool is_stale) {
    endings->entries[endings->count++] = (fy_ending){job, status, is_stale};
}

/* Notes that the job fails, with a sentence. */
void fy_endings_add_failure(fy_endings *endings, ferry_job *job, ferry_status status, const char *worker,
                            const char *format, ...) FERRY_PRINTF(5, 6);

/* Carries them out and empties the list. Without the lock. */
void fy_endings_carry_out(fy_endings *endings);

/* ---- process_manager.c ---- */

/* Starts the manager if there is none. Under the lock, which it gives up meanwhile.
 * Returns: 0, FERRY_ENOTHREAD, APR_ENOMEM, or an OS code. */
ferry_status fy_manager_ensure(fy_process_pool *pool);

/* Has the manager look at everything again. Under the lock. */
void fy_manager_wake(fy_process_pool *pool);

/* ---- process_worker.c; the manager's thread ---- */

/* Starts one more. Without the lock. */
void fy_process_worker_start(fy_process_pool *pool);

/* An op of its has come back. Without the lock. */
void fy_process_worker_delivered(fy_op *op);

/* By force, unless it is gone. */
void fy_process_worker_kill(fy_process_worker *worker);

/* It says what cannot be said. Under the lock. */
void fy_process_worker_condemn(fy_process_worker *worker);

/* Frees those that are gone; their jobs go on elsewhere, or end. Without the lock. */
void fy_process_workers_bury(fy_process_pool *pool, fy_endings *endings);

/* Fails all that is under way and takes no more. Under the lock. */
void fy_process_pool_break(fy_process_pool *pool, const char *format, ...) FERRY_PRINTF(2, 3);

static inline fy_cell *fy_cell_at(const fy_process_worker *worker, uint64_t index) {
    return &worker->arena->cells[index % FY_CELLS];
}

static inline fy_offer *fy_offer_at(fy_process_worker *worker, uint64_t index) {
    return &worker->offers[index % FY_CELLS];
}

static inline void fy_histogram_add(uint64_t *buckets, uint64_t us) {
    unsigned bucket = fy_bit_length(us);
    buckets[bucket < FERRY_HISTOGRAM_BUCKETS ? bucket : FERRY_HISTOGRAM_BUCKETS - 1]++;
}

/* ---- process_offer.c ---- */

/* The cell has changed: a worker that sleeps is woken. Under the lock. */
void fy_cell_publish(fy_process_worker *worker, fy_cell *cell, uint32_t state);

/* The segment is large enough from here on, with what it held gone. Under the lock.
 * Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_segment_enlarge(fy_process_worker *worker, uint32_t number, size_t size);

/* Whether it has large segments that nothing uses, and giving these back. Under the lock. */
bool fy_segments_are_large(const fy_process_worker *worker);
void fy_segments_give_back(fy_process_worker *worker);

/* Hands jobs out while there are jobs and workers to take them; notes those that were cancelled meanwhile, or without a
 * list leaves them to the manager. Under the lock. */
void fy_process_pool_dispatch(fy_process_pool *pool, fy_endings *endings);

/* Takes a job back into `returned`, before those that are there. Under the lock. */
void fy_process_pool_return(fy_process_pool *pool, ferry_job *job, uint32_t retries);

/* The first of them, and a last one more. Under the lock. */
fy_returned fy_process_pool_take_returned(fy_process_pool *pool);
void fy_process_pool_append_returned(fy_process_pool *pool, fy_returned last);

/* Offers the initializer, or tells it to end. Under the lock. Returns: 0, or an OS code. */
ferry_status fy_offer_initializer(fy_process_worker *worker);
void fy_offer_quit(fy_process_worker *worker);

/* Takes an offer back, if it is not begun. Under the lock. */
bool fy_offer_retract(fy_process_worker *worker, uint64_t index);

/* Takes back into `returned` all that stand behind that one and are not begun. Under the lock. */
void fy_offers_take_back(fy_process_worker *worker, uint64_t index);

/* How long it has been at the same job, or 0. Under the lock. */
uint64_t fy_process_worker_busy_us(const fy_process_worker *worker);

/* ---- process_answer.c ---- */

/* Whether it has answered, as far as a look without the lock can tell. The manager's thread. */
bool fy_process_worker_has_answered(const fy_process_worker *worker);

/* Collects its answers, without the lock; notes how their jobs end. Whether there were any. */
bool fy_process_worker_collect(fy_process_worker *worker, fy_endings *endings);

/* ---- process_end.c ---- */
ferry_status fy_process_pool_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us);
void fy_process_pool_close(fy_process_pool *pool, bool cancel_futures);

/* What the process's exit does with it. */
extern const fy_exit_class fy_process_pool_exit_class;

/* Ends all queued jobs with what the pool's state says. Without the lock. */
void fy_process_pool_fail_queued(fy_process_pool *pool);

/* ---- process_look.c ---- */
void fy_process_pool_stats(ferry_executor *executor, ferry_executor_stats *ret_stats);
size_t fy_process_pool_describe(ferry_executor *executor, char *buffer, size_t size);
void fy_process_pool_cancel_running(ferry_executor *executor);

#endif
