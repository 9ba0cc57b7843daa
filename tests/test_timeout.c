/* SPDX-License-Identifier: Apache-2.0 */
/* Timeout scopes: whose cancellation it was, nested ones, and deadlines that move. */
#include <errno.h>

#include "support/tasks.h"

static ferry_status expire(void *arg, ferry_call *call) {
    ferry_timeout *timeout = NULL;
    ferry_task *self = ferry_current_task();
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(1000, &timeout), 0);
    ferry_status inside = ferry_sleep(AN_HOUR_US);
    CHECK_STATUS(inside, FERRY_ECANCELED);
    CHECK(ferry_timeout_expired(timeout));
    CHECK_STATUS(ferry_timeout_close(timeout, inside), FERRY_ETIMEDOUT);
    CHECK_INT(ferry_task_cancelling(self), 0); /* WF-014 */
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_STATUS(ferry_sleep(100), 0);
    return 0;
}

/* WF-013, WF-014 */
static void expired_scope_ends_timed_out_and_leaves_no_trace(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, expire, NULL);
    CHECK_STATUS(run_until(loop, task), 0);
    CHECK(!ferry_future_cancelled(task));
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status be_in_time(void *arg, ferry_call *call) {
    ferry_timeout *timeout = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &timeout), 0);
    CHECK(!ferry_timeout_expired(timeout));
    CHECK_STATUS(ferry_timeout_close(timeout, ferry_sleep(100)), 0);
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &timeout), 0);
    CHECK_STATUS(ferry_timeout_close(timeout, FERRY_EFULL), FERRY_EFULL);
    CHECK_STATUS(ferry_timeout_close(NULL, FERRY_EFULL), FERRY_EFULL);
    return 0;
}

static void scope_that_ends_in_time_changes_nothing(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, be_in_time, NULL), 0);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    end_loop(loop);
}

static ferry_status nest(void *arg, ferry_call *call) {
    ferry_timeout *outer = NULL, *inner = NULL;
    (void)arg;
    (void)call;
    int64_t when_us = ferry_loop_time(ferry_running_loop()) + 2000;
    CHECK_STATUS(ferry_timeout_open_at(when_us, &outer), 0);
    CHECK_STATUS(ferry_timeout_open_at(when_us, &inner), 0);
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_STATUS(status, FERRY_ECANCELED);
    CHECK(ferry_timeout_expired(inner) && ferry_timeout_expired(outer));
    status = ferry_timeout_close(inner, status);
    CHECK_STATUS(status, FERRY_ECANCELED); /* the outer one's request is still in force */
    CHECK_STATUS(ferry_timeout_close(outer, status), FERRY_ETIMEDOUT);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0);
    return 0;
}

/* WF-016 */
static void nested_scopes_with_one_deadline_time_out_as_one(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, nest, NULL), 0);
    end_loop(loop);
}

static ferry_status block_past_both(void *arg, ferry_call *call) {
    ferry_loop *loop = ferry_running_loop();
    ferry_timeout *outer = NULL, *inner = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(2000, &outer), 0);
    CHECK_STATUS(ferry_timeout_open(1000, &inner), 0);
    take_time(loop, 5000);
    ferry_status status = ferry_timeout_close(inner, ferry_sleep(AN_HOUR_US));
    if (status == FERRY_ECANCELED) {
        /* Both came before the task could go on. */
        CHECK_STATUS(ferry_timeout_close(outer, status), FERRY_ETIMEDOUT);
        return 0;
    }
    CHECK_STATUS(status, FERRY_ETIMEDOUT);
    CHECK_STATUS(ferry_timeout_close(outer, ferry_sleep(AN_HOUR_US)), FERRY_ETIMEDOUT);
    return 0;
}

/* WF-017 */
static void deadlines_passed_while_the_loop_was_busy_still_count(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, block_past_both, NULL), 0);
    end_loop(loop);
}

static ferry_status open_in_the_past(void *arg, ferry_call *call) {
    ferry_timeout *timeout = NULL;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(*(const int64_t *)arg, &timeout), 0);
    ferry_status status = ferry_sleep(0);
    if (!status)
        status = ferry_sleep(0);
    CHECK_STATUS(status, FERRY_ECANCELED);
    CHECK_STATUS(ferry_timeout_close(timeout, status), FERRY_ETIMEDOUT);
    return 0;
}

/* WF-019 */
static void deadline_in_the_past_cancels_at_the_first_wait(void) {
    ferry_loop *loop = new_loop();
    const int64_t timeouts[] = {0, -1, -AN_HOUR_US, INT64_MIN};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
        CHECK_STATUS(run_task(loop, open_in_the_past, (void *)(uintptr_t)&timeouts[i]), 0);
    end_loop(loop);
}

static ferry_status move(void *arg, ferry_call *call) {
    ferry_loop *loop = ferry_running_loop();
    ferry_timeout *timeout = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(FERRY_FOREVER, &timeout), 0);
    CHECK_INT(ferry_timeout_when(timeout), FERRY_FOREVER);
    int64_t when_us = ferry_loop_time(loop) + AN_HOUR_US;
    CHECK_STATUS(ferry_timeout_reschedule(timeout, when_us), 0);
    CHECK_INT(ferry_timeout_when(timeout), when_us);
    CHECK_STATUS(ferry_timeout_reschedule(timeout, FERRY_FOREVER), 0);
    CHECK_INT(ferry_timeout_when(timeout), FERRY_FOREVER);
    CHECK_STATUS(ferry_sleep(100), 0);
    CHECK_STATUS(ferry_timeout_reschedule(timeout, ferry_loop_time(loop) + 1000), 0);
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_STATUS(ferry_timeout_reschedule(timeout, when_us), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_timeout_close(timeout, status), FERRY_ETIMEDOUT);
    return 0;
}

/* WF-020 */
static void deadline_may_be_moved_or_taken_away(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, move, NULL), 0);
    end_loop(loop);
}

static ferry_status sleep_under_a_timeout(void *arg, ferry_call *call) {
    ferry_timeout *timeout = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &timeout), 0);
    return ferry_timeout_close(timeout, ferry_sleep(AN_HOUR_US));
}

static void cancellation_by_others_is_no_timeout(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, sleep_under_a_timeout, NULL);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref(task);
    end_loop(loop);
}

static void scope_outside_a_task_is_refused(void) {
    ferry_timeout *timeout = NULL;
    CHECK_STATUS(ferry_timeout_open(1, &timeout), FERRY_ENOTASK);
    CHECK_STATUS(ferry_timeout_open_at(1, &timeout), FERRY_ENOTASK);
    CHECK_STATUS(ferry_timeout_reschedule(NULL, 1), EINVAL);
    CHECK(!timeout);
}

static const fy_test tests[] = {
    FY_TEST(expired_scope_ends_timed_out_and_leaves_no_trace),
    FY_TEST(scope_that_ends_in_time_changes_nothing),
    FY_TEST(nested_scopes_with_one_deadline_time_out_as_one),
    FY_TEST(deadlines_passed_while_the_loop_was_busy_still_count),
    FY_TEST(deadline_in_the_past_cancels_at_the_first_wait),
    FY_TEST(deadline_may_be_moved_or_taken_away),
    FY_TEST(cancellation_by_others_is_no_timeout),
    FY_TEST(scope_outside_a_task_is_refused),
};

FY_TEST_MAIN("timeout", tests)
