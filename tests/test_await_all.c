/* SPDX-License-Identifier: Apache-2.0 */
/* A task that awaits several futures at once: who is cancelled with it, what it is told, and what is left of it when
 * its loop closes. */
#include "support/reports.h"
#include "support/tasks.h"

/* ---- cancelling ---- */

static ferry_status take_long_to_end(void *arg, ferry_call *call) {
    ferry_future *until = arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave('l');
    CHECK_STATUS(ferry_await(until), 0);
    return FERRY_ECANCELED;
}

static ferry_status end_in_spite_of_it(void *arg, ferry_call *call) {
    (void)arg;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave('s');
    return ferry_return_integer(call, 1);
}

typedef struct awaiter_of_all {
    ferry_future *all[3];
    ferry_status went;
} awaiter_of_all;

static ferry_status await_all_of_them(void *arg, ferry_call *call) {
    awaiter_of_all *self = arg;
    (void)call;
    self->went = ferry_await_all(self->all, 3, 0);
    for (int i = 0; i < 3; i++)
        CHECK(ferry_future_done(self->all[i]));
    return self->went;
}

static void cancel_reaches_all_that_are_awaited_together(void) {
    ferry_loop *loop = new_loop();
    ferry_future *until = new_future(loop);
    awaiter_of_all self = {.all = {new_task(loop, take_long_to_end, until), new_task(loop, end_in_spite_of_it, NULL),
                                   new_future(loop)}};
    ferry_task *task = new_task(loop, await_all_of_them, &self);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK(ferry_future_cancelled(self.all[2]));
    turn(loop);
    CHECK_STRING(trace, "ls"); /* the second does not wait for the first */
    turn(loop);
    CHECK(!ferry_future_done(task));
    CHECK_STATUS(ferry_future_set_result(until), 0);
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(self.all[0]));
    CHECK_INT(ferry_future_integer(self.all[1]), 1);
    ferry_future_unref_all(self.all, 3);
    ferry_future_unref(until);
    ferry_future_unref(task);
    end_loop(loop);
}

/* Only the last one is left when it is cancelled, and that one answers with a value. */
static void cancel_stays_one_when_the_last_of_all_answers(void) {
    ferry_loop *loop = new_loop();
    awaiter_of_all self = {.all = {new_future(loop), new_future(loop), new_task(loop, end_in_spite_of_it, NULL)}};
    ferry_task *task = new_task(loop, await_all_of_them, &self);
    turn(loop);
    CHECK_STATUS(ferry_future_set_result(self.all[0]), 0);
    CHECK_STATUS(ferry_future_set_result(self.all[1]), 0);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STRING(trace, "s");
    ferry_future_unref_all(self.all, 3);
    ferry_future_unref(task);
    end_loop(loop);
}

/* ---- misuse, and the end of the loop ---- */

typedef struct closer {
    ferry_task *task; /* awaits several, among them this one */
    ferry_future *others;
    ferry_status went;
} closer;

static ferry_status close_the_circle(void *arg, ferry_call *call) {
    closer *self = arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(0), 0);
    self->went = ferry_await(self->task);
    CHECK_STATUS(ferry_future_set_result(self->others), 0);
    return 0;
}

static void circle_through_several_is_refused(void) {
    ferry_loop *loop = new_loop();
    closer last = {.others = new_future(loop)};
    awaiter_of_all self = {.all = {new_task(loop, close_the_circle, &last), last.others, last.others}};
    last.task = new_task(loop, await_all_of_them, &self);
    CHECK_STATUS(run_until(loop, last.task), 0);
    CHECK_STATUS(last.went, FERRY_EDEADLK);
    ferry_future_unref(self.all[0]);
    ferry_future_unref(last.others);
    ferry_future_unref(last.task);
    end_loop(loop);
}

static ferry_status refuse_to_end(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    (void)ferry_sleep(AN_HOUR_US);
    leave('x'); /* its loop is closed: it never goes on */
    return 0;
}

static void closing_the_loop_ends_one_who_awaits_several(void) {
    ferry_loop *loop = new_loop();
    report_log reports = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
    awaiter_of_all self = {.all = {new_future(loop), new_task(loop, refuse_to_end, NULL), new_future(loop)}};
    ferry_task *task = new_task(loop, await_all_of_them, &self);
    turn(loop);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_INT(reports.count, 2);
    CHECK(ferry_future_cancelled(self.all[2]));
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref_all(self.all, 3);
    ferry_future_unref(task);
    ferry_loop_unref(loop);
}

static const fy_test tests[] = {
    FY_TEST(cancel_reaches_all_that_are_awaited_together),
    FY_TEST(cancel_stays_one_when_the_last_of_all_answers),
    FY_TEST(circle_through_several_is_refused),
    FY_TEST(closing_the_loop_ends_one_who_awaits_several),
};

FY_TEST_MAIN("await_all", tests)
