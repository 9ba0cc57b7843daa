/* SPDX-License-Identifier: Apache-2.0 */
/* Executors: where blocking work goes. Submit from a loop and get a future, or from any thread and get a job.
 *
 * Every executor is used through the same calls: the thread pool, a limited view of another executor, and those that
 * users write (ferry_executor_class). */
#ifndef FERRY_EXECUTOR_H
#define FERRY_EXECUTOR_H

#include "ferry/job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- submitting ---- */

typedef struct ferry_job_options {
    size_t size;                /* of this struct; FERRY_JOB_OPTIONS sets it */
    ferry_function *function;
    void *arg;
    size_t arg_size;            /* not 0: that many bytes at arg are copied into the job, aligned for any type */
    ferry_free *arg_free;       /* called once with the argument (the copy, if one was made), however the job ends:
                                 * on the loop's thread if a loop submitted it, else where it ended */
    int priority;               /* FERRY_PRIORITY_...: 0 is normal */
    int64_t timeout_us;         /* 0: none. From the submission: a job that has not started by then never does and ends
                                 * with FERRY_ETIMEDOUT; a running one sees ferry_call_is_cancelled; a future ends at
                                 * once */
    const char *name;           /* shown instead of the origin where running jobs are named; not copied: it must last as
                                 * long as the executor; may be NULL */
} ferry_job_options;

#define FERRY_JOB_OPTIONS .size = sizeof(ferry_job_options)

/* Within one priority jobs start in the order of submission. A job that waits ages, so the low ones are not starved. */
enum { FERRY_PRIORITY_HIGH = 1, FERRY_PRIORITY_NORMAL = 0, FERRY_PRIORITY_LOW = -1 };

/* Thread: any. */
FERRY_API void ferry_job_options_init(ferry_job_options *options);

/* Submits (`Executor.submit`).
 *
 * Owns:    on success *ret_job is one reference (ret_job may be NULL: nobody asks); arg as the options say. A refused
 *          submission leaves the argument the caller's.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ESHUTDOWN, FERRY_EBROKEN, FERRY_EFULL, FERRY_ENOTHREAD, FERRY_EFORKED.
 * Thread:  any. Blocks only if the executor's queue is full and its policy is FERRY_QUEUE_WAIT. */
#define ferry_executor_submit(executor, function, arg, ret_job) \
    ferry_executor_submit_from(FERRY_HERE, executor, function, arg, ret_job)
FERRY_API ferry_status ferry_executor_submit_from(const char *origin, ferry_executor *executor,
                                                  ferry_function *function, void *arg, ferry_job **ret_job);
#define ferry_executor_submit_with(executor, options, ret_job) \
    ferry_executor_submit_with_from(FERRY_HERE, executor, options, ret_job)
FERRY_API ferry_status ferry_executor_submit_with_from(const char *origin, ferry_executor *executor,
                                                       const ferry_job_options *options, ferry_job **ret_job);

/* Submits and gives a future of the loop (`loop.run_in_executor`). Cancelling the future of a job that has not started
 * keeps it from running; of a running one, ends the future at once and drops what the job returns.
 *
 * Owns:    as submit; ret_future may be NULL.
 * Returns: as submit, FERRY_ECLOSED, FERRY_EWRONGTHREAD; APR_EINVAL also if loop is NULL and none is running.
 * Thread:  loop. Never blocks: a full queue is FERRY_EFULL whatever its policy; see ferry_executor_wait_for_space. */
#define ferry_run_in_executor(loop, executor, function, arg, ret_future) \
    ferry_run_in_executor_from(FERRY_HERE, loop, executor, function, arg, ret_future)
FERRY_API ferry_status ferry_run_in_executor_from(const char *origin, ferry_loop *loop_or_null,
                                                  ferry_executor *executor_or_null, ferry_function *function, void *arg,
                                                  ferry_future **ret_future);
#define ferry_run_in_executor_with(loop, executor, options, ret_future) \
    ferry_run_in_executor_with_from(FERRY_HERE, loop, executor, options, ret_future)
FERRY_API ferry_status ferry_run_in_executor_with_from(const char *origin, ferry_loop *loop_or_null,
                                                       ferry_executor *executor_or_null,
                                                       const ferry_job_options *options, ferry_future **ret_future);

/* ---- mapping ---- */

/* Gives the next argument: 0; FERRY_EEXHAUSTED when there is none; anything else ends the map with that status. */
typedef ferry_status ferry_map_source(void *source, void **ret_arg);

typedef struct ferry_map_options {
    size_t size;                /* of this struct; FERRY_MAP_OPTIONS sets it */
    ferry_function *function;
    ferry_map_source *next;     /* called by the thread that opens the map and asks for results */
    void *source;
    size_t buffer_size;         /* at most this many arguments are taken ahead of the results; 0: all at once */
    int64_t timeout_us;         /* for the whole map, from its opening; 0: none */
    ferry_free *arg_free;       /* as in ferry_job_options */
    size_t arg_size;            /* as there: not 0: that many bytes at what the source gives are copied at once, which
                                 * may lie in the same place every time */
} ferry_map_options;

#define FERRY_MAP_OPTIONS .size = sizeof(ferry_map_options)

/* The results of a map, in the order of its arguments. */
typedef struct ferry_map ferry_map;

/* Begins to submit (`Executor.map`).
 *
 * Owns:    *ret_map is yours: ferry_map_close it. An argument is the map's once the source has given it: if its job is
 *          refused, arg_free is called at once; but with arg_size only copies are the map's, and a refused job has
 *          none.
 * Returns: as submit, or what the source said; then what was submitted already is cancelled.
 * Thread:  any; one thread at a time uses a map. */
#define ferry_executor_map(executor, options, ret_map) ferry_executor_map_from(FERRY_HERE, executor, options, ret_map)
FERRY_API ferry_status ferry_executor_map_from(const char *origin, ferry_executor *executor,
                                               const ferry_map_options *options, ferry_map **ret_map);

/* Blocks for the next result. A job's own error is read from the job; the positions after it can still be had.
 *
 * Owns:    *ret_job is one reference.
 * Returns: 0, FERRY_EEXHAUSTED, FERRY_ETIMEDOUT (jobs that have not started are cancelled, the map has ended), what the
 *          source or the submission said.
 * Thread:  as ferry_job_wait. */
FERRY_API ferry_status ferry_map_next(ferry_map *map, ferry_job **ret_job);

/* Ends the map: jobs that have not started are cancelled. Those that run go on to their end, for which nobody waits; on
 * threads ferry_call_is_cancelled is true for them. Takes NULL. Thread: any. */
FERRY_API void ferry_map_close(ferry_map *map);
FERRY_AUTO_BY(ferry_map, ferry_map_close)

/* ---- ending ---- */

/* One more, one less reference; both take NULL. With the last one a pool that was not shut down lets its queued jobs
 * finish and its workers end by themselves. Thread: any. */
FERRY_API ferry_executor *ferry_executor_ref(ferry_executor *executor);
FERRY_API void ferry_executor_unref(ferry_executor *executor);
FERRY_AUTO_BY(ferry_executor, ferry_executor_unref)

/* Takes no more jobs (`Executor.shutdown`). Queued jobs run all the same, or with cancel_futures are cancelled. With
 * wait it blocks until every worker has ended, for at most timeout_us. May be called again, also to wait after not
 * waiting.
 *
 * Units:   µs; FERRY_FOREVER for no limit.
 * Returns: 0; FERRY_ETIMEDOUT: jobs are still running, ferry_executor_describe names them; FERRY_EDEADLK: a worker
 *          cannot wait for its own pool; FERRY_EFORKED.
 * Thread:  any. */
FERRY_API ferry_status ferry_executor_shutdown(ferry_executor *executor, bool wait, bool cancel_futures,
                                               int64_t timeout_us);

/* Shutdown with wait and no limit, then unref: for the end of a scope. Takes NULL.
 * Returns: as shutdown. Thread: any. */
FERRY_API ferry_status ferry_executor_close(ferry_executor *executor);

/* Asks every running job to stop: ferry_call_is_cancelled is true for them. Thread: any. */
FERRY_API void ferry_executor_cancel_running(ferry_executor *executor);

/* ---- looking ---- */

enum { FERRY_HISTOGRAM_BUCKETS = 32 };

typedef struct ferry_executor_stats {
    size_t size;                /* of this struct; set it before the call */
    uint64_t workers;           /* alive now */
    uint64_t workers_idle;
    uint64_t workers_started;   /* since the executor was made */
    uint64_t workers_retired;
    uint64_t queued;            /* submitted, neither started nor cancelled */
    uint64_t running;
    uint64_t done;              /* ran to their end, with success or an error */
    uint64_t failed;            /* of these, with an error */
    uint64_t cancelled;         /* never ran: cancelled, dropped, timed out, or the pool broke */
    uint64_t rejected;          /* submissions refused: full, shut down, broken */
    /* Jobs by time from submission to start, and by time running: bucket b holds [2^(b-1), 2^b) µs, bucket 0 what is
     * below 1 µs. */
    uint64_t queue_wait[FERRY_HISTOGRAM_BUCKETS];
    uint64_t run_time[FERRY_HISTOGRAM_BUCKETS];
} ferry_executor_stats;

/* Counts, each exact, taken one after the other; but a job that was run by whoever waited for it, inside another job,
 * counts as done from its beginning, and neither as failed nor in the times. An executor without statistics leaves
 * zeros.
 * Returns: 0, APR_EINVAL, FERRY_EFORKED. Thread: any. */
FERRY_API ferry_status ferry_executor_get_stats(ferry_executor *executor, ferry_executor_stats *ret_stats);

/* Writes who runs what for how long, a line per running job, into `buffer` (always terminated); returns how many run.
 * Thread: any. */
FERRY_API size_t ferry_executor_describe(ferry_executor *executor, char *buffer, size_t size);

/* ---- the thread pool ---- */

typedef enum {
    FERRY_QUEUE_REJECT, /* a submission to a full queue is refused with FERRY_EFULL */
    FERRY_QUEUE_WAIT    /* it waits for space; on a running loop's thread and in the pool's own workers it is refused */
} ferry_queue_policy;

typedef struct ferry_thread_pool_options {
    size_t size;                    /* of this struct; FERRY_THREAD_POOL_OPTIONS sets it */
    size_t max_workers;             /* 0: min(32, usable CPUs + 4), by affinity and cgroup quota */
    const char *thread_name_prefix; /* copied; NULL: "ferry-N". A worker's name is prefix_number */
    /* run by each worker before its first job; one that fails breaks the pool */
    ferry_status (*initializer)(void *arg);
    void *initializer_arg;
    size_t max_queue;               /* jobs that wait at most; 0: no bound */
    ferry_queue_policy queue_policy;
    int64_t idle_timeout_us;        /* a worker idle for longer ends; 0: 10 s; FERRY_FOREVER: never */
} ferry_thread_pool_options;

#define FERRY_THREAD_POOL_OPTIONS .size = sizeof(ferry_thread_pool_options)

/* Thread: any. */
FERRY_API void ferry_thread_pool_options_init(ferry_thread_pool_options *options);

/* Makes a pool (`ThreadPoolExecutor`). Threads start on demand: an idle one is reused before another is started.
 *
 * Owns:    *ret_executor is one reference: ferry_executor_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any. */
FERRY_API ferry_status ferry_thread_pool_create(const ferry_thread_pool_options *options,
                                                ferry_executor **ret_executor);

/* A future that is done when the pool's queue has room again, for a loop whose submission got FERRY_EFULL.
 * Returns: 0, APR_EINVAL (not a pool), APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_ESHUTDOWN. Thread: loop. */
#define ferry_executor_wait_for_space(loop, executor, ret_future) \
    ferry_executor_wait_for_space_from(FERRY_HERE, loop, executor, ret_future)
FERRY_API ferry_status ferry_executor_wait_for_space_from(const char *origin, ferry_loop *loop,
                                                          ferry_executor *executor, ferry_future **ret_future);

/* A view of `inner` that runs at most `limit` of its own jobs at once, in order; 1 makes a serial queue. Shutting the
 * view down leaves `inner` as it is.
 *
 * Owns:    takes a reference to inner; *ret_executor is one reference.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ENOTSUP (inner is a process pool, which runs portable functions only: its
 *          max_workers is the limit there).
 * Thread:  any. */
FERRY_API ferry_status ferry_executor_limited(ferry_executor *inner, size_t limit, ferry_executor **ret_executor);

/* ---- executors of one's own ---- */

/* What an executor must do. `self` is what was given to ferry_executor_create. */
typedef struct ferry_executor_class {
    size_t size;            /* of this struct */
    const char *name;
    /* Takes the job (one reference) and later runs, finishes or drops it, exactly once, on any thread, not inline.
     * A status other than 0 refuses it: then the job is not touched any more. Required. Thread: any. */
    ferry_status (*submit)(void *self, ferry_job *job);
    /* The job was cancelled while pending; the executor still has to run or drop it, now or later. May be NULL. */
    void (*cancel)(void *self, ferry_job *job);
    /* As ferry_executor_shutdown. May be NULL: nothing to do. */
    ferry_status (*shutdown)(void *self, bool wait, bool cancel_futures, int64_t timeout_us);
    /* Fills what it knows. May be NULL. */
    void (*stats)(void *self, ferry_executor_stats *ret_stats);
    /* The last reference is gone. What is still pending must be run, finished or dropped before this returns; may be
     * NULL only if nothing can be. */
    void (*destroy)(void *self);
} ferry_executor_class;

/* Makes an executor of one's own, to be used like any other. Submissions after a shutdown are refused before they
 * reach the class.
 *
 * Owns:    the class must outlive it; *ret_executor is one reference.
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any. */
FERRY_API ferry_status ferry_executor_create(const ferry_executor_class *executor_class, void *self,
                                             ferry_executor **ret_executor);

/* ---- the loop's default executor ----
 *
 * The first run_in_executor(loop, NULL, ...) makes it: a thread pool of default options. When it has ended, its threads
 * are kept for a tenth of a second, and the default executor of the next loop is given those. So a job may find in a
 * thread-local variable what a job of another loop has left there; such variables are destroyed when the thread ends,
 * at the process's exit at the latest; and what is a thread's own by the system's rules (priority, affinity, a filter
 * of system calls) stays as it was when the thread was made, or as a job has left it. Only the blocked signals are
 * those of the thread that starts it, each time. Where that matters set a pool of your own: its threads serve no other,
 * and have ended when a shutdown that waits returns. */

/* What run_in_executor(loop, NULL, ...) uses from now on (`loop.set_default_executor`): a thread pool only, or on a
 * simulated loop a simulated executor of that loop (ferry/sim.h).
 *
 * Owns:    the loop takes a reference and shuts the pool down when it is closed.
 * Returns: 0, APR_EINVAL (neither of the two: the previous one stays), FERRY_ECLOSED, FERRY_ESHUTDOWN (the slot or the
 *          pool is shut down), FERRY_EWRONGLOOP, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_loop_set_default_executor(ferry_loop *loop, ferry_executor *executor);

/* The default executor as it is now (borrowed), or NULL while no job has asked for it and none was set, and after it
 * was shut down by closing the loop. Thread: loop. */
FERRY_API ferry_executor *ferry_loop_default_executor(const ferry_loop *loop);

/* Shuts the default executor down without blocking the loop (`loop.shutdown_default_executor`): the future is done when
 * its workers are through; after timeout_us it is done with FERRY_ETIMEDOUT, a report to the exception handler names
 * what still runs, and the pool is left to end by itself. Submissions to it are refused with FERRY_ESHUTDOWN from here
 * on.
 *
 * Units:   µs; FERRY_FOREVER for no limit.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
#define ferry_loop_shutdown_default_executor(loop, timeout_us, ret_future) \
    ferry_loop_shutdown_default_executor_from(FERRY_HERE, loop, timeout_us, ret_future)
FERRY_API ferry_status ferry_loop_shutdown_default_executor_from(const char *origin, ferry_loop *loop,
                                                                 int64_t timeout_us, ferry_future **ret_future);

#ifdef __cplusplus
}
#endif
#endif
