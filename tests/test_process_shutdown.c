/* SPDX-License-Identifier: Apache-2.0 */
/* How a process pool ends: shut down with and without waiting, let go, terminated gently and by force, and left behind
 * when the process exits. Afterwards no worker is alive. */
#include "support/child.h"
#include "support/processes.h"

enum { JOBS = 60, WORKERS_MAX = 16 };

typedef struct worker_ids {
    size_t count;
    ferry_process_worker_stats stats[WORKERS_MAX];
} worker_ids;

static worker_ids workers_of(ferry_executor *pool) {
    worker_ids ids;
    ids.count = ferry_process_pool_get_workers(pool, ids.stats, WORKERS_MAX);
    CHECK(ids.count <= WORKERS_MAX);
    return ids;
}

static void check_gone(const worker_ids *ids) {
    for (size_t i = 0; i < ids->count; i++)
        CHECK(!fy_system_is_alive((long long)ids->stats[i].pid));
}

static void await_gone(const worker_ids *ids) {
    for (size_t i = 0; i < ids->count; i++)
        FY_AWAIT(!fy_system_is_alive((long long)ids->stats[i].pid));
}

static void shut_down_waiting(ferry_executor *pool) {
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
}

/* ---- shutting down ---- */

/* ES-002 ES-006: of processes */
static void waiting_shutdown_runs_all_and_ends_the_workers(void) {
    ferry_executor *pool = fy_processes_of(3);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(fy_try_send(pool, fy_note_run, i, NULL), 0);
    worker_ids ids = workers_of(pool);
    CHECK(ids.count >= 1);
    fy_door_open(0);
    shut_down_waiting(pool);
    CHECK(fy_take_integer(running) > 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(atomic_load(&fy_board()->runs[i]), 1);
    CHECK_INT(fy_stats_of(pool).workers, 0);
    CHECK_INT(ferry_process_pool_get_workers(pool, NULL, 0), 0);
    check_gone(&ids);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
    ferry_executor_unref(pool);
}

/* ES-005 */
static void shutdown_without_waiting_completes_all_and_ends_the_workers(void) {
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *jobs[JOBS];
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_square, i);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
    worker_ids ids = workers_of(pool);
    fy_door_open(0);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
    CHECK(fy_take_integer(running) > 0);
    FY_AWAIT(fy_stats_of(pool).workers == 0);
    check_gone(&ids);
    ferry_executor_unref(pool);
}

/* ES-018 */
static void shutdown_may_be_called_again_and_then_wait(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, 1000), FERRY_ETIMEDOUT);
    fy_door_open(0);
    shut_down_waiting(pool);
    shut_down_waiting(pool);
    CHECK(fy_take_integer(running) > 0);
    ferry_executor_unref(pool);
}

static void shutdown_of_an_unused_pool_returns(void) {
    ferry_executor *pool = fy_processes_of(2);
    shut_down_waiting(pool);
    CHECK_INT(fy_stats_of(pool).workers_started, 0);
    ferry_executor_unref(pool);
    fy_processes_end(fy_processes_of(1));
}

static void shutdown_can_cancel_what_waits(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *jobs[JOBS];
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_note_run, i);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, true, 0), 0);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(fy_outcome_of(jobs[i]), FERRY_ECANCELED);
        ferry_job_unref(jobs[i]);
        CHECK_INT(atomic_load(&fy_board()->runs[i]), 0);
    }
    CHECK(!ferry_job_done(running));
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    shut_down_waiting(pool);
    CHECK_INT(fy_stats_of(pool).cancelled, JOBS);
    ferry_executor_unref(pool);
}

/* ES-011 */
static void cancelled_entry_does_not_hang_a_waiting_shutdown(void) {
    for (int i = 0; i < 20; i++) {
        ferry_executor *pool = fy_processes_of(1);
        ferry_job *job = fy_send(pool, fy_square, 1);
        ferry_job_cancel(job);
        shut_down_waiting(pool);
        CHECK(ferry_job_done(job));
        ferry_job_unref(job);
        ferry_executor_unref(pool);
    }
}

/* ES-013 */
static void shutdown_amid_replacements_completes_all(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .max_tasks_per_child = 2};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *jobs[JOBS / 2];
    for (int i = 0; i < JOBS / 2; i++)
        jobs[i] = fy_send(pool, fy_square, i);
    shut_down_waiting(pool);
    for (int i = 0; i < JOBS / 2; i++) {
        CHECK(ferry_job_done(jobs[i]));
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
    }
    ferry_executor_unref(pool);
}

/* ES-019 */
static void pool_that_was_let_go_finishes_and_ends(void) {
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *jobs[JOBS];
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_square, i);
    worker_ids ids = workers_of(pool);
    ferry_executor_unref(pool);
    fy_door_open(0);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
    CHECK(fy_take_integer(running) > 0);
    await_gone(&ids);
}

static ferry_status shut_down_in_callback(ferry_job *job, void *pool) {
    (void)job;
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), FERRY_EDEADLK);
    atomic_fetch_add(&fy_board()->notes[1], 1);
    return 0;
}

static void callback_cannot_wait_for_its_own_pool(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK_STATUS(ferry_job_add_done_callback(running, shut_down_in_callback, pool), 0);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    FY_AWAIT(atomic_load(&fy_board()->notes[1]) == 1);
    fy_processes_end(pool);
}

static ferry_status let_go_in_callback(ferry_job *job, void *pool) {
    (void)job;
    ferry_executor_unref(pool);
    return 0;
}

static void last_reference_may_go_in_a_callback(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    worker_ids ids = workers_of(pool);
    CHECK_STATUS(ferry_job_add_done_callback(running, let_go_in_callback, pool), 0);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    await_gone(&ids);
}

/* ---- terminating ---- */

/* ES-017 */
static void terminated_pool_fails_its_jobs_and_takes_no_more(void) {
    static const int64_t graces_us[] = {0, 1, 5000000};
    for (size_t round = 0; round < sizeof graces_us / sizeof graces_us[0]; round++) {
        ferry_executor *pool = fy_processes_of(2);
        ferry_job *one = fy_occupy_worker(pool, 0, 1), *other = fy_occupy_worker(pool, 0, 2);
        ferry_job *waiting = fy_send(pool, fy_note_run, 1);
        worker_ids ids = workers_of(pool);
        CHECK_STATUS(ferry_process_pool_terminate(pool, graces_us[round]), 0);
        CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
        fy_take_failure(one, FERRY_EBROKEN, "terminated");
        fy_take_failure(other, FERRY_EBROKEN, "terminated");
        fy_take_failure(waiting, FERRY_EBROKEN, "terminated");
        shut_down_waiting(pool);
        check_gone(&ids);
        CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
        CHECK_INT(atomic_load(&fy_board()->runs[1]), 0);
        ferry_executor_unref(pool);
    }
}

/* ES-017: whatever a worker's death means otherwise */
static void terminated_pool_is_not_broken(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2,
                                          .on_worker_death = FERRY_WORKER_DEATH_BREAK};
    ferry_executor *pool = fy_processes_with(&options);
    CHECK_INT(fy_call(pool, fy_square, 2), 4);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK_STATUS(ferry_process_pool_terminate(pool, 1000000), 0);
    fy_take_failure(running, FERRY_EBROKEN, "terminated");
    shut_down_waiting(pool);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
    ferry_executor_unref(pool);
}

static void bad_terminations_are_refused(void) {
    ferry_executor *pool = fy_processes_of(1), *threads = NULL;
    CHECK_STATUS(ferry_thread_pool_create(NULL, &threads), 0);
    CHECK_STATUS(ferry_process_pool_terminate(NULL, 0), APR_EINVAL);
    CHECK_STATUS(ferry_process_pool_terminate(threads, 0), APR_EINVAL);
    CHECK_STATUS(ferry_process_pool_terminate(pool, -1), APR_EINVAL);
    CHECK_INT(fy_call(pool, fy_square, 2), 4);
    CHECK_INT(ferry_process_pool_get_workers(threads, NULL, 0), 0);
    CHECK_INT(ferry_process_pool_get_workers(pool, NULL, 5), 0);
    fy_processes_end(threads);
    fy_processes_end(pool);
}

/* EB-013 EB-014: the manager is about to replace a spent worker when the pool is ended, or let go */
static void termination_amid_replacements_replaces_nobody(void) {
    for (int round = 0; round < 10; round++) {
        ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .max_tasks_per_child = 1};
        ferry_executor *pool = fy_processes_with(&options);
        ferry_job *jobs[JOBS];
        for (int i = 0; i < JOBS; i++)
            jobs[i] = fy_send(pool, fy_square, i);
        for (int i = 0; i < round; i++)
            CHECK_STATUS(fy_outcome_of(jobs[i]), 0);
        CHECK_STATUS(ferry_process_pool_terminate(pool, 0), 0);
        if (round % 2)
            ferry_executor_unref(pool);
        for (int i = 0; i < JOBS; i++) {
            ferry_status status = fy_outcome_of(jobs[i]);
            CHECK(status == 0 || status == FERRY_EBROKEN);
            ferry_job_unref(jobs[i]);
        }
        if (round % 2)
            continue;
        shut_down_waiting(pool);
        CHECK_INT(fy_stats_of(pool).workers, 0);
        CHECK(fy_stats_of(pool).workers_started < JOBS);
        ferry_executor_unref(pool);
    }
}

/* EB-014: without a termination its jobs are not dropped, but done */
static void pool_let_go_amid_replacements_ends_its_jobs(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_tasks_per_child = 1};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *jobs[6];
    for (int i = 0; i < 6; i++)
        jobs[i] = fy_send(pool, fy_square, i);
    CHECK_STATUS(fy_outcome_of(jobs[0]), 0);
    ferry_executor_unref(pool);
    for (int i = 0; i < 6; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
}

/* ---- the process's exit ---- */

static ferry_executor *left_pool;

static int leaves_jobs(void) {
    left_pool = fy_processes_of(2);
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(fy_try_send(left_pool, fy_note_run, 100 + i, NULL), 0);
    return 0;
}

static int leaves_a_running_job(void) {
    left_pool = fy_processes_of(1);
    CHECK_STATUS(fy_try_send(left_pool, fy_note_run, 100, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(left_pool, false, false, 0), 0);
    return 0;
}

static int cancels_and_leaves(void) {
    left_pool = fy_processes_of(1);
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(fy_try_send(left_pool, fy_note_run, 100 + i, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(left_pool, false, true, 0), 0);
    return 0;
}

static void submit_at_exit(void) {
    ferry_status status = fy_try_send(left_pool, fy_square, 1, NULL);
    printf("late submission: %d\n", status == FERRY_ESHUTDOWN);
}

static int submits_at_exit(void) {
    CHECK(atexit(submit_at_exit) == 0); /* runs after what was set later, the end of the pools */
    left_pool = fy_processes_of(1);
    CHECK_INT(fy_call(left_pool, fy_square, 2), 4);
    return 0;
}

static ferry_status exit_in_callback(ferry_job *job, void *arg) {
    (void)job;
    (void)arg;
    exit(5);
}

static int exits_in_a_callback(void) {
    left_pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(left_pool, 0, 1);
    CHECK_STATUS(ferry_job_add_done_callback(running, exit_in_callback, NULL), 0);
    fy_door_open(0);
    ferry_thread_sleep(60000000);
    return 0;
}

static void check_child(const char *mode, int code, fy_child *child) {
    fy_board_clear();
    fy_child_run(mode, child);
    CHECK_INT(child->code, code);
}

/* ES-007 */
static void pool_never_shut_down_finishes_its_jobs(void) {
    fy_child child;
    check_child("leaves_jobs", 0, &child);
    for (int i = 0; i < 20; i++)
        CHECK_INT(atomic_load(&fy_board()->runs[100 + i]), 1);
}

/* ES-008 */
static void submission_while_the_process_exits_is_refused(void) {
    fy_child child;
    check_child("submits_at_exit", 0, &child);
    CHECK(strstr(child.output, "late submission: 1") != NULL);
}

/* ES-009 */
static void exit_waits_for_a_job_that_runs_after_a_shutdown(void) {
    fy_child child;
    check_child("leaves_a_running_job", 0, &child);
    CHECK_INT(atomic_load(&fy_board()->runs[100]), 1);
}

/* ES-010 */
static void exit_after_a_cancelling_shutdown_ends_cleanly(void) {
    fy_child child;
    check_child("cancels_and_leaves", 0, &child);
    for (int i = 0; i < 20; i++)
        CHECK(atomic_load(&fy_board()->runs[100 + i]) <= 1);
}

static void exit_in_a_callback_does_not_wait_for_itself(void) {
    fy_child child;
    check_child("exits_in_a_callback", 5, &child);
}

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(leaves_jobs),        FY_CHILD_MODE(leaves_a_running_job), FY_CHILD_MODE(cancels_and_leaves),
    FY_CHILD_MODE(submits_at_exit), FY_CHILD_MODE(exits_in_a_callback),
};

static const fy_test tests[] = {
    FY_TEST(waiting_shutdown_runs_all_and_ends_the_workers),
    FY_TEST(shutdown_without_waiting_completes_all_and_ends_the_workers),
    FY_TEST(shutdown_may_be_called_again_and_then_wait),
    FY_TEST(shutdown_of_an_unused_pool_returns),
    FY_TEST(shutdown_can_cancel_what_waits),
    FY_TEST(cancelled_entry_does_not_hang_a_waiting_shutdown),
    FY_TEST(shutdown_amid_replacements_completes_all),
    FY_TEST(pool_that_was_let_go_finishes_and_ends),
    FY_TEST(callback_cannot_wait_for_its_own_pool),
    FY_TEST(last_reference_may_go_in_a_callback),
    FY_TEST(terminated_pool_fails_its_jobs_and_takes_no_more),
    FY_TEST(terminated_pool_is_not_broken),
    FY_TEST(bad_terminations_are_refused),
    FY_TEST(termination_amid_replacements_replaces_nobody),
    FY_TEST(pool_let_go_amid_replacements_ends_its_jobs),
    FY_TEST(pool_never_shut_down_finishes_its_jobs),
    FY_TEST(submission_while_the_process_exits_is_refused),
    FY_TEST(exit_waits_for_a_job_that_runs_after_a_shutdown),
    FY_TEST(exit_after_a_cancelling_shutdown_ends_cleanly),
    FY_TEST(exit_in_a_callback_does_not_wait_for_itself),
};

FY_PROCESS_CHILD_TEST_MAIN("process_shutdown", tests, modes)
