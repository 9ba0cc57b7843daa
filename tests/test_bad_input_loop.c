/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop answers to arguments that make no sense, and to calls at the wrong time: a status each
 * time, outputs untouched, and a loop that still works. */
#include "support/loops.h"

#include <apr_env.h>
#include <apr_errno.h>
#include <apr_pools.h>

#include "support/reports.h"

static ferry_loop *const untouched_loop = (ferry_loop *)trace;
static ferry_handle *const untouched_handle = (ferry_handle *)trace;

static void check_works(ferry_loop *loop) {
    int ran = 0;
    CHECK_STATUS(ferry_call_soon(loop, count_up, &ran, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, count_up, &ran, NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, count_up, &ran, NULL), 0);
    run_for(loop, 1000);
    CHECK_INT(ran, 3);
}

/* ---- making ---- */

static void refuse_options(const ferry_loop_options *options) {
    ferry_loop *loop = untouched_loop;
    CHECK_STATUS(ferry_loop_create(options, &loop), APR_EINVAL);
    CHECK(loop == untouched_loop);
}

static void options_that_make_no_sense_are_refused(void) {
    static const size_t sizes[] = {0, 1, sizeof(size_t), sizeof(ferry_loop_options) + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        refuse_options(&(ferry_loop_options){.size = sizes[i]});
    refuse_options(&(ferry_loop_options){FERRY_LOOP_OPTIONS, .backend = "no such backend"});
    refuse_options(&(ferry_loop_options){FERRY_LOOP_OPTIONS, .backend = "EPOLL "});
    refuse_options(&(ferry_loop_options){FERRY_LOOP_OPTIONS, .slow_callback_duration_us = -1});
    refuse_options(&(ferry_loop_options){FERRY_LOOP_OPTIONS, .slow_callback_duration_us = INT64_MIN});
    CHECK_STATUS(ferry_loop_create(NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_create(&(ferry_loop_options){FERRY_LOOP_OPTIONS}, NULL), APR_EINVAL);
}

static void options_init_sets_the_defaults(void) {
    ferry_loop_options options;
    ferry_loop *loop;
    memset(&options, 0xff, sizeof options);
    ferry_loop_options_init(&options);
    CHECK_INT(options.size, sizeof options);
    CHECK(!options.backend && !options.debug);
    CHECK_INT(options.slow_callback_duration_us, 0);
    CHECK_STATUS(ferry_loop_create(&options, &loop), 0);
    CHECK(!ferry_loop_get_debug(loop));
    check_works(loop);
    end_loop(loop);
    ferry_loop_options_init(NULL);
}

static void every_backend_that_is_named_can_be_had(void) {
    const char *const *names = ferry_backend_names();
    CHECK(names && names[0]);
    for (; *names; names++) {
        ferry_loop_options options = {FERRY_LOOP_OPTIONS, .backend = *names};
        ferry_loop *loop;
        CHECK_STATUS(ferry_loop_create(&options, &loop), 0);
        CHECK_STRING(ferry_loop_backend(loop), *names);
        check_works(loop);
        end_loop(loop);
    }
}

static void environment_names_the_backend_where_the_options_do_not(void) {
    static const char variable[] = "FERRY_BACKEND";
    const char *best = ferry_backend_names()[0];
    apr_pool_t *pool;
    ferry_loop *loop;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(apr_env_set(variable, "no such backend", pool), 0);
    refuse_options(NULL);
    refuse_options(&(ferry_loop_options){FERRY_LOOP_OPTIONS});
    CHECK_STATUS(ferry_loop_create(&(ferry_loop_options){FERRY_LOOP_OPTIONS, .backend = best}, &loop), 0);
    end_loop(loop);
    CHECK_STATUS(apr_env_set(variable, best, pool), 0);
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STRING(ferry_loop_backend(loop), best);
    end_loop(loop);
    CHECK_STATUS(apr_env_delete(variable, pool), 0);
    apr_pool_destroy(pool);
}

/* ---- NULL ---- */

static void null_loop_is_refused_by_every_call_with_a_status(void) {
    ferry_handle *handle = untouched_handle;
    CHECK_STATUS(ferry_loop_run_forever(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_run_once(NULL, 0), APR_EINVAL);
    CHECK_STATUS(ferry_loop_run_until_complete(NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_stop(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_close(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_call_soon(NULL, mark, NULL, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_soon_threadsafe(NULL, mark, NULL, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_later(NULL, 0, mark, NULL, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_at(NULL, 0, mark, NULL, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_exception_handler(NULL, keep_report, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_default_exception_handler(NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_debug(NULL, true), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(NULL, 1), APR_EINVAL);
    CHECK(handle == untouched_handle);
}

static void null_is_harmless_where_nothing_is_returned(void) {
    ferry_report report = {sizeof report, "nobody hears this", 0, NULL, NULL, NULL};
    CHECK(!ferry_loop_ref(NULL));
    ferry_loop_unref(NULL);
    CHECK(!ferry_loop_is_running(NULL));
    (void)ferry_loop_is_closed(NULL);
    CHECK(!ferry_loop_backend(NULL));
    CHECK(!ferry_loop_get_debug(NULL));
    CHECK_INT(ferry_loop_wait_handle(NULL), -1);
    CHECK_INT(ferry_loop_next_deadline(NULL), FERRY_FOREVER);
    (void)ferry_loop_time(NULL);
    ferry_loop_call_exception_handler(NULL, &report);
    CHECK(!ferry_handle_ref(NULL));
    ferry_handle_unref(NULL);
    ferry_handle_cancel(NULL);
    CHECK(!ferry_handle_cancelled(NULL));
    CHECK_INT(ferry_handle_when(NULL), 0);
    CHECK(!ferry_handle_origin(NULL));
}

static void null_beside_a_loop_is_refused(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = untouched_handle;
    CHECK_STATUS(ferry_call_soon(loop, NULL, loop, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, NULL, loop, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_later(loop, 0, NULL, loop, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_at(loop, 0, NULL, loop, &handle), APR_EINVAL);
    CHECK(handle == untouched_handle);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_default_exception_handler(loop, NULL), APR_EINVAL);
    ferry_loop_call_exception_handler(loop, NULL);
    check_works(loop);
    end_loop(loop);
}

static ferry_status fail(void *arg) {
    (void)arg;
    return FERRY_EFULL;
}

static void origin_may_be_null(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle;
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    CHECK_STATUS(ferry_call_soon_from(NULL, loop, fail, NULL, NULL), 0);
    CHECK_STATUS(ferry_call_soon_from(NULL, loop, mark, (void *)"a", &handle), 0);
    CHECK(!ferry_handle_origin(handle));
    ferry_handle_unref(handle);
    CHECK_STATUS(ferry_call_later_from(NULL, loop, 0, mark, (void *)"b", NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe_from(NULL, loop, stop_loop, loop, NULL), 0);
    run_forever(loop);
    CHECK_INT(log.count, 1);
    CHECK_STRING(log.all[0].origin, "");
    end_loop(loop);
}

/* ---- a closed loop ---- */

static void closed_loop_refuses_everything_new(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = untouched_handle;
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &handle), FERRY_ECLOSED);
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &handle), FERRY_ECLOSED);
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"x", &handle), FERRY_ECLOSED);
    CHECK_STATUS(ferry_call_at(loop, 0, mark, (void *)"x", &handle), FERRY_ECLOSED);
    CHECK_STATUS(ferry_future_create(loop, &future), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_stop(loop), FERRY_ECLOSED);
    CHECK(handle == untouched_handle && !future);
    ferry_loop_unref(loop);
}

static void questions_to_a_closed_loop_are_harmless(void) {
    ferry_loop *loop = new_loop();
    ferry_report report = {sizeof report, "nobody hears this", 0, NULL, NULL, NULL};
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_INT(ferry_loop_wait_handle(loop), -1);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    CHECK(ferry_loop_time(loop) <= ferry_now());
    (void)ferry_loop_backend(loop);
    (void)ferry_loop_get_debug(loop);
    ferry_loop_call_exception_handler(loop, &report);
    ferry_loop_unref(loop);
}

/* ---- absurd numbers ---- */

static void forever_is_no_delay_and_no_time(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = untouched_handle;
    CHECK_STATUS(ferry_call_later(loop, FERRY_FOREVER, mark, (void *)"x", &handle), APR_EINVAL);
    CHECK_STATUS(ferry_call_at(loop, FERRY_FOREVER, mark, (void *)"x", &handle), APR_EINVAL);
    CHECK(handle == untouched_handle);
    check_works(loop);
    end_loop(loop);
}

static void negative_timeout_of_a_turn_is_refused(void) {
    ferry_loop *loop = new_loop();
    post_mark(loop, "a");
    CHECK_STATUS(ferry_loop_run_once(loop, -1), APR_EINVAL);
    CHECK_STATUS(ferry_loop_run_once(loop, INT64_MIN), APR_EINVAL);
    CHECK_STRING(trace, "");
    turn(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static void timers_in_three_hundred_thousand_years_keep_the_clock_sound(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle;
    CHECK_STATUS(ferry_call_later(loop, FERRY_FOREVER - 1, mark, (void *)"x", &handle), 0);
    CHECK(ferry_handle_when(handle) > ferry_now());
    CHECK(ferry_loop_next_deadline(loop) > ferry_now());
    CHECK_STATUS(ferry_call_later(loop, 1000, mark, (void *)"a", NULL), 0);
    while (!*trace)
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER - 1), 0);
    CHECK_STRING(trace, "a");
    ferry_handle_unref(handle);
    check_works(loop);
    end_loop(loop);
}

/* ---- the allocator ---- */

static void *no_memory(size_t size) {
    (void)size;
    return NULL;
}

static void half_an_allocator_is_refused(void) {
    CHECK_STATUS(ferry_set_allocator(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_set_allocator(&(ferry_allocator){.malloc = no_memory}), APR_EINVAL);
    ferry_loop *loop = new_loop();
    check_works(loop);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(half_an_allocator_is_refused),
    FY_TEST(options_that_make_no_sense_are_refused),
    FY_TEST(options_init_sets_the_defaults),
    FY_TEST(every_backend_that_is_named_can_be_had),
    FY_TEST(environment_names_the_backend_where_the_options_do_not),
    FY_TEST(null_loop_is_refused_by_every_call_with_a_status),
    FY_TEST(null_is_harmless_where_nothing_is_returned),
    FY_TEST(null_beside_a_loop_is_refused),
    FY_TEST(origin_may_be_null),
    FY_TEST(closed_loop_refuses_everything_new),
    FY_TEST(questions_to_a_closed_loop_are_harmless),
    FY_TEST(forever_is_no_delay_and_no_time),
    FY_TEST(negative_timeout_of_a_turn_is_refused),
    FY_TEST(timers_in_three_hundred_thousand_years_keep_the_clock_sound),
};

FY_TEST_MAIN("bad_input_loop", tests)
