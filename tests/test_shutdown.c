/* SPDX-License-Identifier: Apache-2.0 */
/* How an executor ends: what happens to the jobs that wait and that run, who may wait for it and for how long, and that
 * it may be told so often, from anywhere and while others submit. The end of the process is for test_process_exit.c. */
#include "support/jobs.h"
#include "support/threads.h"

/* ---- what waits is run, or cancelled ---- */

/* ES-002 */
static void waiting_shutdown_runs_every_queued_job(void) {
    enum { JOBS = 5000 };
    atomic_int count = 0;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(2);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_count_up, &count, NULL), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(count, JOBS);
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

/* ES-006 */
static void after_a_waiting_shutdown_every_thread_has_ended(void) {
    unsigned before = fy_thread_count();
    for (int round = 0; round < 20; round++) {
        fy_gate door;
        fy_gate_init(&door);
        ferry_executor *pool = fy_pool_of(4);
        for (size_t i = 1; i <= 4; i++)
            fy_occupy(pool, &door, i);
        CHECK_INT(fy_stats(pool).workers, 4);
        fy_gate_open(&door);
        CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
        CHECK_INT(fy_stats(pool).workers, 0);
        FY_AWAIT(fy_thread_count() <= before);
        ferry_executor_unref(pool);
        fy_gate_fini(&door);
    }
}

static void shutdown_that_cancels_drops_what_waits(void) {
    enum { JOBS = 50 };
    fy_gate door;
    fy_tracked running = {.gate = &door}, waiting = {0};
    ferry_job *jobs[JOBS], *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&running);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    fy_gate_await(&door, 1);
    options = fy_tracked_options(&waiting);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[i]), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, true, 0), 0);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_job_result(jobs[i], FERRY_FOREVER), FERRY_ECANCELED);
        CHECK(ferry_job_cancelled(jobs[i]));
    }
    CHECK(ferry_job_running(job));
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, true, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_INT(running.ran, 1);
    CHECK_INT(running.freed, 1);
    CHECK_INT(waiting.ran, 0);
    CHECK_INT(waiting.freed, JOBS);
    CHECK_INT(fy_stats(pool).cancelled, JOBS);
    ferry_job_unref_all(jobs, JOBS);
    ferry_job_unref(job);
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

/* ES-011 */
static void cancelled_entry_does_not_hang_a_waiting_shutdown(void) {
    for (int round = 0; round < 300; round++) {
        ferry_job *job;
        ferry_executor *pool = fy_pool_of(1);
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
        bool cancelled = ferry_job_cancel(job);
        CHECK_STATUS(ferry_executor_shutdown(pool, true, round % 2 != 0, FERRY_FOREVER), 0);
        CHECK(ferry_job_done(job));
        CHECK(ferry_job_cancelled(job) || !cancelled);
        ferry_job_unref(job);
        ferry_executor_unref(pool);
    }
}

/* ES-011: the entry is in the queue for certain. */
static void entry_cancelled_behind_another_does_not_hang_a_waiting_shutdown(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK(ferry_job_cancel(job));
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK(ferry_job_cancelled(job));
    CHECK(tracked.ran == 0 && tracked.freed == 1);
    CHECK_INT(fy_stats(pool).cancelled, 1);
    ferry_job_unref(job);
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

/* ---- afterwards, and again ---- */

static void submissions_after_a_shutdown_are_refused(void) {
    fy_tracked tracked = {0};
    ferry_job *none = NULL;
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &none), FERRY_ESHUTDOWN);
    CHECK(none == NULL);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
}

/* ES-018 */
static void shutdown_may_be_called_again_and_then_wait(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
    fy_gate_await(&door, 1);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, 0), FERRY_ETIMEDOUT);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(tracked.ran, 1);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, true, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, true, 0), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

static void wait_for_shutdown(void *arg) {
    ferry_executor *pool = arg;
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats(pool).workers, 0);
}

/* ES-018 */
static void several_threads_may_wait_for_the_same_shutdown(void) {
    enum { THREADS = 4, ROUNDS = 50 };
    for (int round = 0; round < ROUNDS; round++) {
        helper_thread threads[THREADS];
        atomic_int count = 0;
        ferry_executor *pool = fy_pool_of(2);
        for (int i = 0; i < 20; i++)
            CHECK_STATUS(ferry_executor_submit(pool, fy_count_up, &count, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            thread_start(&threads[i], wait_for_shutdown, pool);
        for (int i = 0; i < THREADS; i++)
            thread_join(&threads[i]);
        CHECK_INT(count, 20);
        ferry_executor_unref(pool);
    }
}

/* ES-019 */
static void pool_let_go_without_a_shutdown_finishes_and_ends(void) {
    enum { JOBS = 200 };
    unsigned before = fy_thread_count();
    atomic_int count = 0;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(2);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_count_up, &count, NULL), 0);
    ferry_executor_unref(pool);
    fy_gate_open(&door);
    FY_AWAIT(atomic_load(&count) == JOBS);
    FY_AWAIT(fy_thread_count() <= before);
    fy_gate_fini(&door);
}

/* ES-019 */
static void idle_pool_let_go_ends_its_threads(void) {
    unsigned before = fy_thread_count();
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .idle_timeout_us = FERRY_FOREVER});
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), 0);
    FY_AWAIT(fy_stats(pool).workers_idle == 1);
    CHECK(ferry_executor_ref(pool) == pool);
    ferry_executor_unref(pool);
    CHECK_INT(fy_stats(pool).workers_idle, 1);
    ferry_executor_unref(pool);
    FY_AWAIT(fy_thread_count() <= before);
}

static void null_is_taken_where_the_header_says_so(void) {
    CHECK_STATUS(ferry_executor_close(NULL), 0);
    CHECK(ferry_executor_ref(NULL) == NULL);
    ferry_executor_unref(NULL);
}

/* ---- what still runs ---- */

static void shutdown_that_times_out_can_name_what_runs(void) {
    char text[1024], cut[8];
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 2, .thread_name_prefix = "stuck"});
    CHECK_INT(ferry_executor_describe(pool, text, sizeof text), 0);
    CHECK_STRING(text, "");
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_gate_job, .arg = &door, .name = "slow import"};
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, NULL), 0);
    fy_gate_await(&door, 2);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, 3000), FERRY_ETIMEDOUT);
    CHECK(ferry_now() - before >= 3000);
    CHECK_INT(ferry_executor_describe(pool, text, sizeof text), 2);
    CHECK(strstr(text, "slow import") != NULL);
    CHECK(strstr(text, "test_shutdown.c:") != NULL);
    CHECK(strstr(text, "stuck_0") != NULL);
    CHECK(strstr(text, "stuck_1") != NULL);
    CHECK_INT(ferry_executor_describe(pool, cut, sizeof cut), 2);
    CHECK_INT(strlen(cut), sizeof cut - 1);
    CHECK(strncmp(cut, text, sizeof cut - 1) == 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(ferry_executor_describe(pool, text, sizeof text), 0);
    CHECK_STRING(text, "");
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

static ferry_status until_cancelled(void *arg, ferry_call *call) {
    fy_gate_arrive(arg);
    while (!ferry_call_is_cancelled(call))
        ferry_thread_sleep(100);
    return FERRY_ECANCELED;
}

static void running_jobs_can_be_asked_to_stop_all_at_once(void) {
    fy_gate door;
    ferry_job *jobs[3], *later;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(3);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_executor_submit(pool, until_cancelled, &door, &jobs[i]), 0);
    fy_gate_await(&door, 3);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &later), 0);
    ferry_executor_cancel_running(pool);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_job_result(jobs[i], FERRY_FOREVER), FERRY_ECANCELED);
    CHECK_STATUS(ferry_job_result(later, FERRY_FOREVER), 0);
    ferry_job_unref_all(jobs, 3);
    ferry_job_unref(later);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ---- from a worker ---- */

static ferry_status shut_down_own_pool(void *arg, ferry_call *call) {
    ferry_executor *pool = arg;
    (void)call;
    return ferry_executor_shutdown(pool, true, false, FERRY_FOREVER);
}

static ferry_status shut_down_without_waiting(void *arg, ferry_call *call) {
    ferry_executor *pool = arg;
    (void)call;
    CHECK_STATUS(ferry_executor_shutdown(pool, false, true, 0), 0);
    return ferry_executor_submit(pool, fy_nothing, NULL, NULL);
}

static void worker_cannot_wait_for_its_own_pool(void) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(2);
    CHECK_STATUS(ferry_executor_submit(pool, shut_down_own_pool, pool, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_EDEADLK);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void worker_may_shut_its_own_pool_down_without_waiting(void) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(2);
    CHECK_STATUS(ferry_executor_submit(pool, shut_down_without_waiting, pool, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ESHUTDOWN);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void worker_may_close_another_pool(void) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(1), *other = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(other, fy_nothing, NULL, NULL), 0);
    CHECK_STATUS(ferry_executor_submit(pool, shut_down_own_pool, other, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(other), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- while others submit ---- */

typedef struct submitter {
    ferry_executor *pool;
    fy_tracked *tracked;
    atomic_int accepted;
} submitter;

static void submit_until_refused(void *arg) {
    submitter *self = arg;
    ferry_job_options options = fy_tracked_options(self->tracked);
    ferry_status status;
    while ((status = ferry_executor_submit_with(self->pool, &options, NULL)) == 0)
        atomic_fetch_add(&self->accepted, 1);
    CHECK_STATUS(status, FERRY_ESHUTDOWN);
}

static void check_race_with_submits(bool cancel_futures) {
    enum { THREADS = 3 };
    helper_thread threads[THREADS];
    fy_tracked tracked = {0};
    submitter self = {.pool = fy_pool_of(2), .tracked = &tracked};
    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], submit_until_refused, &self);
    FY_AWAIT(atomic_load(&self.accepted) > 100);
    CHECK_STATUS(ferry_executor_shutdown(self.pool, true, cancel_futures, FERRY_FOREVER), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    ferry_executor_stats stats = fy_stats(self.pool);
    CHECK_INT(tracked.freed, self.accepted);
    CHECK_INT((uint64_t)tracked.ran + stats.cancelled, self.accepted);
    CHECK_INT(stats.done, tracked.ran);
    CHECK_INT(stats.rejected, THREADS);
    CHECK(cancel_futures || stats.cancelled == 0);
    ferry_executor_unref(self.pool);
}

/* ES-002 */
static void shutdown_while_others_submit_loses_nothing(void) {
    for (int round = 0; round < 30; round++)
        check_race_with_submits(round % 2 != 0);
}

static const fy_test tests[] = {
    FY_TEST(waiting_shutdown_runs_every_queued_job),
    FY_TEST(after_a_waiting_shutdown_every_thread_has_ended),
    FY_TEST(shutdown_that_cancels_drops_what_waits),
    FY_TEST(cancelled_entry_does_not_hang_a_waiting_shutdown),
    FY_TEST(entry_cancelled_behind_another_does_not_hang_a_waiting_shutdown),
    FY_TEST(submissions_after_a_shutdown_are_refused),
    FY_TEST(shutdown_may_be_called_again_and_then_wait),
    FY_TEST(several_threads_may_wait_for_the_same_shutdown),
    FY_TEST(pool_let_go_without_a_shutdown_finishes_and_ends),
    FY_TEST(idle_pool_let_go_ends_its_threads),
    FY_TEST(null_is_taken_where_the_header_says_so),
    FY_TEST(shutdown_that_times_out_can_name_what_runs),
    FY_TEST(running_jobs_can_be_asked_to_stop_all_at_once),
    FY_TEST(worker_cannot_wait_for_its_own_pool),
    FY_TEST(worker_may_shut_its_own_pool_down_without_waiting),
    FY_TEST(worker_may_close_another_pool),
    FY_TEST(shutdown_while_others_submit_loses_nothing),
};

FY_TEST_MAIN("shutdown", tests)
