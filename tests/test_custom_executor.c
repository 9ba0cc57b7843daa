/* SPDX-License-Identifier: Apache-2.0 */
/* Executors that users write: one whose jobs the test runs by hand later, and one that starts a thread for each job.
 * Both are plugged in through the public class and used like any other. */
#include "support/loops.h"
#include "support/manual.h"
#include "support/threads.h"

/* ---- by hand ---- */

static void jobs_run_when_the_executor_runs_them(void) {
    fy_manual manual;
    ferry_job *jobs[3];
    fy_manual_open(&manual);
    for (intptr_t i = 0; i < 3; i++)
        CHECK_STATUS(ferry_executor_submit(manual.executor, fy_echo, (void *)i, &jobs[i]), 0);
    CHECK_INT(manual.submissions, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(ferry_job_get_state(jobs[i]), FERRY_JOB_PENDING);
    CHECK_INT(fy_manual_run_all(&manual, "hand_0"), 3);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(ferry_job_status(jobs[i]), 0);
        CHECK_INT(ferry_job_integer(jobs[i]), i);
    }
    ferry_job_unref_all(jobs, 3);
    fy_manual_close(&manual);
}

static void refusal_goes_to_the_caller_and_leaves_the_argument(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *none = NULL;
    ferry_future *no_future = NULL;
    ferry_loop *loop = new_loop();
    fy_manual_open(&manual);
    manual.refusal = APR_OS_START_USERERR + 5;
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &none), manual.refusal);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, NULL), manual.refusal);
    CHECK_STATUS(ferry_run_in_executor_with(loop, manual.executor, &options, &no_future), manual.refusal);
    CHECK(none == NULL && no_future == NULL);
    CHECK_INT(manual.submissions, 3);
    fy_manual_close(&manual);
    end_loop(loop);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
}

static void dropped_job_ends_cancelled(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *job;
    size_t done = 0;
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &job), 0);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    CHECK(ferry_job_cancelled(job));
    CHECK_STATUS(ferry_jobs_wait(&job, 1, 0, FERRY_ALL_COMPLETED, &done), 0);
    CHECK_INT(done, 1);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK(tracked.ran == 0 && tracked.freed == 1);
}

static void cancelled_job_may_be_run_or_dropped_later(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *jobs[2];
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &jobs[i]), 0);
        CHECK(ferry_job_cancel(jobs[i]));
        CHECK_INT(manual.cancels, i + 1);
    }
    ferry_job_run(fy_manual_take(&manual), NULL);
    ferry_job_drop(fy_manual_take(&manual));
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(ferry_job_status(jobs[i]), FERRY_ECANCELED);
    ferry_job_unref_all(jobs, 2);
    fy_manual_close(&manual);
    CHECK(tracked.ran == 0 && tracked.freed == 2);
}

static void job_whose_time_is_up_ends_so_whatever_the_executor_does(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *jobs[3];
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    options.timeout_us = 1;
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &jobs[i]), 0);
    ferry_thread_sleep(10);
    ferry_job_run(fy_manual_take(&manual), NULL);
    ferry_job_drop(fy_manual_take(&manual));
    ferry_job *claimed_late = fy_manual_take(&manual);
    CHECK(!ferry_job_claim(claimed_late));
    ferry_job_drop(claimed_late);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_job_result(jobs[i], FERRY_FOREVER), FERRY_ETIMEDOUT);
    ferry_job_unref_all(jobs, 3);
    fy_manual_close(&manual);
    CHECK(tracked.ran == 0 && tracked.freed == 3);
}

static void shutdown_is_passed_on_and_later_submissions_are_refused_above(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_shutdown(manual.executor, true, true, 1000), 0);
    CHECK_INT(manual.shutdowns, 1);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK_INT(manual.submissions, 0);
    fy_manual_close(&manual);
}

/* FU-016 */
static void futures_are_resolved_on_the_loops_thread(void) {
    fy_manual manual;
    ferry_future *good, *bad;
    ferry_loop *loop = new_loop();
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_run_in_executor(loop, manual.executor, fy_echo, (void *)(intptr_t)7, &good), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, manual.executor, fy_unlucky, (void *)(intptr_t)13, &bad), 0);
    fy_manual_run_all(&manual, "hand_0");
    CHECK(!ferry_future_done(good));
    CHECK_STATUS(ferry_loop_run_until_complete(loop, good), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, bad), 0);
    CHECK_INT(ferry_future_integer(good), 7);
    CHECK_STATUS(ferry_future_status(bad), APR_EGENERAL);
    CHECK_STRING(ferry_future_message(bad), "unlucky number 13");
    CHECK_STRING(ferry_future_worker(bad), "hand_0");
    ferry_future_unref(good);
    ferry_future_unref(bad);
    fy_manual_close(&manual);
    end_loop(loop);
}

/* ED-012 */
static void cancelled_future_reaches_the_class(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_future *future;
    ferry_loop *loop = new_loop();
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(loop, manual.executor, &options, &future), 0);
    CHECK(ferry_future_cancel(future));
    CHECK_INT(manual.cancels, 1);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    while (tracked.freed == 0)
        CHECK_STATUS(ferry_loop_run_once(loop, 1000), 0);
    CHECK(tracked.ran == 0);
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    fy_manual_close(&manual);
    end_loop(loop);
}

static void what_the_class_leaves_out_has_a_default(void) {
    static const ferry_executor_class bare = {.size = sizeof bare, .submit = fy_manual_submit};
    fy_manual manual;
    ferry_executor *executor;
    ferry_job *job;
    char text[64] = "untouched";
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_create(&bare, &manual, &executor), 0);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, &job), 0);
    CHECK(ferry_job_cancel(job));
    ferry_executor_stats stats = fy_stats(executor);
    CHECK_INT(stats.workers + stats.running + stats.done, 0);
    CHECK_INT(ferry_executor_describe(executor, text, sizeof text), 0);
    CHECK_STRING(text, "");
    ferry_executor_cancel_running(executor);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_shutdown(executor, true, true, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_submit(executor, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_close(executor), 0);
    fy_manual_close(&manual);
}

static void tell_stats(void *self, ferry_executor_stats *ret_stats) {
    (void)self;
    ret_stats->done = 41;
    ret_stats->workers = 2;
}

static void statistics_are_the_classes(void) {
    static const ferry_executor_class telling = {.size = sizeof telling, .submit = fy_manual_submit,
                                                 .stats = tell_stats};
    ferry_executor *executor;
    CHECK_STATUS(ferry_executor_create(&telling, NULL, &executor), 0);
    ferry_executor_stats stats = fy_stats(executor);
    CHECK_INT(stats.size, sizeof stats);
    CHECK_INT(stats.done, 41);
    CHECK_INT(stats.workers, 2);
    CHECK_INT(stats.queued, 0);
    CHECK_STATUS(ferry_executor_close(executor), 0);
}

/* ---- a thread for each job ---- */

enum { THREADS_MAX = 64 };

typedef struct threaded {
    apr_thread_mutex_t *mutex;
    apr_pool_t *memory;
    helper_thread threads[THREADS_MAX];
    size_t started;
    size_t joined;
} threaded;

static void run_given_job(void *job) {
    ferry_job_run(job, "one of many");
}

static ferry_status threaded_submit(void *self, ferry_job *job) {
    threaded *all = self;
    ferry_status status = 0;
    apr_thread_mutex_lock(all->mutex);
    if (all->started == THREADS_MAX)
        status = FERRY_EFULL;
    else
        thread_start(&all->threads[all->started++], run_given_job, job);
    apr_thread_mutex_unlock(all->mutex);
    return status;
}

static ferry_status threaded_shutdown(void *self, bool wait, bool cancel_futures, int64_t timeout_us) {
    threaded *all = self;
    (void)cancel_futures;
    (void)timeout_us;
    while (wait && all->joined < all->started)
        thread_join(&all->threads[all->joined++]);
    return 0;
}

static ferry_executor *threaded_open(threaded *all) {
    static const ferry_executor_class by_threads = {
        .size = sizeof by_threads, .name = "a thread for each job", .submit = threaded_submit,
        .shutdown = threaded_shutdown};
    ferry_executor *executor;
    memset(all, 0, sizeof *all);
    CHECK_STATUS(apr_pool_create(&all->memory, NULL), 0);
    CHECK_STATUS(apr_thread_mutex_create(&all->mutex, APR_THREAD_MUTEX_DEFAULT, all->memory), 0);
    CHECK_STATUS(ferry_executor_create(&by_threads, all, &executor), 0);
    return executor;
}

static void threaded_close(threaded *all, ferry_executor *executor) {
    CHECK_STATUS(ferry_executor_close(executor), 0);
    CHECK_INT(all->joined, all->started);
    apr_pool_destroy(all->memory);
}

static void thread_for_each_job_serves_waits(void) {
    static threaded all;
    ferry_job *jobs[20];
    size_t done = 0;
    ferry_executor *executor = threaded_open(&all);
    for (intptr_t i = 0; i < 20; i++)
        CHECK_STATUS(ferry_executor_submit(executor, fy_echo, (void *)i, &jobs[i]), 0);
    CHECK_STATUS(ferry_jobs_wait(jobs, 20, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done), 0);
    CHECK_INT(done, 20);
    for (int i = 0; i < 20; i++)
        CHECK_INT(ferry_job_integer(jobs[i]), i);
    ferry_job_unref_all(jobs, 20);
    threaded_close(&all, executor);
}

static ferry_status count_to_twenty(void *source, void **ret_arg) {
    int *next = source;
    if (*next == 20)
        return FERRY_EEXHAUSTED;
    *ret_arg = (void *)(intptr_t)(*next)++;
    return 0;
}

static void thread_for_each_job_serves_a_map(void) {
    static threaded all;
    int next = 0;
    ferry_map *map;
    ferry_job *job;
    ferry_executor *executor = threaded_open(&all);
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_echo, .next = count_to_twenty, .source = &next,
                                 .buffer_size = 5};
    CHECK_STATUS(ferry_executor_map(executor, &options, &map), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_STATUS(ferry_map_next(map, &job), 0);
        CHECK_INT(ferry_job_integer(job), i);
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_map_next(map, &job), FERRY_EEXHAUSTED);
    ferry_map_close(map);
    threaded_close(&all, executor);
}

static void thread_for_each_job_serves_a_loop(void) {
    static threaded all;
    ferry_future *futures[20], *together;
    ferry_loop *loop = new_loop();
    ferry_executor *executor = threaded_open(&all);
    for (intptr_t i = 0; i < 20; i++)
        CHECK_STATUS(ferry_run_in_executor(loop, executor, fy_echo, (void *)i, &futures[i]), 0);
    CHECK_STATUS(ferry_gather(loop, futures, 20, 0, &together), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, together), 0);
    CHECK_STATUS(ferry_future_status(together), 0);
    for (int i = 0; i < 20; i++)
        CHECK_INT(ferry_future_integer(futures[i]), i);
    ferry_future_unref(together);
    ferry_future_unref_all(futures, 20);
    threaded_close(&all, executor);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(jobs_run_when_the_executor_runs_them),
    FY_TEST(refusal_goes_to_the_caller_and_leaves_the_argument),
    FY_TEST(dropped_job_ends_cancelled),
    FY_TEST(cancelled_job_may_be_run_or_dropped_later),
    FY_TEST(job_whose_time_is_up_ends_so_whatever_the_executor_does),
    FY_TEST(shutdown_is_passed_on_and_later_submissions_are_refused_above),
    FY_TEST(futures_are_resolved_on_the_loops_thread),
    FY_TEST(cancelled_future_reaches_the_class),
    FY_TEST(what_the_class_leaves_out_has_a_default),
    FY_TEST(statistics_are_the_classes),
    FY_TEST(thread_for_each_job_serves_waits),
    FY_TEST(thread_for_each_job_serves_a_map),
    FY_TEST(thread_for_each_job_serves_a_loop),
};

FY_TEST_MAIN("custom_executor", tests)
