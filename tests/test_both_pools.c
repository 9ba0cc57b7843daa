/* SPDX-License-Identifier: Apache-2.0 */
/* One contract for all pools: the same tests through the same calls, on threads and on processes. What a job leaves
 * behind it leaves on the board, which both see. */
#include "ferry/run.h"

static ferry_function see_the_value, turn_round, return_too_much;

#define FY_MORE_PORTABLES                                                                                              \
    {"see_the_value", see_the_value, 0}, {"turn_round", turn_round, 0}, {"return_too_much", return_too_much, 0},
#include "support/processes.h"

#include "support/tasks.h"

enum { WORKERS = 2, JOBS = 50 };

typedef struct pool_kind {
    const char *name;
    ferry_executor *(*make)(void);
} pool_kind;

static ferry_executor *make_threads(void) {
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = WORKERS};
    ferry_executor *pool = NULL;
    fy_board_clear();
    CHECK_STATUS(ferry_thread_pool_create(&options, &pool), 0);
    return pool;
}

static ferry_executor *make_processes(void) {
    return fy_processes_of(WORKERS);
}

static const pool_kind kinds[] = {{"threads", make_threads}, {"processes", make_processes}};

static void on_each(void (*test)(ferry_executor *pool)) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        printf("%s ", kinds[i].name);
        ferry_executor *pool = kinds[i].make();
        test(pool);
        fy_processes_end(pool);
    }
}

/* ---- submitting and waiting ---- */

static void submit_on(ferry_executor *pool) {
    ferry_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_square, i);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
    fy_take_failure(fy_send(pool, fy_fail_with_words, 13), APR_EGENERAL, "unlucky number 13");
    fy_take_failure(fy_send(pool, fy_fail_silently, FERRY_EFULL), FERRY_EFULL, NULL);
}

static void submit_works_the_same(void) {
    on_each(submit_on);
}

static void bytes_on(ferry_executor *pool) {
    ferry_job *job = fy_send(pool, fy_make_bytes, 3000);
    void *bytes = NULL;
    size_t size = 0;
    CHECK_STATUS(fy_outcome_of(job), 0);
    CHECK_STATUS(ferry_job_take_bytes(job, &bytes, &size), 0);
    CHECK_INT(size, 3000);
    CHECK(((char *)bytes)[2999] == fy_pattern(2999));
    ferry_job_unref(job);
    free(bytes);
}

static void bytes_work_the_same(void) {
    on_each(bytes_on);
}

/* ---- an argument that becomes the result ---- */

enum { MOST_BYTES = 1 << 20 };

/* Its first byte says whether all of it, or only the first half, is returned. */
static ferry_status turn_round(void *arg, ferry_call *call) {
    unsigned char *bytes = arg;
    size_t size = ferry_call_arg_size(call);
    bool all = bytes[0];
    for (size_t i = 0; i < size / 2; i++) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
    return ferry_return_arg(call, all ? size : size / 2);
}

static ferry_status return_too_much(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_arg(call, ferry_call_arg_size(call) + 1);
}

static ferry_job *send_bytes(ferry_executor *pool, ferry_function *function, const void *bytes, size_t size) {
    ferry_job *job = NULL;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = function, .arg = (void *)(uintptr_t)bytes,
                                 .arg_size = size};
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    return job;
}

static void check_turned(ferry_executor *pool, unsigned char *bytes, size_t size, bool all) {
    size_t got = 0, wrong = 0;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)fy_pattern(i);
    bytes[0] = all;
    ferry_job *job = send_bytes(pool, turn_round, bytes, size);
    CHECK_STATUS(fy_outcome_of(job), 0);
    const unsigned char *turned = ferry_job_bytes(job, &got);
    CHECK_INT(got, all ? size : size / 2);
    for (size_t i = 0; i < got; i++)
        wrong += turned[i] != bytes[size - 1 - i];
    CHECK_INT(wrong, 0);
    ferry_job_unref(job);
}

static void argument_on(ferry_executor *pool) {
    static const size_t sizes[] = {2, 100, 3000, 20000, 100000, MOST_BYTES};
    unsigned char *bytes = malloc(MOST_BYTES);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_turned(pool, bytes, sizes[i], true);
        check_turned(pool, bytes, sizes[i], false);
    }
    fy_take_failure(send_bytes(pool, return_too_much, bytes, 10), APR_EINVAL, NULL);
    fy_take_failure(send_bytes(pool, return_too_much, NULL, 0), APR_EINVAL, NULL);
    free(bytes);
}

static void argument_becomes_the_result(void) {
    on_each(argument_on);
}

static void argument_that_is_the_result_stays_the_jobs(void) {
    char bytes[] = {1, 2, 3};
    void *taken = NULL;
    ferry_executor *pool = make_threads();
    ferry_loop *loop = new_loop();
    ferry_future *future = NULL;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = turn_round, .arg = bytes, .arg_size = sizeof bytes};
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_take_bytes(future, &taken, NULL), FERRY_ENOTSUP);
    CHECK_INT(((const char *)ferry_future_bytes(future, NULL))[0], 3);
    ferry_future_unref(future);
    ferry_job *job = send_bytes(pool, turn_round, bytes, sizeof bytes);
    CHECK_STATUS(fy_outcome_of(job), 0);
    CHECK_STATUS(ferry_job_take_bytes(job, &taken, NULL), FERRY_ENOTSUP);
    ferry_job_unref(job);
    fy_processes_end(pool);
    end_loop(loop);
}

static void wait_on(ferry_executor *pool) {
    ferry_job *jobs[3] = {fy_send(pool, fy_pass_door, 0), fy_send(pool, fy_square, 2), fy_send(pool, fy_square, 3)};
    size_t done = 0;
    CHECK_STATUS(ferry_jobs_wait(jobs, 3, FERRY_FOREVER, FERRY_FIRST_COMPLETED, &done), 0);
    CHECK(done >= 1 && done <= 2);
    CHECK_STATUS(ferry_job_wait(jobs[0], 1000), FERRY_ETIMEDOUT);
    CHECK(!ferry_job_done(jobs[0]));
    fy_door_open(0);
    CHECK_STATUS(ferry_jobs_wait(jobs, 3, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done), 0);
    CHECK_INT(done, 3);
    ferry_job_unref_all(jobs, 3);
}

static void wait_works_the_same(void) {
    on_each(wait_on);
}

static void as_completed_on(ferry_executor *pool) {
    ferry_job *jobs[2] = {fy_occupy_worker(pool, 0, 1), fy_send(pool, fy_square, 5)}, *next = NULL;
    ferry_jobs_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, 2, FERRY_FOREVER, &iterator), 0);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &next), 0);
    CHECK(next == jobs[1]);
    fy_door_open(0);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &next), 0);
    CHECK(next == jobs[0]);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &next), FERRY_EEXHAUSTED);
    ferry_jobs_as_completed_close(iterator);
    ferry_job_unref_all(jobs, 2);
}

static void as_completed_works_the_same(void) {
    on_each(as_completed_on);
}

/* ---- maps ---- */

static ferry_status give_next(void *source, void **ret_arg) {
    int64_t *number = source;
    if (*number == JOBS)
        return FERRY_EEXHAUSTED;
    ++*number;
    *ret_arg = number;
    return 0;
}

static void map_on(ferry_executor *pool) {
    for (size_t buffer = 0; buffer < 5; buffer++) {
        int64_t source = 0;
        ferry_map *map = NULL;
        ferry_job *job = NULL;
        ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_square, .next = give_next, .source = &source,
                                     .arg_size = sizeof source, .buffer_size = buffer};
        CHECK_STATUS(ferry_executor_map(pool, &options, &map), 0);
        for (int64_t i = 1; i <= JOBS - 10 * (int64_t)(buffer == 3); i++) {
            CHECK_STATUS(ferry_map_next(map, &job), 0);
            CHECK_INT(fy_take_integer(job), i * i);
        }
        ferry_map_close(map);
    }
}

static void map_works_the_same(void) {
    on_each(map_on);
}

static ferry_status give_the_first_door(void *source, void **ret_arg) {
    static int64_t door;
    int *left = source;
    *ret_arg = &door;
    return (*left)-- ? 0 : FERRY_EEXHAUSTED;
}

static void closing_a_map_ends_no_running_job_on(ferry_executor *pool) {
    int source = JOBS;
    ferry_map *map = NULL;
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_pass_door, .next = give_the_first_door,
                                 .source = &source, .arg_size = sizeof(int64_t)};
    fy_board_clear();
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), 0);
    fy_door_await(0, WORKERS);
    ferry_map_close(map);
    fy_door_open(0);
    FY_AWAIT(fy_stats_of(pool).done == WORKERS);
    CHECK_INT(fy_stats_of(pool).failed, 0);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    CHECK_INT(fy_stats_of(pool).done, WORKERS + 1);
}

static void closing_a_map_ends_no_running_job(void) {
    on_each(closing_a_map_ends_no_running_job_on);
}

/* ---- cancelling ---- */

static void cancel_on(ferry_executor *pool) {
    ferry_job *one = fy_occupy_worker(pool, 0, 1), *other = fy_occupy_worker(pool, 0, 2);
    ferry_job *waiting = fy_send(pool, fy_note_run, 7);
    CHECK(ferry_job_cancel(waiting));
    CHECK_STATUS(ferry_job_result(waiting, FERRY_FOREVER), FERRY_ECANCELED);
    fy_door_open(0);
    CHECK(fy_take_integer(one) > 0 && fy_take_integer(other) > 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(atomic_load(&fy_board()->runs[7]), 0);
    CHECK_INT(fy_stats_of(pool).cancelled, 1);
    CHECK_INT(fy_stats_of(pool).done, 2);
    CHECK_INT(fy_stats_of(pool).queued, 0);
    ferry_job_unref(waiting);
}

static void cancel_works_the_same(void) {
    on_each(cancel_on);
}

static void shutdown_on(ferry_executor *pool) {
    ferry_job *one = fy_occupy_worker(pool, 0, 1), *other = fy_occupy_worker(pool, 0, 2);
    ferry_job *waiting = fy_send(pool, fy_square, 7);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, true, 0), 0);
    CHECK_STATUS(fy_try_send(pool, fy_square, 1, NULL), FERRY_ESHUTDOWN);
    fy_take_failure(waiting, FERRY_ECANCELED, NULL);
    fy_door_open(0);
    CHECK(fy_take_integer(one) > 0 && fy_take_integer(other) > 0);
    CHECK_INT(fy_stats_of(pool).rejected, 1);
}

static void shutdown_works_the_same(void) {
    on_each(shutdown_on);
}

/* ---- callbacks and futures ---- */

static ferry_status note_done(ferry_job *job, void *arg) {
    CHECK(ferry_job_done(job));
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void callbacks_on(ferry_executor *pool) {
    atomic_int called = 0;
    ferry_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = fy_send(pool, fy_square, i);
        CHECK_STATUS(ferry_job_add_done_callback(jobs[i], note_done, &called), 0);
    }
    FY_AWAIT(atomic_load(&called) == JOBS);
    ferry_job_unref_all(jobs, JOBS);
}

static void callbacks_work_the_same(void) {
    on_each(callbacks_on);
}

static void futures_on(ferry_executor *pool) {
    ferry_loop *loop = new_loop();
    ferry_future *futures[JOBS], *wrapped = NULL;
    ferry_job *job = fy_send(pool, fy_square, 8);
    for (int64_t i = 0; i < JOBS; i++) {
        ferry_job_options options = fy_number_options(fy_square, &i);
        CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &futures[i]), 0);
    }
    CHECK_STATUS(ferry_wrap_future(loop, job, &wrapped), 0);
    for (int64_t i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_loop_run_until_complete(loop, futures[i]), 0);
        CHECK_INT(ferry_future_integer(futures[i]), i * i);
        ferry_future_unref(futures[i]);
    }
    CHECK_STATUS(ferry_loop_run_until_complete(loop, wrapped), 0);
    CHECK_INT(ferry_future_integer(wrapped), 64);
    ferry_future_unref(wrapped);
    ferry_job_unref(job);
    end_loop(loop);
}

static void futures_work_the_same(void) {
    on_each(futures_on);
}

/* ---- values ---- */

static ferry_context_var *var; /* of this process */

static ferry_status see_the_value(void *arg, ferry_call *call) {
    (void)arg;
    CHECK_STATUS(ferry_context_var_set(var, "job"), ferry_is_worker() ? APR_EINVAL : 0);
    return ferry_return_integer(call, ferry_context_var_get(var) != NULL);
}

static ferry_status call_with_a_value(void *pool, ferry_call *call) {
    int64_t where = 0;
    int is_seen = -1;
    (void)call;
    CHECK_STATUS(ferry_context_var_set(var, "task"), 0);
    CHECK_STATUS(ferry_call_in(pool, fy_pid, NULL, &where), 0);
    CHECK_STATUS(ferry_call_in(pool, see_the_value, NULL, &is_seen), 0);
    CHECK_INT(is_seen, where == fy_system_process_id());
    CHECK_STRING(ferry_context_var_get(var), "task");
    return 0;
}

static void call_with_a_value_on(ferry_executor *pool) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_context_var_create("request", NULL, &var), 0);
    CHECK_STATUS(run_task(loop, call_with_a_value, pool), 0);
    ferry_context_var_unref(var);
    end_loop(loop);
}

static void values_hinder_no_call(void) {
    on_each(call_with_a_value_on);
}

/* ---- pools of both kinds together ---- */

static ferry_executor *inner_pool;

static ferry_status wait_for_the_other_pool(void *arg, ferry_call *call) {
    ferry_job *job = fy_send(inner_pool, fy_square, (int64_t)(intptr_t)arg);
    return ferry_return_integer(call, fy_take_integer(job));
}

static void thread_may_wait_for_a_process(void) {
    enum { OUTER = 20 };
    ferry_executor *threads = make_threads();
    ferry_job *jobs[OUTER];
    inner_pool = make_processes();
    for (intptr_t i = 0; i < OUTER; i++)
        CHECK_STATUS(ferry_executor_submit(threads, wait_for_the_other_pool, (void *)i, &jobs[i]), 0);
    for (int i = 0; i < OUTER; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i * i);
    fy_processes_end(threads);
    fy_processes_end(inner_pool);
}

static ferry_status send_to_the_other_pool(ferry_job *job, void *ret_job) {
    CHECK_STATUS(fy_try_send(inner_pool, fy_square, ferry_job_integer(job), ret_job), 0);
    fy_door_open(3);
    return 0;
}

static void callback_of_one_pool_may_submit_to_the_other(void) {
    ferry_executor *threads = make_threads();
    inner_pool = make_processes();
    ferry_job *next = NULL, *job = fy_send(threads, fy_square, 3);
    CHECK_STATUS(ferry_job_add_done_callback(job, send_to_the_other_pool, &next), 0);
    FY_AWAIT(atomic_load(&fy_board()->is_open[3]));
    CHECK_INT(fy_take_integer(next), 81);
    ferry_job_unref(job);
    fy_processes_end(threads);
    fy_processes_end(inner_pool);
}

static void limited_view_is_of_threads_alone(void) {
    ferry_executor *threads = make_threads(), *processes = make_processes(), *view = NULL;
    CHECK_STATUS(ferry_executor_limited(processes, 1, &view), FERRY_ENOTSUP);
    CHECK(view == NULL);
    CHECK_STATUS(ferry_executor_limited(threads, 1, &view), 0);
    CHECK_INT(fy_call(view, fy_square, 3), 9);
    fy_processes_end(view);
    fy_processes_end(threads);
    fy_processes_end(processes);
}

static const fy_test tests[] = {
    FY_TEST(submit_works_the_same),
    FY_TEST(bytes_work_the_same),
    FY_TEST(argument_becomes_the_result),
    FY_TEST(argument_that_is_the_result_stays_the_jobs),
    FY_TEST(wait_works_the_same),
    FY_TEST(as_completed_works_the_same),
    FY_TEST(map_works_the_same),
    FY_TEST(closing_a_map_ends_no_running_job),
    FY_TEST(cancel_works_the_same),
    FY_TEST(shutdown_works_the_same),
    FY_TEST(callbacks_work_the_same),
    FY_TEST(futures_work_the_same),
    FY_TEST(values_hinder_no_call),
    FY_TEST(thread_may_wait_for_a_process),
    FY_TEST(callback_of_one_pool_may_submit_to_the_other),
    FY_TEST(limited_view_is_of_threads_alone),
};

FY_PROCESS_TEST_MAIN("both_pools", tests)
