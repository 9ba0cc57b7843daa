/* SPDX-License-Identifier: Apache-2.0 */
/* The lives of a pool's workers: idle ones are used first and retire in time, and each has a name. How many
 * there are at most is for test_threadpool.c, and how they begin for test_threadpool_initializer.c. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "support/jobs.h"
#include "support/system.h"
#include "support/loops.h"


/* Makes `count` workers and leaves them idle. */
static void make_idle(ferry_executor *pool, size_t count) {
    fy_gate door;
    fy_gate_init(&door);
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, NULL), 0);
    fy_gate_await(&door, count);
    fy_gate_open(&door);
    FY_AWAIT(fy_stats(pool).workers_idle == count);
    CHECK_INT(fy_stats(pool).running, 0);
    fy_gate_fini(&door);
}

/* ---- idle workers ---- */

/* ET-002 */
static void idle_workers_are_used_before_a_thread_is_started(void) {
    fy_gate door;
    ferry_executor *pool = fy_pool_of(8);
    make_idle(pool, 4);
    CHECK_INT(fy_stats(pool).workers_started, 4);
    fy_gate_init(&door);
    for (size_t i = 1; i <= 4; i++)
        fy_occupy(pool, &door, i);
    CHECK_INT(fy_stats(pool).workers_started, 4);
    fy_occupy(pool, &door, 5);
    CHECK_INT(fy_stats(pool).workers_started, 5);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ET-002 */
static void burst_wakes_as_many_idle_workers_as_it_needs(void) {
    enum { WORKERS = 4, ROUNDS = 300 };
    ferry_executor *pool = fy_pool_of(WORKERS);
    make_idle(pool, WORKERS);
    for (int round = 0; round < ROUNDS; round++) {
        fy_gate door;
        fy_gate_init(&door);
        size_t burst = (size_t)(1 + round % WORKERS);
        for (size_t i = 0; i < burst; i++)
            CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, NULL), 0);
        fy_gate_await(&door, burst);
        fy_gate_open(&door);
        FY_AWAIT(fy_stats(pool).workers_idle == WORKERS);
        fy_gate_fini(&door);
    }
    CHECK_INT(fy_stats(pool).workers_started, WORKERS);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* The same from a loop, whose submissions of one turn may travel together. */
static void burst_from_a_loop_reaches_every_idle_worker(void) {
    enum { WORKERS = 4, ROUNDS = 100 };
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(WORKERS);
    make_idle(pool, WORKERS);
    for (int round = 0; round < ROUNDS; round++) {
        fy_gate door;
        fy_gate_init(&door);
        for (int i = 0; i < WORKERS; i++)
            CHECK_STATUS(ferry_run_in_executor(loop, pool, fy_gate_job, &door, NULL), 0);
        turn(loop);
        fy_gate_await(&door, WORKERS);
        fy_gate_open(&door);
        FY_AWAIT(fy_stats(pool).workers_idle == WORKERS);
        fy_gate_fini(&door);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void idle_workers_retire_and_new_ones_start(void) {
    unsigned threads = fy_thread_count();
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 3, .idle_timeout_us = 1000});
    for (uint64_t round = 1; round <= 20; round++) {
        fy_gate door;
        fy_gate_init(&door);
        for (size_t i = 1; i <= 3; i++)
            fy_occupy(pool, &door, i);
        fy_gate_open(&door);
        FY_AWAIT(fy_stats(pool).workers == 0);
        CHECK_INT(fy_stats(pool).workers_retired, 3 * round);
        CHECK_INT(fy_stats(pool).workers_started, 3 * round);
        CHECK_INT(fy_stats(pool).workers_idle, 0);
        fy_gate_fini(&door);
    }
    FY_AWAIT(fy_thread_count() <= threads);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void job_submitted_while_workers_retire_is_not_lost(void) {
    enum { ROUNDS = 3000 };
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 2, .idle_timeout_us = 1});
    for (intptr_t round = 0; round < ROUNDS; round++) {
        ferry_job *job;
        CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)round, &job), 0);
        CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
        CHECK_INT(ferry_job_integer(job), round);
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- a worker that is busy with a done callback ---- */

typedef struct busy_callback {
    ferry_executor *pool;
    fy_gate door;
} busy_callback;

static ferry_status arrive(void *door, ferry_call *call) {
    (void)call;
    fy_gate_arrive(door);
    return 0;
}

/* Waits for a job that it submits itself. */
static ferry_status submit_and_await(ferry_job *job, void *arg) {
    busy_callback *self = arg;
    (void)job;
    CHECK_STATUS(ferry_executor_submit(self->pool, arrive, &self->door, NULL), 0);
    fy_gate_await(&self->door, 2);
    return 0;
}

/* ET-002 */
static void worker_in_a_done_callback_does_not_count_as_idle(void) {
    busy_callback self = {.pool = fy_pool_of(2)};
    for (int round = 0; round < 200; round++) {
        ferry_job *job;
        fy_gate_init(&self.door);
        CHECK_STATUS(ferry_executor_submit(self.pool, fy_gate_job, &self.door, &job), 0);
        CHECK_STATUS(ferry_job_add_done_callback(job, submit_and_await, &self), 0);
        fy_gate_open(&self.door);
        fy_gate_await(&self.door, 2);
        FY_AWAIT(fy_stats(self.pool).workers_idle == fy_stats(self.pool).workers);
        ferry_job_unref(job);
        fy_gate_fini(&self.door);
    }
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
}

/* ---- names ---- */

enum { NAMED = 3, NAME_SIZE = 64 };

typedef struct name_tag {
    fy_gate *door;
    char by_call[NAME_SIZE];
    char by_system[NAME_SIZE];
} name_tag;

static ferry_status read_names(void *arg, ferry_call *call) {
    name_tag *self = arg;
    snprintf(self->by_call, sizeof self->by_call, "%s", ferry_call_worker(call));
    fy_system_thread_name(self->by_system, sizeof self->by_system);
    fy_gate_pass(self->door);
    return 0;
}

/* Has `NAMED` workers tell their names at the same time. */
static void collect_names(ferry_executor *pool, name_tag *tags) {
    fy_gate door;
    fy_gate_init(&door);
    for (int i = 0; i < NAMED; i++) {
        tags[i] = (name_tag){.door = &door};
        CHECK_STATUS(ferry_executor_submit(pool, read_names, &tags[i], NULL), 0);
    }
    fy_gate_await(&door, NAMED);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    fy_gate_fini(&door);
}

/* ET-015 */
static void workers_carry_the_prefix_and_a_running_number(void) {
    name_tag tags[NAMED];
    bool seen[NAMED] = {false};
    char prefix[] = "resize";
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = NAMED, .thread_name_prefix = prefix});
    memset(prefix, 'x', strlen(prefix));
    collect_names(pool, tags);
    for (int i = 0; i < NAMED; i++) {
        int number = -1;
        CHECK_INT(sscanf(tags[i].by_call, "resize_%d", &number), 1);
        CHECK(number >= 0 && number < NAMED && !seen[number]);
        seen[number] = true;
        CHECK_STRING(tags[i].by_system, tags[i].by_call);
    }
    ferry_executor_unref(pool);
}

/* ET-015 */
static void without_a_prefix_each_pool_has_one_of_its_own(void) {
    name_tag first[NAMED], second[NAMED];
    int first_pool = -1, second_pool = -1, number = -1;
    ferry_executor *one = fy_pool_of(NAMED), *other = fy_pool_of(NAMED);
    collect_names(one, first);
    collect_names(other, second);
    for (int i = 0; i < NAMED; i++) {
        CHECK_INT(sscanf(first[i].by_call, "ferry-%d_%d", &first_pool, &number), 2);
        CHECK_INT(sscanf(second[i].by_call, "ferry-%d_%d", &second_pool, &number), 2);
        CHECK(first_pool != second_pool);
        for (int j = 0; j < i; j++)
            CHECK(strcmp(first[i].by_call, first[j].by_call) != 0);
    }
    ferry_executor_unref(one);
    ferry_executor_unref(other);
}

/* ET-015 */
static void name_longer_than_the_system_allows_is_whole_in_the_call(void) {
    static const char prefix[] = "a-prefix-that-is-longer-than-names-of-threads";
    name_tag tags[NAMED];
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = NAMED, .thread_name_prefix = prefix});
    collect_names(pool, tags);
    for (int i = 0; i < NAMED; i++) {
        CHECK(strncmp(tags[i].by_call, prefix, strlen(prefix)) == 0);
        CHECK(strlen(tags[i].by_call) > strlen(prefix));
    }
    ferry_executor_unref(pool);
}

static void error_names_the_worker(void) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .thread_name_prefix = "bad"});
    CHECK_STATUS(ferry_executor_submit(pool, fy_unlucky, NULL, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), APR_EGENERAL);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_STRING(ferry_job_worker(job), "bad_0");
    ferry_job_unref(job);
}

/* ---- after a rest ---- */

static ferry_status open_gate(void *door, ferry_call *call) {
    (void)call;
    fy_gate_open(door);
    return 0;
}

/* The worker that is woken for the one is not free for the other. */
static void jobs_that_need_each_other_run_beside_each_other_after_a_rest(void) {
    for (int round = 0; round < 20; round++) {
        ferry_executor *pool = fy_pool_of(2);
        ferry_job *job = NULL;
        fy_gate door;
        fy_gate_init(&door);
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
        CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
        ferry_job_unref(job);
        FY_AWAIT(fy_stats(pool).workers_idle == 1);
        CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, NULL), 0);
        CHECK_STATUS(ferry_executor_submit(pool, open_gate, &door, NULL), 0);
        CHECK_STATUS(ferry_executor_close(pool), 0);
        fy_gate_fini(&door);
    }
}

static const fy_test tests[] = {
    FY_TEST(jobs_that_need_each_other_run_beside_each_other_after_a_rest),
    FY_TEST(idle_workers_are_used_before_a_thread_is_started),
    FY_TEST(burst_wakes_as_many_idle_workers_as_it_needs),
    FY_TEST(burst_from_a_loop_reaches_every_idle_worker),
    FY_TEST(idle_workers_retire_and_new_ones_start),
    FY_TEST(job_submitted_while_workers_retire_is_not_lost),
    FY_TEST(worker_in_a_done_callback_does_not_count_as_idle),
    FY_TEST(workers_carry_the_prefix_and_a_running_number),
    FY_TEST(without_a_prefix_each_pool_has_one_of_its_own),
    FY_TEST(name_longer_than_the_system_allows_is_whole_in_the_call),
    FY_TEST(error_names_the_worker),
};

FY_TEST_MAIN("threadpool_workers", tests)
