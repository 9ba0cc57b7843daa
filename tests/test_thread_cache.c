/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of default executors, which are kept for a moment for the next loop, and no others are. What a thread is
 * known by is a variable of its own: a new one finds it empty. */
#include <stdlib.h>

#include "support/child.h"
#include "support/jobs.h"
#include "support/loops.h"
#include "support/threads.h"

static _Thread_local int visits;
static _Thread_local bool is_of_a_pool;

static ferry_status visit(void *arg, ferry_call *call) {
    (void)arg;
    CHECK(!is_of_a_pool);
    return ferry_return_integer(call, ++visits);
}

static ferry_status visit_of_pool(void *arg, ferry_call *call) {
    (void)arg;
    is_of_a_pool = true;
    return ferry_return_integer(call, ++visits);
}

static int64_t integer_of(ferry_loop *loop, ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    int64_t result = ferry_future_integer(future);
    ferry_future_unref(future);
    return result;
}

static void shut_down(ferry_loop *loop) {
    ferry_future *over;
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, over), 0);
    CHECK_STATUS(ferry_future_status(over), 0);
    ferry_future_unref(over);
}

/* How often the thread has been visited that runs the one job of a loop. */
static int64_t run_a_loop(bool waits) {
    ferry_future *future;
    ferry_loop *loop = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, visit, NULL, &future), 0);
    int64_t result = integer_of(loop, future);
    if (waits)
        shut_down(loop);
    end_loop(loop);
    return result;
}

/* ---- who gets which thread ---- */

/* Where this thread is held up for longer than a thread is kept, another one comes; but not every time. */
static void next_loop_gets_the_thread(void) {
    FY_AWAIT(run_a_loop(true) > 2);
}

static void next_loop_gets_the_thread_of_one_that_did_not_wait(void) {
    FY_AWAIT(run_a_loop(false) > 2);
}

static void pool_has_threads_of_its_own(void) {
    enum { ROUNDS = 20 };
    for (int i = 0; i < ROUNDS; i++) {
        ferry_job *job;
        CHECK(run_a_loop(true) >= 1);
        ferry_executor *pool = fy_pool_of(1);
        CHECK_STATUS(ferry_executor_submit(pool, visit_of_pool, NULL, &job), 0);
        CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
        CHECK_INT(ferry_job_integer(job), 1);
        ferry_job_unref(job);
        CHECK_STATUS(ferry_executor_close(pool), 0);
    }
}

static void pool_that_was_set_has_threads_of_its_own(void) {
    CHECK(run_a_loop(true) >= 1);
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    ferry_future *future;
    CHECK_STATUS(ferry_loop_set_default_executor(loop, pool), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, visit_of_pool, NULL, &future), 0);
    CHECK_INT(integer_of(loop, future), 1);
    shut_down(loop);
    end_loop(loop);
    ferry_executor_unref(pool);
    CHECK(run_a_loop(true) >= 1); /* where `visit` looks at its thread */
}

/* ---- how many, and for how long ---- */

enum { LOOPS = 4, JOBS_OF_A_LOOP = 4 };

/* As many threads as there are jobs, which wait for each other. */
static void run_loops_side_by_side(void) {
    ferry_loop *loops[LOOPS];
    ferry_future *futures[LOOPS][JOBS_OF_A_LOOP];
    fy_gate door;
    fy_gate_init(&door);
    for (size_t i = 0; i < LOOPS; i++) {
        CHECK_STATUS(ferry_loop_create(NULL, &loops[i]), 0);
        for (size_t k = 0; k < JOBS_OF_A_LOOP; k++)
            CHECK_STATUS(ferry_run_in_executor(loops[i], NULL, fy_gate_job, &door, &futures[i][k]), 0);
    }
    fy_gate_await(&door, LOOPS * JOBS_OF_A_LOOP);
    fy_gate_open(&door);
    for (size_t i = 0; i < LOOPS; i++) {
        for (size_t k = 0; k < JOBS_OF_A_LOOP; k++) {
            CHECK_STATUS(ferry_loop_run_until_complete(loops[i], futures[i][k]), 0);
            ferry_future_unref(futures[i][k]);
        }
        shut_down(loops[i]);
        end_loop(loops[i]);
    }
    fy_gate_fini(&door);
}

static void more_threads_than_are_kept_come_and_go(void) {
    unsigned before = fy_thread_count();
    for (int i = 0; i < 3; i++)
        run_loops_side_by_side();
    FY_AWAIT(fy_thread_count() <= before);
    run_loops_side_by_side();
}

/* Each of them keeps and is given threads that another one has left. */
static void run_many_loops(void *arg) {
    enum { ROUNDS = FY_SANITIZED ? 100 : 500 };
    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        CHECK(run_a_loop(i % 3 != 0) >= 1);
}

static void many_threads_run_loop_after_loop(void) {
    helper_thread threads[4];
    for (size_t i = 0; i < 4; i++)
        thread_start(&threads[i], run_many_loops, NULL);
    for (size_t i = 0; i < 4; i++)
        thread_join(&threads[i]);
}

/* Loops begin about when a thread has been kept for long enough, now before, now after. */
static void thread_is_wanted_when_its_time_is_up(void) {
    for (int64_t wait_us = 99000; wait_us < 101500; wait_us += 250) {
        CHECK(run_a_loop(true) >= 1);
        ferry_thread_sleep(wait_us);
        CHECK(run_a_loop(true) >= 1);
    }
}

/* ---- the process's exit ---- */

static int runs_loops_and_exits(void) {
    run_loops_side_by_side();
    CHECK(run_a_loop(true) >= 1);
    return EXIT_SUCCESS;
}

static ferry_status exit_from_a_job(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    exit(EXIT_SUCCESS);
}

static int exits_in_a_job(void) {
    ferry_future *future;
    CHECK(run_a_loop(true) >= 1);
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, exit_from_a_job, NULL, &future), 0);
    (void)ferry_loop_run_until_complete(loop, future);
    return EXIT_FAILURE;
}

static void run_a_loop_at_exit(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future;
    ferry_status status = ferry_run_in_executor(loop, NULL, visit, NULL, &future);
    CHECK(status == 0 || status == FERRY_ESHUTDOWN);
    if (!status)
        CHECK(integer_of(loop, future) >= 1);
    end_loop(loop);
}

/* Before the library's own, and after it. */
static int runs_a_loop_at_exit(void) {
    CHECK(!atexit(run_a_loop_at_exit));
    CHECK(run_a_loop(true) >= 1);
    CHECK(!atexit(run_a_loop_at_exit));
    return EXIT_SUCCESS;
}

static void process_exits_while_threads_are_kept(void) {
    static const char *const modes[] = {"runs_loops_and_exits", "exits_in_a_job", "runs_a_loop_at_exit"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fy_child child;
        fy_child_run(modes[i], &child);
        CHECK_STRING(child.output, "");
        CHECK_INT(child.code, EXIT_SUCCESS);
    }
}

static const fy_test tests[] = {
    FY_TEST(next_loop_gets_the_thread),
    FY_TEST(next_loop_gets_the_thread_of_one_that_did_not_wait),
    FY_TEST(pool_has_threads_of_its_own),
    FY_TEST(pool_that_was_set_has_threads_of_its_own),
    FY_TEST(more_threads_than_are_kept_come_and_go),
    FY_TEST(many_threads_run_loop_after_loop),
    FY_TEST(thread_is_wanted_when_its_time_is_up),
    FY_TEST(process_exits_while_threads_are_kept),
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(runs_loops_and_exits),
    FY_CHILD_MODE(exits_in_a_job),
    FY_CHILD_MODE(runs_a_loop_at_exit),
};

FY_CHILD_TEST_MAIN("thread_cache", tests, modes)
