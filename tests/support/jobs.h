/* SPDX-License-Identifier: Apache-2.0 */
/* What nearly every test of executors needs: pools made with checks, jobs whose argument tells what
 * became of it, and counters. It decides nothing about how an executor should behave. */
#ifndef FERRY_TESTS_SUPPORT_JOBS_H
#define FERRY_TESTS_SUPPORT_JOBS_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <apr_errno.h>

#include "ferry/executor.h"
#include "support/gate.h"
#include "support/system.h"
#include "support/sanitized.h"

/* ---- making and ending ---- */

static inline ferry_executor *fy_pool_of(size_t max_workers) {
    ferry_executor *pool = NULL;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = max_workers};
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), 0);
    CHECK(pool != NULL);
    return pool;
}

static inline ferry_executor *fy_pool_with(const ferry_thread_pool_options *options) {
    ferry_executor *pool = NULL;
    CHECK_STATUS(ferry_thread_pool_create(options, &pool), 0);
    CHECK(pool != NULL);
    return pool;
}

/* Occupies one worker: returns when the job stands at the gate. `arrivals` counts this one. */
static inline void fy_occupy(ferry_executor *executor, fy_gate *door, size_t arrivals) {
    CHECK_STATUS(ferry_executor_submit(executor, fy_gate_job, door, NULL), 0);
    fy_gate_await(door, arrivals);
}

/* ---- looking ---- */

static inline ferry_executor_stats fy_stats(ferry_executor *executor) {
    ferry_executor_stats stats = {.size = sizeof stats};
    CHECK_STATUS(ferry_executor_get_stats(executor, &stats), 0);
    return stats;
}

/* How many threads the process has, as the kernel counts them; 0 where it does not tell. */
static inline unsigned fy_thread_count(void) {
    return fy_system_thread_count();
}

/* ---- jobs ---- */

static inline ferry_status fy_nothing(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return 0;
}

/* Answers with its argument as an integer. */
static inline ferry_status fy_echo(void *arg, ferry_call *call) {
    return ferry_return_integer(call, (int64_t)(intptr_t)arg);
}

/* Fails with a sentence that holds its argument. */
static inline ferry_status fy_unlucky(void *arg, ferry_call *call) {
    return ferry_return_error(call, APR_EGENERAL, "unlucky number %d", (int)(intptr_t)arg);
}

static inline ferry_status fy_count_up(void *counter, ferry_call *call) {
    (void)call;
    atomic_fetch_add((atomic_int *)counter, 1);
    return 0;
}

/* An argument that tells what became of it and of its job. */
typedef struct fy_tracked {
    atomic_int ran;
    atomic_int freed;
    _Atomic(void *) ran_by;
    _Atomic(void *) freed_by;
    fy_gate *gate;          /* where its job waits; may be NULL */
    ferry_status answer;    /* how its job ends */
} fy_tracked;

static inline ferry_status fy_tracked_job(void *arg, ferry_call *call) {
    fy_tracked *tracked = arg;
    (void)call;
    atomic_store(&tracked->ran_by, fy_this_thread());
    if (tracked->gate)
        fy_gate_pass(tracked->gate);
    atomic_fetch_add(&tracked->ran, 1);
    return tracked->answer;
}

static inline void fy_tracked_free(void *arg) {
    fy_tracked *tracked = arg;
    atomic_store(&tracked->freed_by, fy_this_thread());
    atomic_fetch_add(&tracked->freed, 1);
}

static inline ferry_job_options fy_tracked_options(fy_tracked *tracked) {
    return (ferry_job_options){FERRY_JOB_OPTIONS, .function = fy_tracked_job, .arg = tracked,
                               .arg_free = fy_tracked_free};
}

/* How many jobs are inside at once, and were at most. */
typedef struct fy_gauge {
    atomic_int now;
    atomic_int peak;
} fy_gauge;

static inline void fy_gauge_enter(fy_gauge *gauge) {
    int now = atomic_fetch_add(&gauge->now, 1) + 1;
    int peak = atomic_load(&gauge->peak);
    while (now > peak && !atomic_compare_exchange_weak(&gauge->peak, &peak, now))
        continue;
}

static inline void fy_gauge_leave(fy_gauge *gauge) {
    atomic_fetch_sub(&gauge->now, 1);
}

#endif
