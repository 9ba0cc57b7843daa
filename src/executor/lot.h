/* SPDX-License-Identifier: Apache-2.0 */
/* The parking lot: where threads wait for jobs, and where those who want to be told of a job's end stand in line. A job
 * has neither lock nor condition of its own; it is hashed to one of a few lots.
 *
 * Protocol: whoever wants to wait locks the job's lot, sets FY_JOB_WATCHED in its state, looks at the state, and only
 * then waits or links a watcher. Whoever changes the state does so by one atomic step that also shows him
 * FY_JOB_WATCHED; if it is set he calls fy_lot_notify. So either the watcher sees the new state, or the changer sees
 * the watcher. No user code runs under a lot's lock, and no two lots are locked at once. */
#ifndef FERRY_EXECUTOR_LOT_H
#define FERRY_EXECUTOR_LOT_H

#include "executor/job.h"

typedef struct fy_lot {
    fy_mutex lock;
    fy_cond changed;
} fy_lot;

/* Told once that its job has ended, then unlinked. */
struct fy_watcher {
    fy_watcher *next;
    fy_watcher *previous; /* the first one's is the last one */
    ferry_job *job;
    /* Called under the lot's lock: hands on to a waiting thread, no more. NULL: a done callback, which is run
     * outside. */
    void (*ended)(fy_watcher *watcher);
    bool linked;
};

/* Runs a done callback and frees it (job_wait.c). Under no lock. */
void fy_job_call_back(fy_watcher *callback);

/* Makes the lots ready; any number of times. Returns: 0, APR_ENOMEM, or an OS code. Thread: any. */
ferry_status fy_lots_open(void);

/* Whether the lots were opened by a parent process: then its other threads may have left them locked. */
bool fy_lots_forked(void);

/* Locks for what concerns all executors of the process and is seldom needed: which job waits for which (nested.c),
 * cancels (executor.c), hosts of threads (host.c), and the pools there are (pool_exit.c). Open as soon as the lots
 * are. */
fy_mutex *fy_waits_lock(void);
fy_mutex *fy_cancels_lock(void);
fy_mutex *fy_hosts_lock(void);
fy_mutex *fy_pools_lock(void);

/* What belongs to the hosts' lock: a thread that was kept has ended (thread_cache.c). */
fy_cond *fy_hosts_changed(void);

/* Wakes everybody who waits in any lot, to look again. */
void fy_lots_wake_all(void);

fy_lot *fy_lot_of(const ferry_job *job);

/* Links the watcher if the job is not done, else returns false. Takes the lot's lock. */
bool fy_lot_watch(ferry_job *job, fy_watcher *watcher);

/* Unlinks it if it is linked; afterwards it will not be told. Takes the lot's lock. */
void fy_lot_unwatch(fy_watcher *watcher);

/* The job's state has changed: wakes who waits; if it is done, tells the watchers and runs the done callbacks. */
void fy_lot_notify(ferry_job *job);

/* Waits until `condition` holds for the job's state or the deadline has passed; false: it has passed. */
bool fy_lot_wait(ferry_job *job, bool (*condition)(uint32_t state), int64_t deadline_us);

#endif
