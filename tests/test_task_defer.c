/* SPDX-License-Identifier: Apache-2.0 */
/* Cancellations that meet deferred calls: these return nothing, so the task's end tells of what came to their waits. */
#include <errno.h>

#include "support/tasks.h"

typedef struct deferring {
    ferry_status returns;  /* by the task's function */
    bool cancels_itself;   /* before it returns */
    bool has_scope;        /* in the deferred call */
    bool undoes;
    ferry_status went;     /* the deferred call's wait */
} deferring;

static void clean_up(void *arg) {
    deferring *self = arg;
    ferry_timeout *timeout = NULL;
    if (self->has_scope)
        CHECK_STATUS(ferry_timeout_open(1000, &timeout), 0);
    self->went = ferry_timeout_close(timeout, ferry_sleep(AN_HOUR_US));
    if (self->undoes)
        CHECK_INT(ferry_task_uncancel(ferry_current_task()), 0);
}

static void leave_a_letter(void *letter) {
    CHECK_STATUS(ferry_sleep(0), 0); /* the request came to the wait before, once */
    leave(*(const char *)letter);
}

static ferry_status defer_and_return(void *arg, ferry_call *call) {
    deferring *self = arg;
    CHECK_STATUS(ferry_defer(leave_a_letter, "l"), 0);
    CHECK_STATUS(ferry_defer(clean_up, self), 0);
    if (self->cancels_itself)
        CHECK(ferry_future_cancel(ferry_current_task()));
    return self->returns ? ferry_return_error(call, self->returns, "not well") : ferry_return_integer(call, 7);
}

/* Runs it as a task, which is cancelled in the deferred call's wait unless it is by itself; returns its outcome. */
static ferry_status run_deferring(deferring *self) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, defer_and_return, self);
    turn(loop);
    if (!self->cancels_itself && !self->has_scope)
        CHECK(ferry_future_cancel_with_message(task, "enough"));
    ferry_status status = run_until(loop, task);
    CHECK(ferry_future_cancelled(task) == (status == FERRY_ECANCELED));
    CHECK_INT(ferry_future_integer(task), status ? 0 : 7);
    CHECK_STRING(trace, "l");
    ferry_future_unref(task);
    end_loop(loop);
    return status;
}

static void cancel_that_a_deferred_call_met_ends_the_task_cancelled(void) {
    deferring self = {.returns = 0};
    CHECK_STATUS(run_deferring(&self), FERRY_ECANCELED);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
}

static void late_request_that_a_deferred_call_met_ends_the_task_cancelled(void) {
    deferring self = {.cancels_itself = true};
    CHECK_STATUS(run_deferring(&self), FERRY_ECANCELED);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
}

static void error_stays_the_outcome_whatever_a_deferred_call_met(void) {
    deferring self = {.returns = EIO};
    CHECK_STATUS(run_deferring(&self), EIO);
    self = (deferring){.returns = EIO, .cancels_itself = true};
    CHECK_STATUS(run_deferring(&self), EIO);
}

static void request_that_a_deferred_call_undoes_does_not_count(void) {
    deferring self = {.undoes = true};
    CHECK_STATUS(run_deferring(&self), 0);
    self = (deferring){.undoes = true, .cancels_itself = true};
    CHECK_STATUS(run_deferring(&self), 0);
    self = (deferring){.has_scope = true};
    CHECK_STATUS(run_deferring(&self), 0);
    CHECK_STATUS(self.went, FERRY_ETIMEDOUT);
}

static const fy_test tests[] = {
    FY_TEST(cancel_that_a_deferred_call_met_ends_the_task_cancelled),
    FY_TEST(late_request_that_a_deferred_call_met_ends_the_task_cancelled),
    FY_TEST(error_stays_the_outcome_whatever_a_deferred_call_met),
    FY_TEST(request_that_a_deferred_call_undoes_does_not_count),
};

FY_TEST_MAIN("task_defer", tests)
