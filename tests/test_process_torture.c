/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out in the process that has a process pool: scenarios with the Nth request refused, for every N,
 * alone or with all that follow. What is refused says so, each job that was taken ends once, nothing stays. */
#define FY_TEST_DEADLINE_S 600

#include "support/processes.h"

#include "support/allocator.h"
#include "support/loops.h"

/* Too large for a cell. */
enum { LARGE = 40000 };

/* True if it was accepted; a refusal has few reasons. */
static bool accepted(ferry_status status) {
    CHECK(status == 0 || status == APR_ENOMEM || status == FERRY_ENOTHREAD || status == FERRY_EBROKEN);
    return status == 0;
}

static ferry_executor *small_pool(bool has_initializer) {
    int64_t note = 0;
    ferry_executor *pool = NULL;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1,
                                          .initializer = has_initializer ? fy_set_up : NULL,
                                          .initializer_arg = &note,
                                          .initializer_arg_size = has_initializer ? sizeof note : 0};
    return accepted(ferry_process_pool_create(&options, &pool)) ? pool : NULL;
}

static ferry_job *submit(ferry_executor *pool, ferry_function *function, int64_t number, size_t arg_size,
                         int64_t timeout_us) {
    char argument[LARGE] = {0};
    ferry_job *job = NULL;
    memcpy(argument, &number, sizeof number);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = function, .arg = argument, .arg_size = arg_size,
                                 .timeout_us = timeout_us};
    return accepted(ferry_executor_submit_with(pool, &options, &job)) ? job : NULL;
}

static void end_job(ferry_job *job, ferry_status expected) {
    if (!job)
        return;
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    ferry_status status = ferry_job_status(job);
    CHECK(status == expected || status == APR_ENOMEM || status == FERRY_EBROKEN);
    ferry_job_unref(job);
}

/* ---- scenarios ---- */

static void submit_and_wait(void) {
    ferry_executor *pool = small_pool(true);
    if (!pool)
        return;
    ferry_job *small = submit(pool, fy_square, 3, sizeof(int64_t), 0);
    ferry_job *large = submit(pool, fy_square, 4, LARGE, AN_HOUR_US);
    ferry_job *bytes = submit(pool, fy_make_bytes, LARGE, sizeof(int64_t), 0);
    ferry_job *failing = submit(pool, fy_fail_with_words, 5, sizeof(int64_t), 0);
    end_job(small, 0);
    end_job(large, 0);
    end_job(bytes, 0);
    end_job(failing, APR_EGENERAL);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void die_and_cancel(void) {
    ferry_executor *pool = small_pool(false);
    if (!pool)
        return;
    ferry_job *dying = submit(pool, fy_quit_here, 3, sizeof(int64_t), 0);
    ferry_job *cancelled = submit(pool, fy_square, 4, sizeof(int64_t), 0);
    ferry_job *next = submit(pool, fy_square, 4, sizeof(int64_t), 0);
    bool was_waiting = ferry_job_cancel(cancelled);
    end_job(dying, FERRY_EBROKEN);
    if (cancelled)
        CHECK(ferry_job_wait(cancelled, FERRY_FOREVER) == 0);
    if (was_waiting)
        CHECK_STATUS(ferry_job_status(cancelled), FERRY_ECANCELED);
    ferry_job_unref(cancelled);
    end_job(next, 0);
    CHECK_STATUS(ferry_process_pool_terminate(pool, 0), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void run_from_a_loop(void) {
    ferry_loop *loop = NULL;
    ferry_future *future = NULL;
    int64_t number = 3;
    ferry_executor *pool = small_pool(false);
    ferry_job_options options = fy_number_options(fy_square, &number);
    if (pool && accepted(ferry_loop_create(NULL, &loop))) {
        if (accepted(ferry_run_in_executor_with(loop, pool, &options, &future)) &&
            accepted(ferry_loop_run_until_complete(loop, future)))
            accepted(ferry_future_status(future));
        ferry_future_unref(future);
        CHECK_STATUS(ferry_loop_close(loop), 0);
        ferry_loop_unref(loop);
    }
    (void)ferry_executor_close(pool);
}

/* ---- the sweeps ---- */

/* Once for the process: what other tests have made must not be given to another allocator. */
static void check(void (*scenario)(void)) {
    static bool installed;
    if (!installed)
        allocator_install();
    installed = true;
    allocator_refuse(0, false);
    scenario();
    size_t kept = allocator_blocks_kept();
    allocator_sweep(scenario, false, kept);
    allocator_sweep(scenario, true, kept);
    allocator_refuse(0, false);
}

static void refusals_while_submitting_and_waiting(void) {
    check(submit_and_wait);
}

static void refusals_while_workers_die(void) {
    check(die_and_cancel);
}

static void refusals_while_running_from_a_loop(void) {
    check(run_from_a_loop);
}

static const fy_test tests[] = {
    FY_TEST(refusals_while_submitting_and_waiting),
    FY_TEST(refusals_while_workers_die),
    FY_TEST(refusals_while_running_from_a_loop),
};

FY_PROCESS_TEST_MAIN("process_torture", tests)
