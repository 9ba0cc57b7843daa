/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping a function over arguments: results come in the order of the arguments, errors stay where they belong, no more
 * is taken from the source than the buffer holds, and what ends a map early leaves nothing behind. */
#include "support/manual.h"

/* ---- a source ---- */

enum { MOST = 256 };

/* Gives tracked arguments until `limit`, then ends as it is told. */
typedef struct stock {
    fy_tracked tracked[MOST];
    int given;
    int limit;
    ferry_status end;
    void *asked_by;
} stock;

static ferry_status give(void *source, void **ret_arg) {
    stock *self = source;
    self->asked_by = fy_this_thread();
    if (self->given == self->limit)
        return self->end;
    *ret_arg = &self->tracked[self->given++];
    return 0;
}

static void stock_init(stock *self, int limit) {
    memset(self, 0, sizeof *self);
    self->limit = limit;
    self->end = FERRY_EEXHAUSTED;
}

/* Whatever was taken from the source was destroyed once, and nothing else. */
static void check_stock(const stock *self) {
    for (int i = 0; i < MOST; i++)
        CHECK_INT(self->tracked[i].freed, i < self->given);
}

static int ran_of(const stock *self) {
    int ran = 0;
    for (int i = 0; i < MOST; i++)
        ran += self->tracked[i].ran;
    return ran;
}

static ferry_map_options options_for(stock *self, size_t buffer_size) {
    return (ferry_map_options){FERRY_MAP_OPTIONS, .function = fy_tracked_job, .next = give, .source = self,
                               .buffer_size = buffer_size, .arg_free = fy_tracked_free};
}

static ferry_map *map_over(ferry_executor *executor, const ferry_map_options *options) {
    ferry_map *map = NULL;
    CHECK_STATUS(ferry_executor_map(executor, options, &map), 0);
    CHECK(map != NULL);
    return map;
}

static ferry_status next_status(ferry_map *map) {
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_map_next(map, &job), 0);
    CHECK(ferry_job_done(job));
    ferry_status status = ferry_job_status(job);
    ferry_job_unref(job);
    return status;
}

static void check_exhausted(ferry_map *map) {
    ferry_job *none = NULL;
    CHECK_STATUS(ferry_map_next(map, &none), FERRY_EEXHAUSTED);
    CHECK_STATUS(ferry_map_next(map, &none), FERRY_EEXHAUSTED);
    CHECK(none == NULL);
}

/* ---- order ---- */

static ferry_status count_to(void *source, void **ret_arg) {
    int *next = source;
    if (*next == 100)
        return FERRY_EEXHAUSTED;
    *ret_arg = (void *)(intptr_t)(*next)++;
    return 0;
}

/* The first of each four ends last. */
static ferry_status square(void *arg, ferry_call *call) {
    int64_t n = (intptr_t)arg;
    if (n % 4 == 0)
        ferry_thread_sleep(500);
    return ferry_return_integer(call, n * n);
}

/* ET-006 */
static void results_come_in_the_order_of_the_arguments(void) {
    ferry_executor *pool = fy_pool_of(4);
    for (size_t buffer_size = 0; buffer_size < 9; buffer_size += 4) {
        int next = 0;
        ferry_map_options options = {FERRY_MAP_OPTIONS, .function = square, .next = count_to, .source = &next,
                                     .buffer_size = buffer_size};
        ferry_map *map = map_over(pool, &options);
        for (int i = 0; i < 100; i++) {
            ferry_job *job;
            CHECK_STATUS(ferry_map_next(map, &job), 0);
            CHECK_INT(ferry_job_integer(job), i * i);
            ferry_job_unref(job);
        }
        check_exhausted(map);
        ferry_map_close(map);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ET-006 */
static void result_does_not_come_before_those_in_front_of_it(void) {
    static stock all;
    fy_manual manual;
    ferry_job *job = NULL;
    fy_manual_open(&manual);
    stock_init(&all, 2);
    ferry_map_options options = options_for(&all, 0);
    options.timeout_us = 2000;
    ferry_map *map = map_over(manual.executor, &options);
    ferry_job *first = fy_manual_take(&manual), *second = fy_manual_take(&manual);
    ferry_job_run(second, NULL);
    CHECK_STATUS(ferry_map_next(map, &job), FERRY_ETIMEDOUT);
    CHECK(job == NULL);
    ferry_job_run(first, NULL);
    ferry_map_close(map);
    fy_manual_close(&manual);
    CHECK_INT(all.tracked[0].ran, 0);
    CHECK_INT(all.tracked[1].ran, 1);
    check_stock(&all);
}

static void map_over_nothing_is_exhausted_at_once(void) {
    static stock all;
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 0);
    ferry_map_options options = options_for(&all, 0);
    ferry_map *map = map_over(pool, &options);
    check_exhausted(map);
    ferry_map_close(map);
    ferry_map_close(NULL);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- errors ---- */

/* ET-008 */
static void error_stays_at_its_position(void) {
    static stock all;
    ferry_executor *pool = fy_pool_of(2);
    stock_init(&all, 5);
    all.tracked[1].answer = APR_EGENERAL;
    all.tracked[3].answer = FERRY_ECANCELED;
    ferry_map_options options = options_for(&all, 0);
    ferry_map *map = map_over(pool, &options);
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(next_status(map), all.tracked[i].answer);
    check_exhausted(map);
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_stock(&all);
}

/* ET-010 */
static void jobs_own_timeout_does_not_end_the_map(void) {
    static stock all;
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 3);
    all.tracked[1].answer = FERRY_ETIMEDOUT;
    ferry_map_options options = options_for(&all, 1);
    options.timeout_us = FERRY_FOREVER;
    ferry_map *map = map_over(pool, &options);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(next_status(map), all.tracked[i].answer);
    check_exhausted(map);
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_stock(&all);
}

static void error_of_the_source_ends_the_map(void) {
    static stock all;
    ferry_map *map = NULL;
    ferry_job *none = NULL;
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 3);
    all.end = APR_EGENERAL;
    ferry_map_options options = options_for(&all, 0);
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), APR_EGENERAL);
    CHECK(map == NULL);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(all.given, 3);
    check_stock(&all);
    ferry_executor_unref(pool);

    pool = fy_pool_of(1);
    stock_init(&all, 3);
    all.end = APR_EGENERAL;
    options = options_for(&all, 1);
    map = map_over(pool, &options);
    ferry_status status;
    int results = 0;
    while ((status = ferry_map_next(map, &none)) == 0) {
        ferry_job_unref(none);
        results++;
    }
    CHECK_STATUS(status, APR_EGENERAL);
    CHECK(results <= 3);
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_stock(&all);
}

static void refused_submission_ends_the_map(void) {
    static stock all;
    fy_manual manual;
    ferry_map *map = NULL;
    ferry_job *job = NULL;
    fy_manual_open(&manual);
    stock_init(&all, 3);
    manual.refusal = FERRY_EFULL;
    ferry_map_options options = options_for(&all, 0);
    CHECK_STATUS(ferry_executor_map(manual.executor, &options, &map), FERRY_EFULL);
    CHECK(map == NULL);
    check_stock(&all);

    manual.refusal = 0;
    stock_init(&all, 3);
    options = options_for(&all, 1);
    map = map_over(manual.executor, &options);
    fy_manual_run_all(&manual, NULL);
    manual.refusal = FERRY_EFULL;
    ferry_status first = ferry_map_next(map, &job);
    CHECK(first == 0 || first == FERRY_EFULL);
    if (!first) {
        ferry_job_unref(job);
        CHECK_STATUS(ferry_map_next(map, &job), FERRY_EFULL);
    }
    ferry_map_close(map);
    fy_manual_run_all(&manual, NULL);
    fy_manual_close(&manual);
    check_stock(&all);
}

/* ---- ending early ---- */

/* ET-011 */
static void timeout_cancels_what_has_not_started(void) {
    static stock all;
    ferry_job *none = NULL;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 5);
    fy_occupy(pool, &door, 1);
    ferry_map_options options = options_for(&all, 0);
    options.timeout_us = 3000;
    int64_t before = ferry_now();
    ferry_map *map = map_over(pool, &options);
    CHECK_STATUS(ferry_map_next(map, &none), FERRY_ETIMEDOUT);
    CHECK(ferry_now() - before >= 3000);
    check_exhausted(map);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_INT(ran_of(&all), 0);
    CHECK_INT(fy_stats(pool).cancelled, 5);
    ferry_map_close(map);
    ferry_executor_unref(pool);
    check_stock(&all);
    fy_gate_fini(&door);
}

/* ET-011 */
static void timeout_leaves_the_running_job_alone(void) {
    static stock all;
    ferry_job *none = NULL;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 3);
    all.tracked[0].gate = &door;
    ferry_map_options options = options_for(&all, 0);
    options.timeout_us = 300000;
    ferry_map *map = map_over(pool, &options);
    fy_gate_await(&door, 1);
    CHECK_STATUS(ferry_map_next(map, &none), FERRY_ETIMEDOUT);
    ferry_map_close(map);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(all.tracked[0].ran, 1);
    CHECK_INT(ran_of(&all), 1);
    check_stock(&all);
    fy_gate_fini(&door);
}

/* ET-011, ET-012 */
static void closing_early_cancels_what_has_not_started(void) {
    static stock all;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 10);
    all.tracked[2].gate = &door;
    ferry_map_options options = options_for(&all, 0);
    ferry_map *map = map_over(pool, &options);
    CHECK_STATUS(next_status(map), 0);
    fy_gate_await(&door, 1);
    ferry_map_close(map);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(ran_of(&all), 3);
    check_stock(&all);
    fy_gate_fini(&door);
}

/* ET-012 */
static void closing_takes_nothing_more_from_the_source(void) {
    static stock all;
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, MOST);
    ferry_map_options options = options_for(&all, 2);
    ferry_map *map = map_over(pool, &options);
    CHECK_STATUS(next_status(map), 0);
    int given = all.given;
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(all.given, given);
    check_stock(&all);
}

static void job_outlives_its_map(void) {
    static stock all;
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(1);
    stock_init(&all, 2);
    ferry_map_options options = options_for(&all, 0);
    ferry_map *map = map_over(pool, &options);
    CHECK_STATUS(ferry_map_next(map, &job), 0);
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK(strstr(ferry_job_origin(job), "test_map.c:") != NULL);
    ferry_job_unref(job);
    check_stock(&all);
}

/* ---- buffers ---- */

/* ET-013 */
static void no_more_is_taken_than_the_buffer_holds(void) {
    static stock all;
    ferry_executor *pool = fy_pool_of(2);
    for (int buffer = 1; buffer <= 4; buffer++) {
        stock_init(&all, 50);
        ferry_map_options options = options_for(&all, (size_t)buffer);
        ferry_map *map = map_over(pool, &options);
        CHECK_INT(all.given, buffer);
        for (int taken = 1; taken <= 50; taken++) {
            CHECK_STATUS(next_status(map), 0);
            CHECK(all.given >= taken && all.given <= taken + buffer);
        }
        check_exhausted(map);
        ferry_map_close(map);
    }
    CHECK(all.asked_by == fy_this_thread());
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_stock(&all);
}

static ferry_status count_for_ever(void *source, void **ret_arg) {
    int *next = source;
    *ret_arg = (void *)(intptr_t)(*next)++;
    return 0;
}

/* ET-014 */
static void buffer_allows_a_source_without_an_end(void) {
    int next = 0;
    ferry_executor *pool = fy_pool_of(2);
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_echo, .next = count_for_ever, .source = &next,
                                 .buffer_size = 4};
    ferry_map *map = map_over(pool, &options);
    for (int i = 0; i < 1000; i++) {
        ferry_job *job;
        CHECK_STATUS(ferry_map_next(map, &job), 0);
        CHECK_INT(ferry_job_integer(job), i);
        ferry_job_unref(job);
    }
    ferry_map_close(map);
    CHECK(next <= 1004);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- copies ---- */

typedef struct counted_source {
    int64_t place;
    int64_t limit;
} counted_source;

static atomic_int copies_freed;

static void count_freed(void *copy) {
    CHECK(copy != NULL);
    atomic_fetch_add(&copies_freed, 1);
}

/* Overwrites what it has given before. */
static ferry_status give_place(void *source, void **ret_arg) {
    counted_source *self = source;
    if (self->place == self->limit)
        return FERRY_EEXHAUSTED;
    self->place++;
    *ret_arg = &self->place;
    return 0;
}

static ferry_status square_copy(void *copy, ferry_call *call) {
    int64_t number = *(int64_t *)copy;
    return ferry_return_integer(call, number * number);
}

static ferry_map_options copying_options(counted_source *source) {
    return (ferry_map_options){FERRY_MAP_OPTIONS, .function = square_copy, .next = give_place, .source = source,
                               .arg_free = count_freed, .arg_size = sizeof source->place};
}

static void copied_arguments_may_lie_in_one_place(void) {
    ferry_executor *pool = fy_pool_of(2);
    counted_source source = {.limit = 50};
    ferry_map_options options = copying_options(&source);
    atomic_store(&copies_freed, 0);
    ferry_map *map = map_over(pool, &options);
    for (int64_t i = 1; i <= source.limit; i++) {
        ferry_job *job = NULL;
        CHECK_STATUS(ferry_map_next(map, &job), 0);
        CHECK_INT(ferry_job_integer(job), i * i);
        ferry_job_unref(job);
    }
    check_exhausted(map);
    ferry_map_close(map);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(atomic_load(&copies_freed), source.limit);
}

static void refused_copies_are_nobodys(void) {
    ferry_executor *pool = fy_pool_of(1);
    counted_source source = {.limit = 3};
    ferry_map_options options = copying_options(&source);
    ferry_map *map = NULL;
    atomic_store(&copies_freed, 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_map(pool, &options, &map), FERRY_ESHUTDOWN);
    CHECK_INT(source.place, 1);
    CHECK_INT(atomic_load(&copies_freed), 0);
    ferry_executor_unref(pool);
}

static const fy_test tests[] = {
    FY_TEST(results_come_in_the_order_of_the_arguments),
    FY_TEST(result_does_not_come_before_those_in_front_of_it),
    FY_TEST(map_over_nothing_is_exhausted_at_once),
    FY_TEST(error_stays_at_its_position),
    FY_TEST(jobs_own_timeout_does_not_end_the_map),
    FY_TEST(error_of_the_source_ends_the_map),
    FY_TEST(refused_submission_ends_the_map),
    FY_TEST(timeout_cancels_what_has_not_started),
    FY_TEST(timeout_leaves_the_running_job_alone),
    FY_TEST(closing_early_cancels_what_has_not_started),
    FY_TEST(closing_takes_nothing_more_from_the_source),
    FY_TEST(job_outlives_its_map),
    FY_TEST(no_more_is_taken_than_the_buffer_holds),
    FY_TEST(buffer_allows_a_source_without_an_end),
    FY_TEST(copied_arguments_may_lie_in_one_place),
    FY_TEST(refused_copies_are_nobodys),
};

FY_TEST_MAIN("map", tests)
