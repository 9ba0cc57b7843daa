/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: scenarios over the API of executors with the Nth request refused, for every N, alone or with
 * all that follow. What is refused says so and leaves its argument alone, the rest ends once, nothing stays. */
#define FY_TEST_DEADLINE_S 600

#include "support/loops.h"
#include "support/manual.h"

#include "support/allocator.h"

enum { JOBS = 6 };

/* True if it was accepted; a refusal has few reasons. */
static bool accepted(ferry_status status) {
    CHECK(status == 0 || status == APR_ENOMEM || status == FERRY_ENOTHREAD);
    return status == 0;
}

static ferry_executor *small_pool(void) {
    ferry_executor *pool = NULL;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = 2, .max_queue = 100,
                                         .thread_name_prefix = "torture"};
    return accepted(ferry_thread_pool_create(&options, &pool)) ? pool : NULL;
}

/* An argument large enough that its copy is an allocation of its own. */
typedef struct parcel {
    fy_tracked *tracked;
    ferry_status answer;
    char filling[3000];
} parcel;

static ferry_status open_parcel(void *arg, ferry_call *call) {
    parcel *self = arg;
    atomic_fetch_add(&self->tracked->ran, 1);
    return self->answer ? ferry_return_error(call, self->answer, "no %s", "luck") : ferry_return_integer(call, 42);
}

static void free_parcel(void *arg) {
    parcel *self = arg;
    fy_tracked_free(self->tracked);
}

static ferry_job_options parcel_options(parcel *self, fy_tracked *tracked, ferry_status answer) {
    *self = (parcel){.tracked = tracked, .answer = answer};
    return (ferry_job_options){FERRY_JOB_OPTIONS, .function = open_parcel, .arg = self, .arg_size = sizeof *self,
                               .arg_free = free_parcel};
}

/* Submits `JOBS` parcels; the refused ones leave NULL behind. Returns how many were accepted. */
static int submit_parcels(ferry_executor *executor, fy_tracked *tracked, ferry_job **jobs) {
    int count = 0;
    for (int i = 0; i < JOBS; i++) {
        parcel arg;
        ferry_job_options options = parcel_options(&arg, tracked, i % 2 ? APR_EGENERAL : 0);
        options.timeout_us = i == 4 ? AN_HOUR_US : 0;
        jobs[i] = NULL;
        count += accepted(ferry_executor_submit_with(executor, &options, &jobs[i]));
    }
    return count;
}

static void close_and_check(ferry_executor *executor, const fy_tracked *tracked, int count) {
    CHECK_STATUS(ferry_executor_close(executor), 0);
    CHECK_INT(tracked->ran, count);
    CHECK_INT(tracked->freed, count);
}

/* ---- scenarios ---- */

static void submit_and_wait(void) {
    fy_tracked tracked = {0};
    ferry_job *jobs[JOBS];
    ferry_executor *pool = small_pool();
    if (!pool)
        return;
    int count = submit_parcels(pool, &tracked, jobs);
    for (int i = 0; i < JOBS; i++) {
        if (!jobs[i])
            continue;
        CHECK_STATUS(ferry_job_wait(jobs[i], FERRY_FOREVER), 0);
        CHECK_STATUS(ferry_job_status(jobs[i]), i % 2 ? APR_EGENERAL : 0);
        CHECK_INT(ferry_job_integer(jobs[i]), i % 2 ? 0 : 42);
    }
    ferry_job_unref_all(jobs, JOBS);
    close_and_check(pool, &tracked, count);
}

static ferry_status count_callback(ferry_job *job, void *arg) {
    CHECK(ferry_job_done(job));
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void cancel_and_call_back(void) {
    fy_manual manual = {.count = 0};
    fy_tracked tracked = {0};
    atomic_int called = 0;
    int added = 0;
    ferry_job *jobs[JOBS];
    static const ferry_executor_class by_hand = {.size = sizeof by_hand, .submit = fy_manual_submit};
    fy_gate_init(&manual.lock);
    if (accepted(ferry_executor_create(&by_hand, &manual, &manual.executor))) {
        int count = submit_parcels(manual.executor, &tracked, jobs), cancelled = 0;
        for (int i = 0; i < JOBS; i++) {
            if (!jobs[i])
                continue;
            added += accepted(ferry_job_add_done_callback(jobs[i], count_callback, &called));
            added += accepted(ferry_job_add_done_callback(jobs[i], count_callback, &called));
            CHECK(i % 3 || ferry_job_cancel(jobs[i]));
            cancelled += i % 3 == 0;
        }
        fy_manual_run_all(&manual, "hand_0");
        ferry_job_unref_all(jobs, JOBS);
        CHECK_STATUS(ferry_executor_close(manual.executor), 0);
        CHECK_INT(tracked.ran, count - cancelled);
        CHECK_INT(tracked.freed, count);
        CHECK_INT(called, added);
    }
    fy_gate_fini(&manual.lock);
}

static size_t pack(ferry_job **jobs) {
    size_t count = 0;
    for (int i = 0; i < JOBS; i++)
        if (jobs[i])
            jobs[count++] = jobs[i];
    return count;
}

static void wait_for_several(void) {
    fy_tracked tracked = {0};
    ferry_job *jobs[JOBS], *job;
    ferry_jobs_as_completed *iterator = NULL;
    size_t done = 0, count = 0;
    ferry_executor *pool = small_pool();
    if (!pool)
        return;
    submit_parcels(pool, &tracked, jobs);
    count = pack(jobs);
    if (count && accepted(ferry_jobs_wait(jobs, count, FERRY_FOREVER, FERRY_FIRST_EXCEPTION, &done)))
        CHECK(done >= 1);
    if (count && accepted(ferry_jobs_as_completed_open(jobs, count, FERRY_FOREVER, &iterator)))
        for (size_t i = 0; i < count; i++)
            CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), 0);
    ferry_jobs_as_completed_close(iterator);
    if (count && accepted(ferry_jobs_wait(jobs, count, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done)))
        CHECK_INT(done, count);
    ferry_job_unref_all(jobs, count);
    close_and_check(pool, &tracked, (int)count);
}

static ferry_status give(void *source, void **ret_arg) {
    fy_tracked **next = source;
    if ((*next)->answer == FERRY_EEXHAUSTED)
        return FERRY_EEXHAUSTED;
    *ret_arg = (*next)++;
    return 0;
}

/* With a buffer of 2, and with all taken at once; read to the end, and closed half way. */
static void map_in_every_way(void) {
    for (int way = 0; way < 4; way++) {
        fy_tracked all[JOBS + 1] = {{0}}, *next = all;
        ferry_map *map = NULL;
        ferry_job *job;
        ferry_executor *pool = small_pool();
        if (!pool)
            return;
        all[JOBS].answer = FERRY_EEXHAUSTED;
        ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_tracked_job, .next = give, .source = &next,
                                     .buffer_size = way % 2 ? 2 : 0, .arg_free = fy_tracked_free,
                                     .timeout_us = AN_HOUR_US};
        if (accepted(ferry_executor_map(pool, &options, &map))) {
            ferry_status status = 0;
            for (int i = 0; i < JOBS / (way / 2 + 1) && (status = ferry_map_next(map, &job)) == 0; i++)
                ferry_job_unref(job);
            accepted(status);
            ferry_map_close(map);
        }
        CHECK_STATUS(ferry_executor_close(pool), 0);
        for (int i = 0; i < JOBS; i++)
            CHECK_INT(all[i].freed, &all[i] < next);
    }
}

static void limit_a_pool(void) {
    fy_tracked tracked = {0};
    ferry_job *jobs[JOBS];
    ferry_executor *pool = small_pool(), *view = NULL;
    if (!pool)
        return;
    if (accepted(ferry_executor_limited(pool, 1, &view))) {
        int count = submit_parcels(view, &tracked, jobs);
        ferry_job_unref_all(jobs, JOBS);
        close_and_check(view, &tracked, count);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void run_until_done(ferry_loop *loop, ferry_future *future) {
    while (!ferry_future_done(future))
        accepted(ferry_loop_run_once(loop, 1000));
}

static void run_in_pool(ferry_loop *loop, ferry_executor *pool, fy_tracked *tracked, int *count) {
    ferry_future *futures[JOBS] = {NULL}, *space = NULL;
    for (int i = 0; i < JOBS; i++) {
        parcel arg;
        ferry_job_options options = parcel_options(&arg, tracked, i % 2 ? APR_EGENERAL : 0);
        options.timeout_us = i == 4 ? AN_HOUR_US : 0;
        *count += accepted(ferry_run_in_executor_with(loop, pool, &options, &futures[i]));
    }
    if (accepted(ferry_executor_wait_for_space(loop, pool, &space)))
        run_until_done(loop, space);
    ferry_future_unref(space);
    for (int i = 0; i < JOBS; i++) {
        if (!futures[i])
            continue;
        run_until_done(loop, futures[i]);
        CHECK_STATUS(ferry_future_status(futures[i]), i % 2 ? APR_EGENERAL : 0);
    }
    ferry_future_unref_all(futures, JOBS);
}

static void run_from_a_loop(void) {
    fy_tracked tracked = {0};
    ferry_loop *loop = NULL;
    int count = 0;
    if (!accepted(ferry_loop_create(NULL, &loop)))
        return;
    ferry_executor *pool = small_pool();
    if (pool) {
        run_in_pool(loop, pool, &tracked, &count);
        while (tracked.freed < count)
            accepted(ferry_loop_run_once(loop, 1000));
        close_and_check(pool, &tracked, count);
    }
    end_loop(loop);
}

static void use_the_default_executor(void) {
    fy_tracked tracked = {0};
    ferry_loop *loop = NULL;
    ferry_future *future = NULL, *over = NULL;
    int count = 0;
    if (!accepted(ferry_loop_create(NULL, &loop)))
        return;
    ferry_job_options options = fy_tracked_options(&tracked);
    if (accepted(ferry_run_in_executor_with(loop, NULL, &options, &future))) {
        count = 1;
        run_until_done(loop, future);
        CHECK_STATUS(ferry_future_status(future), 0);
        ferry_future_unref(future);
    }
    if (accepted(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over))) {
        run_until_done(loop, over);
        accepted(ferry_future_status(over));
        ferry_future_unref(over);
    }
    end_loop(loop);
    FY_AWAIT(tracked.freed == count);
}

static void wrap_jobs(void) {
    fy_tracked tracked = {0};
    ferry_loop *loop = NULL;
    ferry_job *jobs[JOBS];
    if (!accepted(ferry_loop_create(NULL, &loop)))
        return;
    ferry_executor *pool = small_pool();
    if (pool) {
        int count = submit_parcels(pool, &tracked, jobs);
        for (int i = 0; i < JOBS; i++) {
            ferry_future *future = NULL;
            if (!jobs[i] || !accepted(ferry_wrap_future(loop, jobs[i], &future)))
                continue;
            run_until_done(loop, future);
            CHECK_STATUS(ferry_future_status(future), i % 2 ? APR_EGENERAL : 0);
            ferry_future_unref(future);
        }
        ferry_job_unref_all(jobs, JOBS);
        close_and_check(pool, &tracked, count);
    }
    end_loop(loop);
}

static void shut_down_and_cancel(void) {
    fy_tracked tracked = {0};
    ferry_job *jobs[JOBS];
    char text[256];
    ferry_executor *pool = small_pool();
    if (!pool)
        return;
    int count = submit_parcels(pool, &tracked, jobs);
    ferry_executor_describe(pool, text, sizeof text);
    ferry_executor_cancel_running(pool);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, true, FERRY_FOREVER), 0);
    for (int i = 0; i < JOBS; i++)
        CHECK(!jobs[i] || ferry_job_done(jobs[i]));
    CHECK_INT(tracked.freed, count);
    CHECK(tracked.ran <= count);
    ferry_job_unref_all(jobs, JOBS);
    ferry_executor_unref(pool);
}

/* ---- every N ---- */

enum { SWEEPS = 10 };

/* Several times over: which request is the Nth depends a little on which thread comes first. */
static void check(void (*scenario)(void)) {
    static bool installed;
    if (!installed)
        allocator_install();
    installed = true;
    allocator_refuse(0, false);
    scenario();
    size_t kept = allocator_blocks_kept();
    for (int sweeps = 0; sweeps < SWEEPS; sweeps++) {
        allocator_sweep(scenario, false, kept);
        allocator_sweep(scenario, true, kept);
    }
    allocator_refuse(0, false);
}

static void refusals_while_submitting_and_waiting(void) {
    check(submit_and_wait);
}

static void refusals_while_cancelling_and_calling_back(void) {
    check(cancel_and_call_back);
}

static void refusals_while_waiting_for_several(void) {
    check(wait_for_several);
}

static void refusals_while_mapping(void) {
    check(map_in_every_way);
}

static void refusals_below_a_limited_view(void) {
    check(limit_a_pool);
}

static void refusals_while_running_from_a_loop(void) {
    check(run_from_a_loop);
}

static void refusals_around_the_default_executor(void) {
    check(use_the_default_executor);
}

static void refusals_while_wrapping_jobs(void) {
    check(wrap_jobs);
}

static void refusals_while_shutting_down(void) {
    check(shut_down_and_cancel);
}

static const fy_test tests[] = {
    FY_TEST(refusals_while_submitting_and_waiting),
    FY_TEST(refusals_while_cancelling_and_calling_back),
    FY_TEST(refusals_while_waiting_for_several),
    FY_TEST(refusals_while_mapping),
    FY_TEST(refusals_below_a_limited_view),
    FY_TEST(refusals_while_running_from_a_loop),
    FY_TEST(refusals_around_the_default_executor),
    FY_TEST(refusals_while_wrapping_jobs),
    FY_TEST(refusals_while_shutting_down),
};

FY_TEST_MAIN("executor_torture", tests)
