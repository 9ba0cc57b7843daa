/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: a loop whose kernel is a model in memory, with virtual time and a seed, to test programs with.
 *
 * On such a loop time passes only in the model: when nothing is ready it jumps to the next deadline, so an hour of
 * timers takes no time, or it is moved by hand. The seed decides what a program must not rely on: which operation is
 * finished first and how late, how much a read or a write moves, whether a cancel comes too late, when a wait returns
 * early, and, where that is asked for, what fails. The same seed replays the same run, event for event, as long as the
 * program takes nothing from elsewhere: no other thread, no other clock, no addresses of memory.
 *
 * Any program runs on it with FERRY_BACKEND=sim; FERRY_SIM_SEED is its seed, and FERRY_SIM_TRACE names a file to which
 * every loop's events are added. docs/simulator.md is the guide. */
#ifndef FERRY_SIM_H
#define FERRY_SIM_H

#include "ferry/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a loop on the simulator ---- */

/* Takes one event of the run as a line of text without a newline, valid during the call. Thread: loop. */
typedef void ferry_sim_trace(const char *line, void *arg);

/* Rates are in thousandths (per mille) of the chances there are. */
typedef struct ferry_sim_options {
    size_t size;                    /* of this struct; FERRY_SIM_OPTIONS sets it */
    uint64_t seed;                  /* 0: the environment's FERRY_SIM_SEED, else 1 */
    bool time_by_hand;              /* time stands still but for ferry_sim_advance, and while tasks
                                     * are given a time to end in (ferry_loop_close, ferry_runner) */
    bool deadlock_is_error;         /* a wait that nothing would ever end returns FERRY_EDEADLK; else it blocks, until
                                     * another thread wakes the loop */
    int64_t latency_us_max;         /* an operation takes up to this long; 0: 500; negative: no time at all */
    /* What every kernel may do. 0: the default, negative: never. */
    int short_rate;                 /* reads and writes of less than could be moved; default 500 */
    int at_once_rate;               /* writes that are over when the call returns, where there is room; default 250 */
    int spurious_rate;              /* waits that return early with nothing; default 50, at most 999 */
    int late_cancel_rate;           /* cancels that lose the race against an outcome that was possible; default 250 */
    /* What only slow threads do. 0: never. */
    int held_post_rate;             /* turns that leave what call_soon_threadsafe and jobs sent to the next turn; at
                                     * most 999 */
    /* What goes wrong. 0: never. */
    int read_error_rate;            /* the connection is reset */
    int write_error_rate;           /* likewise */
    int connect_error_rate;         /* refused, timed out or unreachable */
    int accept_error_rate;          /* too many open files; the connection stays in the backlog */
    int socket_error_rate;          /* no socket is made: too many open files */
    int datagram_loss_rate;         /* sent, and never received */
    ferry_sim_trace *trace;         /* may be NULL */
    void *trace_arg;
} ferry_sim_options;

#define FERRY_SIM_OPTIONS .size = sizeof(ferry_sim_options)

/* Thread: any. */
FERRY_API void ferry_sim_options_init(ferry_sim_options *options);

/* Makes a loop on the simulator; NULL options are the defaults. Everything else is done with it as with any loop.
 *
 * Owns:    *ret_loop is one reference, as ferry_loop_create's.
 * Returns: 0, APR_EINVAL (options of an unknown size, a rate above its limit: 1000, or what is said there), APR_ENOMEM.
 * Thread:  any. */
FERRY_API ferry_status ferry_sim_loop_create(const ferry_sim_options *options, ferry_loop **ret_loop);

/* Whether the loop is on the simulator: by the calls here or by FERRY_BACKEND. Thread: any. */
FERRY_API bool ferry_sim_is_simulated(const ferry_loop *loop);

/* ---- time ---- */

/* Microseconds of virtual time. Asking takes none, unlike ferry_loop_time, since every look of the loop at its clock
 * costs a microsecond. 0 for a loop that is not simulated or is closed.
 * Thread: loop. */
FERRY_API int64_t ferry_sim_now(const ferry_loop *loop);

/* Moves time on by `duration_us`, making turns of the loop at every moment on the way at which something is due; ends
 * when time is there and nothing is ready. For loops that do not run, and made for time_by_hand.
 *
 * Units:   µs, not negative.
 * Returns: 0, APR_EINVAL (negative, not simulated), FERRY_EINVALIDSTATE (it runs), FERRY_EDEADLK (callbacks post each
 *          other without end while time stands still), and as ferry_loop_run_once.
 * Thread:  loop. */
FERRY_API ferry_status ferry_sim_advance(ferry_loop *loop, int64_t duration_us);

/* Lets time pass without doing anything in it, as a callback does that takes so long.
 *
 * Units:   µs, not negative.
 * Returns: 0, APR_EINVAL (negative, not simulated), FERRY_ECLOSED, FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_sim_spend(ferry_loop *loop, int64_t duration_us);

/* ---- the seed, and what came of it ---- */

/* A number that the seed decides, for choices of the program under test. 0 for a loop that is not simulated or is
 * closed.
 * Thread: loop. */
FERRY_API uint64_t ferry_sim_random(ferry_loop *loop);

typedef struct ferry_sim_stats {
    size_t size;            /* of this struct; set it before the call */
    uint64_t seed;
    uint64_t fingerprint;   /* of all events so far: equal after equal runs */
    uint64_t events;
    uint64_t waits;
    uint64_t jumps;         /* of time */
    uint64_t submitted;     /* operations */
    uint64_t delivered;
    uint64_t shortened;     /* reads and writes */
    uint64_t spurious;
    uint64_t late_cancels;
    uint64_t held_posts;
    uint64_t faults;        /* errors and losses that were injected, also the executor's */
} ferry_sim_stats;

/* Returns: 0, APR_EINVAL (NULL, an unknown size, not simulated), FERRY_ECLOSED, FERRY_EWRONGTHREAD. Thread: loop. */
FERRY_API ferry_status ferry_sim_get_stats(ferry_loop *loop, ferry_sim_stats *ret_stats);

/* ---- an executor without threads ---- */

typedef struct ferry_sim_executor_options {
    size_t size;                /* of this struct; FERRY_SIM_EXECUTOR_OPTIONS sets it */
    size_t workers;             /* jobs that run at once; 0: 4 */
    int64_t start_delay_us_max; /* from a worker's being free to the start of its job; 0: 100; negative: none */
    int64_t run_time_us_min;    /* how long a job takes */
    int64_t run_time_us_max;    /* 0: 1000, or the minimum if that is more */
    int death_rate;             /* per mille of the jobs: the worker dies over it, before or after its function has run,
                                 * and the job ends with FERRY_EBROKEN. Another worker takes the place. 0: never */
} ferry_sim_executor_options;

#define FERRY_SIM_EXECUTOR_OPTIONS .size = sizeof(ferry_sim_executor_options)

/* Thread: any. */
FERRY_API void ferry_sim_executor_options_init(ferry_sim_executor_options *options);

/* Makes an executor that runs jobs on the loop's own thread, at moments of virtual time that the seed decides. Jobs
 * start in the order of submission; how long each takes, and so in which order they end, is the seed's. A function is
 * called once, at some moment between its job's start and end, and must not wait for what the loop is still to do
 * (ferry_job_wait is FERRY_EDEADLK in it). It may sleep in ferry_call_sleep, which takes no real time: its job ends
 * that much later.
 *
 * It can be the loop's default executor (ferry_loop_set_default_executor). A shutdown that is to wait has the jobs that
 * are left done on the spot, in no time; it is FERRY_EDEADLK inside one of its jobs, and while another loop runs on
 * this thread.
 *
 * Owns:    *ret_executor is one reference. Closing the loop ends it: jobs that have not started are dropped, those that
 *          have end with FERRY_ECLOSED.
 * Returns: 0, APR_EINVAL (not simulated, options that contradict each other), APR_ENOMEM, FERRY_ECLOSED,
 *          FERRY_EWRONGTHREAD. Submissions from a thread other than the loop's are refused with FERRY_EWRONGTHREAD.
 * Thread:  loop. */
FERRY_API ferry_status ferry_sim_executor_create(ferry_loop *loop, const ferry_sim_executor_options *options,
                                                 ferry_executor **ret_executor);

#ifdef __cplusplus
}
#endif
#endif
