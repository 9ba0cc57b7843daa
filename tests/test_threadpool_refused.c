/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of jobs when the system refuses a thread: the submission says so and leaves the argument its owner's, or
 * a worker that lives already takes the job; nothing is lost and nothing done twice. The limit
 * holds for a whole process, so it is set in a child. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "support/child.h"
#include "support/jobs.h"
#include "support/loops.h"
#include "support/refuse_threads.h"

static void check_nothing_left(ferry_executor *pool) {
    ferry_executor_stats stats = fy_stats(pool);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.running, 0);
    CHECK_INT(stats.workers, 0);
    CHECK_INT(stats.done, 0);
}

/* ---- in the child ---- */

static int refused_from_the_first(void) {
    fy_tracked tracked = {0};
    ferry_executor *pool = fy_pool_of(4);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK(refuse_threads());
    for (int i = 0; i < 50; i++)
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), FERRY_ENOTHREAD);
    check_nothing_left(pool);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
    return 0;
}

static int refused_later(void) {
    enum { JOBS = 50 };
    fy_gate door;
    fy_tracked tracked = {0};
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(4);
    fy_occupy(pool, &door, 1);
    CHECK(refuse_threads());
    ferry_job_options options = fy_tracked_options(&tracked);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
    CHECK_INT(fy_stats(pool).workers, 1);
    CHECK_INT(fy_stats(pool).queued, JOBS);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.ran, JOBS);
    CHECK_INT(tracked.freed, JOBS);
    fy_gate_fini(&door);
    return 0;
}

static void check_future_refused(ferry_loop *loop, ferry_executor *executor_or_null) {
    fy_tracked tracked = {0};
    ferry_future *future = NULL;
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(loop, executor_or_null, &options, &future), FERRY_ENOTHREAD);
    CHECK(future == NULL);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
}

static int refused_with_a_loop(void) {
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(2);
    CHECK(refuse_threads());
    check_future_refused(loop, pool);
    check_future_refused(loop, NULL);
    check_nothing_left(pool);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
    return 0;
}

static ferry_status next_number(void *source, void **ret_arg) {
    int *next = source;
    if (*next == 3)
        return FERRY_EEXHAUSTED;
    *ret_arg = (void *)(intptr_t)(*next)++;
    return 0;
}

static int refused_with_a_map(void) {
    int next = 0;
    ferry_map *map = NULL;
    ferry_executor *pool = fy_pool_of(2);
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_echo, .next = next_number, .source = &next};
    CHECK(refuse_threads());
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), FERRY_ENOTHREAD);
    CHECK(map == NULL);
    check_nothing_left(pool);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    return 0;
}

/* ---- what the parent sees ---- */

static void check_child(const char *mode) {
    fy_child child;
    fy_child_run(mode, &child);
    CHECK_INT(child.code, 0);
}

static void pool_in_a_process_without_threads_refuses(void) {
    check_child("refused_from_the_first");
}

static void living_worker_takes_the_jobs_of_those_that_cannot_start(void) {
    check_child("refused_later");
}

static void loop_in_a_process_without_threads_is_refused(void) {
    check_child("refused_with_a_loop");
}

static void map_in_a_process_without_threads_is_refused(void) {
    check_child("refused_with_a_map");
}

static const fy_test tests[] = {
    FY_TEST(pool_in_a_process_without_threads_refuses),
    FY_TEST(living_worker_takes_the_jobs_of_those_that_cannot_start),
    FY_TEST(loop_in_a_process_without_threads_is_refused),
    FY_TEST(map_in_a_process_without_threads_is_refused),
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(refused_from_the_first),
    FY_CHILD_MODE(refused_later),
    FY_CHILD_MODE(refused_with_a_loop),
    FY_CHILD_MODE(refused_with_a_map),
};

FY_CHILD_TEST_MAIN("threadpool_refused", tests, modes)
