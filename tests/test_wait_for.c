/* SPDX-License-Identifier: Apache-2.0 */
/* A time limit for a future: what the wait ends as, and that it never ends before what it waits for. */
#include "ferry/task.h"
#include "support/stubborn.h"

static ferry_future *wait_for(ferry_future *inner, int64_t timeout_us) {
    ferry_future *outer = NULL;
    CHECK_STATUS(ferry_wait_for(inner, timeout_us, &outer), 0);
    CHECK(outer);
    return outer;
}

static void unref_both(ferry_future *outer, ferry_future *inner) {
    ferry_future_unref(outer);
    ferry_future_unref(inner);
}

/* Waits for a stubborn future until it has been asked to cancel. */
static ferry_future *time_out(ferry_future *inner) {
    ferry_future *outer = wait_for(inner, 1000);
    settle();
    CHECK_INT(stubborn_of(inner)->requests, 0);
    run_for(loop, 2000);
    CHECK_INT(stubborn_of(inner)->requests, 1);
    settle();
    CHECK(!ferry_future_done(outer));
    return outer;
}

/* ---- in time ---- */

static void outcome_in_time_passes_through(void) {
    static const int64_t timeouts[] = {AN_HOUR_US, FERRY_FOREVER};
    for (int i = 0; i < 2; i++) {
        begin();
        ferry_future *inner = make(), *outer = wait_for(inner, timeouts[i]);
        resolve(inner, 42);
        CHECK(!ferry_future_done(outer));
        settle();
        CHECK_INT(ferry_future_integer(outer), 42);
        unref_both(outer, inner);
        inner = make();
        outer = wait_for(inner, timeouts[i]);
        fail(inner, FERRY_EFULL, "no room");
        settle();
        CHECK_STATUS(ferry_future_status(outer), FERRY_EFULL);
        CHECK_STRING(ferry_future_message(outer), "no room");
        unref_both(outer, inner);
        inner = make();
        outer = wait_for(inner, timeouts[i]);
        CHECK(ferry_future_cancel_with_message(inner, "by another"));
        settle();
        CHECK(ferry_future_cancelled(outer));
        CHECK_STRING(ferry_future_message(outer), "by another");
        unref_both(outer, inner);
        end();
    }
}

static void what_is_done_already_is_in_time_whatever_the_limit(void) {
    begin();
    ferry_future *inner = make();
    resolve(inner, 7);
    for (int64_t timeout = -1; timeout <= 1; timeout++) {
        ferry_future *outer = wait_for(inner, timeout);
        CHECK_INT(ferry_future_integer(outer), 7);
        CHECK(!ferry_future_cancel(outer));
        ferry_future_unref(outer);
    }
    ferry_future_unref(inner);
    end();
}

static ferry_status resolve_late(void *inner) {
    resolve(inner, 9);
    take_time(loop, 3000);
    return 0;
}

/* Its end is in the loop's queue when the time is up. */
static void what_has_ended_when_the_time_is_up_is_in_time(void) {
    begin();
    ferry_future *inner = make(), *outer = wait_for(inner, 2000);
    post(loop, resolve_late, inner);
    run_until(outer);
    CHECK_STATUS(ferry_future_status(outer), 0);
    CHECK_INT(ferry_future_integer(outer), 9);
    unref_both(outer, inner);
    end();
}

/* ---- the time is up ---- */

static void time_limit_cancels_and_is_told_as_such(void) {
    begin();
    ferry_future *inner = make(), *outer = wait_for(inner, 1000);
    run_until(outer);
    CHECK(ferry_future_cancelled(inner));
    CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
    CHECK(!ferry_future_cancelled(outer));
    unref_both(outer, inner);
    end();
}

static void no_time_left_cancels_before_it_returns(void) {
    for (int64_t timeout = -1; timeout <= 0; timeout++) {
        begin();
        ferry_future *inner = make(), *outer = wait_for(inner, timeout);
        CHECK(ferry_future_cancelled(inner));
        CHECK(!ferry_future_done(outer));
        settle();
        CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
        unref_both(outer, inner);
        end();
    }
}

/* WF-002 */
static void clean_up_that_takes_its_time_is_waited_for(void) {
    begin();
    ferry_future *inner = make_stubborn(), *outer = time_out(inner);
    run_for(loop, 5000);
    CHECK(!ferry_future_done(outer));
    end_cancelled(inner);
    settle();
    CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
    unref_both(outer, inner);
    end();
}

/* WF-003, WF-004 */
static void value_that_answers_the_cancellation_is_the_outcome(void) {
    begin();
    ferry_future *inner = make_stubborn(), *outer = time_out(inner);
    run_for(loop, 5000);
    CHECK(!ferry_future_done(outer));
    CHECK_INT(stubborn_of(inner)->requests, 1);
    end_with_value(inner, 42);
    settle();
    CHECK_STATUS(ferry_future_status(outer), 0);
    CHECK_INT(ferry_future_integer(outer), 42);
    unref_both(outer, inner);
    end();
}

/* WF-005 */
static void error_that_answers_the_cancellation_is_the_outcome(void) {
    begin();
    ferry_future *inner = make_stubborn(), *outer = time_out(inner);
    end_with_error(inner, FERRY_EBROKEN, "clean-up failed");
    settle();
    CHECK_STATUS(ferry_future_status(outer), FERRY_EBROKEN);
    CHECK_STRING(ferry_future_message(outer), "clean-up failed");
    unref_both(outer, inner);
    end();
}

/* WF-012 */
static void what_is_shielded_outlives_the_limit(void) {
    begin();
    ferry_future *inner = make(), *shielded = NULL;
    CHECK_STATUS(ferry_shield(inner, &shielded), 0);
    ferry_future *outer = wait_for(shielded, 1000);
    run_until(outer);
    CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
    CHECK(!ferry_future_done(inner));
    resolve(inner, 5);
    settle();
    CHECK_INT(ferry_future_integer(inner), 5);
    ferry_future_unref(shielded);
    unref_both(outer, inner);
    end();
}

/* ---- cancelling ---- */

/* WF-010 */
static void cancelled_wait_cancels_and_ends_cancelled(void) {
    begin();
    ferry_future *inner = make(), *outer = wait_for(inner, AN_HOUR_US);
    CHECK(ferry_future_cancel_with_message(outer, "enough"));
    CHECK(ferry_future_cancelled(inner));
    CHECK_STRING(ferry_future_message(inner), "enough");
    CHECK(!ferry_future_done(outer));
    settle();
    CHECK(ferry_future_cancelled(outer));
    CHECK_STRING(ferry_future_message(outer), "enough");
    CHECK(!ferry_future_cancel(outer));
    unref_both(outer, inner);
    end();
}

/* WF-010 */
static void cancelled_wait_ends_with_the_inner_one_however_that_does(void) {
    for (int way = 0; way < 3; way++) {
        begin();
        ferry_future *inner = make_stubborn(), *outer = wait_for(inner, AN_HOUR_US);
        CHECK(ferry_future_cancel(outer));
        CHECK(ferry_future_cancel_with_message(outer, "again"));
        CHECK_INT(stubborn_of(inner)->requests, 2);
        settle();
        CHECK(!ferry_future_done(outer));
        if (way == 0)
            end_cancelled(inner);
        else if (way == 1)
            end_with_value(inner, 8);
        else
            end_with_error(inner, FERRY_EBROKEN, "told by the inner one");
        settle();
        CHECK(ferry_future_cancelled(outer));
        CHECK_STRING(ferry_future_message(outer), "again");
        CHECK_INT(ferry_future_integer(inner), way == 1 ? 8 : 0);
        unref_both(outer, inner);
        end();
    }
}

/* WF-010 */
static void cancellation_after_the_limit_wins(void) {
    begin();
    ferry_future *inner = make_stubborn(), *outer = time_out(inner);
    CHECK(ferry_future_cancel(outer));
    CHECK_INT(stubborn_of(inner)->requests, 2);
    end_cancelled(inner);
    settle();
    CHECK(ferry_future_cancelled(outer));
    unref_both(outer, inner);
    end();
}

/* WF-011 */
static void cancellation_that_meets_the_end_is_not_swallowed(void) {
    begin();
    ferry_future *inner = make(), *outer = wait_for(inner, AN_HOUR_US);
    resolve(inner, 5);
    CHECK(ferry_future_cancel(outer));
    CHECK(ferry_future_cancelled(outer));
    settle();
    CHECK(ferry_future_cancelled(outer));
    CHECK_INT(ferry_future_integer(inner), 5);
    unref_both(outer, inner);
    end();
}

static void error_of_a_cancelled_wait_is_reported_if_nobody_looks(void) {
    begin();
    ferry_future *inner = make_stubborn(), *outer = wait_for(inner, AN_HOUR_US);
    CHECK(ferry_future_cancel(outer));
    end_with_error(inner, FERRY_EBROKEN, "clean-up failed");
    settle();
    unref_both(outer, inner);
    end_with_reports(1);
}

/* ---- tasks ---- */

static ferry_status leave_letter(void *letter, ferry_call *call) {
    leave(*(const char *)letter);
    return ferry_return_integer(call, 5);
}

/* WF-007 */
static void task_that_has_not_begun_never_does_if_there_is_no_time(void) {
    for (int64_t timeout = -1; timeout <= 0; timeout++) {
        begin();
        ferry_task *inner = NULL;
        CHECK_STATUS(ferry_task_create(loop, leave_letter, (void *)(uintptr_t)"x", &inner), 0);
        ferry_future *outer = wait_for(inner, timeout);
        run_until(outer);
        CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
        CHECK(ferry_future_cancelled(inner));
        CHECK_STRING(trace, "");
        unref_both(outer, inner);
        end();
    }
}

/* Cancelled while it waits, it cleans up for a while, and then ends as it is told to. */
static ferry_status clean_up(void *answer, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave('c');
    CHECK_STATUS(ferry_sleep(5000), 0);
    leave('d');
    return *(ferry_status *)answer ? *(ferry_status *)answer : ferry_return_integer(call, 7);
}

/* WF-002, WF-003, WF-004, WF-005 */
static void task_that_cleans_up_is_waited_for_and_its_answer_told(void) {
    static ferry_status answers[] = {FERRY_ECANCELED, 0, FERRY_EBROKEN};
    for (int i = 0; i < 3; i++) {
        begin();
        ferry_task *inner = NULL;
        CHECK_STATUS(ferry_task_create(loop, clean_up, &answers[i], &inner), 0);
        ferry_future *outer = wait_for(inner, 1000);
        run_until(outer);
        CHECK_STRING(trace, "cd");
        CHECK_STATUS(ferry_future_status(outer), i ? answers[i] : FERRY_ETIMEDOUT);
        CHECK_INT(ferry_future_integer(outer), i == 1 ? 7 : 0);
        unref_both(outer, inner);
        end();
    }
}

typedef struct limited {
    ferry_future *inner;
    ferry_status went;
} limited;

static ferry_status wait_an_hour_for(void *arg, ferry_call *call) {
    limited *self = arg;
    ferry_future *outer = wait_for(self->inner, AN_HOUR_US);
    (void)call;
    self->went = ferry_await(outer);
    ferry_future_unref(outer);
    return self->went;
}

/* WF-010, WF-011 */
static void cancelled_task_in_wait_for_ends_cancelled_whatever_it_meets(void) {
    for (int is_met = 0; is_met < 2; is_met++) {
        begin();
        limited self = {.inner = make()};
        ferry_task *task = NULL;
        CHECK_STATUS(ferry_task_create(loop, wait_an_hour_for, &self, &task), 0);
        settle();
        if (is_met)
            resolve(self.inner, 5);
        CHECK(ferry_future_cancel(task));
        run_until(task);
        CHECK(ferry_future_cancelled(task));
        CHECK_STATUS(self.went, FERRY_ECANCELED);
        CHECK(ferry_future_cancelled(self.inner) == !is_met);
        CHECK_INT(ferry_future_integer(self.inner), is_met ? 5 : 0);
        unref_both(task, self.inner);
        end();
    }
}

/* ---- waits in waits ---- */

static void shorter_limit_is_told_through_the_longer_one(void) {
    for (int i = 0; i < 2; i++) {
        begin();
        ferry_future *inner = make();
        ferry_future *middle = wait_for(inner, i ? AN_HOUR_US : 1000), *outer = wait_for(middle, i ? 1000 : AN_HOUR_US);
        run_until(outer);
        CHECK_STATUS(ferry_future_status(outer), FERRY_ETIMEDOUT);
        CHECK(ferry_future_cancelled(middle) == (i == 1));
        CHECK(ferry_future_cancelled(inner));
        ferry_future_unref(middle);
        unref_both(outer, inner);
        end();
    }
}

/* ---- life ---- */

static void dropped_wait_keeps_its_limit(void) {
    begin();
    ferry_future *inner = make(), *outer = wait_for(inner, 1000);
    add_mark(inner, "c");
    ferry_future_unref(outer);
    run_for(loop, 3000);
    CHECK(ferry_future_cancelled(inner));
    CHECK_STRING(trace, "c");
    ferry_future_unref(inner);
    end_with_reports(1);
}

static void wait_outlives_its_loop_in_every_stage(void) {
    for (int stage = 0; stage < 6; stage++) {
        begin();
        ferry_future *inner = make_stubborn(), *outer = wait_for(inner, stage == 5 ? FERRY_FOREVER : AN_HOUR_US);
        add_mark(outer, "x");
        if (stage == 1)
            end_with_value(inner, 1);
        if (stage == 2)
            CHECK(ferry_future_cancel_with_message(outer, "enough"));
        if (stage == 3) {
            ferry_future_unref(outer);
            outer = NULL;
        }
        end_loop(loop);
        if (stage >= 4) {
            CHECK(ferry_future_cancel(outer));
            CHECK(ferry_future_cancelled(outer));
        }
        unref_both(outer, inner);
        CHECK_STRING(trace, "");
        check_nothing_is_left();
    }
}

static void misuse_is_refused(void) {
    begin();
    ferry_future *inner = make(), *outer = NULL;
    CHECK_STATUS(ferry_wait_for(NULL, 1, &outer), APR_EINVAL);
    CHECK_STATUS(ferry_wait_for(inner, 1, NULL), APR_EINVAL);
    end_loop(loop);
    CHECK_STATUS(ferry_wait_for(inner, 1, &outer), FERRY_ECLOSED);
    CHECK(!outer);
    ferry_future_unref(inner);
    check_nothing_is_left();
}

static const fy_test tests[] = {
    FY_TEST(outcome_in_time_passes_through),
    FY_TEST(what_is_done_already_is_in_time_whatever_the_limit),
    FY_TEST(what_has_ended_when_the_time_is_up_is_in_time),
    FY_TEST(time_limit_cancels_and_is_told_as_such),
    FY_TEST(no_time_left_cancels_before_it_returns),
    FY_TEST(clean_up_that_takes_its_time_is_waited_for),
    FY_TEST(value_that_answers_the_cancellation_is_the_outcome),
    FY_TEST(error_that_answers_the_cancellation_is_the_outcome),
    FY_TEST(what_is_shielded_outlives_the_limit),
    FY_TEST(cancelled_wait_cancels_and_ends_cancelled),
    FY_TEST(cancelled_wait_ends_with_the_inner_one_however_that_does),
    FY_TEST(cancellation_after_the_limit_wins),
    FY_TEST(cancellation_that_meets_the_end_is_not_swallowed),
    FY_TEST(error_of_a_cancelled_wait_is_reported_if_nobody_looks),
    FY_TEST(task_that_has_not_begun_never_does_if_there_is_no_time),
    FY_TEST(task_that_cleans_up_is_waited_for_and_its_answer_told),
    FY_TEST(cancelled_task_in_wait_for_ends_cancelled_whatever_it_meets),
    FY_TEST(shorter_limit_is_told_through_the_longer_one),
    FY_TEST(dropped_wait_keeps_its_limit),
    FY_TEST(wait_outlives_its_loop_in_every_stage),
    FY_TEST(misuse_is_refused),
};

FY_TEST_MAIN("wait_for", tests)
