/* SPDX-License-Identifier: Apache-2.0 */
/* A pool's first worker is started without the pool's lock. What others do meanwhile counts: here the allocator holds
 * whoever starts it until they have done it. */
#include <stdlib.h>

#include "executor/threadpool.h"
#include "support/gate.h"
#include "support/threads.h"

static atomic_bool holds, is_held, goes_on;

static void *hold_the_first(size_t size) {
    if (size == sizeof(fy_worker) && atomic_exchange(&holds, false)) {
        atomic_store(&is_held, true);
        FY_AWAIT(atomic_load(&goes_on));
    }
    return malloc(size);
}

static void hold(void) {
    static const ferry_allocator holding = {hold_the_first, realloc, free};
    static bool is_installed;
    if (!is_installed)
        CHECK_STATUS(ferry_set_allocator(&holding), 0);
    is_installed = true;
    atomic_store(&is_held, false);
    atomic_store(&goes_on, false);
    atomic_store(&holds, true);
}

static ferry_status stand_at(void *door) {
    fy_gate_pass(door);
    return 0;
}

static ferry_status do_nothing(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return 0;
}

static ferry_executor *make_pool(const ferry_thread_pool_options *options) {
    ferry_executor *pool = NULL;
    CHECK_STATUS(ferry_thread_pool_create(options, &pool), 0);
    return pool;
}

typedef struct first {
    ferry_executor *pool;
    ferry_status status;
} first;

static void submit_first(void *arg) {
    first *self = arg;
    self->status = ferry_executor_submit(self->pool, do_nothing, NULL, NULL);
}

static void bound_holds_while_the_first_worker_is_started(void) {
    fy_gate door;
    helper_thread thread;
    fy_gate_init(&door);
    hold();
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .max_queue = 1,
                                         .initializer = stand_at, .initializer_arg = &door};
    first self = {.pool = make_pool(&options)};
    thread_start(&thread, submit_first, &self);
    FY_AWAIT(atomic_load(&is_held));
    CHECK_STATUS(ferry_executor_submit(self.pool, do_nothing, NULL, NULL), 0);
    atomic_store(&goes_on, true);
    thread_join(&thread);
    CHECK_STATUS(self.status, FERRY_EFULL);
    ferry_executor_stats stats = {.size = sizeof stats};
    CHECK_STATUS(ferry_executor_get_stats(self.pool, &stats), 0);
    CHECK_INT(stats.queued, 1);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&door);
}

static void shutdown_counts_while_the_first_worker_is_started(void) {
    helper_thread thread;
    hold();
    first self = {.pool = make_pool(NULL)};
    thread_start(&thread, submit_first, &self);
    FY_AWAIT(atomic_load(&is_held));
    CHECK_STATUS(ferry_executor_shutdown(self.pool, false, false, 0), 0);
    atomic_store(&goes_on, true);
    thread_join(&thread);
    CHECK_STATUS(self.status, FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
}

static ferry_status fail(void *arg) {
    (void)arg;
    return APR_EGENERAL;
}

static void break_pools(void *arg) {
    enum { ROUNDS = 200 };
    (void)arg;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .initializer = fail};
    for (int i = 0; i < ROUNDS; i++) {
        ferry_job *job = NULL;
        ferry_executor *pool = make_pool(&options);
        CHECK_STATUS(ferry_executor_submit(pool, do_nothing, NULL, &job), 0);
        CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_EBROKEN);
        ferry_job_unref(job);
        CHECK_STATUS(ferry_executor_submit(pool, do_nothing, NULL, NULL), FERRY_EBROKEN);
        CHECK_STATUS(ferry_executor_close(pool), 0);
    }
}

/* The worker may have broken the pool before its submitter has the lock again: some of many submitters lose their
 * processor just then. */
static void job_that_started_the_worker_that_breaks_the_pool_is_accepted(void) {
    enum { SUBMITTERS = 8 };
    helper_thread threads[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++)
        thread_start(&threads[i], break_pools, NULL);
    for (int i = 0; i < SUBMITTERS; i++)
        thread_join(&threads[i]);
}

static const fy_test tests[] = {
    FY_TEST(bound_holds_while_the_first_worker_is_started),
    FY_TEST(shutdown_counts_while_the_first_worker_is_started),
    FY_TEST(job_that_started_the_worker_that_breaks_the_pool_is_accepted),
};

FY_TEST_MAIN("threadpool_first_worker", tests)
