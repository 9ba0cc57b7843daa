/* SPDX-License-Identifier: Apache-2.0 */
/* An executor that runs nothing by itself: it keeps what is submitted until the test takes it, and then the test
 * claims, runs, finishes or drops it by hand. Written against the public class alone, as a user would. */
#ifndef FERRY_TESTS_SUPPORT_MANUAL_H
#define FERRY_TESTS_SUPPORT_MANUAL_H

#include "support/jobs.h"

enum { FY_MANUAL_CAPACITY = 128 };

typedef struct fy_manual {
    ferry_executor *executor;
    fy_gate lock;                       /* its mutex guards what follows */
    ferry_job *jobs[FY_MANUAL_CAPACITY];
    size_t count;
    ferry_status refusal;               /* what every submission gets, if not 0 */
    size_t submissions;                 /* those that reached the class */
    size_t cancels;
    size_t shutdowns;
    bool destroyed;
} fy_manual;

static inline ferry_status fy_manual_submit(void *self, ferry_job *job) {
    fy_manual *manual = self;
    apr_thread_mutex_lock(manual->lock.mutex);
    ferry_status status = manual->refusal;
    manual->submissions++;
    if (!status && manual->count == FY_MANUAL_CAPACITY)
        status = FERRY_EFULL;
    if (!status)
        manual->jobs[manual->count++] = job;
    apr_thread_mutex_unlock(manual->lock.mutex);
    return status;
}

static inline void fy_manual_cancel(void *self, ferry_job *job) {
    fy_manual *manual = self;
    (void)job;
    apr_thread_mutex_lock(manual->lock.mutex);
    manual->cancels++;
    apr_thread_mutex_unlock(manual->lock.mutex);
}

static inline ferry_status fy_manual_shutdown(void *self, bool wait, bool cancel_futures, int64_t timeout_us) {
    fy_manual *manual = self;
    (void)wait;
    (void)cancel_futures;
    (void)timeout_us;
    manual->shutdowns++;
    return 0;
}

static inline void fy_manual_destroy(void *self) {
    fy_manual *manual = self;
    manual->destroyed = true;
}

static inline void fy_manual_open(fy_manual *manual) {
    static const ferry_executor_class by_hand = {
        .size = sizeof by_hand,
        .name = "by hand",
        .submit = fy_manual_submit,
        .cancel = fy_manual_cancel,
        .shutdown = fy_manual_shutdown,
        .destroy = fy_manual_destroy,
    };
    *manual = (fy_manual){0};
    fy_gate_init(&manual->lock);
    CHECK_STATUS(ferry_executor_create(&by_hand, manual, &manual->executor), 0);
}

/* The oldest job, with the executor's reference; NULL if there is none. */
static inline ferry_job *fy_manual_take(fy_manual *manual) {
    ferry_job *job = NULL;
    apr_thread_mutex_lock(manual->lock.mutex);
    if (manual->count) {
        job = manual->jobs[0];
        manual->count--;
        memmove(manual->jobs, manual->jobs + 1, manual->count * sizeof manual->jobs[0]);
    }
    apr_thread_mutex_unlock(manual->lock.mutex);
    return job;
}

/* Runs here and now whatever waits, also what that submits; returns how many jobs were taken. */
static inline size_t fy_manual_run_all(fy_manual *manual, const char *worker) {
    size_t count = 0;
    for (ferry_job *job; (job = fy_manual_take(manual)) != NULL; count++)
        ferry_job_run(job, worker);
    return count;
}

/* Submits `function` and runs it: what comes back is done. */
static inline ferry_job *fy_manual_ran(fy_manual *manual, ferry_function *function, void *arg) {
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_executor_submit(manual->executor, function, arg, &job), 0);
    CHECK_INT(fy_manual_run_all(manual, "hand_0"), 1);
    CHECK(ferry_job_done(job));
    return job;
}

/* Takes the oldest job and finishes it from outside its function. */
static inline void fy_manual_finish(fy_manual *manual, int64_t value, ferry_status status) {
    ferry_job *job = fy_manual_take(manual);
    CHECK(job != NULL);
    CHECK(ferry_job_claim(job));
    CHECK_STATUS(ferry_return_integer(ferry_job_call(job), value), 0);
    CHECK_STATUS(ferry_job_finish(job, status), 0);
}

/* Takes the oldest job, which was cancelled, and acknowledges that. */
static inline void fy_manual_acknowledge(fy_manual *manual) {
    ferry_job *job = fy_manual_take(manual);
    CHECK(job != NULL);
    CHECK(!ferry_job_claim(job));
    ferry_job_drop(job);
}

static inline void fy_manual_close(fy_manual *manual) {
    CHECK_INT(manual->count, 0);
    CHECK_STATUS(ferry_executor_close(manual->executor), 0);
    CHECK(manual->destroyed);
    fy_gate_fini(&manual->lock);
}

#endif
