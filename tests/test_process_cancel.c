/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping jobs of other processes: one that waits never runs, one that runs is killed with its worker, which is
 * replaced, and no other job pays for it. By a cancel, by a time limit, through a job or through a future. */
#include "support/processes.h"

#include "support/loops.h"

/* ---- a job that waits ---- */

static void cancelled_job_that_waits_never_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_job *waiting = fy_send(pool, fy_note_run, 5);
    CHECK(ferry_job_cancel(waiting));
    CHECK(ferry_job_cancelled(waiting));
    CHECK_STATUS(fy_outcome_of(waiting), FERRY_ECANCELED);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    CHECK_INT(fy_call(pool, fy_square, 2), 4);
    CHECK_INT(atomic_load(&fy_board()->runs[5]), 0);
    CHECK_INT(fy_stats_of(pool).workers_started, 1);
    ferry_job_unref(waiting);
    fy_processes_end(pool);
}

static void late_job_that_waits_never_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    int64_t number = 5;
    ferry_job *waiting = NULL;
    ferry_job_options options = fy_number_options(fy_note_run, &number);
    options.timeout_us = 1;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &waiting), 0);
    fy_take_failure(waiting, FERRY_ETIMEDOUT, NULL);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    CHECK_INT(fy_call(pool, fy_square, 2), 4);
    CHECK_INT(atomic_load(&fy_board()->runs[5]), 0);
    fy_processes_end(pool);
}

/* ---- a job that runs ---- */

static void cancelled_job_that_runs_is_killed_and_its_worker_replaced(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t pid = fy_call(pool, fy_pid, 0);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK(ferry_job_running(running));
    CHECK(!ferry_job_cancel(running));
    fy_take_failure(running, FERRY_ECANCELED, "cancelled while it ran");
    int64_t next = fy_call(pool, fy_pid, 0);
    CHECK(next != pid);
    CHECK(!fy_system_is_alive(pid));
    fy_processes_end(pool);
}

static void cancel_of_a_finished_job_kills_nobody(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *job = fy_send(pool, fy_pid, 0);
    CHECK_STATUS(fy_outcome_of(job), 0);
    CHECK(!ferry_job_cancel(job));
    CHECK_INT(fy_call(pool, fy_pid, 0), ferry_job_integer(job));
    ferry_job_unref(job);
    fy_processes_end(pool);
}

static void time_limit_kills_a_job_that_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t door = 0;
    ferry_job *running = NULL;
    CHECK(fy_call(pool, fy_pid, 0) > 0);
    ferry_job_options options = fy_number_options(fy_pass_door, &door);
    options.timeout_us = 50000;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &running), 0);
    fy_take_failure(running, FERRY_ETIMEDOUT, NULL);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    fy_processes_end(pool);
}

static void time_limit_that_does_not_pass_does_no_harm(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t pid = fy_call(pool, fy_pid, 0), number = 4;
    for (int i = 0; i < 20; i++) {
        ferry_job *job = NULL;
        ferry_job_options options = fy_number_options(fy_square, &number);
        options.timeout_us = INT64_C(3600000000);
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
        CHECK_INT(fy_take_integer(job), 16);
    }
    CHECK_INT(fy_call(pool, fy_pid, 0), pid);
    fy_processes_end(pool);
}

/* Retries are for deaths, not for this. */
static void cancelled_idempotent_job_is_not_tried_again(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_retries = 1000000};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *job = fy_send(pool, fy_die_at_first, 1000000);
    FY_AWAIT(atomic_load(&fy_board()->runs[0]) > 2);
    CHECK(!ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    CHECK(ferry_job_status(job) == FERRY_ECANCELED || ferry_job_status(job) == FERRY_EBROKEN);
    ferry_job_unref(job);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    fy_processes_end(pool);
}

/* ---- others do not pay ---- */

/* Some of the jobs are in advance with the worker that is killed. */
static void cancelling_costs_no_other_job(void) {
    enum { JOBS = 40, ROUNDS = 20 };
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *jobs[JOBS];
    for (int i = 0; i < 100; i++)
        CHECK_INT(fy_call(pool, fy_note_run, 0), 0);
    fy_board_clear();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < JOBS; i++)
            jobs[i] = fy_send(pool, fy_note_run, round * JOBS + i);
        ferry_job_cancel(jobs[round % JOBS]);
        for (int i = 0; i < JOBS; i++) {
            ferry_status status = fy_outcome_of(jobs[i]);
            CHECK(status == 0 || (i == round % JOBS && status == FERRY_ECANCELED));
            CHECK(atomic_load(&fy_board()->runs[round * JOBS + i]) == 1 || status);
            ferry_job_unref(jobs[i]);
        }
    }
    fy_processes_end(pool);
}

static void cancelling_all_ends_all(void) {
    enum { JOBS = 60, ROUNDS = 10 };
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *jobs[JOBS];
    fy_door_open(0);
    for (int i = 0; i < 100; i++)
        CHECK(fy_call(pool, fy_pass_door, 0) > 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < JOBS; i++)
            jobs[i] = fy_send(pool, fy_pass_door, 1);
        for (int i = 0; i < JOBS; i++)
            ferry_job_cancel(jobs[i]);
        for (int i = 0; i < JOBS; i++)
            fy_take_failure(jobs[i], FERRY_ECANCELED, NULL);
    }
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    CHECK_INT(fy_stats_of(pool).queued, 0);
    fy_processes_end(pool);
}

static void cancel_running_stops_what_runs_and_nothing_else(void) {
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *one = fy_occupy_worker(pool, 0, 1), *other = fy_occupy_worker(pool, 0, 2);
    ferry_job *waiting = fy_send(pool, fy_square, 6);
    ferry_executor_cancel_running(pool);
    fy_take_failure(one, FERRY_ECANCELED, NULL);
    fy_take_failure(other, FERRY_ECANCELED, NULL);
    CHECK_INT(fy_take_integer(waiting), 36);
    fy_processes_end(pool);
}

/* ---- futures ---- */

static ferry_future *future_of(ferry_loop *loop, ferry_executor *pool, ferry_function *function, int64_t number,
                               int64_t timeout_us) {
    ferry_future *future = NULL;
    ferry_job_options options = fy_number_options(function, &number);
    options.timeout_us = timeout_us;
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    return future;
}

static void cancelled_future_kills_what_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    int64_t pid = fy_call(pool, fy_pid, 0);
    ferry_future *future = future_of(loop, pool, fy_pass_door, 0, 0);
    fy_door_await(0, 1);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_cancelled(future));
    CHECK(fy_call(pool, fy_pid, 0) != pid);
    ferry_future_unref(future);
    end_loop(loop);
    fy_processes_end(pool);
}

static void cancelled_future_that_waits_never_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_future *future = future_of(loop, pool, fy_note_run, 5, 0);
    CHECK(ferry_future_cancel(future));
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    CHECK_INT(atomic_load(&fy_board()->runs[5]), 0);
    ferry_future_unref(future);
    end_loop(loop);
    fy_processes_end(pool);
}

static void time_limit_of_a_future_kills_what_runs(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    int64_t pid = fy_call(pool, fy_pid, 0);
    ferry_future *future = future_of(loop, pool, fy_pass_door, 0, 50000);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), FERRY_ETIMEDOUT);
    CHECK(fy_call(pool, fy_pid, 0) != pid);
    ferry_future_unref(future);
    end_loop(loop);
    fy_processes_end(pool);
}

static void futures_end_while_their_workers_are_killed(void) {
    enum { JOBS = 12 };
    ferry_executor *pool = fy_processes_of(2);
    ferry_loop *loop = new_loop();
    ferry_future *futures[JOBS];
    for (int i = 0; i < JOBS; i++)
        futures[i] = future_of(loop, pool, i % 3 ? fy_square : fy_kill_here, i, 0);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_loop_run_until_complete(loop, futures[i]), 0);
        CHECK_STATUS(ferry_future_status(futures[i]), i % 3 ? 0 : FERRY_EBROKEN);
        ferry_future_unref(futures[i]);
    }
    end_loop(loop);
    fy_processes_end(pool);
}

static void loop_may_be_closed_with_jobs_out(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    ferry_future *future = future_of(loop, pool, fy_pass_door, 0, 0);
    fy_door_await(0, 1);
    ferry_future_unref(future);
    end_loop(loop);
    fy_door_open(0);
    fy_processes_end(pool);
}

/* The job's message lies in the inbox, and the pool is gone. */
static void future_may_be_cancelled_after_its_pool(void) {
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_processes_of(1);
    ferry_future *future = future_of(loop, pool, fy_square, 3, 0);
    fy_processes_end(pool);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_job *awaited_in_callback;

static ferry_status wait_for_other(ferry_job *job, void *arg) {
    (void)job;
    *(ferry_status *)arg = ferry_job_wait(awaited_in_callback, FERRY_FOREVER);
    fy_door_open(0);
    return 0;
}

/* The second job waits at the door until the callback of the first one has been refused. */
static void callback_that_waits_for_a_job_is_refused(void) {
    ferry_status refused = 0;
    fy_board_clear();
    ferry_executor *pool = fy_processes_of(2);
    awaited_in_callback = fy_occupy_worker(pool, 0, 1);
    ferry_job *first = fy_occupy_worker(pool, 1, 1);
    CHECK_STATUS(ferry_job_add_done_callback(first, wait_for_other, &refused), 0);
    fy_door_open(1);
    CHECK_STATUS(ferry_job_result(awaited_in_callback, FERRY_FOREVER), 0);
    CHECK_STATUS(refused, FERRY_EDEADLK);
    ferry_job_unref(first);
    ferry_job_unref(awaited_in_callback);
    fy_processes_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(future_may_be_cancelled_after_its_pool),
    FY_TEST(callback_that_waits_for_a_job_is_refused),
    FY_TEST(cancelled_job_that_waits_never_runs),
    FY_TEST(late_job_that_waits_never_runs),
    FY_TEST(cancelled_job_that_runs_is_killed_and_its_worker_replaced),
    FY_TEST(cancel_of_a_finished_job_kills_nobody),
    FY_TEST(time_limit_kills_a_job_that_runs),
    FY_TEST(time_limit_that_does_not_pass_does_no_harm),
    FY_TEST(cancelled_idempotent_job_is_not_tried_again),
    FY_TEST(cancelling_costs_no_other_job),
    FY_TEST(cancelling_all_ends_all),
    FY_TEST(cancel_running_stops_what_runs_and_nothing_else),
    FY_TEST(cancelled_future_kills_what_runs),
    FY_TEST(cancelled_future_that_waits_never_runs),
    FY_TEST(time_limit_of_a_future_kills_what_runs),
    FY_TEST(futures_end_while_their_workers_are_killed),
    FY_TEST(loop_may_be_closed_with_jobs_out),
};

FY_PROCESS_TEST_MAIN("process_cancel", tests)
