/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's default executor: made by the first submission that names none, replaced by the user's own, shut down
 * in the loop's own time or left to end by itself when the loop is closed. */
#include "support/loops.h"
#include "support/manual.h"
#include "support/reports.h"

enum { SHORT_US = 5000 };

static ferry_status copy_worker_name(void *arg, ferry_call *call) {
    snprintf(arg, 64, "%s", ferry_call_worker(call));
    return 0;
}

static ferry_future *submit(ferry_loop *loop, ferry_function *function, void *arg) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, function, arg, &future), 0);
    return future;
}

static void run_and_forget(ferry_loop *loop, ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
}

/* The loop's default, with the name of its one worker as the mark by which a job knows it. */
static ferry_executor *set_default(ferry_loop *loop, const char *name) {
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .thread_name_prefix = name});
    CHECK_STATUS(ferry_loop_set_default_executor(loop, pool), 0);
    return pool;
}

static void check_default_is(ferry_loop *loop, const char *worker) {
    char name[64] = "";
    run_and_forget(loop, submit(loop, copy_worker_name, name));
    CHECK_STRING(name, worker);
}

/* ---- made when needed ---- */

/* A thread that a test before this one has left may end at any time: none must come, that is all.
 * ED-002 */
static void default_is_made_by_the_first_submission(void) {
    unsigned before = fy_thread_count();
    ferry_loop *loop = new_loop();
    post(loop, stop_loop, loop);
    run_forever(loop);
    CHECK(fy_thread_count() <= before);
    CHECK(ferry_loop_default_executor(loop) == NULL);
    fy_gate door;
    fy_gate_init(&door);
    ferry_future *future = submit(loop, fy_gate_job, &door);
    turn(loop);
    fy_gate_await(&door, 1);
    CHECK(fy_thread_count() <= before + 1);
    CHECK_INT(fy_stats(ferry_loop_default_executor(loop)).workers_started, 1);
    fy_gate_open(&door);
    run_and_forget(loop, future);
    end_loop(loop);
    FY_AWAIT(fy_thread_count() <= before);
    fy_gate_fini(&door);
}

/* ED-002 */
static void loop_that_never_submits_never_starts_a_worker(void) {
    unsigned before = fy_thread_count();
    ferry_loop *loop = new_loop();
    ferry_future *future;
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &future), 0);
    run_and_forget(loop, future);
    CHECK(fy_thread_count() <= before);
    end_loop(loop);
}

static void default_runs_jobs_at_once(void) {
    fy_gate door;
    ferry_future *futures[5];
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    for (int i = 0; i < 5; i++)
        futures[i] = submit(loop, fy_gate_job, &door);
    turn(loop);
    fy_gate_await(&door, 5);
    fy_gate_open(&door);
    for (int i = 0; i < 5; i++)
        run_and_forget(loop, futures[i]);
    end_loop(loop);
    fy_gate_fini(&door);
}

/* ---- the user's own ---- */

/* ED-003 */
static void pool_set_as_default_gets_the_submissions(void) {
    ferry_loop *loop = new_loop();
    ferry_executor *mine = set_default(loop, "mine");
    CHECK(ferry_loop_default_executor(loop) == mine);
    check_default_is(loop, "mine_0");
    CHECK_INT(fy_stats(mine).done, 1);
    ferry_executor *other = set_default(loop, "other");
    check_default_is(loop, "other_0");
    CHECK_INT(fy_stats(mine).done, 1);
    CHECK_STATUS(ferry_executor_close(mine), 0);
    CHECK_STATUS(ferry_executor_close(other), 0);
    end_loop(loop);
}

/* ED-003 */
static void loop_holds_the_pool_that_was_set(void) {
    ferry_loop *loop = new_loop();
    ferry_executor_unref(set_default(loop, "held"));
    check_default_is(loop, "held_0");
    end_loop(loop);
}

/* ED-004 */
static void only_a_thread_pool_can_be_the_default(void) {
    fy_manual manual;
    ferry_executor *view;
    ferry_loop *loop = new_loop();
    fy_manual_open(&manual);
    ferry_executor *pool = set_default(loop, "before");
    CHECK_STATUS(ferry_executor_limited(pool, 1, &view), 0);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, manual.executor), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, view), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, NULL), APR_EINVAL);
    check_default_is(loop, "before_0");
    fy_manual_close(&manual);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void pool_that_is_shut_down_cannot_be_the_default(void) {
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(ferry_loop_set_default_executor(loop, pool), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    pool = fy_pool_of(1);
    end_loop(ferry_loop_ref(loop));
    CHECK_STATUS(ferry_loop_set_default_executor(loop, pool), FERRY_ECLOSED);
    ferry_loop_unref(loop);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- closing the loop ---- */

/* ED-005 */
static void close_neither_waits_nor_drops_queued_jobs(void) {
    fy_gate door;
    fy_tracked queued = {0};
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_executor *pool = set_default(loop, "default");
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fy_gate_job, &door, NULL), 0);
    ferry_job_options options = fy_tracked_options(&queued);
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(ferry_run_in_executor_with(loop, NULL, &options, NULL), 0);
    turn(loop);
    fy_gate_await(&door, 1);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK(ferry_loop_default_executor(loop) == NULL);
    ferry_loop_unref(loop);
    CHECK_INT(queued.ran, 0);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(queued.ran, 5);
    CHECK_INT(queued.freed, 5);
    fy_gate_fini(&door);
}

/* ED-011 */
static void job_that_ends_after_its_loop_harms_nothing(void) {
    unsigned before = fy_thread_count();
    for (int round = 0; round < 20; round++) {
        fy_gate door;
        fy_tracked tracked = {.gate = &door};
        ferry_loop *loop = new_loop();
        fy_gate_init(&door);
        ferry_job_options options = fy_tracked_options(&tracked);
        ferry_future *future;
        CHECK_STATUS(ferry_run_in_executor_with(loop, NULL, &options, &future), 0);
        turn(loop);
        fy_gate_await(&door, 1);
        if (round % 2)
            ferry_future_unref(future);
        CHECK_STATUS(ferry_loop_close(loop), 0);
        if (round % 2 == 0)
            ferry_future_unref(future);
        ferry_loop_unref(loop);
        fy_gate_open(&door);
        FY_AWAIT(tracked.freed == 1);
        fy_gate_fini(&door);
    }
    FY_AWAIT(fy_thread_count() <= before);
}

/* ---- shutting it down ---- */

typedef struct heart {
    ferry_loop *loop;
    fy_gate door;
    fy_tracked tracked;
    ferry_future *over;
    int beats;
} heart;

/* Beats a hundred times, lets the job go on, and beats until the shutdown is over. */
static ferry_status beat(void *arg) {
    heart *self = arg;
    if (ferry_future_done(self->over))
        return stop_loop(self->loop);
    if (++self->beats == 100) {
        CHECK_INT(self->tracked.ran, 0);
        fy_gate_open(&self->door);
    }
    post(self->loop, beat, self);
    return 0;
}

/* ED-007 */
static void shutdown_waits_for_the_workers_while_the_loop_goes_on(void) {
    heart self = {.loop = new_loop()};
    fy_gate_init(&self.door);
    self.tracked.gate = &self.door;
    ferry_job_options options = fy_tracked_options(&self.tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, NULL, &options, NULL), 0);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(self.loop, FERRY_FOREVER, &self.over), 0);
    post(self.loop, beat, &self);
    run_forever(self.loop);
    CHECK_STATUS(ferry_future_status(self.over), 0);
    CHECK(self.beats >= 100);
    CHECK_INT(self.tracked.ran, 1);
    CHECK_STATUS(ferry_run_in_executor(self.loop, NULL, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    ferry_future_unref(self.over);
    end_loop(self.loop);
    CHECK_INT(self.tracked.freed, 1);
    fy_gate_fini(&self.door);
}

/* ED-007 */
static void submissions_are_refused_from_the_beginning_of_the_shutdown(void) {
    fy_gate door;
    ferry_future *over, *none = NULL;
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_future *running = submit(loop, fy_gate_job, &door), *queued = submit(loop, fy_echo, &door);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fy_nothing, NULL, &none), FERRY_ESHUTDOWN);
    CHECK(none == NULL);
    fy_gate_open(&door);
    run_and_forget(loop, over);
    run_and_forget(loop, running);
    run_and_forget(loop, queued);
    end_loop(loop);
    fy_gate_fini(&door);
}

/* ED-009 */
static void shutdown_that_takes_too_long_names_the_job_and_goes_on(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    ferry_future *over;
    report_log reports = {.count = 0};
    unsigned before = fy_thread_count();
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
    ferry_job_options options = fy_tracked_options(&tracked);
    options.name = "slow import";
    CHECK_STATUS(ferry_run_in_executor_with(loop, NULL, &options, NULL), 0);
    turn(loop);
    fy_gate_await(&door, 1);
    int64_t start = ferry_now();
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, SHORT_US, &over), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, over), 0);
    CHECK(ferry_now() - start >= SHORT_US);
    CHECK_STATUS(ferry_future_status(over), FERRY_ETIMEDOUT);
    CHECK_INT(reports.count, 1);
    CHECK(strstr(reports.all[0].message, "slow import") != NULL);
    CHECK_INT(tracked.ran, 0);
    ferry_future_unref(over);
    turn(loop);
    end_loop(loop);
    fy_gate_open(&door);
    FY_AWAIT(tracked.freed == 1);
    FY_AWAIT(fy_thread_count() <= before);
    CHECK_INT(tracked.ran, 1);
    fy_gate_fini(&door);
}

static void shutdown_may_be_asked_for_again(void) {
    fy_gate door;
    ferry_future *first, *second, *third;
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_future *running = submit(loop, fy_gate_job, &door);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &first), 0);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &second), 0);
    fy_gate_open(&door);
    run_and_forget(loop, second);
    run_and_forget(loop, first);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &third), 0);
    run_and_forget(loop, third);
    run_and_forget(loop, running);
    end_loop(loop);
    fy_gate_fini(&door);
}

static void users_own_default_is_shut_down_too(void) {
    ferry_future *over;
    ferry_loop *loop = new_loop();
    ferry_executor *pool = set_default(loop, "mine");
    check_default_is(loop, "mine_0");
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    run_and_forget(loop, over);
    CHECK_INT(fy_stats(pool).workers, 0);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void loop_may_close_while_the_shutdown_goes_on(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    ferry_future *over;
    unsigned before = fy_thread_count();
    ferry_loop *loop = new_loop();
    fy_gate_init(&door);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(loop, NULL, &options, NULL), 0);
    turn(loop);
    fy_gate_await(&door, 1);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    turn(loop);
    ferry_future_unref(over);
    end_loop(loop);
    fy_gate_open(&door);
    FY_AWAIT(tracked.freed == 1);
    FY_AWAIT(fy_thread_count() <= before);
    fy_gate_fini(&door);
}

static const fy_test tests[] = {
    FY_TEST(default_is_made_by_the_first_submission),
    FY_TEST(loop_that_never_submits_never_starts_a_worker),
    FY_TEST(default_runs_jobs_at_once),
    FY_TEST(pool_set_as_default_gets_the_submissions),
    FY_TEST(loop_holds_the_pool_that_was_set),
    FY_TEST(only_a_thread_pool_can_be_the_default),
    FY_TEST(pool_that_is_shut_down_cannot_be_the_default),
    FY_TEST(close_neither_waits_nor_drops_queued_jobs),
    FY_TEST(job_that_ends_after_its_loop_harms_nothing),
    FY_TEST(shutdown_waits_for_the_workers_while_the_loop_goes_on),
    FY_TEST(submissions_are_refused_from_the_beginning_of_the_shutdown),
    FY_TEST(shutdown_that_takes_too_long_names_the_job_and_goes_on),
    FY_TEST(shutdown_may_be_asked_for_again),
    FY_TEST(users_own_default_is_shut_down_too),
    FY_TEST(loop_may_close_while_the_shutdown_goes_on),
};

FY_TEST_MAIN("default_executor", tests)
