/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the process as executors see it: jobs already submitted still end, later ones are refused, and the exit
 * does not hang. Each case is a child process that leaves something behind. */
#include "support/child.h"
#include "support/jobs.h"
#include "support/loops.h"

#include <stdlib.h>

/* Pools and loops are left open on purpose; from here they can still be reached, so no leak check minds. */
static ferry_executor *left_pool;
static ferry_loop *left_loop;
static fy_gate left_door;

static ferry_status say_done(void *arg, ferry_call *call) {
    (void)call;
    ferry_thread_sleep(1000);
    printf("done %d\n", (int)(intptr_t)arg);
    return 0;
}

static ferry_status start_then_finish(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    fy_gate_arrive(&left_door);
    ferry_thread_sleep(30000);
    printf("finished\n");
    return 0;
}

static size_t count_of(const char *text, const char *what) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

static void check_child(const char *mode, fy_child *child) {
    fy_child_run(mode, child);
    CHECK_INT(child->code, 0);
}

/* ---- jobs left behind ---- */

enum { LEFT = 40 };

static int leaves_jobs(void) {
    left_pool = fy_pool_of(2);
    for (intptr_t i = 0; i < LEFT; i++)
        CHECK_STATUS(ferry_executor_submit(left_pool, say_done, (void *)i, NULL), 0);
    return 0;
}

/* ES-007 */
static void pool_never_shut_down_finishes_its_jobs(void) {
    fy_child child;
    check_child("leaves_jobs", &child);
    CHECK_INT(count_of(child.output, "done "), LEFT);
    CHECK(strstr(child.output, "done 39\n") != NULL);
}

static int leaves_jobs_and_calls_exit(void) {
    leaves_jobs();
    exit(0);
}

/* ES-007 */
static void pool_never_shut_down_finishes_its_jobs_on_exit_too(void) {
    fy_child child;
    check_child("leaves_jobs_and_calls_exit", &child);
    CHECK_INT(count_of(child.output, "done "), LEFT);
}

static int lets_the_pool_go(void) {
    leaves_jobs();
    ferry_executor_unref(left_pool);
    left_pool = NULL;
    return 0;
}

/* ES-007, ES-019 */
static void pool_that_was_let_go_finishes_its_jobs(void) {
    fy_child child;
    check_child("lets_the_pool_go", &child);
    CHECK_INT(count_of(child.output, "done "), LEFT);
}

static int leaves_a_loop(void) {
    left_loop = new_loop();
    for (intptr_t i = 0; i < 5; i++)
        CHECK_STATUS(ferry_run_in_executor(left_loop, NULL, say_done, (void *)i, NULL), 0);
    return 0;
}

/* ES-007 */
static void default_executor_of_a_loop_left_open_finishes_its_jobs(void) {
    fy_child child;
    check_child("leaves_a_loop", &child);
    CHECK_INT(count_of(child.output, "done "), 5);
}

static int leaves_idle_workers(void) {
    left_pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 3, .idle_timeout_us = FERRY_FOREVER});
    fy_gate_init(&left_door);
    for (size_t i = 1; i <= 3; i++)
        fy_occupy(left_pool, &left_door, i);
    fy_gate_open(&left_door);
    FY_AWAIT(fy_stats(left_pool).workers_idle == 3);
    return 0;
}

/* ES-007 */
static void idle_workers_do_not_hold_the_exit_up(void) {
    fy_child child;
    check_child("leaves_idle_workers", &child);
}

/* ---- submissions while the process exits ---- */

static ferry_status submit_until_refused(void *arg, ferry_call *call) {
    ferry_executor *pool = arg;
    ferry_status status;
    (void)call;
    while ((status = ferry_executor_submit(pool, fy_nothing, NULL, NULL)) == 0)
        ferry_thread_sleep(500);
    printf("refused with %d\n", status);
    return 0;
}

static int submits_while_exiting(void) {
    left_pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(left_pool, submit_until_refused, left_pool, NULL), 0);
    return 0;
}

/* ES-008 */
static void submission_while_the_process_exits_is_refused(void) {
    fy_child child;
    char expected[64];
    check_child("submits_while_exiting", &child);
    snprintf(expected, sizeof expected, "refused with %d\n", FERRY_ESHUTDOWN);
    CHECK_STRING(child.output, expected);
}

static ferry_status submit_to_a_new_pool_until_refused(void *arg, ferry_call *call) {
    ferry_status status = 0;
    (void)arg;
    (void)call;
    while (!status) {
        ferry_executor *pool = NULL;
        status = ferry_thread_pool_create(NULL, &pool);
        if (!status)
            status = ferry_executor_submit(pool, fy_nothing, NULL, NULL);
        ferry_executor_close(pool);
        ferry_thread_sleep(500);
    }
    printf("refused with %d\n", status);
    return 0;
}

static int makes_pools_while_exiting(void) {
    left_pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(left_pool, submit_to_a_new_pool_until_refused, NULL, NULL), 0);
    return 0;
}

/* ES-008 */
static void pool_made_while_the_process_exits_takes_no_job(void) {
    fy_child child;
    char expected[64];
    check_child("makes_pools_while_exiting", &child);
    snprintf(expected, sizeof expected, "refused with %d\n", FERRY_ESHUTDOWN);
    CHECK_STRING(child.output, expected);
}

/* ---- after a shutdown that did not wait ---- */

static int exits_with_a_job_running(void) {
    fy_gate_init(&left_door);
    left_pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(left_pool, start_then_finish, NULL, NULL), 0);
    fy_gate_await(&left_door, 1);
    CHECK_STATUS(ferry_executor_shutdown(left_pool, false, false, 0), 0);
    return 0;
}

/* ES-009 */
static void exit_waits_for_a_job_that_runs_after_a_shutdown(void) {
    fy_child child;
    check_child("exits_with_a_job_running", &child);
    CHECK_STRING(child.output, "finished\n");
}

static int cancels_and_exits(void) {
    fy_gate_init(&left_door);
    left_pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(left_pool, start_then_finish, NULL, NULL), 0);
    for (intptr_t i = 0; i < LEFT; i++)
        CHECK_STATUS(ferry_executor_submit(left_pool, say_done, (void *)i, NULL), 0);
    fy_gate_await(&left_door, 1);
    CHECK_STATUS(ferry_executor_shutdown(left_pool, false, true, 0), 0);
    return 0;
}

/* ES-010 */
static void exit_after_a_cancelling_shutdown_ends_cleanly(void) {
    fy_child child;
    check_child("cancels_and_exits", &child);
    CHECK_STRING(child.output, "finished\n");
}

static int closes_the_loop_with_a_job_running(void) {
    fy_gate_init(&left_door);
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, start_then_finish, NULL, NULL), 0);
    fy_gate_await(&left_door, 1);
    end_loop(loop);
    return 0;
}

/* ES-009, ED-011 */
static void exit_waits_for_a_job_of_a_closed_loop(void) {
    fy_child child;
    check_child("closes_the_loop_with_a_job_running", &child);
    CHECK_STRING(child.output, "finished\n");
}

static const fy_test tests[] = {
    FY_TEST(pool_never_shut_down_finishes_its_jobs),
    FY_TEST(pool_never_shut_down_finishes_its_jobs_on_exit_too),
    FY_TEST(pool_that_was_let_go_finishes_its_jobs),
    FY_TEST(default_executor_of_a_loop_left_open_finishes_its_jobs),
    FY_TEST(idle_workers_do_not_hold_the_exit_up),
    FY_TEST(submission_while_the_process_exits_is_refused),
    FY_TEST(pool_made_while_the_process_exits_takes_no_job),
    FY_TEST(exit_waits_for_a_job_that_runs_after_a_shutdown),
    FY_TEST(exit_after_a_cancelling_shutdown_ends_cleanly),
    FY_TEST(exit_waits_for_a_job_of_a_closed_loop),
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(leaves_jobs),
    FY_CHILD_MODE(leaves_jobs_and_calls_exit),
    FY_CHILD_MODE(lets_the_pool_go),
    FY_CHILD_MODE(leaves_a_loop),
    FY_CHILD_MODE(leaves_idle_workers),
    FY_CHILD_MODE(submits_while_exiting),
    FY_CHILD_MODE(makes_pools_while_exiting),
    FY_CHILD_MODE(exits_with_a_job_running),
    FY_CHILD_MODE(cancels_and_exits),
    FY_CHILD_MODE(closes_the_loop_with_a_job_running),
};

FY_CHILD_TEST_MAIN("process_exit", tests, modes)
