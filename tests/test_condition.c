/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: who is woken, and that every wait ends with the lock held, however it ends. */
#include "support/sync.h"

/* Of the running test. */
static ferry_condition *condition;
static ferry_lock *lock;

static void begin_with_condition(void) {
    begin();
    CHECK_STATUS(ferry_condition_create(loop, NULL, &condition), 0);
    lock = ferry_condition_lock(condition);
    CHECK(lock);
}

static void end_free(void) {
    CHECK(!ferry_lock_locked(lock));
    ferry_condition_unref(condition);
    end();
}

static void acquire(void) {
    is_granted(STARTED(ferry_lock_acquire_future, lock));
}

static void release(void) {
    CHECK_STATUS(ferry_lock_release(lock), 0);
}

/* So many wait, and nobody holds the lock. */
static void start_all(ferry_future **waits, size_t count) {
    for (size_t i = 0; i < count; i++) {
        acquire();
        waits[i] = STARTED(ferry_condition_wait_future, condition);
        CHECK(!ferry_lock_locked(lock));
    }
}

static void notify(size_t count) {
    acquire();
    CHECK_STATUS(ferry_condition_notify(condition, count), 0);
    release();
}

/* ---- waking ---- */

/* CN-002 */
static void notify_wakes_so_many_in_order_and_each_has_the_lock(void) {
    begin_with_condition();
    ferry_future *waits[5];
    start_all(waits, 5);
    notify(2);
    CHECK_STRING(granted(waits, 5), "a");
    release();
    CHECK_STRING(granted(waits, 5), "ab");
    release();
    CHECK(!ferry_lock_locked(lock));
    notify(0);
    CHECK_STRING(granted(waits, 5), "ab");
    notify(1);
    CHECK_STRING(granted(waits, 5), "abc");
    release();
    notify(1000);
    release();
    release();
    CHECK_STRING(granted(waits, 5), "abcde");
    notify(1);
    ferry_future_unref_all(waits, 5);
    end_free();
}

static void notify_all_wakes_all(void) {
    begin_with_condition();
    ferry_future *waits[3];
    start_all(waits, 3);
    acquire();
    CHECK_STATUS(ferry_condition_notify_all(condition), 0);
    CHECK_STRING(granted(waits, 3), "");
    for (int i = 0; i < 4; i++)
        release();
    CHECK_STRING(granted(waits, 3), "abc");
    ferry_future_unref_all(waits, 3);
    end_free();
}

static void woken_waiters_queue_behind_who_wants_the_lock_already(void) {
    begin_with_condition();
    ferry_future *wait;
    start_all(&wait, 1);
    acquire();
    ferry_future *other = STARTED(ferry_lock_acquire_future, lock);
    CHECK_STATUS(ferry_condition_notify(condition, 1), 0);
    release();
    is_granted(other);
    CHECK(!ferry_future_done(wait));
    release();
    is_granted(wait);
    release();
    end_free();
}

/* ---- cancelling ---- */

/* CN-003 */
static void cancelled_wait_has_the_lock(void) {
    begin_with_condition();
    ferry_future *waits[2];
    start_all(waits, 2);
    CHECK(ferry_future_cancel_with_message(waits[0], "enough"));
    CHECK(ferry_future_cancelled(waits[0]));
    CHECK_STRING(ferry_future_message(waits[0]), "enough");
    CHECK(ferry_lock_locked(lock));
    CHECK(!ferry_future_cancel(waits[0]));
    release();
    notify(1);
    CHECK_STRING(granted(waits, 2), "b");
    release();
    ferry_future_unref_all(waits, 2);
    end_free();
}

/* CN-004 */
static void cancelled_wait_ends_when_it_gets_the_lock(void) {
    begin_with_condition();
    ferry_future *wait;
    start_all(&wait, 1);
    acquire();
    ferry_future *before = STARTED(ferry_lock_acquire_future, lock);
    CHECK(ferry_future_cancel_with_message(wait, "enough"));
    ferry_future *after = STARTED(ferry_lock_acquire_future, lock);
    settle();
    CHECK(!ferry_future_done(wait));
    CHECK(ferry_future_cancel_with_message(wait, "again"));
    release();
    is_granted(before);
    CHECK(!ferry_future_done(wait));
    release();
    CHECK(ferry_future_cancelled(wait));
    CHECK_STRING(ferry_future_message(wait), "again");
    CHECK(!ferry_future_done(after));
    release();
    is_granted(after);
    release();
    ferry_future_unref(wait);
    end_free();
}

/* CN-005 */
static void cancellation_after_the_notification_counts_and_hands_that_on(void) {
    begin_with_condition();
    ferry_future *waits[3];
    start_all(waits, 3);
    acquire();
    CHECK_STATUS(ferry_condition_notify(condition, 1), 0);
    CHECK(ferry_future_cancel(waits[0]));
    CHECK(ferry_future_cancel(waits[0]));
    CHECK(!ferry_future_done(waits[0]));
    release();
    CHECK(ferry_future_cancelled(waits[0]));
    CHECK(!ferry_future_done(waits[1]));
    release();
    CHECK_STRING(granted(waits, 3), "b");
    release();
    CHECK(!ferry_lock_locked(lock));
    notify(1);
    CHECK_STRING(granted(waits, 3), "bc");
    release();
    ferry_future_unref_all(waits, 3);
    end_free();
}

/* CN-010 */
static void limited_wait_has_the_lock_when_the_time_is_up(void) {
    begin_with_condition();
    ferry_future *limited = NULL;
    acquire();
    ferry_future *wait = STARTED(ferry_condition_wait_future, condition);
    CHECK_STATUS(ferry_wait_for(wait, 1000, &limited), 0);
    run_until(limited);
    ends_with(limited, FERRY_ETIMEDOUT);
    CHECK(ferry_lock_locked(lock));
    release();
    ferry_future_unref(wait);
    end_free();
}

/* ---- misuse ---- */

/* CN-008 */
static void without_the_lock_nobody_waits_or_notifies(void) {
    begin_with_condition();
    CHECK_STATUS(ferry_condition_wait_future(condition, &started), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_condition_notify(condition, 1), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_condition_notify_all(condition), FERRY_EINVALIDSTATE);
    end_free();
}

/* CN-011 */
static void lock_of_another_loop_is_refused(void) {
    begin();
    ferry_loop *other = new_loop();
    ferry_lock *foreign = NULL;
    condition = NULL;
    CHECK_STATUS(ferry_lock_create(other, &foreign), 0);
    CHECK_STATUS(ferry_condition_create(loop, foreign, &condition), FERRY_EWRONGLOOP);
    CHECK(!condition);
    ferry_lock_unref(foreign);
    end_loop(other);
    end();
}

static void conditions_may_share_a_lock(void) {
    begin();
    ferry_condition *both[2];
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(ferry_condition_create(loop, lock, &both[i]), 0);
    acquire();
    ferry_future *wait = STARTED(ferry_condition_wait_future, both[0]);
    acquire();
    CHECK_STATUS(ferry_condition_notify_all(both[1]), 0);
    release();
    CHECK(!ferry_future_done(wait));
    acquire();
    CHECK_STATUS(ferry_condition_notify_all(both[0]), 0);
    release();
    is_granted(wait);
    release();
    ferry_lock_unref(lock);
    CHECK(ferry_condition_lock(both[0]) == lock);
    ferry_condition_unref(both[0]);
    ferry_condition_unref(both[1]);
    end();
}

/* ---- life ---- */

static void last_reference_cancels_who_waits(void) {
    begin_with_condition();
    ferry_future *waits[4];
    start_all(waits, 4);
    acquire();
    CHECK_STATUS(ferry_condition_notify(condition, 1), 0);
    CHECK(ferry_future_cancel(waits[1]));
    CHECK(ferry_condition_ref(condition) == condition);
    ferry_condition_unref(condition);
    ferry_lock_ref(lock);
    ferry_condition_unref(condition);
    CHECK(ferry_future_cancelled(waits[2]) && ferry_future_cancelled(waits[3]));
    CHECK(!ferry_future_done(waits[0]) && !ferry_future_done(waits[1]));
    CHECK(ferry_future_cancel(waits[0]));
    release();
    CHECK(ferry_future_cancelled(waits[1]) || ferry_future_cancelled(waits[0]));
    ferry_lock_unref(lock);
    CHECK(ferry_future_cancelled(waits[1]) && ferry_future_cancelled(waits[0]));
    ferry_future_unref_all(waits, 4);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 4; order++) {
        begin_with_condition();
        ferry_future *waits[4];
        start_all(waits, 4);
        acquire();
        CHECK_STATUS(ferry_condition_notify(condition, 2), 0);
        CHECK(ferry_future_cancel_with_message(waits[1], "words"));
        CHECK(ferry_future_cancel_with_message(waits[3], "words"));
        add_mark(waits[0], "x");
        end_loop(loop);
        CHECK_STATUS(ferry_condition_notify_all(condition), FERRY_ECLOSED);
        CHECK_STATUS(ferry_condition_wait_future(condition, &started), FERRY_ECLOSED);
        for (int i = 0; order == 1 && i < 4; i++)
            cancel_pending(waits[i]);
        if (order == 2)
            ferry_future_unref_all(waits, 4);
        if (order == 3)
            ferry_lock_ref(lock);
        ferry_condition_unref(condition);
        if (order == 3)
            ferry_lock_unref(lock);
        ferry_future_unref_all(waits, 4);
        CHECK_STRING(trace, "");
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(notify_wakes_so_many_in_order_and_each_has_the_lock),
    FY_TEST(notify_all_wakes_all),
    FY_TEST(woken_waiters_queue_behind_who_wants_the_lock_already),
    FY_TEST(cancelled_wait_has_the_lock),
    FY_TEST(cancelled_wait_ends_when_it_gets_the_lock),
    FY_TEST(cancellation_after_the_notification_counts_and_hands_that_on),
    FY_TEST(limited_wait_has_the_lock_when_the_time_is_up),
    FY_TEST(without_the_lock_nobody_waits_or_notifies),
    FY_TEST(lock_of_another_loop_is_refused),
    FY_TEST(conditions_may_share_a_lock),
    FY_TEST(last_reference_cancels_who_waits),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
};

FY_TEST_MAIN("condition", tests)
