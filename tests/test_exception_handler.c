/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that nobody handled: who is told, what, and that the loop goes on whatever the handler does. */
#include "support/loops.h"

#include <apr_errno.h>

#include "support/reports.h"

static ferry_status fail_with(void *status) {
    return *(ferry_status *)status;
}

/* ---- a handler of one's own ---- */

/* XH-001 */
static void escaped_errors_are_reported_and_the_loop_goes_on(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    post(loop, fail_with, &failure);
    post_mark(loop, "a");
    CHECK_STATUS(ferry_call_later(loop, 0, fail_with, &failure, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"b", NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, fail_with, &failure, NULL), 0);
    run_for(loop, 1000);
    CHECK_STRING(trace, "ab");
    CHECK_INT(log.count, 3);
    for (size_t i = 0; i < log.count; i++)
        CHECK_STATUS(log.all[i].status, FERRY_EFULL);
    end_loop(loop);
}

/* XH-002 */
static void handler_gets_loop_message_status_origin_and_handle(void) {
    ferry_status failure = APR_EGENERAL;
    ferry_loop *loop = new_loop();
    ferry_handle *soon, *timer, *threadsafe;
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    int line = __LINE__;
    CHECK_STATUS(ferry_call_soon(loop, fail_with, &failure, &soon), 0);
    CHECK_STATUS(ferry_call_at(loop, 0, fail_with, &failure, &timer), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, fail_with, &failure, &threadsafe), 0);
    run_for(loop, 1000);
    CHECK_INT(log.count, 3);
    const report_copy *copies[] = {report_of_line(&log, line + 1), report_of_line(&log, line + 2),
                                   report_of_line(&log, line + 3)};
    ferry_handle *handles[] = {soon, timer, threadsafe};
    for (int i = 0; i < 3; i++) {
        CHECK(copies[i]);
        CHECK(copies[i]->loop == loop);
        CHECK(copies[i]->handle == handles[i]);
        CHECK(!copies[i]->future);
        CHECK_STATUS(copies[i]->status, APR_EGENERAL);
        ferry_handle_unref(handles[i]);
    }
    end_loop(loop);
}

static void origin_is_told_where_no_handle_was_asked_for(void) {
    ferry_status failure = APR_EGENERAL;
    ferry_loop *loop = new_loop();
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    int line = __LINE__;
    CHECK_STATUS(ferry_call_soon(loop, fail_with, &failure, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, fail_with, &failure, NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, fail_with, &failure, NULL), 0);
    run_for(loop, 1000);
    CHECK_INT(log.count, 3);
    for (int i = 1; i <= 3; i++)
        CHECK(report_of_line(&log, line + i));
    end_loop(loop);
}

static void every_status_but_zero_is_an_error(void) {
    static ferry_status statuses[] = {FERRY_ECANCELED, -1, 1, INT32_MAX, INT32_MIN, APR_EOF};
    enum { COUNT = sizeof statuses / sizeof statuses[0] };
    ferry_loop *loop = new_loop();
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    for (int i = 0; i < COUNT; i++)
        post(loop, fail_with, &statuses[i]);
    post_mark(loop, "a");
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK_INT(log.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(log.all[i].status, statuses[i]);
    end_loop(loop);
}

typedef struct switching {
    report_log first;
    report_log second;
} switching;

static ferry_status hand_over(ferry_loop *loop, const ferry_report *report, void *arg) {
    switching *self = arg;
    CHECK(ferry_running_loop() == loop);
    post_mark(loop, "a");
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &self->second), 0);
    return keep_report(loop, report, &self->first);
}

static void handler_may_use_the_loop_and_replace_itself(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    switching self = {{0}, {0}};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, hand_over, &self), 0);
    post(loop, fail_with, &failure);
    post(loop, fail_with, &failure);
    turn(loop);
    turn(loop);
    CHECK_INT(self.first.count, 1);
    CHECK_INT(self.second.count, 1);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static ferry_status stop_on_error(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)report;
    (void)arg;
    return ferry_loop_stop(loop);
}

static void handler_may_stop_the_loop(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, stop_on_error, NULL), 0);
    post(loop, fail_with, &failure);
    post_mark(loop, "a");
    run_forever(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

/* ---- reports of one's own ---- */

static void own_report_reaches_the_handler_unchanged(void) {
    ferry_loop *loop = new_loop();
    report_log log = {0};
    ferry_report report = {sizeof report, "the boiler is cold", FERRY_EBROKEN, "cellar:1", NULL, NULL};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    ferry_loop_call_exception_handler(loop, &report);
    CHECK_INT(log.count, 1);
    CHECK(log.all[0].loop == loop);
    CHECK_STRING(log.all[0].message, "the boiler is cold");
    CHECK_STRING(log.all[0].origin, "cellar:1");
    CHECK_STATUS(log.all[0].status, FERRY_EBROKEN);
    CHECK(!log.all[0].handle && !log.all[0].future);
    end_loop(loop);
}

/* ---- the default handler ---- */

static void check_default_report(const stderr_capture *capture, int line) {
    char origin[256];
    snprintf(origin, sizeof origin, "%s:%d", __FILE__, line);
    CHECK_INT(count_lines(capture->text), 1);
    CHECK(strstr(capture->text, origin));
    CHECK(says_status(capture->text, FERRY_EFULL));
}

/* XH-001, XH-002 */
static void default_handler_writes_one_line_and_comes_back_when_unset(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    stderr_capture capture;
    report_log log = {0};
    stderr_divert(&capture);
    post(loop, fail_with, &failure);
    turn(loop);
    stderr_restore(&capture);
    check_default_report(&capture, __LINE__ - 3);

    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    stderr_divert(&capture);
    post(loop, fail_with, &failure);
    turn(loop);
    stderr_restore(&capture);
    CHECK_STRING(capture.text, "");
    CHECK_INT(log.count, 1);

    CHECK_STATUS(ferry_loop_set_exception_handler(loop, NULL, &log), 0);
    stderr_divert(&capture);
    post(loop, fail_with, &failure);
    turn(loop);
    stderr_restore(&capture);
    check_default_report(&capture, __LINE__ - 3);
    CHECK_INT(log.count, 1);
    end_loop(loop);
}

static ferry_status pass_on(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)arg;
    return ferry_loop_default_exception_handler(loop, report);
}

static void own_handler_may_pass_on_to_the_default(void) {
    ferry_loop *loop = new_loop();
    stderr_capture capture;
    ferry_report report = {sizeof report, "the boiler is cold", FERRY_EFULL, "cellar:1", NULL, NULL};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, pass_on, NULL), 0);
    stderr_divert(&capture);
    ferry_loop_call_exception_handler(loop, &report);
    stderr_restore(&capture);
    CHECK_INT(count_lines(capture.text), 1);
    CHECK(strstr(capture.text, "the boiler is cold"));
    CHECK(strstr(capture.text, "cellar:1"));
    CHECK(says_status(capture.text, FERRY_EFULL));
    end_loop(loop);
}

/* ---- handlers that fail ---- */

static ferry_status fail_to_handle(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)loop;
    (void)report;
    ++*(int *)arg;
    return FERRY_EBROKEN;
}

/* XH-004 */
static void default_handler_is_told_both_when_a_handler_fails(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    stderr_capture capture;
    int told = 0;
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, fail_to_handle, &told), 0);
    stderr_divert(&capture);
    post(loop, fail_with, &failure);
    post_mark(loop, "a");
    turn(loop);
    stderr_restore(&capture);
    CHECK_INT(told, 1);
    CHECK_STRING(trace, "a");
    CHECK(says_status(capture.text, FERRY_EFULL));
    CHECK(says_status(capture.text, FERRY_EBROKEN));
    CHECK(strstr(capture.text, "test_exception_handler.c:"));
    end_loop(loop);
}

/* XH-004: stderr is closed, so that the default handler fails too. */
static void loop_survives_a_default_handler_that_cannot_write(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_loop *loop = new_loop();
    stderr_capture capture;
    int told = 0;
    stderr_divert(&capture);
    CHECK_STATUS(apr_file_close(capture.stderr_file), 0);
    post(loop, fail_with, &failure);
    post_mark(loop, "a");
    turn(loop);
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, fail_to_handle, &told), 0);
    post(loop, fail_with, &failure);
    post_mark(loop, "b");
    turn(loop);
    CHECK_STATUS(apr_file_open_stderr(&capture.stderr_file, capture.pool), 0);
    stderr_restore(&capture);
    CHECK_INT(told, 1);
    CHECK_STRING(trace, "ab");
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(escaped_errors_are_reported_and_the_loop_goes_on),
    FY_TEST(handler_gets_loop_message_status_origin_and_handle),
    FY_TEST(origin_is_told_where_no_handle_was_asked_for),
    FY_TEST(every_status_but_zero_is_an_error),
    FY_TEST(handler_may_use_the_loop_and_replace_itself),
    FY_TEST(handler_may_stop_the_loop),
    FY_TEST(own_report_reaches_the_handler_unchanged),
    FY_TEST(default_handler_writes_one_line_and_comes_back_when_unset),
    FY_TEST(own_handler_may_pass_on_to_the_default),
    FY_TEST(default_handler_is_told_both_when_a_handler_fails),
    FY_TEST(loop_survives_a_default_handler_that_cannot_write),
};

FY_TEST_MAIN("exception_handler", tests)
