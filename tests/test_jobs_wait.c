/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for several jobs with no loop at all: for all, for the first, for the first error, whether here or in another
 * thread. What a wait inside a worker may do is for test_nested.c. */
#include "support/manual.h"
#include "support/threads.h"

enum { COUNT = 4 };

static void submit_all(fy_manual *manual, ferry_job **jobs, size_t count) {
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(ferry_executor_submit(manual->executor, fy_nothing, NULL, &jobs[i]), 0);
}

static size_t wait_now(ferry_job *const *jobs, size_t count, ferry_return_when return_when) {
    size_t done = 99;
    CHECK_STATUS(ferry_jobs_wait(jobs, count, 0, return_when, &done), 0);
    return done;
}

/* ---- wait ---- */

/* CF-016 */
static void wait_that_times_out_tells_how_many_are_done(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    size_t done = 99;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    CHECK_INT(wait_now(jobs, COUNT, FERRY_ALL_COMPLETED), 0);
    fy_manual_finish(&manual, 1, 0);
    fy_manual_finish(&manual, 2, APR_EGENERAL);
    CHECK_INT(wait_now(jobs, COUNT, FERRY_ALL_COMPLETED), 2);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_jobs_wait(jobs, COUNT, 3000, FERRY_ALL_COMPLETED, &done), 0);
    CHECK(ferry_now() - before >= 3000);
    CHECK_INT(done, 2);
    CHECK(ferry_job_done(jobs[0]) && ferry_job_done(jobs[1]));
    CHECK(!ferry_job_done(jobs[2]) && !ferry_job_done(jobs[3]));
    fy_manual_run_all(&manual, NULL);
    CHECK_STATUS(ferry_jobs_wait(jobs, COUNT, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done), 0);
    CHECK_INT(done, COUNT);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

static void wait_for_what_is_done_already_returns_at_once(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    size_t done = 99;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    fy_manual_finish(&manual, 1, 0);
    CHECK_STATUS(ferry_jobs_wait(jobs, COUNT, FERRY_FOREVER, FERRY_FIRST_COMPLETED, &done), 0);
    CHECK_INT(done, 1);
    fy_manual_finish(&manual, 2, APR_EGENERAL);
    CHECK_STATUS(ferry_jobs_wait(jobs, COUNT, FERRY_FOREVER, FERRY_FIRST_EXCEPTION, &done), 0);
    CHECK_INT(done, 2);
    fy_manual_run_all(&manual, NULL);
    CHECK_STATUS(ferry_jobs_wait(jobs, COUNT, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL), 0);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-014 */
static void cancelled_job_is_pending_for_a_wait_until_acknowledged(void) {
    fy_manual manual;
    ferry_job *jobs[2];
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 2);
    CHECK(ferry_job_cancel(jobs[0]));
    CHECK(ferry_job_cancelled(jobs[0]));
    CHECK_INT(wait_now(jobs, 2, FERRY_FIRST_COMPLETED), 0);
    CHECK_INT(wait_now(jobs, 1, FERRY_ALL_COMPLETED), 0);
    fy_manual_acknowledge(&manual);
    CHECK_INT(wait_now(jobs, 2, FERRY_FIRST_COMPLETED), 1);
    CHECK_INT(wait_now(jobs, 1, FERRY_ALL_COMPLETED), 1);
    CHECK(ferry_job_cancel(jobs[1]));
    CHECK_INT(wait_now(jobs, 2, FERRY_ALL_COMPLETED), 1);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_INT(wait_now(jobs, 2, FERRY_ALL_COMPLETED), 2);
    ferry_job_unref_all(jobs, 2);
    fy_manual_close(&manual);
}

/* CF-015 */
static void cancelled_job_is_no_error_for_a_wait(void) {
    fy_manual manual;
    ferry_job *jobs[3];
    size_t done = 99;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 3);
    CHECK(ferry_job_cancel(jobs[0]));
    fy_manual_acknowledge(&manual);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_jobs_wait(jobs, 3, 5000, FERRY_FIRST_EXCEPTION, &done), 0);
    CHECK(ferry_now() - before >= 5000);
    CHECK_INT(done, 1);
    fy_manual_finish(&manual, 0, APR_EGENERAL);
    CHECK_STATUS(ferry_jobs_wait(jobs, 3, FERRY_FOREVER, FERRY_FIRST_EXCEPTION, &done), 0);
    CHECK_INT(done, 2);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref_all(jobs, 3);
    fy_manual_close(&manual);
}

/* ---- waits that another thread ends ---- */

typedef struct waiting {
    fy_gate about_to_wait;
    ferry_job *const *jobs;
    size_t count;
    ferry_return_when return_when;
    size_t done;
} waiting;

static void wait_for_jobs(void *arg) {
    waiting *self = arg;
    fy_gate_arrive(&self->about_to_wait);
    CHECK_STATUS(ferry_jobs_wait(self->jobs, self->count, FERRY_FOREVER, self->return_when, &self->done), 0);
}

static void wait_begin(waiting *self, helper_thread *thread, ferry_job *const *jobs, size_t count,
                       ferry_return_when return_when) {
    *self = (waiting){.jobs = jobs, .count = count, .return_when = return_when};
    fy_gate_init(&self->about_to_wait);
    thread_start(thread, wait_for_jobs, self);
    fy_gate_await(&self->about_to_wait, 1);
}

static void wait_end(waiting *self, helper_thread *thread) {
    thread_join(thread);
    fy_gate_fini(&self->about_to_wait);
}

static void first_completed_wakes_the_wait(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    waiting self;
    helper_thread thread;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    wait_begin(&self, &thread, jobs, COUNT, FERRY_FIRST_COMPLETED);
    fy_manual_finish(&manual, 1, 0);
    wait_end(&self, &thread);
    CHECK_INT(self.done, 1);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-015 */
static void first_error_wakes_the_wait_and_nothing_before(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    waiting self;
    helper_thread thread;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    wait_begin(&self, &thread, jobs, COUNT, FERRY_FIRST_EXCEPTION);
    fy_manual_finish(&manual, 1, 0);
    CHECK(ferry_job_cancel(jobs[1]));
    fy_manual_acknowledge(&manual);
    fy_manual_finish(&manual, 0, APR_EGENERAL);
    wait_end(&self, &thread);
    CHECK_INT(self.done, 3);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-015 */
static void without_an_error_first_exception_waits_for_all(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    waiting self;
    helper_thread thread;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    wait_begin(&self, &thread, jobs, COUNT, FERRY_FIRST_EXCEPTION);
    CHECK_INT(fy_manual_run_all(&manual, NULL), COUNT);
    wait_end(&self, &thread);
    CHECK_INT(self.done, COUNT);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-014, CF-020 */
static void acknowledging_a_cancelled_job_wakes_the_wait(void) {
    fy_manual manual;
    ferry_job *jobs[1];
    waiting self;
    helper_thread thread;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 1);
    wait_begin(&self, &thread, jobs, 1, FERRY_ALL_COMPLETED);
    CHECK(ferry_job_cancel(jobs[0]));
    fy_manual_acknowledge(&manual);
    wait_end(&self, &thread);
    CHECK_INT(self.done, 1);
    ferry_job_unref_all(jobs, 1);
    fy_manual_close(&manual);
}

/* CF-017 */
static void hundred_jobs_ending_at_once_are_never_missed(void) {
    enum { JOBS = 100, ROUNDS = 60 };
    ferry_executor *pool = fy_pool_of(4);
    ferry_job *jobs[JOBS];
    for (int round = 0; round < ROUNDS; round++) {
        fy_gate door;
        size_t done = 0;
        fy_gate_init(&door);
        for (int i = 0; i < JOBS; i++)
            CHECK_STATUS(ferry_executor_submit(pool, i < 4 ? fy_gate_job : fy_nothing, &door, &jobs[i]), 0);
        fy_gate_open(&door);
        CHECK_STATUS(ferry_jobs_wait(jobs, JOBS, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done), 0);
        CHECK_INT(done, JOBS);
        ferry_job_unref_all(jobs, JOBS);
        CHECK_INT(fy_gate_arrived(&door), 4);
        fy_gate_fini(&door);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void several_threads_may_wait_for_the_same_jobs(void) {
    enum { THREADS = 4, ROUNDS = 50 };
    fy_manual manual;
    fy_manual_open(&manual);
    for (int round = 0; round < ROUNDS; round++) {
        ferry_job *jobs[COUNT];
        waiting waits[THREADS];
        helper_thread threads[THREADS];
        submit_all(&manual, jobs, COUNT);
        for (int i = 0; i < THREADS; i++)
            wait_begin(&waits[i], &threads[i], jobs, COUNT, i % 2 ? FERRY_ALL_COMPLETED : FERRY_FIRST_COMPLETED);
        fy_manual_run_all(&manual, NULL);
        for (int i = 0; i < THREADS; i++) {
            wait_end(&waits[i], &threads[i]);
            CHECK(i % 2 ? waits[i].done == COUNT : waits[i].done >= 1);
        }
        ferry_job_unref_all(jobs, COUNT);
    }
    fy_manual_close(&manual);
}

static const fy_test tests[] = {
    FY_TEST(wait_that_times_out_tells_how_many_are_done),
    FY_TEST(wait_for_what_is_done_already_returns_at_once),
    FY_TEST(cancelled_job_is_pending_for_a_wait_until_acknowledged),
    FY_TEST(cancelled_job_is_no_error_for_a_wait),
    FY_TEST(first_completed_wakes_the_wait),
    FY_TEST(first_error_wakes_the_wait_and_nothing_before),
    FY_TEST(without_an_error_first_exception_waits_for_all),
    FY_TEST(acknowledging_a_cancelled_job_wakes_the_wait),
    FY_TEST(hundred_jobs_ending_at_once_are_never_missed),
    FY_TEST(several_threads_may_wait_for_the_same_jobs),
};

FY_TEST_MAIN("jobs_wait", tests)
