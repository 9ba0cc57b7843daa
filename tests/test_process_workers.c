/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of a process pool: started on demand and never too many, used again, replaced when they have done their
 * share, sent home when idle, set up by an initializer, and named and counted one by one. */
#include "ferry/job.h"

static ferry_status count_memories(void *arg, ferry_call *call);

#define FY_MORE_PORTABLES {"count_memories", count_memories, 0},
#include "support/processes.h"

/* ---- on demand ---- */

static void no_worker_is_started_before_the_first_job(void) {
    ferry_executor *pool = fy_processes_of(4);
    CHECK_INT(fy_stats_of(pool).workers_started, 0);
    CHECK_INT(ferry_process_pool_get_workers(pool, NULL, 0), 0);
    fy_processes_end(pool);
}

/* EP-005 */
static void idle_worker_is_used_again(void) {
    ferry_executor *pool = fy_processes_of(4);
    int64_t first = fy_call(pool, fy_pid, 0);
    for (int i = 0; i < 50; i++)
        CHECK_INT(fy_call(pool, fy_pid, 0), first);
    CHECK_INT(fy_stats_of(pool).workers_started, 1);
    fy_processes_end(pool);
}

/* EP-004 */
static void there_are_never_more_workers_than_allowed(void) {
    enum { WORKERS = 3, JOBS = 40 };
    ferry_executor *pool = fy_processes_of(WORKERS);
    ferry_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_pass_door, 0);
    fy_door_await(0, WORKERS);
    CHECK_INT(fy_stats_of(pool).workers, WORKERS);
    CHECK_INT(fy_stats_of(pool).running, WORKERS);
    CHECK_INT(fy_stats_of(pool).queued, JOBS - WORKERS);
    CHECK_INT(atomic_load(&fy_board()->arrived[0]), WORKERS);
    fy_door_open(0);
    for (int i = 0; i < JOBS; i++)
        CHECK(fy_take_integer(jobs[i]) > 0);
    CHECK_INT(fy_stats_of(pool).workers_started, WORKERS);
    fy_processes_end(pool);
}

/* As many jobs run side by side as there are workers, also when all jobs before were short: then some are handed out in
 * advance, and must not stay behind one that waits for them. */
static void long_job_holds_no_other_up(void) {
    ferry_executor *pool = fy_processes_of(2);
    fy_door_open(0);
    for (int i = 0; i < 50; i++)
        CHECK(fy_call(pool, fy_pass_door, 0) > 0);
    ferry_job *waiting = fy_occupy_worker(pool, 1, 1);
    ferry_job *opening = fy_send(pool, fy_open_door, 1);
    CHECK(fy_take_integer(waiting) > 0);
    CHECK_STATUS(fy_outcome_of(opening), 0);
    ferry_job_unref(opening);
    fy_processes_end(pool);
}

/* The same, where what it takes to open the door was short as well. */
static void job_given_in_advance_is_taken_back_from_a_long_one(void) {
    ferry_executor *pool = fy_processes_of(2);
    fy_door_open(0);
    for (int i = 0; i < 50; i++) {
        CHECK(fy_call(pool, fy_pass_door, 0) > 0);
        ferry_job *opening = fy_send(pool, fy_open_door, 0);
        CHECK_STATUS(fy_outcome_of(opening), 0);
        ferry_job_unref(opening);
    }
    ferry_job *waiting = fy_occupy_worker(pool, 1, 1);
    ferry_job *opening = fy_send(pool, fy_open_door, 1);
    CHECK_STATUS(fy_outcome_of(opening), 0);
    CHECK(fy_take_integer(waiting) > 0);
    ferry_job_unref(opening);
    fy_processes_end(pool);
}

/* ---- a share of jobs ---- */

static ferry_executor *pool_of_shares(size_t workers, size_t share) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = workers,
                                          .max_tasks_per_child = share};
    return fy_processes_with(&options);
}

/* EP-010 EP-012: there is no way to start a worker but as a fresh process */
static void worker_serves_its_share_and_is_replaced(void) {
    enum { SHARE = 3, JOBS = 12 };
    ferry_executor *pool = pool_of_shares(1, SHARE);
    int64_t before = 0;
    for (int i = 0; i < JOBS; i++) {
        int64_t count = fy_call(pool, fy_count_here, 0);
        CHECK_INT(count, before % SHARE + 1);
        before = count;
    }
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats_of(pool).workers_started, JOBS / SHARE);
    CHECK_INT(fy_stats_of(pool).workers_retired, JOBS / SHARE);
    ferry_executor_unref(pool);
}

/* EP-010 */
static void spent_worker_is_gone(void) {
    ferry_executor *pool = pool_of_shares(1, 1);
    int64_t first = fy_call(pool, fy_pid, 0);
    CHECK(fy_call(pool, fy_pid, 0) != first);
    CHECK(!fy_system_is_alive(first));
    fy_processes_end(pool);
}

/* EP-013 */
static void backlog_of_replaced_workers_never_stalls(void) {
    enum { JOBS = 60 };
    ferry_executor *pool = pool_of_shares(3, 2);
    ferry_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_note_run, i);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(atomic_load(&fy_board()->runs[i]), 1);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK(fy_stats_of(pool).workers_started >= JOBS / 2);
    ferry_executor_unref(pool);
}

/* ---- idle ones ---- */

static void idle_worker_goes_home_and_another_one_comes(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .idle_timeout_us = 1000};
    ferry_executor *pool = fy_processes_with(&options);
    for (int i = 0; i < 3; i++) {
        int64_t pid = fy_call(pool, fy_pid, 0);
        FY_AWAIT(fy_stats_of(pool).workers == 0);
        CHECK(!fy_system_is_alive(pid));
        CHECK_INT(fy_stats_of(pool).workers_retired, i + 1);
    }
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    ferry_executor_unref(pool);
}

static ferry_status count_memories(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, fy_system_shared_memory_count());
}

/* And the next large one goes as well. */
static void large_memory_is_given_back_by_idle_workers(void) {
    enum { LARGE = 3 << 20 };
    ferry_executor *pool = fy_processes_of(1);
    int64_t theirs = fy_call(pool, count_memories, 0);
    unsigned ours = fy_system_shared_memory_count();
    for (int i = 0; i < 2; i++) {
        ferry_job *job = fy_send(pool, fy_make_bytes, LARGE);
        CHECK_STATUS(fy_outcome_of(job), 0);
        ferry_job_unref(job);
        FY_AWAIT(fy_system_shared_memory_count() == ours);
        FY_AWAIT(fy_call(pool, count_memories, 0) == theirs);
    }
    fy_processes_end(pool);
}

/* What an idle pool does costs no time; who runs beside it can only make the sum smaller. */
static void idle_pool_takes_no_processor(void) {
    enum { WATCHED_US = 200000, ALLOWED_US = WATCHED_US / 2 };
    int64_t timeouts[] = {0, FERRY_FOREVER, WATCHED_US / 4};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2,
                                              .idle_timeout_us = timeouts[i]};
        ferry_executor *pool = fy_processes_with(&options);
        CHECK_INT(fy_call(pool, fy_square, 3), 9);
        long long before_us = fy_system_cpu_us();
        ferry_thread_sleep(WATCHED_US);
        CHECK(fy_system_cpu_us() - before_us < ALLOWED_US);
        fy_processes_end(pool);
    }
}

/* ---- initializers ---- */

static void initializer_runs_once_in_each_worker_before_its_jobs(void) {
    int64_t note = 3;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2, .initializer = fy_set_up,
                                          .initializer_arg = &note, .initializer_arg_size = sizeof note};
    ferry_executor *pool = fy_processes_with(&options);
    note = 0;
    ferry_job *one = fy_send(pool, fy_pass_door, 0);
    ferry_job *other = fy_send(pool, fy_pass_door, 0);
    fy_door_await(0, 2);
    CHECK_INT(atomic_load(&fy_board()->notes[3]), 2);
    fy_door_open(0);
    CHECK(fy_take_integer(one) != fy_take_integer(other));
    CHECK_INT(atomic_load(&fy_board()->notes[3]), 2);
    fy_processes_end(pool);
}

static void failing_initializer_breaks_the_pool(void) {
    int64_t number = 13;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2,
                                          .initializer = fy_fail_with_words, .initializer_arg = &number,
                                          .initializer_arg_size = sizeof number};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *one = fy_send(pool, fy_square, 1), *other = NULL;
    ferry_status status = fy_try_send(pool, fy_square, 1, &other);
    CHECK(status == 0 || status == FERRY_EBROKEN);
    fy_take_failure(one, FERRY_EBROKEN, "unlucky number 13");
    if (!status)
        fy_take_failure(other, FERRY_EBROKEN, "the initializer failed");
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_EBROKEN);
    fy_processes_end(pool);
}

static void initializer_that_ends_its_process_breaks_the_pool(void) {
    int64_t code = 5;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .initializer = fy_quit_here,
                                          .initializer_arg = &code, .initializer_arg_size = sizeof code};
    ferry_executor *pool = fy_processes_with(&options);
    fy_take_failure(fy_send(pool, fy_square, 1), FERRY_EBROKEN, "exit code 5");
    fy_processes_end(pool);
}

static void initializer_that_fails_without_words_says_what_it_can(void) {
    int64_t status = FERRY_EFULL;
    char words[128];
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1,
                                          .initializer = fy_fail_silently, .initializer_arg = &status,
                                          .initializer_arg_size = sizeof status};
    ferry_executor *pool = fy_processes_with(&options);
    fy_take_failure(fy_send(pool, fy_square, 1), FERRY_EBROKEN, ferry_strerror(FERRY_EFULL, words, sizeof words));
    fy_processes_end(pool);
}

/* ---- names and figures ---- */

static void worker_is_named_by_prefix_and_number(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .max_tasks_per_child = 1,
                                          .worker_name_prefix = "smith"};
    ferry_executor *pool = fy_processes_with(&options);
    for (int i = 0; i < 3; i++) {
        char wanted[32];
        ferry_job *job = fy_send(pool, fy_worker_name, 0);
        snprintf(wanted, sizeof wanted, "smith_%d", i);
        CHECK_STATUS(fy_outcome_of(job), 0);
        CHECK_STRING((const char *)ferry_job_bytes(job, NULL), wanted);
        ferry_job_unref(job);
    }
    fy_processes_end(pool);
}

/* Two workers of one pool are told apart whatever the length. */
static void long_prefix_leaves_room_for_the_number(void) {
    ferry_process_pool_options options = {
        FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1,
        .worker_name_prefix = "a-name-that-is-far-too-long-for-any-worker-that-must-be-shown-somewhere"};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *job = fy_send(pool, fy_fail_with_words, 1);
    CHECK_STATUS(fy_outcome_of(job), APR_EGENERAL);
    CHECK(strstr(ferry_job_worker(job), "_0 (pid ") != NULL);
    ferry_job_unref(job);
    fy_processes_end(pool);
}

static void each_worker_has_its_figures(void) {
    ferry_executor *pool = fy_processes_of(2);
    ferry_process_worker_stats stats[3];
    int64_t pid = fy_call(pool, fy_pid, 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(fy_call(pool, fy_square, i), i * i);
    fy_take_failure(fy_send(pool, fy_fail_with_words, 1), APR_EGENERAL, NULL);
    CHECK_INT(ferry_process_pool_get_workers(pool, stats, 3), 1);
    CHECK_INT(stats[0].pid, pid);
    CHECK_INT(stats[0].number, 0);
    CHECK_INT(stats[0].done, 6);
    CHECK_INT(stats[0].failed, 1);
    CHECK(!stats[0].is_running);
    ferry_job *one = fy_occupy_worker(pool, 0, 1);
    ferry_job *other = fy_occupy_worker(pool, 0, 2);
    CHECK_INT(ferry_process_pool_get_workers(pool, stats, 1), 2);
    CHECK_INT(ferry_process_pool_get_workers(pool, stats, 3), 2);
    CHECK(stats[0].is_running && stats[1].is_running);
    CHECK_INT(stats[1].number, 1);
    fy_door_open(0);
    CHECK(fy_take_integer(one) != fy_take_integer(other));
    fy_processes_end(pool);
}

static void counts_of_the_pool_agree(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_job *cancelled = fy_send(pool, fy_square, 1);
    ferry_job *queued = fy_send(pool, fy_square, 2);
    CHECK(ferry_job_cancel(cancelled));
    ferry_executor_stats stats = fy_stats_of(pool);
    CHECK_INT(stats.running, 1);
    CHECK_INT(stats.queued, 1);
    CHECK_INT(stats.workers_idle, 0);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    CHECK_INT(fy_take_integer(queued), 4);
    ferry_job_unref(cancelled);
    stats = fy_stats_of(pool);
    CHECK_INT(stats.done, 2);
    CHECK_INT(stats.failed, 0);
    CHECK_INT(stats.cancelled, 1);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.running, 0);
    CHECK_INT(stats.workers_idle, 1);
    fy_processes_end(pool);
}

static void running_jobs_are_described(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .worker_name_prefix = "smith"};
    ferry_executor *pool = fy_processes_with(&options);
    char words[512];
    CHECK_INT(ferry_executor_describe(pool, words, sizeof words), 0);
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    CHECK_INT(ferry_executor_describe(pool, words, sizeof words), 1);
    CHECK(strstr(words, "smith_0 (pid ") != NULL);
    CHECK(strstr(words, "runs pass_door for ") != NULL);
    CHECK_INT(ferry_executor_describe(pool, NULL, 0), 1);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    fy_processes_end(pool);
}

/* ---- order ---- */

static void jobs_of_one_priority_begin_in_their_order(void) {
    enum { JOBS = 200 };
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *jobs[JOBS];
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_count_here, 0);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i + 1);
    fy_processes_end(pool);
}

static void higher_priority_comes_first(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *low = NULL, *high = NULL;
    int64_t none = 0;
    ferry_job *running = fy_occupy_worker(pool, 0, 1);
    ferry_job_options options = fy_number_options(fy_count_here, &none);
    options.priority = FERRY_PRIORITY_LOW;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &low), 0);
    ferry_job *normal = fy_send(pool, fy_count_here, 0);
    options.priority = FERRY_PRIORITY_HIGH;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &high), 0);
    fy_door_open(0);
    CHECK(fy_take_integer(running) > 0);
    CHECK_INT(fy_take_integer(high), 1);
    CHECK_INT(fy_take_integer(normal), 2);
    CHECK_INT(fy_take_integer(low), 3);
    fy_processes_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(no_worker_is_started_before_the_first_job),
    FY_TEST(idle_worker_is_used_again),
    FY_TEST(there_are_never_more_workers_than_allowed),
    FY_TEST(long_job_holds_no_other_up),
    FY_TEST(job_given_in_advance_is_taken_back_from_a_long_one),
    FY_TEST(worker_serves_its_share_and_is_replaced),
    FY_TEST(spent_worker_is_gone),
    FY_TEST(backlog_of_replaced_workers_never_stalls),
    FY_TEST(idle_worker_goes_home_and_another_one_comes),
    FY_TEST(large_memory_is_given_back_by_idle_workers),
    FY_TEST(idle_pool_takes_no_processor),
    FY_TEST(initializer_runs_once_in_each_worker_before_its_jobs),
    FY_TEST(failing_initializer_breaks_the_pool),
    FY_TEST(initializer_that_ends_its_process_breaks_the_pool),
    FY_TEST(initializer_that_fails_without_words_says_what_it_can),
    FY_TEST(worker_is_named_by_prefix_and_number),
    FY_TEST(long_prefix_leaves_room_for_the_number),
    FY_TEST(each_worker_has_its_figures),
    FY_TEST(counts_of_the_pool_agree),
    FY_TEST(running_jobs_are_described),
    FY_TEST(jobs_of_one_priority_begin_in_their_order),
    FY_TEST(higher_priority_comes_first),
};

FY_PROCESS_TEST_MAIN("process_workers", tests)
