/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool as its user first meets it: jobs run elsewhere and bring their results back, the number of workers
 * has its limits, and the statistics are exact. Queueing and the workers' lives have files of their own. */
#include "support/jobs.h"
#include "support/threads.h"

/* ET-001 */
static void submit_returns_at_once_and_result_blocks(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK(!ferry_job_done(job));
    fy_gate_await(&door, 1);
    CHECK(ferry_job_running(job));
    CHECK(tracked.ran_by != fy_this_thread());
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(tracked.ran, 1);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.freed, 1);
    CHECK(tracked.freed_by == tracked.ran_by);
    fy_gate_fini(&door);
}

/* ET-001 */
static void result_is_the_functions_value_or_error(void) {
    ferry_executor *pool = fy_pool_of(2);
    for (intptr_t n = 0; n < 200; n++) {
        ferry_job *job;
        CHECK_STATUS(ferry_executor_submit(pool, n % 3 ? fy_echo : fy_unlucky, (void *)n, &job), 0);
        CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), n % 3 ? 0 : APR_EGENERAL);
        CHECK_INT(ferry_job_integer(job), n % 3 ? n : 0);
        CHECK(!ferry_job_message(job) == (n % 3 != 0));
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void every_job_runs_once_though_nobody_asks(void) {
    enum { JOBS = 20000 };
    atomic_int count = 0;
    ferry_executor *pool = fy_pool_of(3);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_count_up, &count, NULL), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(count, JOBS);
}

typedef struct submitter {
    ferry_executor *pool;
    atomic_int *count;
    int jobs;
} submitter;

static void submit_many(void *arg) {
    submitter *self = arg;
    for (int i = 0; i < self->jobs; i++)
        CHECK_STATUS(ferry_executor_submit(self->pool, fy_count_up, self->count, NULL), 0);
}

static void several_threads_may_submit_at_once(void) {
    enum { THREADS = 4, JOBS = 5000 };
    helper_thread threads[THREADS];
    atomic_int count = 0;
    submitter self = {.pool = fy_pool_of(2), .count = &count, .jobs = JOBS};
    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], submit_many, &self);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    CHECK_INT(count, THREADS * JOBS);
}

static void pools_are_independent(void) {
    fy_gate door;
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *stuck = fy_pool_of(1), *free_one = fy_pool_of(1);
    fy_occupy(stuck, &door, 1);
    CHECK_STATUS(ferry_executor_submit(free_one, fy_echo, (void *)(intptr_t)4, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 4);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(free_one), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(stuck), 0);
    fy_gate_fini(&door);
}

/* ---- how many workers ---- */

typedef struct visitor {
    fy_gauge inside;
    fy_gate door;
} visitor;

static ferry_status visit(void *arg, ferry_call *call) {
    visitor *self = arg;
    (void)call;
    fy_gauge_enter(&self->inside);
    fy_gate_pass(&self->door);
    fy_gauge_leave(&self->inside);
    return 0;
}

static void submit_visits(ferry_executor *pool, visitor *self, int count) {
    for (int i = 0; i < count; i++)
        CHECK_STATUS(ferry_executor_submit(pool, visit, self, NULL), 0);
}

/* ET-003 */
static void workers_start_on_demand_and_never_exceed_the_maximum(void) {
    visitor self = {.inside = {0}};
    fy_gate_init(&self.door);
    ferry_executor *pool = fy_pool_of(3);
    CHECK_INT(fy_stats(pool).workers_started, 0);
    submit_visits(pool, &self, 1);
    fy_gate_await(&self.door, 1);
    CHECK_INT(fy_stats(pool).workers_started, 1);
    submit_visits(pool, &self, 1);
    fy_gate_await(&self.door, 2);
    CHECK_INT(fy_stats(pool).workers_started, 2);
    submit_visits(pool, &self, 100);
    fy_gate_await(&self.door, 3);
    ferry_executor_stats stats = fy_stats(pool);
    CHECK_INT(stats.workers_started, 3);
    CHECK_INT(stats.workers, 3);
    CHECK_INT(stats.running, 3);
    CHECK_INT(stats.queued, 99);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(fy_stats(pool).workers_started, 3);
    CHECK_INT(self.inside.peak, 3);
    ferry_executor_unref(pool);
    fy_gate_fini(&self.door);
}

/* ET-003 */
static void burst_of_blocking_jobs_all_start(void) {
    visitor self = {.inside = {0}};
    fy_gate_init(&self.door);
    ferry_executor *pool = fy_pool_of(16);
    submit_visits(pool, &self, 16);
    fy_gate_await(&self.door, 16);
    CHECK_INT(fy_stats(pool).workers, 16);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(self.inside.peak, 16);
    fy_gate_fini(&self.door);
}

/* ET-002 */
static void jobs_awaited_one_after_another_use_one_worker(void) {
    ferry_executor *pool = fy_pool_of(8);
    for (intptr_t n = 0; n < 500; n++) {
        ferry_job *job;
        CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)n, &job), 0);
        CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
        ferry_job_unref(job);
    }
    CHECK_INT(fy_stats(pool).workers_started, 1);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- statistics ---- */

static uint64_t sum(const uint64_t *buckets) {
    uint64_t total = 0;
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++)
        total += buckets[i];
    return total;
}

static void statistics_are_exact(void) {
    enum { GOOD = 70, BAD = 30, CANCELLED = 11 };
    fy_gate door;
    ferry_job *cancelled[CANCELLED];
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(2);
    fy_occupy(pool, &door, 1);
    fy_occupy(pool, &door, 2);
    for (int i = 0; i < CANCELLED; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &cancelled[i]), 0);
    for (int i = 0; i < GOOD + BAD; i++)
        CHECK_STATUS(ferry_executor_submit(pool, i < GOOD ? fy_nothing : fy_unlucky, NULL, NULL), 0);
    CHECK_INT(fy_stats(pool).queued, CANCELLED + GOOD + BAD);
    for (int i = 0; i < CANCELLED; i++)
        CHECK(ferry_job_cancel(cancelled[i]));
    ferry_executor_stats stats = fy_stats(pool);
    CHECK_INT(stats.queued, GOOD + BAD);
    CHECK_INT(stats.cancelled, CANCELLED);
    CHECK_INT(stats.running, 2);
    CHECK_INT(stats.done, 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    stats = fy_stats(pool);
    CHECK_INT(stats.done, 2 + GOOD + BAD);
    CHECK_INT(stats.failed, BAD);
    CHECK_INT(stats.cancelled, CANCELLED);
    CHECK_INT(stats.rejected, 1);
    CHECK_INT(stats.queued + stats.running + stats.workers + stats.workers_idle, 0);
    CHECK_INT(sum(stats.queue_wait), 2 + GOOD + BAD);
    CHECK_INT(sum(stats.run_time), 2 + GOOD + BAD);
    ferry_job_unref_all(cancelled, CANCELLED);
    ferry_executor_unref(pool);
    fy_gate_fini(&door);
}

static ferry_status take_a_while(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    ferry_thread_sleep(3000);
    return 0;
}

/* The first job runs for 3 ms at least, so it lies in the bucket of [2048, 4096) µs or above. */
static void histograms_put_a_job_where_it_belongs(void) {
    enum { BUCKET = 12 };
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, take_a_while, NULL, NULL), 0);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    ferry_executor_stats stats = fy_stats(pool);
    uint64_t long_runs = 0;
    for (int i = BUCKET; i < FERRY_HISTOGRAM_BUCKETS; i++)
        long_runs += stats.run_time[i];
    CHECK(long_runs >= 1);
    CHECK_INT(sum(stats.run_time), 2);
    CHECK_INT(sum(stats.queue_wait), 2);
    ferry_executor_unref(pool);
}

/* ---- options ---- */

static void options_from_the_init_functions_are_the_defaults(void) {
    ferry_thread_pool_options pool_options;
    ferry_job_options job_options;
    ferry_executor *pool;
    ferry_job *job;
    memset(&pool_options, 0xff, sizeof pool_options);
    memset(&job_options, 0xff, sizeof job_options);
    ferry_thread_pool_options_init(&pool_options);
    ferry_job_options_init(&job_options);
    CHECK_INT(pool_options.size, sizeof pool_options);
    CHECK_INT(job_options.size, sizeof job_options);
    job_options.function = fy_echo;
    job_options.arg = &pool_options;
    CHECK_STATUS(ferry_thread_pool_create(&pool_options, &pool), 0);
    CHECK_STATUS(ferry_executor_submit_with(pool, &job_options, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), (intptr_t)&pool_options);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void pool_that_got_no_job_ends_without_a_thread(void) {
    unsigned before = fy_thread_count();
    ferry_executor *pool = fy_pool_of(4);
    CHECK_INT(fy_thread_count(), before);
    CHECK_INT(fy_stats(pool).workers_started, 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static const fy_test tests[] = {
    FY_TEST(submit_returns_at_once_and_result_blocks),
    FY_TEST(result_is_the_functions_value_or_error),
    FY_TEST(every_job_runs_once_though_nobody_asks),
    FY_TEST(several_threads_may_submit_at_once),
    FY_TEST(pools_are_independent),
    FY_TEST(workers_start_on_demand_and_never_exceed_the_maximum),
    FY_TEST(burst_of_blocking_jobs_all_start),
    FY_TEST(jobs_awaited_one_after_another_use_one_worker),
    FY_TEST(statistics_are_exact),
    FY_TEST(histograms_put_a_job_where_it_belongs),
    FY_TEST(options_from_the_init_functions_are_the_defaults),
    FY_TEST(pool_that_got_no_job_ends_without_a_thread),
};

FY_TEST_MAIN("threadpool", tests)
