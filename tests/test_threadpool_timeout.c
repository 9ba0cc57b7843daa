/* SPDX-License-Identifier: Apache-2.0 */
/* A job's time limit, counted from its submission: one that has not started by then never does, a running one is asked
 * to stop, and a future does not wait for either. */
#include "support/jobs.h"
#include "support/loops.h"

enum { SHORT_US = 2000 };

/* Far beyond what a test may take: a limit that bounds a wait, not one that is waited for. */
#define A_MINUTE_US INT64_C(60000000)

static ferry_job_options limited_options(fy_tracked *tracked, int64_t timeout_us) {
    ferry_job_options options = fy_tracked_options(tracked);
    options.timeout_us = timeout_us;
    return options;
}

static void job_that_waits_for_too_long_never_starts(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    ferry_job_options options = limited_options(&tracked, SHORT_US);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK_STATUS(ferry_job_wait(job, A_MINUTE_US), 0);
    CHECK(ferry_now() - before >= SHORT_US);
    CHECK_STATUS(ferry_job_status(job), FERRY_ETIMEDOUT);
    CHECK(!ferry_job_cancel(job));
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(tracked.freed, 1);
    CHECK_INT(fy_stats(pool).cancelled, 1);
    CHECK_INT(fy_stats(pool).done, 1);
    ferry_job_unref(job);
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

static void limit_passed_while_nobody_looked_keeps_it_from_starting(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    ferry_job_options options = limited_options(&tracked, SHORT_US);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
    ferry_thread_sleep(SHORT_US + 1);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(tracked.freed, 1);
    fy_gate_fini(&door);
}

static ferry_status until_cancelled(void *arg, ferry_call *call) {
    (void)arg;
    while (!ferry_call_is_cancelled(call))
        ferry_thread_sleep(100);
    return FERRY_ECANCELED;
}

static ferry_status sleep_for_ever(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_call_sleep(call, FERRY_FOREVER);
}

static void check_asked_to_stop(ferry_function *function) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = function, .timeout_us = 20 * SHORT_US};
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK_STATUS(ferry_job_wait(job, A_MINUTE_US), 0);
    CHECK(ferry_now() - before >= 20 * SHORT_US);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void running_job_is_asked_to_stop_when_its_limit_passes(void) {
    check_asked_to_stop(until_cancelled);
    check_asked_to_stop(sleep_for_ever);
}

static void job_within_its_limit_is_left_alone(void) {
    enum { JOBS = 500 };
    fy_tracked tracked = {0};
    ferry_executor *pool = fy_pool_of(2);
    for (int i = 0; i < JOBS; i++) {
        ferry_job *job;
        ferry_job_options options = limited_options(&tracked, i % 2 ? A_MINUTE_US + i : FERRY_FOREVER);
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
        if (i % 10 == 0)
            CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, JOBS);
    CHECK_INT(tracked.freed, JOBS);
}

static void cancelled_job_does_not_time_out_as_well(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    ferry_job_options options = limited_options(&tracked, A_MINUTE_US);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK(ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(tracked.freed, 1);
    ferry_job_unref(job);
    fy_gate_fini(&door);
}

static void every_one_of_many_limits_is_kept(void) {
    enum { JOBS = 300 };
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *jobs[JOBS];
    size_t done = 0;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < JOBS; i++) {
        ferry_job_options options = limited_options(&tracked, SHORT_US + (i * 7919) % 5000);
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[i]), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_job_wait(jobs[i], A_MINUTE_US), 0);
        CHECK_STATUS(ferry_job_status(jobs[i]), FERRY_ETIMEDOUT);
    }
    fy_gate_open(&door);
    CHECK_STATUS(ferry_jobs_wait(jobs, JOBS, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done), 0);
    CHECK_INT(done, JOBS);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(tracked.freed, JOBS);
    ferry_job_unref_all(jobs, JOBS);
    fy_gate_fini(&door);
}

/* ---- from a loop ---- */

static void future_of_a_queued_job_ends_in_time(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_future *future;
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    ferry_job_options options = limited_options(&tracked, SHORT_US);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK(ferry_now() - before >= SHORT_US);
    CHECK_STATUS(ferry_future_status(future), FERRY_ETIMEDOUT);
    CHECK(!ferry_future_cancelled(future));
    ferry_future_unref(future);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, 0);
    end_loop(loop);
    CHECK_INT(tracked.freed, 1);
    fy_gate_fini(&door);
}

static void future_of_a_running_job_ends_at_once(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    ferry_future *future;
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = limited_options(&tracked, 20 * SHORT_US);
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), FERRY_ETIMEDOUT);
    CHECK_INT(tracked.ran, 0);
    ferry_future_unref(future);
    fy_gate_open(&door);
    while (tracked.freed == 0)
        CHECK_STATUS(ferry_loop_run_once(loop, 1000), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
    CHECK_INT(tracked.freed, 1);
    fy_gate_fini(&door);
}

static void future_within_the_limit_has_its_result(void) {
    ferry_future *future;
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_echo, .arg = (void *)(intptr_t)6,
                                 .timeout_us = A_MINUTE_US};
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), 0);
    CHECK_INT(ferry_future_integer(future), 6);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(job_that_waits_for_too_long_never_starts),
    FY_TEST(limit_passed_while_nobody_looked_keeps_it_from_starting),
    FY_TEST(running_job_is_asked_to_stop_when_its_limit_passes),
    FY_TEST(job_within_its_limit_is_left_alone),
    FY_TEST(cancelled_job_does_not_time_out_as_well),
    FY_TEST(every_one_of_many_limits_is_kept),
    FY_TEST(future_of_a_queued_job_ends_in_time),
    FY_TEST(future_of_a_running_job_ends_at_once),
    FY_TEST(future_within_the_limit_has_its_result),
};

FY_TEST_MAIN("threadpool_timeout", tests)
