/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated executor: jobs on the loop's own thread, at moments of virtual time. */
#include "ferry/sim.h"

#include <string.h>

#include <apr_errno.h>

#include "support/jobs.h"
#include "support/loops.h"
#include "support/reports.h"
#include "support/threads.h"

enum { JOBS = 100, WORKERS = 3, SEEDS = 50 };

static ferry_loop *loop;
static ferry_executor *executor;

static void begin_seeded(uint64_t seed, ferry_sim_executor_options options) {
    ferry_sim_options simulation = {FERRY_SIM_OPTIONS, .seed = seed, .deadlock_is_error = true};
    trace[0] = '\0';
    CHECK_STATUS(ferry_sim_loop_create(&simulation, &loop), 0);
    options.size = sizeof options;
    CHECK_STATUS(ferry_sim_executor_create(loop, &options, &executor), 0);
}

static void begin(ferry_sim_executor_options options) {
    begin_seeded(1, options);
}

static void end(void) {
    CHECK_STATUS(ferry_executor_close(executor), 0);
    end_loop(loop);
}

static ferry_future *run(ferry_function *function, void *arg) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_run_in_executor(loop, executor, function, arg, &future), 0);
    return future;
}

static void await(ferry_future *future, ferry_status status) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), status);
}

static void results_come_home_through_the_loop(void) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        ferry_future *futures[JOBS];
        begin_seeded(seed, (ferry_sim_executor_options){.workers = WORKERS});
        for (int i = 0; i < JOBS; i++)
            futures[i] = run(fy_echo, (void *)(intptr_t)i);
        CHECK(!ferry_future_done(futures[0]));
        for (int i = 0; i < JOBS; i++) {
            await(futures[i], 0);
            CHECK_INT(ferry_future_integer(futures[i]), i);
            ferry_future_unref(futures[i]);
        }
        CHECK_INT(fy_stats(executor).done, JOBS);
        CHECK_INT(fy_stats(executor).running + fy_stats(executor).queued + fy_stats(executor).failed, 0);
        end();
    }
}

static ferry_status check_thread(void *thread, ferry_call *call) {
    CHECK(thread == fy_this_thread());
    CHECK(ferry_running_loop() == loop);
    CHECK(!strncmp(ferry_call_worker(call), "sim_", 4));
    CHECK(fy_stats(executor).running <= WORKERS);
    return 0;
}

static void jobs_run_on_the_loops_thread_and_as_many_as_workers(void) {
    ferry_future *futures[JOBS];
    begin((ferry_sim_executor_options){.workers = WORKERS});
    for (int i = 0; i < JOBS; i++)
        futures[i] = run(check_thread, fy_this_thread());
    for (int i = 0; i < JOBS; i++) {
        await(futures[i], 0);
        ferry_future_unref(futures[i]);
    }
    end();
}

static void errors_and_plain_jobs_end_as_in_a_pool(void) {
    ferry_job *job = NULL;
    begin((ferry_sim_executor_options){.workers = 1});
    ferry_future *future = run(fy_unlucky, (void *)13);
    CHECK_STATUS(ferry_executor_submit(executor, fy_echo, (void *)7, &job), 0);
    await(future, APR_EGENERAL);
    CHECK_STRING(ferry_future_message(future), "unlucky number 13");
    CHECK_STRING(ferry_future_worker(future), "sim_0");
    CHECK_STATUS(ferry_job_result(job, 0), FERRY_ETIMEDOUT);
    run_for(loop, 10000);
    CHECK_STATUS(ferry_job_result(job, 0), 0);
    CHECK_INT(ferry_job_integer(job), 7);
    ferry_future_unref(future);
    ferry_job_unref(job);
    end();
}

/* ---- time ---- */

static ferry_status sleep_an_hour(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_call_sleep(call, AN_HOUR_US);
}

static void jobs_take_virtual_time(void) {
    begin((ferry_sim_executor_options){.run_time_us_min = 5000, .run_time_us_max = 6000});
    int64_t start_us = ferry_sim_now(loop);
    ferry_future *future = run(fy_nothing, NULL);
    await(future, 0);
    CHECK(ferry_sim_now(loop) - start_us >= 5000);
    CHECK(ferry_sim_now(loop) - start_us < 10000);
    ferry_future_unref(future);
    start_us = ferry_sim_now(loop);
    future = run(sleep_an_hour, NULL);
    await(future, 0);
    CHECK(ferry_sim_now(loop) - start_us >= AN_HOUR_US);
    ferry_future_unref(future);
    end();
}

static void time_limit_is_virtual(void) {
    ferry_future *future = NULL;
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = sleep_an_hour, .timeout_us = AN_HOUR_US / 2};
    begin((ferry_sim_executor_options){0});
    int64_t start_us = ferry_sim_now(loop);
    CHECK_STATUS(ferry_run_in_executor_with(loop, executor, &options, &future), 0);
    await(future, FERRY_ETIMEDOUT);
    CHECK(ferry_sim_now(loop) - start_us >= AN_HOUR_US / 2);
    CHECK(ferry_sim_now(loop) - start_us < AN_HOUR_US);
    ferry_future_unref(future);
    end();
}

static void job_that_waits_too_long_never_starts(void) {
    ferry_job *first = NULL, *late = NULL;
    atomic_int count = 0;
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = fy_count_up, .arg = &count, .timeout_us = AN_HOUR_US / 2};
    begin((ferry_sim_executor_options){.workers = 1});
    CHECK_STATUS(ferry_executor_submit(executor, sleep_an_hour, NULL, &first), 0);
    CHECK_STATUS(ferry_executor_submit_with(executor, &options, &late), 0);
    run_for(loop, 2 * AN_HOUR_US);
    CHECK_STATUS(ferry_job_status(first), 0);
    CHECK_STATUS(ferry_job_status(late), FERRY_ETIMEDOUT);
    CHECK_INT(atomic_load(&count), 0);
    ferry_job_unref(first);
    ferry_job_unref(late);
    end();
}

/* ---- death ---- */

static void dead_workers_fail_their_jobs_alone(void) {
    int died = 0, ran = 0;
    begin((ferry_sim_executor_options){.workers = WORKERS, .death_rate = 500});
    ferry_future *futures[JOBS];
    atomic_int count = 0;
    for (int i = 0; i < JOBS; i++)
        futures[i] = run(fy_count_up, &count);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_loop_run_until_complete(loop, futures[i]), 0);
        died += ferry_future_status(futures[i]) == FERRY_EBROKEN;
        ran += ferry_future_status(futures[i]) == 0;
        ferry_future_unref(futures[i]);
    }
    CHECK_INT(died + ran, JOBS);
    CHECK(died > JOBS / 4 && ran > JOBS / 4);
    CHECK(atomic_load(&count) > ran); /* some died over it after they had done it, */
    CHECK(atomic_load(&count) < JOBS); /* and some before */
    CHECK_INT(fy_stats(executor).workers_retired, died);
    CHECK_INT(fy_stats(executor).failed, died);
    end();
}

/* ---- cancelling and ending ---- */

static void cancelled_before_its_start_never_runs(void) {
    begin((ferry_sim_executor_options){.workers = 1});
    fy_tracked first = {0}, second = {0};
    ferry_job_options options = fy_tracked_options(&first), others = fy_tracked_options(&second);
    ferry_future *future = NULL;
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_run_in_executor_with(loop, executor, &options, &future), 0);
    CHECK_STATUS(ferry_executor_submit_with(executor, &others, &job), 0);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_job_cancel(job));
    run_for(loop, 100000);
    CHECK_INT(first.ran + second.ran, 0);
    CHECK_INT(first.freed, 1);
    CHECK_INT(second.freed, 1);
    CHECK_INT(fy_stats(executor).cancelled, 2);
    CHECK_STATUS(ferry_job_status(job), FERRY_ECANCELED);
    ferry_future_unref(future);
    ferry_job_unref(job);
    end();
}

static ferry_status tell_cancelled(void *arg, ferry_call *call) {
    *(bool *)arg = ferry_call_is_cancelled(call);
    return FERRY_ECANCELED;
}

static void running_jobs_are_asked_to_stop(void) {
    bool was_cancelled = false;
    begin((ferry_sim_executor_options){.workers = 1, .run_time_us_min = 1000000, .run_time_us_max = 1000000});
    ferry_future *future = run(tell_cancelled, &was_cancelled);
    while (!fy_stats(executor).running)
        CHECK_STATUS(ferry_loop_run_once(loop, 1000), 0);
    ferry_executor_cancel_running(executor);
    await(future, FERRY_ECANCELED);
    CHECK(was_cancelled);
    ferry_future_unref(future);
    end();
}

static void shutdown_with_wait_does_what_is_left_at_once(void) {
    begin((ferry_sim_executor_options){.workers = 2});
    ferry_job *jobs[10];
    atomic_int count = 0;
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(ferry_executor_submit(executor, fy_count_up, &count, &jobs[i]), 0);
    int64_t start_us = ferry_sim_now(loop);
    CHECK_STATUS(ferry_executor_shutdown(executor, true, false, FERRY_FOREVER), 0);
    CHECK_INT(ferry_sim_now(loop), start_us);
    CHECK_INT(atomic_load(&count), 10);
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(ferry_job_status(jobs[i]), 0);
    ferry_job_unref_all(jobs, 10);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK(!ferry_running_loop());
    end();
}

static void shutdown_with_cancel_drops_what_has_not_started(void) {
    begin((ferry_sim_executor_options){.workers = 2});
    ferry_job *jobs[10];
    atomic_int count = 0;
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(ferry_executor_submit(executor, fy_count_up, &count, &jobs[i]), 0);
    CHECK_STATUS(ferry_executor_shutdown(executor, false, true, 0), 0);
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(ferry_job_status(jobs[i]), FERRY_ECANCELED);
    CHECK_INT(atomic_load(&count), 0);
    ferry_job_unref_all(jobs, 10);
    end();
}

static ferry_status shut_down_my_own(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, ferry_executor_shutdown(executor, true, false, FERRY_FOREVER));
}

static ferry_status wait_for_another(void *job, ferry_call *call) {
    return ferry_return_integer(call, ferry_job_wait(*(ferry_job **)job, FERRY_FOREVER));
}

static void job_that_would_wait_for_its_own_executor_is_told(void) {
    begin((ferry_sim_executor_options){.workers = 1});
    ferry_future *future = run(shut_down_my_own, NULL);
    await(future, 0);
    CHECK_INT(ferry_future_integer(future), FERRY_EDEADLK);
    ferry_future_unref(future);
    end();
    begin((ferry_sim_executor_options){.workers = 1});
    ferry_job *last = NULL, *waiter = NULL;
    CHECK_STATUS(ferry_executor_submit(executor, wait_for_another, &last, &waiter), 0);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, &last), 0);
    CHECK_STATUS(ferry_executor_shutdown(executor, true, false, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(waiter), FERRY_EDEADLK);
    CHECK_STATUS(ferry_job_status(last), 0);
    ferry_job_unref(waiter);
    ferry_job_unref(last);
    end();
}

/* Three jobs: one whose start is due but has not come, one in the queue, one that runs. */
static void closed_loop_ends_the_jobs_that_are_left(void) {
    begin((ferry_sim_executor_options){.workers = 1, .run_time_us_min = 1000000, .run_time_us_max = 1000000});
    ferry_job *running = NULL, *queued = NULL;
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, &running), 0);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, &queued), 0);
    ferry_future *future = run(fy_nothing, NULL);
    while (!fy_stats(executor).running)
        CHECK_STATUS(ferry_loop_run_once(loop, 1000), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_job_status(running), FERRY_ECLOSED);
    CHECK_STATUS(ferry_job_status(queued), FERRY_ECANCELED);
    CHECK(!ferry_future_done(future));
    ferry_future_unref(future);
    ferry_job_unref(running);
    ferry_job_unref(queued);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_close(executor), 0);
    ferry_loop_unref(loop);
}

static void submit_from_elsewhere(void *arg) {
    (void)arg;
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, NULL), FERRY_EWRONGTHREAD);
}

static ferry_status ask_from_another_thread(void *arg) {
    on_another_thread(submit_from_elsewhere, arg);
    return ferry_loop_stop(loop);
}

static void other_threads_are_refused(void) {
    begin((ferry_sim_executor_options){0});
    post(loop, ask_from_another_thread, NULL);
    run_forever(loop);
    end();
}

static void absurd_options_are_refused(void) {
    ferry_executor *none = NULL;
    ferry_sim_executor_options options;
    ferry_loop *native = NULL;
    begin((ferry_sim_executor_options){0});
    ferry_sim_executor_options_init(&options);
    options.run_time_us_min = 2;
    options.run_time_us_max = 1;
    CHECK_STATUS(ferry_sim_executor_create(loop, &options, &none), APR_EINVAL);
    options = (ferry_sim_executor_options){FERRY_SIM_EXECUTOR_OPTIONS, .death_rate = 1001};
    CHECK_STATUS(ferry_sim_executor_create(loop, &options, &none), APR_EINVAL);
    options = (ferry_sim_executor_options){.size = 3};
    CHECK_STATUS(ferry_sim_executor_create(loop, &options, &none), APR_EINVAL);
    CHECK_STATUS(ferry_sim_executor_create(loop, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sim_executor_create(NULL, NULL, &none), APR_EINVAL);
    ferry_loop_options native_options = {FERRY_LOOP_OPTIONS, .backend = ferry_backend_names()[0]};
    CHECK_STATUS(ferry_loop_create(&native_options, &native), 0);
    CHECK_STATUS(ferry_sim_executor_create(native, NULL, &none), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_default_executor(native, executor), FERRY_EWRONGLOOP);
    end_loop(native);
    end();
}

/* ---- as the default executor ---- */

static void simulated_executor_can_be_the_default(void) {
    ferry_future *future = NULL, *over = NULL;
    begin((ferry_sim_executor_options){.run_time_us_min = 5000});
    CHECK_STATUS(ferry_loop_set_default_executor(loop, executor), 0);
    CHECK(ferry_loop_default_executor(loop) == executor);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fy_echo, (void *)5, &future), 0);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fy_echo, (void *)5, NULL), FERRY_ESHUTDOWN);
    CHECK(!ferry_future_done(over));
    await(over, 0);
    CHECK_INT(ferry_future_integer(future), 5);
    ferry_future_unref(over);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, 0, &over), 0);
    await(over, 0);
    ferry_future_unref(over);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, executor), FERRY_ESHUTDOWN);
    end();
}

static void shutdown_that_takes_too_long_is_reported(void) {
    report_log reports = {0};
    ferry_future *over = NULL;
    begin((ferry_sim_executor_options){.run_time_us_min = 50000});
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, executor), 0);
    ferry_future *future = run(fy_nothing, NULL);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, 1000, &over), 0);
    await(over, FERRY_ETIMEDOUT);
    CHECK_INT(reports.count, 1);
    CHECK_STATUS(reports.all[0].status, FERRY_ETIMEDOUT);
    await(future, 0);
    ferry_future_unref(over);
    ferry_future_unref(future);
    end();
}

static void loop_closed_during_the_shutdown_of_its_default(void) {
    ferry_future *over = NULL;
    begin((ferry_sim_executor_options){.run_time_us_min = 50000});
    CHECK_STATUS(ferry_loop_set_default_executor(loop, executor), 0);
    ferry_future *future = run(fy_nothing, NULL);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, AN_HOUR_US, &over), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK(!ferry_future_done(over));
    ferry_future_unref(over);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_executor_close(executor), 0);
    ferry_loop_unref(loop);
}

static const fy_test tests[] = {
    FY_TEST(results_come_home_through_the_loop),
    FY_TEST(jobs_run_on_the_loops_thread_and_as_many_as_workers),
    FY_TEST(errors_and_plain_jobs_end_as_in_a_pool),
    FY_TEST(jobs_take_virtual_time),
    FY_TEST(time_limit_is_virtual),
    FY_TEST(job_that_waits_too_long_never_starts),
    FY_TEST(dead_workers_fail_their_jobs_alone),
    FY_TEST(cancelled_before_its_start_never_runs),
    FY_TEST(running_jobs_are_asked_to_stop),
    FY_TEST(shutdown_with_wait_does_what_is_left_at_once),
    FY_TEST(shutdown_with_cancel_drops_what_has_not_started),
    FY_TEST(job_that_would_wait_for_its_own_executor_is_told),
    FY_TEST(closed_loop_ends_the_jobs_that_are_left),
    FY_TEST(other_threads_are_refused),
    FY_TEST(absurd_options_are_refused),
    FY_TEST(simulated_executor_can_be_the_default),
    FY_TEST(shutdown_that_takes_too_long_is_reported),
    FY_TEST(loop_closed_during_the_shutdown_of_its_default),
};

FY_TEST_MAIN("sim_executor", tests)
