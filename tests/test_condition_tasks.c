/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that block in conditions: every wait ends with the lock, and a notification that meets a cancellation is handed
 * on. */
#include "support/parties.h"

/* Of the running test. */
static ferry_condition *condition;
static ferry_lock *lock;

static ferry_status wait_once(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    CHECK_STATUS(ferry_lock_acquire(lock), 0);
    self->went = ferry_condition_wait(condition);
    leave(self->letter);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    return self->went;
}

static void begin_condition(void) {
    begin_parties();
    CHECK_STATUS(ferry_condition_create(loop, NULL, &condition), 0);
    lock = ferry_condition_lock(condition);
}

static void end_condition(void) {
    CHECK(!ferry_lock_locked(lock));
    ferry_condition_unref(condition);
    end();
}

static void hold(void) {
    is_granted(STARTED(ferry_lock_acquire_future, lock));
}

static void let_go(void) {
    CHECK_STATUS(ferry_lock_release(lock), 0);
}

static void notify(size_t count) {
    CHECK_STATUS(ferry_condition_notify(condition, count), 0);
}

/* CN-002, CN-003 */
static void notified_and_cancelled_tasks_have_the_lock(void) {
    begin_condition();
    start_parties(wait_once, 0, 4);
    hold();
    notify(2);
    let_go();
    settle();
    CHECK_STRING(trace, "ab");
    cancel(2);
    settle();
    CHECK_STRING(trace, "abc");
    CHECK_STATUS(parties[2].went, FERRY_ECANCELED);
    hold();
    notify(100);
    let_go();
    end_parties(4);
    CHECK_STRING(trace, "abcd");
    end_condition();
}

/* CN-004: and cancelled again, which is delivered with the first. */
static void cancelled_task_returns_when_it_has_the_lock(void) {
    begin_condition();
    start_parties(wait_once, 0, 1);
    hold();
    cancel(0);
    settle();
    CHECK_STRING(trace, "");
    cancel(0);
    settle();
    CHECK_STRING(trace, "");
    let_go();
    end_parties(1);
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    end_condition();
}

/* CN-005 */
static void cancellation_after_the_notification_is_delivered_and_that_handed_on(void) {
    for (int late = 0; late < 2; late++) {
        begin_condition();
        start_parties(wait_once, 0, 2);
        hold();
        notify(1);
        if (!late)
            cancel(0);
        let_go();
        if (late)
            cancel(0); /* it has the lock, and has not gone on */
        end_parties(2);
        CHECK_STRING(trace, "ab");
        CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
        CHECK_STATUS(parties[1].went, 0);
        end_condition();
    }
}

static ferry_status wait_for_a_while(void *arg, ferry_call *call) {
    party *self = arg;
    ferry_timeout *timeout = NULL;
    (void)call;
    CHECK_STATUS(ferry_lock_acquire(lock), 0);
    CHECK_STATUS(ferry_timeout_open(1000, &timeout), 0);
    self->went = ferry_timeout_close(timeout, ferry_condition_wait(condition));
    leave(self->letter);
    CHECK_STATUS(ferry_sleep(0), 0); /* nothing of the scope's request is left */
    CHECK_STATUS(ferry_lock_release(lock), 0); /* which nobody else may */
    return 0;
}

/* CN-010: also where somebody else has it by then. */
static void wait_that_runs_out_of_time_has_the_lock(void) {
    for (int is_held = 0; is_held < 2; is_held++) {
        begin_condition();
        start_parties(wait_for_a_while, 0, 1);
        if (is_held) {
            hold();
            run_for(loop, 2000);
            CHECK_STRING(trace, "");
            let_go();
        }
        run_until(parties[0].task);
        CHECK_STRING(trace, "a");
        end_parties(1);
        CHECK_STATUS(parties[0].went, FERRY_ETIMEDOUT);
        end_condition();
    }
}

static int looks, level;

static bool is_high(void *limit) {
    looks++;
    return level >= *(int *)limit;
}

static ferry_status wait_until_high(void *arg, ferry_call *call) {
    int limit = 2;
    (void)call;
    CHECK_STATUS(ferry_condition_wait_for(condition, is_high, &limit), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_lock_acquire(lock), 0);
    CHECK_STATUS(ferry_condition_wait_for(condition, is_high, &limit), 0);
    CHECK_INT(level, limit);
    CHECK_STATUS(ferry_condition_wait_for(condition, is_high, &limit), 0);
    CHECK_STATUS(ferry_condition_wait_for(condition, NULL, &limit), APR_EINVAL);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    ((party *)arg)->went = 0;
    return 0;
}

static void predicate_is_looked_at_first_and_after_each_notification(void) {
    begin_condition();
    looks = level = 0;
    start_parties(wait_until_high, 0, 1);
    CHECK_INT(looks, 1);
    for (level = 1; level <= 2; level++) {
        hold();
        notify(1);
        let_go();
        settle();
        CHECK_INT(looks, level == 1 ? 2 : 4);
    }
    end_parties(1);
    CHECK_STATUS(parties[0].went, 0);
    end_condition();
}

/* The second cannot end: the lock that it must have is never released. */
static void closing_the_loop_under_waiting_tasks_leaves_nothing(void) {
    begin_condition();
    start_parties(wait_once, 0, 2);
    hold();
    notify(1);
    ferry_future_unref(parties[0].task);
    ferry_future_unref(parties[1].task);
    end_loop(loop);
    CHECK_INT(reports.count, 2);
    ferry_condition_unref(condition);
    check_nothing_is_left();
}

static const fy_test tests[] = {
    FY_TEST(notified_and_cancelled_tasks_have_the_lock),
    FY_TEST(cancelled_task_returns_when_it_has_the_lock),
    FY_TEST(cancellation_after_the_notification_is_delivered_and_that_handed_on),
    FY_TEST(wait_that_runs_out_of_time_has_the_lock),
    FY_TEST(predicate_is_looked_at_first_and_after_each_notification),
    FY_TEST(closing_the_loop_under_waiting_tasks_leaves_nothing),
};

FY_TEST_MAIN("condition_tasks", tests)
