/* SPDX-License-Identifier: Apache-2.0 */
/* The process pool: the same submit, other processes (`ProcessPoolExecutor`).
 *
 * A job is portable when its function stands in the program's table, its argument is copied bytes (arg_size, or none)
 * and its result is a number or bytes. The worker processes are the program itself, started again: main begins with
 * ferry_worker_init, which in a worker never returns. */
#ifndef FERRY_PROCESS_H
#define FERRY_PROCESS_H

#include "ferry/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- portable functions ---- */

enum {
    FERRY_IDEMPOTENT = 1 /* running it twice does no harm: a job whose worker died may be given to another one */
};

/* One function of the program's table. */
typedef struct ferry_portable {
    const char *name; /* unique, not empty; what errors and dumps call it */
    ferry_function *function;
    unsigned flags;   /* 0 or FERRY_IDEMPOTENT */
} ferry_portable;

/* Makes the program's portable functions known; to be called at the top of main, before anything else that must happen
 * once only (`multiprocessing.freeze_support`). In a worker process it does not return: it runs jobs until the pool
 * ends it, and leaves by exit, for which it has 10 s. A worker's stdin is empty; stdout and stderr are the parent's,
 * and its terminal is too: Ctrl-C reaches the workers as well, unless they ignore it (the initializer can see to that).
 * What the functions themselves need, apr_initialize for one, is done before this call.
 *
 * Owns:    the table, ended by an entry whose name is NULL, and its names must live as long as the process.
 * Returns: 0, APR_EINVAL (a name or a function twice, a NULL), FERRY_EINVALIDSTATE (called before), APR_ENOMEM.
 * Thread:  main, before there are others. */
FERRY_API ferry_status ferry_worker_init(int argc, char **argv, const ferry_portable *functions);

/* Whether this process is a worker of a pool. Thread: any. */
FERRY_API bool ferry_is_worker(void);

/* ---- the pool ---- */

typedef enum {
    FERRY_WORKER_DEATH_REPLACE, /* the job that it ran fails with FERRY_EBROKEN, all others go on */
    FERRY_WORKER_DEATH_BREAK    /* all jobs fail with FERRY_EBROKEN, and the pool takes no more (as Python's); but a
                                 * worker that dies before it has begun anything is started again, in both cases */
} ferry_worker_death;

typedef struct ferry_process_pool_options {
    size_t size;                     /* of this struct; FERRY_PROCESS_POOL_OPTIONS sets it */
    size_t max_workers;              /* 0: the usable CPUs, by affinity and cgroup quota */
    const char *worker_name_prefix;  /* 19 bytes of it are copied; NULL: "ferry-process-N". A worker's name is
                                      * prefix_number */
    /* A portable function that each worker runs before its first job, with a copy of these bytes; one that fails breaks
     * the pool. NULL: none. */
    ferry_function *initializer;
    const void *initializer_arg;
    size_t initializer_arg_size;
    size_t max_tasks_per_child;      /* a worker that has run so many jobs is replaced; 0: no limit */
    int64_t idle_timeout_us;         /* a worker idle for longer ends; 0: 60 s; FERRY_FOREVER: never */
    int64_t start_timeout_us;        /* a worker must be there by then, or the pool breaks; 0: 20 s */
    ferry_worker_death on_worker_death;
    unsigned max_retries;            /* of a job whose function is FERRY_IDEMPOTENT, after a worker's death */
    const char *program;             /* copied; another path to the file that this process runs; NULL: as the system
                                      * tells it. A file of another build is refused when it says hello */
    bool in_worker;                  /* a worker may have a pool of its own only if this says so */
} ferry_process_pool_options;

#define FERRY_PROCESS_POOL_OPTIONS .size = sizeof(ferry_process_pool_options)

/* Thread: any. */
FERRY_API void ferry_process_pool_options_init(ferry_process_pool_options *options);

/* Makes a pool. Workers start on demand: an idle one is reused before another is started. It is used like any other
 * executor; what differs:
 *
 *   submit            also returns FERRY_ENOTPORTABLE: the function is not in the table, or the argument is a pointer
 *                     without arg_size
 *   a running job     is cancelled by killing its worker: it ends with FERRY_ECANCELED then. A time limit (timeout_us)
 *                     that passes while it runs kills as well: FERRY_ETIMEDOUT. A job counts as running as soon as it
 *                     was handed to a worker, which may be a moment before it begins
 *   a worker's death  ends the job that it ran with FERRY_EBROKEN and a sentence with the signal or the exit code
 *   in a worker       ferry_call_is_cancelled is never true; every signal has its default action, also one that this
 *                     process ignores; and the environment is that of the moment in which the pool was made
 *   a pointer         as a result is an error, FERRY_ENOTPORTABLE
 *   order             jobs of one priority are handed out in the order of submission; while short jobs are queued a
 *                     worker holds some of them in advance, and gives them back when another one is idle. What was
 *                     given back comes before what is queued, whatever its priority
 *   done callbacks    run in the pool's one thread of its own, which also sees to time limits and cancels: a slow one
 *                     holds these up, and one that waits for a job is refused with FERRY_EDEADLK
 *
 * Owns:    *ret_executor is one reference: ferry_executor_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_EINVALIDSTATE (ferry_worker_init was not called), FERRY_ENOTPORTABLE (the
 *          initializer), FERRY_ENOTSUP (in a worker, without in_worker; or the system does not tell which file the
 *          program is), or an OS code.
 * Thread:  any. */
FERRY_API ferry_status ferry_process_pool_create(const ferry_process_pool_options *options,
                                                 ferry_executor **ret_executor);

/* Ends the pool by ending its workers (`terminate_workers`, `kill_workers`): gently first, where the system knows of
 * such a thing, and by force after `grace_us`; 0: by force at once. Jobs that have not ended fail with FERRY_EBROKEN,
 * and submissions are refused with FERRY_ESHUTDOWN. Does not wait: ferry_executor_shutdown does.
 *
 * Units:   µs.
 * Returns: 0, APR_EINVAL (no process pool, a negative time), FERRY_EFORKED.
 * Thread:  any. */
FERRY_API ferry_status ferry_process_pool_terminate(ferry_executor *executor, int64_t grace_us);

/* ---- looking ---- */

typedef struct ferry_process_worker_stats {
    uint64_t pid;
    uint64_t number;      /* counted from 0 in the order of starting */
    uint64_t done;        /* jobs that it has run */
    uint64_t failed;      /* of these, with an error */
    uint64_t run_time_us; /* of these together */
    bool is_running;      /* it holds a job now */
} ferry_process_worker_stats;

/* Fills at most `count` entries, one for each worker that is alive, and returns how many are alive; 0 if it is no
 * process pool. Thread: any. */
FERRY_API size_t ferry_process_pool_get_workers(ferry_executor *executor, ferry_process_worker_stats *ret_stats,
                                                size_t count);

#ifdef __cplusplus
}
#endif
#endif
