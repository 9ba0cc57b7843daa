/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that die: what becomes of the job that they ran, of the others, and of the pool, when the pool replaces them
 * and when it breaks; and what is tried again. */
#include "ferry/process.h"

static ferry_function open_door_and_die;
static ferry_function read_bytes_after_door;

#define FY_MORE_PORTABLES \
    {"open_door_and_die", open_door_and_die, 0}, {"read_bytes_after_door", read_bytes_after_door, 0},
#include "support/processes.h"

static ferry_status open_door_and_die(void *arg, ferry_call *call) {
    fy_door_open((int)fy_number(arg));
    return fy_kill_here(arg, call);
}

/* The argument's first number is the door. */
static ferry_status read_bytes_after_door(void *arg, ferry_call *call) {
    (void)call;
    fy_door_pass((int)fy_number(arg));
    return 0;
}

static ferry_executor *pool_that_breaks(size_t workers) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = workers,
                                          .on_worker_death = FERRY_WORKER_DEATH_BREAK};
    return fy_processes_with(&options);
}

/* A killed process says so where there are signals; elsewhere it has an exit code. */
static const char *killed_words(void) {
    return fy_system_has_signals() ? "signal 9" : "exit code";
}

/* ---- one job, one death ---- */

static void death_costs_the_job_that_ran_and_no_other(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *before = fy_send(pool, fy_square, 2);
    ferry_job *dying = fy_send(pool, fy_kill_here, 0);
    ferry_job *after = fy_send(pool, fy_square, 3);
    CHECK_INT(fy_take_integer(before), 4);
    fy_take_failure(dying, FERRY_EBROKEN, killed_words());
    CHECK_INT(fy_take_integer(after), 9);
    CHECK_INT(fy_stats_of(pool).workers_started, 2);
    fy_processes_end(pool);
}

static void exit_code_is_told(void) {
    ferry_executor *pool = fy_processes_of(1);
    fy_take_failure(fy_send(pool, fy_exit_here, 3), FERRY_EBROKEN, "exit code 3 ");
    fy_take_failure(fy_send(pool, fy_quit_here, 77), FERRY_EBROKEN, "exit code 77 ");
    fy_take_failure(fy_send(pool, fy_exit_here, 0), FERRY_EBROKEN, "exit code 0 ");
    fy_take_failure(fy_send(pool, fy_abort_here, 0), FERRY_EBROKEN,
                    fy_system_has_signals() ? "signal 6 " : "exit code");
    CHECK_INT(fy_call(pool, fy_square, 5), 25);
    fy_processes_end(pool);
}

static void failure_names_the_worker(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .worker_name_prefix = "smith"};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *job = fy_send(pool, fy_kill_here, 0);
    CHECK_STATUS(fy_outcome_of(job), FERRY_EBROKEN);
    CHECK(strstr(ferry_job_worker(job), "smith_0 (pid ") != NULL);
    ferry_job_unref(job);
    fy_processes_end(pool);
}

static void worker_that_is_killed_from_outside_is_replaced(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t pid = fy_call(pool, fy_pid, 0);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK(fy_system_kill(pid));
    fy_take_failure(running, FERRY_EBROKEN, killed_words());
    CHECK(fy_call(pool, fy_pid, 0) != pid);
    fy_processes_end(pool);
}

/* An idle worker that has died is not what a job fails for, also if it was offered the job before that was seen. */
static void idle_worker_that_dies_costs_no_job(void) {
    ferry_executor *pool = fy_processes_of(1);
    for (int i = 0; i < 20; i++) {
        CHECK(fy_system_kill(fy_call(pool, fy_pid, 0)));
        CHECK_INT(fy_call(pool, fy_square, i), i * i);
    }
    fy_processes_end(pool);
}

/* ---- those that were handed out in advance ---- */

static void make_short(ferry_executor *pool, ferry_function *function) {
    for (int i = 0; i < 40; i++)
        CHECK(fy_call(pool, function, 0) >= 0);
}

static void unbegun_jobs_of_a_dead_worker_run_once_elsewhere(void) {
    enum { JOBS = 30 };
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *jobs[JOBS];
    make_short(pool, fy_note_run);
    fy_board_clear();
    for (int round = 0; round < 5; round++) {
        ferry_job *dying = fy_send(pool, fy_kill_here, 0);
        for (int i = 0; i < JOBS; i++)
            jobs[i] = fy_send(pool, fy_note_run, i);
        fy_take_failure(dying, FERRY_EBROKEN, NULL);
        for (int i = 0; i < JOBS; i++)
            CHECK_INT(fy_take_integer(jobs[i]), i);
        for (int i = 0; i < JOBS; i++)
            CHECK_INT(atomic_load(&fy_board()->runs[i]), round + 1);
    }
    fy_processes_end(pool);
}

/* What was answered before the death counts, and what stood behind it goes on. */
static void each_job_of_a_storm_of_deaths_ends_once(void) {
    enum { JOBS = 300 };
    ferry_executor *pool = fy_processes_of(3);
    static ferry_job *jobs[JOBS];
    make_short(pool, fy_note_run);
    fy_board_clear();
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, i % 30 == 11 ? fy_kill_here : fy_note_run, i);
    for (int i = 0; i < JOBS; i++) {
        if (i % 30 == 11)
            fy_take_failure(jobs[i], FERRY_EBROKEN, NULL);
        else
            CHECK_INT(fy_take_integer(jobs[i]), i);
        CHECK_INT(atomic_load(&fy_board()->runs[i]), i % 30 != 11);
    }
    fy_processes_end(pool);
}

/* ---- BREAK ---- */

/* EB-002 EB-016: a forced termination afterwards is harmless */
static void pool_that_breaks_takes_no_more(void) {
    ferry_executor *pool = pool_that_breaks(2);
    ferry_job *waiting = fy_occupy_worker(pool, 0, 1);
    ferry_job *dying = fy_send(pool, fy_quit_here, 9);
    fy_take_failure(dying, FERRY_EBROKEN, "exit code 9");
    fy_take_failure(waiting, FERRY_EBROKEN, NULL);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    CHECK_STATUS(ferry_process_pool_terminate(pool, 0), 0);
    CHECK_STATUS(ferry_process_pool_terminate(pool, 1000), 0);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    fy_processes_end(pool);
}

/* EB-002 */
static void queued_jobs_of_a_broken_pool_fail_and_say_why(void) {
    enum { JOBS = 50 };
    ferry_executor *pool = pool_that_breaks(1);
    ferry_job *jobs[JOBS];
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_note_run, i);
    ferry_process_worker_stats worker;
    CHECK_INT(ferry_process_pool_get_workers(pool, &worker, 1), 1);
    CHECK(fy_system_kill((long long)worker.pid));
    fy_take_failure(running, FERRY_EBROKEN, killed_words());
    for (int i = 0; i < JOBS; i++) {
        fy_take_failure(jobs[i], FERRY_EBROKEN, killed_words());
        CHECK_INT(atomic_load(&fy_board()->runs[i]), 0);
    }
    ferry_executor_stats stats = fy_stats_of(pool);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.done + stats.cancelled, JOBS + 1);
    fy_processes_end(pool);
}

/* EB-002: also by one that dies while nobody needs it */
static void death_of_an_idle_worker_breaks_as_well(void) {
    ferry_executor *pool = pool_that_breaks(1);
    CHECK(fy_system_kill(fy_call(pool, fy_pid, 0)));
    FY_AWAIT(fy_stats_of(pool).workers == 0);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    fy_processes_end(pool);
}

/* EB-004 */
static void waiting_shutdown_of_a_broken_pool_returns(void) {
    ferry_executor *pool = pool_that_breaks(2);
    fy_take_failure(fy_send(pool, fy_kill_here, 0), FERRY_EBROKEN, NULL);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats_of(pool).workers, 0);
    ferry_executor_unref(pool);
}

/* EB-005: there is no decoding but the function's own, so it is there that a worker dies of its argument */
static void worker_that_dies_of_its_argument_breaks_the_pool(void) {
    ferry_executor *pool = pool_that_breaks(1);
    fy_take_failure(fy_send(pool, fy_abort_here, 1), FERRY_EBROKEN, NULL);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    fy_processes_end(pool);
}

/* A cancel kills as well, but means nothing. */
static void cancelled_job_breaks_nothing(void) {
    ferry_executor *pool = pool_that_breaks(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK(!ferry_job_cancel(running));
    fy_take_failure(running, FERRY_ECANCELED, NULL);
    CHECK_INT(fy_call(pool, fy_square, 2), 4);
    fy_processes_end(pool);
}

/* ---- during a shutdown ---- */

/* EB-008 */
static void death_after_a_waiting_shutdown_began_does_not_hang_it(void) {
    for (int breaks = 0; breaks < 2; breaks++) {
        ferry_executor *pool = breaks ? pool_that_breaks(1) : fy_processes_of(1);
        ferry_job *dying = fy_send(pool, open_door_and_die, 0);
        ferry_job *behind = fy_send(pool, fy_square, 3);
        CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
        CHECK(ferry_job_done(dying) && ferry_job_done(behind));
        fy_take_failure(dying, FERRY_EBROKEN, NULL);
        CHECK_STATUS(ferry_job_status(behind), breaks ? FERRY_EBROKEN : 0);
        ferry_job_unref(behind);
        ferry_executor_unref(pool);
    }
}

/* EB-009 */
static void result_that_cannot_be_carried_fails_after_a_shutdown_too(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *job = fy_send(pool, fy_return_a_pointer, 1);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    fy_take_failure(job, FERRY_ENOTPORTABLE, NULL);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats_of(pool).workers, 0);
    ferry_executor_unref(pool);
}

/* ---- large arguments ---- */

enum { LARGE = 20000000 };

/* EB-010: nothing is written through a pipe, so nobody blocks in one; the worker dies while it has the memory */
static void death_amid_a_large_argument_blocks_nobody(void) {
    ferry_executor *pool = pool_that_breaks(1);
    char *large = calloc(1, LARGE);
    ferry_job *jobs[3] = {NULL, NULL, NULL};
    int64_t pid = fy_call(pool, fy_pid, 0);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = read_bytes_after_door, .arg = large, .arg_size = LARGE};
    CHECK(large != NULL);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[i]), 0);
    fy_door_await(0, 1);
    CHECK(fy_system_kill(pid));
    for (int i = 0; i < 3; i++)
        fy_take_failure(jobs[i], FERRY_EBROKEN, killed_words());
    free(large);
    fy_processes_end(pool);
}

static void large_argument_of_a_dead_worker_is_handed_over_again(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_retries = 2};
    ferry_executor *pool = fy_processes_with(&options);
    char *large = calloc(1, LARGE);
    int64_t deaths = 2;
    ferry_job *job = NULL;
    CHECK(large != NULL);
    memcpy(large, &deaths, sizeof deaths);
    ferry_job_options what = {FERRY_JOB_OPTIONS, .function = fy_die_at_first, .arg = large, .arg_size = LARGE};
    CHECK_STATUS(ferry_executor_submit_with(pool, &what, &job), 0);
    CHECK_INT(fy_take_integer(job), 2);
    free(large);
    fy_processes_end(pool);
}

/* ---- trying again ---- */

static void idempotent_job_is_tried_again(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .max_retries = 3};
    ferry_executor *pool = fy_processes_with(&options);
    CHECK_INT(fy_call(pool, fy_die_at_first, 3), 3);
    CHECK_INT(atomic_load(&fy_board()->runs[0]), 4);
    CHECK_INT(fy_stats_of(pool).done, 1);
    CHECK_INT(fy_stats_of(pool).failed, 0);
    fy_processes_end(pool);
}

static void it_is_tried_no_more_often_than_told(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_retries = 2};
    ferry_executor *pool = fy_processes_with(&options);
    fy_take_failure(fy_send(pool, fy_die_at_first, 100), FERRY_EBROKEN, killed_words());
    CHECK_INT(atomic_load(&fy_board()->runs[0]), 3);
    fy_take_failure(fy_send(pool, fy_kill_here, 0), FERRY_EBROKEN, NULL);
    CHECK_INT(fy_stats_of(pool).done, 2);
    CHECK_INT(fy_stats_of(pool).failed, 2);
    fy_processes_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(death_costs_the_job_that_ran_and_no_other),
    FY_TEST(exit_code_is_told),
    FY_TEST(failure_names_the_worker),
    FY_TEST(worker_that_is_killed_from_outside_is_replaced),
    FY_TEST(idle_worker_that_dies_costs_no_job),
    FY_TEST(unbegun_jobs_of_a_dead_worker_run_once_elsewhere),
    FY_TEST(each_job_of_a_storm_of_deaths_ends_once),
    FY_TEST(pool_that_breaks_takes_no_more),
    FY_TEST(queued_jobs_of_a_broken_pool_fail_and_say_why),
    FY_TEST(death_of_an_idle_worker_breaks_as_well),
    FY_TEST(waiting_shutdown_of_a_broken_pool_returns),
    FY_TEST(worker_that_dies_of_its_argument_breaks_the_pool),
    FY_TEST(cancelled_job_breaks_nothing),
    FY_TEST(death_after_a_waiting_shutdown_began_does_not_hang_it),
    FY_TEST(result_that_cannot_be_carried_fails_after_a_shutdown_too),
    FY_TEST(death_amid_a_large_argument_blocks_nobody),
    FY_TEST(large_argument_of_a_dead_worker_is_handed_over_again),
    FY_TEST(idempotent_job_is_tried_again),
    FY_TEST(it_is_tried_no_more_often_than_told),
};

FY_PROCESS_TEST_MAIN("process_broken", tests)
