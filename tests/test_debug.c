/* SPDX-License-Identifier: Apache-2.0 */
/* Debug mode: slow callbacks and what close finds pending, each named with the line that made it; and calls from a
 * wrong thread, which are refused whether debug mode is on or not. */
#include "support/loops.h"

#include <apr_errno.h>

#include "support/reports.h"
#include "support/threads.h"

static ferry_loop *new_debug_loop(report_log *log, int64_t slow_callback_duration_us) {
    ferry_loop_options options = {
        FERRY_LOOP_OPTIONS, .debug = true, .slow_callback_duration_us = slow_callback_duration_us};
    ferry_loop *loop = NULL;
    trace[0] = '\0';
    *log = (report_log){0};
    CHECK_STATUS(ferry_loop_create(&options, &loop), 0);
    CHECK(ferry_loop_get_debug(loop));
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, log), 0);
    return loop;
}

/* ---- slow callbacks ---- */

static ferry_status dawdle(void *duration_us) {
    take_time(ferry_running_loop(), *(int64_t *)duration_us);
    return 0;
}

static void check_slow_report(const report_log *log, int line) {
    const report_copy *copy = report_of_line(log, line);
    CHECK(copy);
    CHECK_STATUS(copy->status, 0);
}

static void slow_callback_is_reported_with_the_line_that_made_it(void) {
    int64_t duration_us = 30000;
    report_log log;
    ferry_loop *loop = new_debug_loop(&log, 20000);
    int line = __LINE__;
    CHECK_STATUS(ferry_call_soon(loop, dawdle, &duration_us, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, dawdle, &duration_us, NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, dawdle, &duration_us, NULL), 0);
    run_for(loop, 100000);
    for (int i = 1; i <= 3; i++)
        check_slow_report(&log, line + i);
    end_loop(loop);
}

static void slow_callback_means_a_tenth_of_a_second_by_default(void) {
    int64_t duration_us = 110000;
    report_log log;
    ferry_loop *loop = new_debug_loop(&log, 0);
    post(loop, dawdle, &duration_us);
    int line = __LINE__ - 1;
    turn(loop);
    CHECK_INT(log.count, 1);
    check_slow_report(&log, line);
    end_loop(loop);
}

static void limit_of_a_slow_callback_can_be_changed(void) {
    int64_t duration_us = 5000;
    report_log log;
    ferry_loop *loop = new_debug_loop(&log, AN_HOUR_US);
    post(loop, dawdle, &duration_us);
    turn(loop);
    CHECK_INT(log.count, 0);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, 1000), 0);
    post(loop, dawdle, &duration_us);
    int line = __LINE__ - 1;
    turn(loop);
    check_slow_report(&log, line);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, 0), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, -1), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, INT64_MIN), APR_EINVAL);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, 1), 0);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, INT64_MAX), 0);
    size_t reports = log.count;
    post(loop, dawdle, &duration_us);
    turn(loop);
    CHECK_INT(log.count, reports);
    end_loop(loop);
}

static void debug_mode_is_switched_on_and_off(void) {
    int64_t duration_us = 5000;
    report_log log = {0};
    ferry_loop *loop = new_loop();
    CHECK(!ferry_loop_get_debug(loop));
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, 1000), 0);
    post(loop, dawdle, &duration_us);
    turn(loop);
    CHECK_INT(log.count, 0);
    CHECK_STATUS(ferry_loop_set_debug(loop, true), 0);
    CHECK(ferry_loop_get_debug(loop));
    post(loop, dawdle, &duration_us);
    int line = __LINE__ - 1;
    turn(loop);
    check_slow_report(&log, line);
    CHECK_STATUS(ferry_loop_set_debug(loop, false), 0);
    CHECK(!ferry_loop_get_debug(loop));
    size_t reports = log.count;
    post(loop, dawdle, &duration_us);
    turn(loop);
    CHECK_INT(log.count, reports);
    end_loop(loop);
}

static ferry_status dawdle_and_fail(void *duration_us) {
    dawdle(duration_us);
    return FERRY_EFULL;
}

static void slow_callback_that_fails_is_reported_for_both(void) {
    int64_t duration_us = 5000;
    report_log log;
    ferry_loop *loop = new_debug_loop(&log, 1000);
    post(loop, dawdle_and_fail, &duration_us);
    turn(loop);
    CHECK_INT(log.count, 2);
    CHECK_STRING(log.all[0].origin, log.all[1].origin);
    CHECK_INT(log.all[0].status + log.all[1].status, FERRY_EFULL);
    end_loop(loop);
}

/* ---- what close finds ---- */

static void post_pending(ferry_loop *loop, ferry_handle **handles) {
    post_mark(loop, "x");
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &handles[0]), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", &handles[1]), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &handles[2]), 0);
}

static bool is_reported(const report_log *log, const ferry_handle *handle) {
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->all[i].origin, ferry_handle_origin(handle)) == 0)
            return true;
    return false;
}

static void close_reports_what_is_pending_by_origin(void) {
    report_log log;
    ferry_handle *handles[3];
    ferry_loop *loop = new_debug_loop(&log, AN_HOUR_US);
    post_pending(loop, handles);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(is_reported(&log, handles[i]));
        ferry_handle_unref(handles[i]);
    }
    size_t reports = log.count;
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
    CHECK_INT(log.count, reports);
    CHECK_STRING(trace, "");
}

static void close_is_silent_about_what_has_run_or_was_cancelled(void) {
    report_log log;
    ferry_handle *handles[3];
    ferry_loop *loop = new_debug_loop(&log, AN_HOUR_US);
    post_mark(loop, "a");
    turn(loop);
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &handles[0]), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", &handles[1]), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &handles[2]), 0);
    for (int i = 0; i < 3; i++) {
        ferry_handle_cancel(handles[i]);
        ferry_handle_unref(handles[i]);
    }
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
    CHECK_INT(log.count, 0);
    CHECK_STRING(trace, "a");
}

static void close_is_silent_outside_debug_mode(void) {
    report_log log = {0};
    ferry_handle *handles[3];
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    post_pending(loop, handles);
    end_loop(loop);
    for (int i = 0; i < 3; i++)
        ferry_handle_unref(handles[i]);
    CHECK_INT(log.count, 0);
}

/* ---- wrong threads ---- */

typedef struct intruder {
    ferry_loop *victim;
    ferry_future *future;
    ferry_loop *own; /* a loop that runs on the intruder's thread, or NULL */
} intruder;

static ferry_status intrude(void *arg) {
    intruder *self = arg;
    ferry_loop *victim = self->victim;
    ferry_handle *handle = NULL;
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_call_soon(victim, mark, (void *)"x", &handle), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_call_soon(victim, mark, (void *)"x", NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_call_later(victim, 0, mark, (void *)"x", &handle), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_call_at(victim, 0, mark, (void *)"x", &handle), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_create(victim, &future), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_set_exception_handler(victim, keep_report, NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_set_debug(victim, true), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_set_slow_callback_duration(victim, 1), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_stop(victim), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_close(victim), FERRY_EWRONGTHREAD);
    if (!self->own) {
        CHECK_STATUS(ferry_loop_run_forever(victim), FERRY_EWRONGTHREAD);
        CHECK_STATUS(ferry_loop_run_once(victim, 0), FERRY_EWRONGTHREAD);
        CHECK_STATUS(ferry_loop_run_until_complete(victim, self->future), FERRY_EWRONGTHREAD);
    }
    CHECK(!handle && !future);
    CHECK(ferry_running_loop() == self->own);
    return 0;
}

static void intrude_from_a_bare_thread(void *arg) {
    intrude(arg);
}

static void intrude_from_a_thread_with_a_loop(void *arg) {
    intruder *self = arg;
    CHECK_STATUS(ferry_loop_create(NULL, &self->own), 0);
    post(self->own, intrude, self);
    turn(self->own);
    end_loop(self->own);
    self->own = NULL;
}

static ferry_status let_others_intrude(void *arg) {
    on_another_thread(intrude_from_a_bare_thread, arg);
    on_another_thread(intrude_from_a_thread_with_a_loop, arg);
    leave('a');
    return 0;
}

/* DB-001 */
static void calls_from_a_wrong_thread_are_refused_in_every_mode(void) {
    for (int debug = 0; debug <= 1; debug++) {
        ferry_loop *loop = new_loop();
        intruder self = {loop, new_future(loop), NULL};
        CHECK_STATUS(ferry_loop_set_debug(loop, debug), 0);
        CHECK_STATUS(ferry_loop_set_slow_callback_duration(loop, AN_HOUR_US), 0);
        post(loop, let_others_intrude, &self);
        turn(loop);
        CHECK_STATUS(ferry_call_later(loop, 0, let_others_intrude, &self, NULL), 0);
        run_for(loop, 1000);
        CHECK_STRING(trace, "aa");
        CHECK(ferry_loop_get_debug(loop) == (bool)debug);
        CHECK(!ferry_future_done(self.future));
        ferry_future_unref(self.future);
        end_loop(loop);
    }
}

static const fy_test tests[] = {
    FY_TEST(slow_callback_is_reported_with_the_line_that_made_it),
    FY_TEST(slow_callback_means_a_tenth_of_a_second_by_default),
    FY_TEST(limit_of_a_slow_callback_can_be_changed),
    FY_TEST(debug_mode_is_switched_on_and_off),
    FY_TEST(slow_callback_that_fails_is_reported_for_both),
    FY_TEST(close_reports_what_is_pending_by_origin),
    FY_TEST(close_is_silent_about_what_has_run_or_was_cancelled),
    FY_TEST(close_is_silent_outside_debug_mode),
    FY_TEST(calls_from_a_wrong_thread_are_refused_in_every_mode),
};

FY_TEST_MAIN("debug", tests)
