/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a call and cheap to see is answered with a status: nothing crashes, nothing is half done, outputs
 * stay untouched, and arguments stay their owner's. */
#include "support/loops.h"
#include "support/manual.h"

/* A request that no memory can meet is answered with NULL, as without a sanitizer, not with the end of the program. */
FY_SANITIZER_HOOK const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

FY_SANITIZER_HOOK const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

/* Outputs are compared with these marks afterwards. */
static char untouched;
#define UNTOUCHED ((void *)&untouched)

static ferry_status nothing_more(void *source, void **ret_arg) {
    (void)source;
    (void)ret_arg;
    return FERRY_EEXHAUSTED;
}

/* ---- making executors ---- */

static void pool_options_are_checked(void) {
    ferry_executor *pool = UNTOUCHED;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = 1};
    CHECK_STATUS(ferry_thread_pool_create(&options, NULL), APR_EINVAL);
    options.size = 0;
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), APR_EINVAL);
    options.size = sizeof options + 1;
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), APR_EINVAL);
    options = (ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .idle_timeout_us = -1};
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), APR_EINVAL);
    options = (ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_queue = 1};
    options.queue_policy = (ferry_queue_policy)77;
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), APR_EINVAL);
    CHECK(pool == UNTOUCHED);
}

static void absurd_numbers_of_workers_are_refused_or_harmless(void) {
    ferry_executor *pool = NULL;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = SIZE_MAX, .max_queue = SIZE_MAX};
    ferry_status status = ferry_thread_pool_create(&options, &pool);
    CHECK(status == 0 || status == APR_EINVAL || status == APR_ENOMEM);
    if (!status) {
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), 0);
        CHECK_STATUS(ferry_executor_close(pool), 0);
    }
}

static void limited_arguments_are_checked(void) {
    ferry_executor *view = UNTOUCHED, *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_limited(NULL, 1, &view), APR_EINVAL);
    CHECK_STATUS(ferry_executor_limited(pool, 0, &view), APR_EINVAL);
    CHECK_STATUS(ferry_executor_limited(pool, 1, NULL), APR_EINVAL);
    CHECK(view == UNTOUCHED);
    CHECK_STATUS(ferry_executor_limited(pool, SIZE_MAX, &view), 0);
    CHECK_STATUS(ferry_executor_submit(view, fy_nothing, NULL, NULL), 0);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void classes_are_checked(void) {
    ferry_executor *executor = UNTOUCHED;
    ferry_executor_class mine = {.size = sizeof mine, .name = "mine", .submit = fy_manual_submit};
    CHECK_STATUS(ferry_executor_create(NULL, NULL, &executor), APR_EINVAL);
    CHECK_STATUS(ferry_executor_create(&mine, NULL, NULL), APR_EINVAL);
    mine.submit = NULL;
    CHECK_STATUS(ferry_executor_create(&mine, NULL, &executor), APR_EINVAL);
    mine.submit = fy_manual_submit;
    mine.size = 3;
    CHECK_STATUS(ferry_executor_create(&mine, NULL, &executor), APR_EINVAL);
    CHECK(executor == UNTOUCHED);
}

/* ---- submitting ---- */

static void check_job_options_refused(ferry_executor *pool, ferry_loop *loop, const ferry_job_options *options) {
    ferry_job *job = UNTOUCHED;
    ferry_future *future = UNTOUCHED;
    CHECK_STATUS(ferry_executor_submit_with(pool, options, &job), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, options, &future), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor_with(loop, NULL, options, NULL), APR_EINVAL);
    CHECK(job == UNTOUCHED && future == UNTOUCHED);
}

static void job_options_are_checked(void) {
    fy_tracked tracked = {0};
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&tracked);
    check_job_options_refused(pool, loop, NULL);
    options.size = 0;
    check_job_options_refused(pool, loop, &options);
    options.size = sizeof options + 8;
    check_job_options_refused(pool, loop, &options);
    options = fy_tracked_options(&tracked);
    options.function = NULL;
    check_job_options_refused(pool, loop, &options);
    options = fy_tracked_options(&tracked);
    options.timeout_us = -1;
    check_job_options_refused(pool, loop, &options);
    options = fy_tracked_options(&tracked);
    options.priority = 2;
    check_job_options_refused(pool, loop, &options);
    options.priority = INT32_MIN;
    check_job_options_refused(pool, loop, &options);
    options = fy_tracked_options(NULL);
    options.arg_size = 16;
    check_job_options_refused(pool, loop, &options);
    CHECK_INT(fy_stats(pool).workers_started, 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
}

static void argument_too_large_to_copy_is_refused(void) {
    char byte = 'b';
    ferry_job *job = UNTOUCHED;
    ferry_executor *pool = fy_pool_of(1);
    ferry_loop *loop = new_loop();
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, SIZE_MAX / 2, (size_t)1 << 50};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_nothing, .arg = &byte, .arg_size = sizes[i]};
        ferry_status status = ferry_executor_submit_with(pool, &options, &job);
        CHECK(status == APR_ENOMEM || status == APR_EINVAL);
        status = ferry_run_in_executor_with(loop, pool, &options, NULL);
        CHECK(status == APR_ENOMEM || status == APR_EINVAL);
    }
    CHECK(job == UNTOUCHED);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void submissions_without_executor_or_function_are_refused(void) {
    ferry_job *job = UNTOUCHED;
    ferry_future *future = UNTOUCHED;
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(NULL, fy_nothing, NULL, &job), APR_EINVAL);
    CHECK_STATUS(ferry_executor_submit(pool, NULL, NULL, &job), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor(loop, pool, NULL, NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, NULL, NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor(NULL, pool, fy_nothing, NULL, &future), APR_EINVAL);
    CHECK(job == UNTOUCHED && future == UNTOUCHED);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void map_options_are_checked(void) {
    ferry_map *map = UNTOUCHED;
    ferry_job *job = UNTOUCHED;
    ferry_executor *pool = fy_pool_of(1);
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_nothing, .next = nothing_more};
    CHECK_STATUS(ferry_executor_map(NULL, &options, &map), APR_EINVAL);
    CHECK_STATUS(ferry_executor_map(pool, NULL, &map), APR_EINVAL);
    CHECK_STATUS(ferry_executor_map(pool, &options, NULL), APR_EINVAL);
    options.next = NULL;
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), APR_EINVAL);
    options = (ferry_map_options){FERRY_MAP_OPTIONS, .next = nothing_more};
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), APR_EINVAL);
    options = (ferry_map_options){FERRY_MAP_OPTIONS, .function = fy_nothing, .next = nothing_more, .timeout_us = -1};
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), APR_EINVAL);
    options = (ferry_map_options){.function = fy_nothing, .next = nothing_more};
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), APR_EINVAL);
    CHECK_STATUS(ferry_map_next(NULL, &job), APR_EINVAL);
    CHECK(map == UNTOUCHED && job == UNTOUCHED);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- executors ---- */

static void calls_on_no_executor_are_refused(void) {
    ferry_executor_stats stats = {.size = sizeof stats};
    ferry_future *future = UNTOUCHED;
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_shutdown(NULL, true, true, 0), APR_EINVAL);
    CHECK_STATUS(ferry_executor_get_stats(NULL, &stats), APR_EINVAL);
    CHECK_STATUS(ferry_executor_get_stats(pool, NULL), APR_EINVAL);
    stats.size = 0;
    CHECK_STATUS(ferry_executor_get_stats(pool, &stats), APR_EINVAL);
    CHECK_STATUS(ferry_executor_wait_for_space(loop, NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_executor_wait_for_space(NULL, pool, &future), APR_EINVAL);
    CHECK_STATUS(ferry_executor_wait_for_space(loop, pool, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_default_executor(NULL, pool), APR_EINVAL);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(NULL, 0, &future), APR_EINVAL);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, 0, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, -1, &future), APR_EINVAL);
    CHECK(future == UNTOUCHED);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static void only_pools_have_space_to_wait_for(void) {
    fy_manual manual;
    ferry_executor *view, *pool = fy_pool_of(1);
    ferry_future *future = UNTOUCHED;
    ferry_loop *loop = new_loop();
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_limited(pool, 1, &view), 0);
    CHECK_STATUS(ferry_executor_wait_for_space(loop, manual.executor, &future), APR_EINVAL);
    CHECK_STATUS(ferry_executor_wait_for_space(loop, view, &future), APR_EINVAL);
    CHECK(future == UNTOUCHED);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_manual_close(&manual);
    end_loop(loop);
}

static void describing_into_no_room_is_harmless(void) {
    fy_gate door;
    char text[2] = "#";
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    CHECK_INT(ferry_executor_describe(pool, NULL, 0), 1);
    CHECK_INT(ferry_executor_describe(pool, text, 0), 1);
    CHECK_STRING(text, "#");
    CHECK_INT(ferry_executor_describe(pool, text, 1), 1);
    CHECK_STRING(text, "");
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ---- jobs ---- */

static void calls_on_no_job_are_refused(void) {
    ferry_job_snapshot snapshot = {.size = sizeof snapshot};
    ferry_future *future = UNTOUCHED;
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_job_wait(NULL, 0), APR_EINVAL);
    CHECK_STATUS(ferry_job_result(NULL, 0), APR_EINVAL);
    CHECK_STATUS(ferry_job_get_snapshot(NULL, &snapshot), APR_EINVAL);
    CHECK_STATUS(ferry_job_add_done_callback(NULL, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_wrap_future(loop, NULL, &future), APR_EINVAL);
    CHECK(future == UNTOUCHED);
    end_loop(loop);
}

static void job_arguments_are_checked(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_echo, NULL, &job), 0);
    ferry_job_snapshot snapshot = {.size = 1};
    CHECK_STATUS(ferry_job_get_snapshot(job, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_job_get_snapshot(job, &snapshot), APR_EINVAL);
    CHECK_STATUS(ferry_job_wait(job, -1), APR_EINVAL);
    CHECK_STATUS(ferry_job_result(job, INT64_MIN), APR_EINVAL);
    CHECK_STATUS(ferry_job_add_done_callback(job, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_job_take_pointer(job, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_wrap_future(NULL, job, NULL), APR_EINVAL);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void sets_of_jobs_are_checked(void) {
    fy_manual manual;
    ferry_job *jobs[2] = {NULL, NULL}, *job = UNTOUCHED;
    ferry_jobs_as_completed *iterator = UNTOUCHED;
    size_t done = 99;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &jobs[0]), 0);
    CHECK_STATUS(ferry_jobs_wait(NULL, 1, 0, FERRY_ALL_COMPLETED, &done), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_wait(jobs, 2, 0, FERRY_ALL_COMPLETED, &done), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_wait(jobs, 1, 0, (ferry_return_when)9, &done), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_wait(jobs, 1, -1, FERRY_ALL_COMPLETED, &done), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_as_completed_open(NULL, 1, 0, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, 2, 0, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, 1, -1, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, 1, 0, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_jobs_as_completed_next(NULL, &job), APR_EINVAL);
    CHECK_INT(done, 99);
    CHECK(iterator == UNTOUCHED && job == UNTOUCHED);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref(jobs[0]);
    fy_manual_close(&manual);
}

static const fy_test tests[] = {
    FY_TEST(pool_options_are_checked),
    FY_TEST(absurd_numbers_of_workers_are_refused_or_harmless),
    FY_TEST(limited_arguments_are_checked),
    FY_TEST(classes_are_checked),
    FY_TEST(job_options_are_checked),
    FY_TEST(argument_too_large_to_copy_is_refused),
    FY_TEST(submissions_without_executor_or_function_are_refused),
    FY_TEST(map_options_are_checked),
    FY_TEST(calls_on_no_executor_are_refused),
    FY_TEST(only_pools_have_space_to_wait_for),
    FY_TEST(describing_into_no_room_is_harmless),
    FY_TEST(calls_on_no_job_are_refused),
    FY_TEST(job_arguments_are_checked),
    FY_TEST(sets_of_jobs_are_checked),
};

FY_TEST_MAIN("bad_input_executor", tests)
