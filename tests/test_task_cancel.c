/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling tasks: a request, counted, delivered once at the next wait that suspends; and what becomes of tasks whose
 * loop is closed. */
#include <errno.h>
#include <string.h>

#include "support/reports.h"
#include "support/tasks.h"

typedef struct waiter {
    ferry_future *future;
    ferry_task *task;
    ferry_status went, went_again;
} waiter;

static ferry_status await_it(void *arg, ferry_call *call) {
    waiter *self = arg;
    (void)call;
    leave('a');
    self->went = ferry_await(self->future);
    leave('b');
    return self->went;
}

/* TK-002, TK-003 */
static void cancel_reaches_the_awaited_future_and_resumes_the_task(void) {
    ferry_loop *loop = new_loop();
    waiter self = {.future = new_future(loop)};
    ferry_task *task = new_task(loop, await_it, &self);
    turn(loop);
    CHECK(ferry_future_cancel_with_message(task, "enough"));
    CHECK(!ferry_future_done(task)); /* a request */
    CHECK(!ferry_future_cancelled(task));
    CHECK_INT(ferry_task_cancelling(task), 1);
    CHECK(ferry_future_cancelled(self.future));
    CHECK_STRING(trace, "a");
    turn(loop);
    CHECK_STRING(trace, "ab");
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(task));
    CHECK_STRING(ferry_future_message(task), "enough");
    CHECK(!ferry_future_cancel(task));
    ferry_future_unref(self.future);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status cancel_oneself(void *arg, ferry_call *call) {
    (void)arg;
    CHECK(ferry_future_cancel(ferry_current_task()));
    CHECK(ferry_call_is_cancelled(call));
    return ferry_return_integer(call, 1);
}

/* TK-005 */
static void task_that_cancels_itself_and_returns_ends_cancelled(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, cancel_oneself, NULL);
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(task));
    CHECK_INT(ferry_future_integer(task), 0);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status cancel_oneself_and_fail(void *arg, ferry_call *call) {
    (void)arg;
    CHECK(ferry_future_cancel(ferry_current_task()));
    return ferry_return_error(call, EIO, "the disk is gone");
}

static void error_is_not_lost_to_a_late_request(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, cancel_oneself_and_fail, NULL);
    CHECK_STATUS(run_until(loop, task), EIO);
    CHECK(!ferry_future_cancelled(task));
    CHECK_STRING(ferry_future_message(task), "the disk is gone");
    CHECK_INT(ferry_task_cancelling(task), 1);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status swallow(void *arg, ferry_call *call) {
    waiter *self = arg;
    self->went = ferry_sleep(AN_HOUR_US);
    self->went_again = ferry_sleep(1000);
    CHECK_STATUS(ferry_task_checkpoint(), 0);
    return ferry_return_integer(call, 12);
}

static ferry_status cancel_later(void *task) {
    CHECK(ferry_future_cancel(task));
    return 0;
}

/* TK-007, TM-009 */
static void task_that_swallows_a_cancellation_goes_on(void) {
    ferry_loop *loop = new_loop();
    waiter self = {0};
    ferry_task *task = new_task(loop, swallow, &self);
    turn(loop);
    CHECK(ferry_loop_next_deadline(loop) < FERRY_FOREVER);
    CHECK(ferry_future_cancel(task));
    CHECK(ferry_loop_next_deadline(loop) <= clock_of(loop)); /* not in an hour: the task is to be stepped */
    CHECK_STATUS(run_until(loop, task), 0);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    CHECK_STATUS(self.went_again, 0);
    CHECK_INT(ferry_future_integer(task), 12);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status never(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    leave('x');
    return 0;
}

/* TK-008 */
static void task_cancelled_before_its_first_step_never_runs(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, never, NULL);
    CHECK(ferry_future_cancel_with_message(task, "not today"));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STRING(trace, "");
    CHECK_STRING(ferry_future_message(task), "not today");
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status await_child(void *arg, ferry_call *call) {
    waiter *self = arg;
    (void)call;
    CHECK(ferry_future_cancel(ferry_current_task()));
    self->went = ferry_await(self->task);
    return self->went;
}

/* TK-010 */
static void cancel_of_a_task_about_to_wait_reaches_through(void) {
    ferry_loop *loop = new_loop();
    waiter inner = {.future = new_future(loop)};
    waiter outer = {.task = new_task(loop, await_it, &inner)};
    turn(loop);
    ferry_task *task = new_task(loop, await_child, &outer);
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(inner.future));
    CHECK(ferry_future_cancelled(outer.task));
    CHECK_STATUS(inner.went, FERRY_ECANCELED);
    CHECK_STATUS(outer.went, FERRY_ECANCELED);
    ferry_future_unref(inner.future);
    ferry_future_unref(outer.task);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status count_requests(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    ferry_task *self = ferry_current_task();
    CHECK_INT(ferry_task_cancelling(self), 2);
    CHECK_STATUS(ferry_sleep(0), 0); /* both came while it slept: delivered as one */
    CHECK_INT(ferry_task_uncancel(self), 1);
    CHECK_INT(ferry_task_uncancel(self), 0);
    CHECK_INT(ferry_task_uncancel(self), 0);
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    CHECK_INT(ferry_task_cancelling(self), 1);
    return FERRY_ECANCELED;
}

/* TK-012, TK-013 */
static void requests_are_counted_and_may_be_undone(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, count_requests, NULL);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK(ferry_future_cancel(task));
    CHECK_INT(ferry_task_cancelling(task), 2);
    turn(loop);
    turn(loop);
    CHECK_INT(ferry_task_cancelling(task), 0);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status undo_at_once(void *arg, ferry_call *call) {
    ferry_task *self = ferry_current_task();
    (void)arg;
    (void)call;
    CHECK(ferry_future_cancel(self));
    CHECK_INT(ferry_task_uncancel(self), 0);
    CHECK(!ferry_call_is_cancelled(call));
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_STATUS(ferry_sleep(100), 0);
    CHECK(ferry_future_cancel(self));
    CHECK_STATUS(ferry_task_checkpoint(), FERRY_ECANCELED);
    CHECK_STATUS(ferry_task_checkpoint(), 0);
    return 0;
}

/* TK-014 */
static void request_that_was_undone_is_never_delivered(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, undo_at_once, NULL), 0);
    end_loop(loop);
}

static ferry_status sleep_with_nobody_else(void *arg, ferry_call *call) {
    waiter *self = arg;
    (void)call;
    int64_t before_us = clock_of(ferry_running_loop());
    self->went = ferry_sleep(AN_HOUR_US);
    CHECK(clock_of(ferry_running_loop()) - before_us < AN_HOUR_US);
    self->went_again = ferry_sleep(1);
    return 0;
}

static void cancel_and_undo(ferry_task *task, int times) {
    for (int i = 0; i < times; i++)
        CHECK(ferry_future_cancel(task));
    for (int i = times; i-- > 0;)
        CHECK_INT(ferry_task_uncancel(task), i);
}

/* Cut short is cut short: never does a wait say that what it waited for has come. */
static void wait_that_was_interrupted_is_cancelled_though_the_request_was_undone(void) {
    ferry_loop *loop = new_loop();
    for (int times = 1; times < 3; times++) {
        waiter sleeping = {0}, awaiting = {.future = new_future(loop)};
        ferry_task *sleeper = new_task(loop, sleep_with_nobody_else, &sleeping);
        ferry_task *awaiter = new_task(loop, await_it, &awaiting);
        turn(loop);
        cancel_and_undo(sleeper, times);
        cancel_and_undo(awaiter, times);
        CHECK_STATUS(run_until(loop, sleeper), 0);
        CHECK_STATUS(run_until(loop, awaiter), FERRY_ECANCELED);
        CHECK_STATUS(sleeping.went, FERRY_ECANCELED);
        CHECK_STATUS(sleeping.went_again, 0);
        CHECK_STATUS(awaiting.went, FERRY_ECANCELED);
        ferry_future_unref(awaiting.future);
        ferry_future_unref(sleeper);
        ferry_future_unref(awaiter);
    }
    end_loop(loop);
}

static ferry_status await_a_gather_of_itself(void *arg, ferry_call *call) {
    waiter *self = arg;
    (void)call;
    CHECK_STATUS(ferry_gather(ferry_running_loop(), &self->task, 1, 0, &self->future), 0);
    self->went = ferry_await(self->future);
    CHECK(!ferry_future_done(self->future));
    return 0;
}

static void wait_that_took_no_request_is_cancelled_though_it_was_undone(void) {
    ferry_loop *loop = new_loop();
    waiter self = {0};
    self.task = new_task(loop, await_a_gather_of_itself, &self);
    turn(loop);
    cancel_and_undo(self.task, 2);
    CHECK_STATUS(run_until(loop, self.task), 0);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    ferry_future_unref(self.future);
    ferry_future_unref(self.task);
    end_loop(loop);
}

/* What a scope does that cancels its own task and absorbs that. */
static ferry_status inner_scope(ferry_status status, size_t before) {
    size_t left = ferry_task_uncancel(ferry_current_task());
    return status == FERRY_ECANCELED && left <= before ? FERRY_ETIMEDOUT : status;
}

static ferry_status run_scope(void *arg, ferry_call *call) {
    waiter *self = arg;
    (void)call;
    size_t before = ferry_task_cancelling(ferry_current_task());
    CHECK_STATUS(ferry_call_later(ferry_running_loop(), 1000, cancel_later, ferry_current_task(), NULL), 0);
    self->went = inner_scope(ferry_sleep(AN_HOUR_US), before);
    self->went_again = ferry_sleep(AN_HOUR_US);
    return self->went_again;
}

/* TK-015 */
static void inner_scope_absorbs_its_own_request_alone(void) {
    ferry_loop *loop = new_loop();
    waiter self = {0};
    ferry_task *task = new_task(loop, run_scope, &self);
    while (self.went != FERRY_ETIMEDOUT)
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STATUS(self.went_again, FERRY_ECANCELED);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status resolve_and_cancel(void *arg) {
    waiter *self = arg;
    CHECK_STATUS(ferry_future_set_integer(self->future, 3), 0);
    CHECK(ferry_future_cancel(self->task));
    return 0;
}

/* WF-011 */
static void cancel_in_the_moment_of_completion_is_not_lost(void) {
    ferry_loop *loop = new_loop();
    waiter self = {.future = new_future(loop)};
    self.task = new_task(loop, await_it, &self);
    turn(loop);
    post(loop, resolve_and_cancel, &self);
    CHECK_STATUS(run_until(loop, self.task), FERRY_ECANCELED);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    CHECK_INT(ferry_future_integer(self.future), 3);
    ferry_future_unref(self.future);
    ferry_future_unref(self.task);
    end_loop(loop);
}

/* ---- eager tasks ---- */

typedef struct eager {
    ferry_task *creator, *created;
    int steps;
    bool sleeps;
} eager;

static ferry_status eager_child(void *arg, ferry_call *call) {
    eager *self = arg;
    CHECK(ferry_current_task() != self->creator);
    CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), self->creator ? 2 : 1);
    self->steps++;
    if (self->sleeps)
        CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    return self->sleeps ? FERRY_ECANCELED : ferry_return_integer(call, 5);
}

static ferry_status eager_creator(void *arg, ferry_call *call) {
    eager *self = arg;
    (void)call;
    self->creator = ferry_current_task();
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = eager_child, .arg = self, .eager = true};
    CHECK_STATUS(ferry_task_create_with(NULL, &options, &self->created), 0);
    CHECK_INT(self->steps, 1);
    CHECK(ferry_current_task() == self->creator);
    if (!self->sleeps) {
        CHECK(ferry_future_done(self->created));
        CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 1);
        return 0;
    }
    CHECK(ferry_future_cancel(self->created));
    CHECK_STATUS(FERRY_AWAIT(self->created, NULL), FERRY_EAWAITED_CANCELED);
    return 0;
}

/* EG-002, EG-003 */
static void eager_task_makes_its_first_step_inside_the_call(void) {
    ferry_loop *loop = new_loop();
    eager self = {0};
    CHECK_STATUS(run_task(loop, eager_creator, &self), 0);
    CHECK_INT(ferry_future_integer(self.created), 5);
    ferry_future_unref(self.created);
    end_loop(loop);
}

/* EG-005 */
static void eager_task_is_cancelled_where_it_stopped(void) {
    ferry_loop *loop = new_loop();
    eager self = {.sleeps = true};
    CHECK_STATUS(run_task(loop, eager_creator, &self), 0);
    CHECK(ferry_future_cancelled(self.created));
    ferry_future_unref(self.created);
    end_loop(loop);
}

static ferry_status create_eagerly(void *arg) {
    eager *self = arg;
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = eager_child, .arg = self, .eager = true};
    CHECK_STATUS(ferry_task_create_with(NULL, &options, &self->created), 0);
    CHECK_INT(self->steps, 1);
    return 0;
}

static void callback_may_make_an_eager_task(void) {
    ferry_loop *loop = new_loop();
    eager self = {0};
    post(loop, create_eagerly, &self);
    turn(loop);
    CHECK(ferry_future_done(self.created));
    ferry_future_unref(self.created);
    end_loop(loop);
}

/* ---- closing ---- */

static void leave_letter(void *letter) {
    leave(*(const char *)letter);
}

static ferry_status clean_up_when_cancelled(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_defer(leave_letter, "d"), 0);
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    CHECK_STATUS(ferry_sleep(1000), 0);
    leave('c');
    return FERRY_ECANCELED;
}

static void closing_the_loop_cancels_its_tasks(void) {
    ferry_loop *loop = new_loop();
    report_log reports = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
    ferry_task *task = new_task(loop, clean_up_when_cancelled, NULL);
    turn(loop);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STRING(trace, "cd");
    CHECK(ferry_future_cancelled(task));
    CHECK_INT(reports.count, 0);
    ferry_future_unref(task);
    ferry_loop_unref(loop);
}

static ferry_status refuse_to_end(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_defer(leave_letter, "d"), 0);
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave('r');
    (void)ferry_sleep(AN_HOUR_US);
    leave('x'); /* its loop is closed: it never goes on */
    return 0;
}

static void task_that_does_not_end_is_named(void) {
    ferry_loop *loop = new_loop();
    report_log reports = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
    ferry_task *task = new_task(loop, refuse_to_end, NULL);
    CHECK_STATUS(ferry_task_set_name(task, "stubborn"), 0);
    ferry_task *waits_for_it = new_task(loop, await_it, &(waiter){.future = task});
    ferry_task *not_begun = NULL;
    turn(loop);
    CHECK_STATUS(ferry_task_create(loop, never, NULL, &not_begun), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STRING(trace, "ard");
    CHECK(ferry_future_cancelled(not_begun));
    CHECK_INT(reports.count, 2); /* the one and who waits for it */
    CHECK(strstr(reports.all[0].message, "\"stubborn\""));
    CHECK(strstr(reports.all[0].message, "test_task_cancel.c:"));
    CHECK(ferry_future_done(task));
    ferry_future_unref(not_begun);
    ferry_future_unref(waits_for_it);
    ferry_future_unref(task);
    ferry_loop_unref(loop);
}

static const fy_test tests[] = {
    FY_TEST(cancel_reaches_the_awaited_future_and_resumes_the_task),
    FY_TEST(task_that_cancels_itself_and_returns_ends_cancelled),
    FY_TEST(error_is_not_lost_to_a_late_request),
    FY_TEST(task_that_swallows_a_cancellation_goes_on),
    FY_TEST(task_cancelled_before_its_first_step_never_runs),
    FY_TEST(cancel_of_a_task_about_to_wait_reaches_through),
    FY_TEST(requests_are_counted_and_may_be_undone),
    FY_TEST(request_that_was_undone_is_never_delivered),
    FY_TEST(wait_that_was_interrupted_is_cancelled_though_the_request_was_undone),
    FY_TEST(wait_that_took_no_request_is_cancelled_though_it_was_undone),
    FY_TEST(inner_scope_absorbs_its_own_request_alone),
    FY_TEST(cancel_in_the_moment_of_completion_is_not_lost),
    FY_TEST(eager_task_makes_its_first_step_inside_the_call),
    FY_TEST(eager_task_is_cancelled_where_it_stopped),
    FY_TEST(callback_may_make_an_eager_task),
    FY_TEST(closing_the_loop_cancels_its_tasks),
    FY_TEST(task_that_does_not_end_is_named),
};

FY_TEST_MAIN("task_cancel", tests)
