/* SPDX-License-Identifier: Apache-2.0 */
/* The process pool as its users see it at first: what is submitted runs elsewhere, its result comes back, arguments and
 * results of every kind and size, errors, maps, futures of a loop, and what can be seen of it. */
#include "ferry/loop.h"
#include "ferry/process.h"

/* In a worker. */
static ferry_function run_a_loop;
static ferry_function return_noted_bytes;

#define FY_MORE_PORTABLES {"run_a_loop", run_a_loop, 0}, {"return_noted_bytes", return_noted_bytes, 0},
#include "support/processes.h"

#include "support/loops.h"

/* ---- results ---- */

/* EP-001 */
static void job_runs_in_another_process(void) {
    ferry_executor *pool = fy_processes_of(1);
    CHECK(fy_call(pool, fy_pid, 0) != fy_system_process_id());
    CHECK_INT(fy_call(pool, fy_square, 12), 144);
    CHECK(!ferry_is_worker());
    fy_processes_end(pool);
}

/* EP-001 */
static void result_reaches_the_callers_future(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    ferry_future *future = NULL;
    int64_t number = 7;
    ferry_job_options options = fy_number_options(fy_square, &number);
    CHECK_STATUS(ferry_run_in_executor_with(loop, pool, &options, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_INT(ferry_future_integer(future), 49);
    ferry_future_unref(future);
    end_loop(loop);
    fy_processes_end(pool);
}

/* ED-015 */
static void pool_is_named_for_a_single_submission(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_loop *loop = new_loop();
    ferry_future *elsewhere = NULL;
    CHECK_STATUS(ferry_loop_set_default_executor(loop, pool), APR_EINVAL);
    CHECK_STATUS(ferry_run_in_executor(loop, pool, fy_pid, NULL, &elsewhere), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, elsewhere), 0);
    CHECK(ferry_future_integer(elsewhere) != fy_system_process_id());
    CHECK(ferry_loop_default_executor(loop) == NULL);
    ferry_future_unref(elsewhere);
    end_loop(loop);
    fy_processes_end(pool);
}

static ferry_status run_a_loop(void *arg, ferry_call *call) {
    ferry_loop *loop = NULL;
    int ran = 0;
    ferry_status status = ferry_loop_create(NULL, &loop);
    (void)arg;
    if (status)
        return status;
    status = ferry_call_soon(loop, count_up, &ran, NULL);
    if (!status)
        status = ferry_call_later(loop, 1000, stop_loop, loop, NULL);
    if (!status)
        status = ferry_loop_run_forever(loop);
    (void)ferry_loop_close(loop);
    ferry_loop_unref(loop);
    return status ? status : ferry_return_integer(call, ran);
}

/* ED-015 */
static void worker_can_run_a_loop_of_its_own(void) {
    ferry_executor *pool = fy_processes_of(1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(fy_call(pool, run_a_loop, 0), 1);
    fy_processes_end(pool);
}

static void values_of_each_kind_are_carried_back(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *half = fy_send(pool, fy_half, 5);
    ferry_job *none = NULL;
    CHECK_STATUS(fy_outcome_of(half), 0);
    CHECK(ferry_job_real(half) > 2.4 && ferry_job_real(half) < 2.6);
    CHECK_STATUS(ferry_executor_submit(pool, fy_idle, NULL, &none), 0);
    CHECK_STATUS(fy_outcome_of(none), 0);
    CHECK_INT(ferry_job_integer(none), 0);
    CHECK(ferry_job_pointer(none) == NULL);
    ferry_job_unref(half);
    ferry_job_unref(none);
    CHECK_INT(fy_call(pool, fy_square, -3000000000), INT64_C(9000000000000000000));
    fy_processes_end(pool);
}

/* ---- sizes ---- */

/* Around what fits into a cell, a first segment, and beyond. */
static const int64_t sizes[] = {0,     1,     900,   1024,  4096,    16200, 16300,   16330,
                                16376, 16384, 65536, 65537, 1000000, 3,     5000000, 70000};

static void check_pattern(ferry_job *job, int64_t wanted) {
    size_t size = 0;
    CHECK_STATUS(fy_outcome_of(job), 0);
    const char *bytes = ferry_job_bytes(job, &size);
    CHECK_INT(size, wanted);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != fy_pattern(i))
            CHECK_INT(i, -1);
    ferry_job_unref(job);
}

static void results_of_any_size_come_back_whole(void) {
    ferry_executor *pool = fy_processes_of(1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_pattern(fy_send(pool, fy_make_bytes, sizes[i]), sizes[i]);
    fy_processes_end(pool);
}

static ferry_job *send_bytes(ferry_executor *pool, int64_t size) {
    char *argument = malloc(sizeof size + (size_t)size);
    ferry_job *job = NULL;
    CHECK(argument != NULL);
    memcpy(argument, &size, sizeof size);
    for (size_t i = 0; i < (size_t)size; i++)
        argument[sizeof size + i] = fy_pattern(i);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_echo_bytes, .arg = argument,
                                 .arg_size = sizeof size + (size_t)size};
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    free(argument);
    return job;
}

static void arguments_of_any_size_arrive_whole(void) {
    ferry_executor *pool = fy_processes_of(1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_pattern(send_bytes(pool, sizes[i]), sizes[i]);
    fy_processes_end(pool);
}

static void large_and_small_ones_do_not_mix(void) {
    enum { JOBS = 150 };
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i] = i % 3 ? send_bytes(pool, i) : send_bytes(pool, 2000 * i);
    for (int i = 0; i < JOBS; i++)
        check_pattern(jobs[i], i % 3 ? i : 2000 * i);
    fy_processes_end(pool);
}

static void bytes_can_be_taken_out_of_the_job(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *job = fy_send(pool, fy_make_bytes, 100);
    void *bytes = NULL;
    size_t size = 0;
    CHECK_STATUS(fy_outcome_of(job), 0);
    CHECK_STATUS(ferry_job_take_bytes(job, &bytes, &size), 0);
    CHECK_INT(size, 100);
    CHECK(((char *)bytes)[99] == fy_pattern(99));
    ferry_job_unref(job);
    free(bytes);
    fy_processes_end(pool);
}

/* ---- errors ---- */

/* EP-002 */
static void error_comes_back_with_its_status_words_and_place(void) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1, .worker_name_prefix = "smith"};
    ferry_executor *pool = fy_processes_with(&options);
    ferry_job *job = fy_send(pool, fy_fail_with_words, 13);
    CHECK_STATUS(fy_outcome_of(job), APR_EGENERAL);
    CHECK_STRING(ferry_job_message(job), "unlucky number 13");
    CHECK(ferry_job_worker(job) != NULL);
    CHECK(strstr(ferry_job_worker(job), "smith_0 (pid ") != NULL);
    ferry_job_unref(job);
    CHECK_INT(fy_call(pool, fy_square, 3), 9);
    fy_processes_end(pool);
}

static void error_without_words_keeps_its_status(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *job = fy_send(pool, fy_fail_silently, FERRY_EFULL);
    CHECK_STATUS(fy_outcome_of(job), FERRY_EFULL);
    CHECK(ferry_job_message(job) == NULL);
    ferry_job_unref(job);
    fy_processes_end(pool);
}

/* EP-018 */
static void result_that_cannot_be_carried_fails_its_job(void) {
    ferry_executor *pool = fy_processes_of(1);
    fy_take_failure(fy_send(pool, fy_return_a_pointer, 1), FERRY_ENOTPORTABLE, "pointer");
    CHECK_INT(fy_call(pool, fy_square, 4), 16);
    fy_processes_end(pool);
}

static void job_that_is_not_portable_is_refused(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t number = 1;
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, NULL, &job), FERRY_ENOTPORTABLE);
    CHECK_STATUS(ferry_executor_submit(pool, fy_square, &number, &job), FERRY_ENOTPORTABLE);
    CHECK(job == NULL);
    CHECK_INT(fy_stats_of(pool).rejected, 2);
    CHECK_INT(fy_stats_of(pool).workers_started, 0);
    fy_processes_end(pool);
}

/* ---- maps ---- */

typedef struct count_to {
    int64_t number;
    int64_t limit;
} count_to;

static ferry_status give_number(void *source, void **ret_arg) {
    count_to *self = source;
    if (self->number == self->limit)
        return FERRY_EEXHAUSTED;
    self->number++;
    *ret_arg = &self->number;
    return 0;
}

static ferry_map *map_numbers(ferry_executor *pool, ferry_function *function, count_to *source, size_t buffer_size) {
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = function, .next = give_number, .source = source,
                                 .arg_size = sizeof source->number, .buffer_size = buffer_size};
    ferry_map *map = NULL;
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), 0);
    return map;
}

/* EP-007 */
static void map_gives_the_same_whatever_it_holds_in_advance(void) {
    static const size_t buffers[] = {1, 2, 7, 30, 1000, 0};
    ferry_executor *pool = fy_processes_of(2);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        count_to source = {.limit = 100};
        ferry_map *map = map_numbers(pool, fy_square, &source, buffers[i]);
        ferry_job *job = NULL;
        for (int64_t number = 1; number <= source.limit; number++) {
            CHECK_STATUS(ferry_map_next(map, &job), 0);
            CHECK_INT(fy_take_integer(job), number * number);
        }
        CHECK_STATUS(ferry_map_next(map, &job), FERRY_EEXHAUSTED);
        ferry_map_close(map);
    }
    fy_processes_end(pool);
}

/* EP-009 */
static void error_in_a_map_costs_its_own_position_only(void) {
    ferry_executor *pool = fy_processes_of(2);
    count_to source = {.limit = 30};
    ferry_map *map = map_numbers(pool, fy_fail_silently, &source, 4);
    for (int64_t number = 1; number <= source.limit; number++) {
        ferry_job *job = NULL;
        CHECK_STATUS(ferry_map_next(map, &job), 0);
        fy_take_failure(job, (ferry_status)number, NULL);
    }
    ferry_map_close(map);
    source = (count_to){.limit = 3};
    map = map_numbers(pool, fy_square, &source, 0);
    ferry_map_close(map);
    fy_processes_end(pool);
}

/* ---- many ---- */

/* EP-019 */
static void many_submissions_do_not_block_the_submitter(void) {
    enum { JOBS = 20000 };
    ferry_executor *pool = fy_processes_of(2);
    ferry_job *last = NULL;
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(fy_try_send(pool, fy_square, i, i == JOBS - 1 ? &last : NULL), 0);
    CHECK_INT(fy_take_integer(last), (int64_t)(JOBS - 1) * (JOBS - 1));
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    ferry_executor_stats stats = fy_stats_of(pool);
    CHECK_INT(stats.done, JOBS);
    CHECK_INT(stats.failed, 0);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.running, 0);
    ferry_executor_unref(pool);
}

static void results_are_each_jobs_own(void) {
    enum { JOBS = 3000 };
    static ferry_job *jobs[JOBS];
    ferry_executor *pool = fy_processes_of(3);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = fy_send(pool, fy_note_run, i);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(fy_take_integer(jobs[i]), i);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(atomic_load(&fy_board()->runs[i]), 1);
    fy_processes_end(pool);
}

/* ---- arguments ---- */

static atomic_int freed;

static void count_freed(void *arg) {
    CHECK(arg != NULL);
    atomic_fetch_add(&freed, 1);
}

/* EP-015 */
static void argument_is_freed_when_its_job_is_done(void) {
    ferry_executor *pool = fy_processes_of(1);
    int64_t number = 3;
    ferry_job_options options = fy_number_options(fy_square, &number);
    ferry_job *job = NULL;
    options.arg_free = count_freed;
    atomic_store(&freed, 0);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    CHECK_INT(fy_take_integer(job), 9);
    CHECK_INT(atomic_load(&freed), 1);
    options.function = fy_gate_job;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), FERRY_ENOTPORTABLE);
    CHECK_INT(atomic_load(&freed), 1);
    fy_processes_end(pool);
}

static void note_freed(void *bytes) {
    free(bytes);
    atomic_fetch_add(&fy_board()->notes[0], 1);
}

static ferry_status return_noted_bytes(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_bytes(call, calloc(1, 4000), 4000, note_freed);
}

/* EP-015: no other job must come for that */
static void worker_frees_its_result_once_it_is_carried_over(void) {
    ferry_executor *pool = fy_processes_of(1);
    ferry_job *job = fy_send(pool, return_noted_bytes, 0);
    CHECK_STATUS(fy_outcome_of(job), 0);
    FY_AWAIT(atomic_load(&fy_board()->notes[0]) == 1);
    ferry_job_unref(job);
    fy_processes_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(job_runs_in_another_process),
    FY_TEST(result_reaches_the_callers_future),
    FY_TEST(pool_is_named_for_a_single_submission),
    FY_TEST(worker_can_run_a_loop_of_its_own),
    FY_TEST(values_of_each_kind_are_carried_back),
    FY_TEST(results_of_any_size_come_back_whole),
    FY_TEST(arguments_of_any_size_arrive_whole),
    FY_TEST(large_and_small_ones_do_not_mix),
    FY_TEST(bytes_can_be_taken_out_of_the_job),
    FY_TEST(error_comes_back_with_its_status_words_and_place),
    FY_TEST(error_without_words_keeps_its_status),
    FY_TEST(result_that_cannot_be_carried_fails_its_job),
    FY_TEST(job_that_is_not_portable_is_refused),
    FY_TEST(map_gives_the_same_whatever_it_holds_in_advance),
    FY_TEST(error_in_a_map_costs_its_own_position_only),
    FY_TEST(many_submissions_do_not_block_the_submitter),
    FY_TEST(results_are_each_jobs_own),
    FY_TEST(argument_is_freed_when_its_job_is_done),
    FY_TEST(worker_frees_its_result_once_it_is_carried_over),
};

FY_PROCESS_TEST_MAIN("process_pool", tests)
