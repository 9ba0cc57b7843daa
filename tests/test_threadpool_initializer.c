/* SPDX-License-Identifier: Apache-2.0 */
/* The initializer of a pool's workers: it runs once in each before its first job, and one that fails breaks the pool,
 * so that every job which waits and every one that comes later is told. */
#include "support/jobs.h"
#include "support/loops.h"

enum { WORKERS = 3 };

static _Thread_local int initialized_here;

typedef struct initializer {
    fy_gate door;
    atomic_int calls;
    int good;               /* how many succeed; the others fail */
    bool waits;             /* at the gate, each of them */
} initializer;

static ferry_status initialize(void *arg) {
    initializer *self = arg;
    int call = atomic_fetch_add(&self->calls, 1);
    initialized_here++;
    if (self->waits)
        fy_gate_pass(&self->door);
    return call < self->good ? 0 : APR_EGENERAL;
}

static ferry_executor *pool_with(initializer *self, size_t max_workers) {
    return fy_pool_with(&(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = max_workers,
                                                     .initializer = initialize, .initializer_arg = self});
}

typedef struct visit {
    fy_gate door;
    atomic_int initialized_once;
} visit;

static ferry_status look_around(void *arg, ferry_call *call) {
    visit *self = arg;
    (void)call;
    if (initialized_here == 1)
        atomic_fetch_add(&self->initialized_once, 1);
    fy_gate_pass(&self->door);
    return 0;
}

/* ET-017 */
static void initializer_runs_once_in_each_worker_before_its_first_job(void) {
    enum { JOBS = 50 };
    initializer self = {.good = WORKERS};
    visit visitor = {.initialized_once = 0};
    fy_gate_init(&visitor.door);
    ferry_executor *pool = pool_with(&self, WORKERS);
    CHECK_INT(self.calls, 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit(pool, look_around, &visitor, NULL), 0);
    fy_gate_await(&visitor.door, WORKERS);
    fy_gate_open(&visitor.door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(self.calls, WORKERS);
    CHECK_INT(visitor.initialized_once, JOBS);
    fy_gate_fini(&visitor.door);
}

/* ET-017 */
static void worker_that_replaces_a_retired_one_is_initialized_too(void) {
    initializer self = {.good = 100};
    visit visitor = {.initialized_once = 0};
    fy_gate_init(&visitor.door);
    fy_gate_open(&visitor.door);
    ferry_executor *pool = fy_pool_with(&(ferry_thread_pool_options){
        FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .initializer = initialize, .initializer_arg = &self,
        .idle_timeout_us = 1000});
    for (int i = 1; i <= 10; i++) {
        CHECK_STATUS(ferry_executor_submit(pool, look_around, &visitor, NULL), 0);
        fy_gate_await(&visitor.door, (size_t)i);
        FY_AWAIT(fy_stats(pool).workers == 0);
        CHECK_INT(self.calls, i);
        CHECK_INT(visitor.initialized_once, i);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&visitor.door);
}

static void failing_initializer_breaks_jobs_queued_and_later(void) {
    enum { JOBS = 5 };
    initializer self = {.waits = true};
    fy_tracked tracked[JOBS] = {{0}};
    ferry_job *jobs[JOBS], *none = NULL;
    fy_gate_init(&self.door);
    ferry_executor *pool = pool_with(&self, 1);
    for (int i = 0; i < JOBS; i++) {
        ferry_job_options options = fy_tracked_options(&tracked[i]);
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[i]), 0);
    }
    fy_gate_await(&self.door, 1);
    fy_gate_open(&self.door);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_job_result(jobs[i], FERRY_FOREVER), FERRY_EBROKEN);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &none), FERRY_EBROKEN);
    CHECK(none == NULL);
    CHECK_INT(fy_stats(pool).rejected, 1);
    CHECK_INT(fy_stats(pool).queued, 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats(pool).done, 0);
    CHECK_INT(fy_stats(pool).failed, 0);
    CHECK_INT(fy_stats(pool).cancelled, JOBS);
    ferry_executor_unref(pool);
    for (int i = 0; i < JOBS; i++)
        CHECK(tracked[i].ran == 0 && tracked[i].freed == 1);
    CHECK_INT(self.calls, 1);
    ferry_job_unref_all(jobs, JOBS);
    fy_gate_fini(&self.door);
}

static void job_that_runs_when_the_pool_breaks_ends_as_it_will(void) {
    initializer self = {.good = 1};
    fy_gate door;
    ferry_job *running, *queued;
    fy_gate_init(&door);
    ferry_executor *pool = pool_with(&self, 2);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, &running), 0);
    fy_gate_await(&door, 1);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &queued), 0);
    CHECK_STATUS(ferry_job_result(queued, FERRY_FOREVER), FERRY_EBROKEN);
    CHECK(ferry_job_running(running));
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), FERRY_EBROKEN);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(running, FERRY_FOREVER), 0);
    ferry_job_unref(running);
    ferry_job_unref(queued);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

static void future_of_a_job_on_a_broken_pool_says_so(void) {
    initializer self = {.good = 0};
    ferry_future *future, *none = NULL;
    ferry_loop *loop = new_loop();
    ferry_executor *pool = pool_with(&self, 1);
    CHECK_STATUS(ferry_run_in_executor(loop, pool, fy_nothing, NULL, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), FERRY_EBROKEN);
    CHECK_STATUS(ferry_run_in_executor(loop, pool, fy_nothing, NULL, &none), FERRY_EBROKEN);
    CHECK(none == NULL);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void shutdown_of_a_broken_pool_returns(void) {
    initializer self = {.good = 0};
    ferry_job *job;
    ferry_executor *pool = pool_with(&self, 2);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_status(job), FERRY_EBROKEN);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, true, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats(pool).workers, 0);
    ferry_job_unref(job);
    ferry_executor_unref(pool);
}

static const fy_test tests[] = {
    FY_TEST(initializer_runs_once_in_each_worker_before_its_first_job),
    FY_TEST(worker_that_replaces_a_retired_one_is_initialized_too),
    FY_TEST(failing_initializer_breaks_jobs_queued_and_later),
    FY_TEST(job_that_runs_when_the_pool_breaks_ends_as_it_will),
    FY_TEST(future_of_a_job_on_a_broken_pool_says_so),
    FY_TEST(shutdown_of_a_broken_pool_returns),
};

FY_TEST_MAIN("threadpool_initializer", tests)
