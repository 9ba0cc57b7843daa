/* SPDX-License-Identifier: Apache-2.0 */
/* A limited view's inside, for its two files: limited.c (the view: submitting, waiting, ending, looking) and
 * limited_carrier.c (who runs its jobs).
 *
 * The view has the queue, the executor below has the threads: what that one is given are carriers, each of which takes
 * the view's oldest job, runs it, and then has other carriers submitted in its place, so that the view's jobs queue up
 * behind those of others.
 *
 * State, all of it under the view's lock but for the last:
 *
 *   waiting     jobs that were accepted, or are about to be
 *   busy        jobs that carriers have taken; at most `limit`. Those that run are among `places`
 *   ending      jobs that were taken to be ended unrun
 *   carriers    those the executor below has accepted, and that have not ended. One is counted when it was accepted,
 *               and may have ended by then: the number may be negative for a moment, but is never too high
 *   launching   submissions of carriers that are under way
 *   idle        the carriers that have not begun
 *   gone_waiting   no lock: jobs in the queue that are pending no more: cancelled, or ended by who waited for them when
 *               their time was up
 *
 * No job is lost: one is accepted if a carrier of its own was, or if another carrier is there. A carrier ends only when
 * nothing waits, or others come for what does, or the view is full; then those who fill it look again. If carriers are
 * dropped below, so that jobs wait and nobody will come for them, whoever sees that ends them. Once the executor below
 * has said that it is shut down or broken, the view takes no more jobs either.
 *
 * No call to the executor below, and no user code, is made under the lock. */
#ifndef FERRY_EXECUTOR_LIMITED_H
#define FERRY_EXECUTOR_LIMITED_H

#include "executor/executor.h"
#include "executor/job_ring.h"

typedef struct fy_limited fy_limited;

/* Where a job runs; on its carrier's stack. */
typedef struct fy_place {
    struct fy_place *next;
    ferry_job *job;
    const char *worker;
    int64_t began_us;
} fy_place;

/* Lies in the memory of its own job. */
typedef struct fy_carrier {
    struct fy_carrier *next;  /* of the idle ones */
    struct fy_carrier **link; /* what points to it; NULL: it is in no list */
    fy_limited *view;         /* one reference */
    ferry_job *job;
    bool has_begun;           /* or will never */
} fy_carrier;

struct fy_limited {
    ferry_executor base;
    ferry_executor *inner;    /* one reference */
    size_t limit;
    fy_mutex lock;
    fy_cond changed;          /* fewer jobs wait or run */
    fy_job_ring waiting;
    fy_place *places;
    size_t busy;
    size_t ending;
    int64_t carriers;
    size_t launching;
    fy_carrier *idle;
    ferry_status refusal;     /* why no more jobs are taken; 0: they are */
    uint64_t done;
    uint64_t failed;
    uint64_t cancelled;
    _Atomic int64_t gone_waiting;
};

/* How jobs end that were never run: as cancelled, or with the error for which there is nobody to run them. */
typedef struct fy_ending {
    ferry_status status;
    const char *message;
} fy_ending;

#define FY_AS_CANCELLED ((fy_ending){FERRY_ECANCELED, NULL})

/* Whether somebody has to be sent for what waits. Under the lock. */
bool fy_limited_needs_carrier(const fy_limited *view);

/* Submits a carrier. Under the lock, which is released meanwhile. Returns: as ferry_executor_submit. */
ferry_status fy_limited_launch(fy_limited *view, const char *origin, ferry_loop *loop_or_null);

/* Whether jobs wait and nobody will come for them: then they must be ended. Under the lock. */
bool fy_limited_is_stranded(const fy_limited *view);

/* Ends everything that waits now. Without the lock. */
void fy_limited_end_waiting(fy_limited *view, fy_ending how);

#endif
