/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: who gets one next, whatever is cancelled when. */
#include "support/sync.h"

static ferry_lock *new_lock(void) {
    ferry_lock *lock = NULL;
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    return lock;
}

static ferry_lock *new_locked(void) {
    ferry_lock *lock = new_lock();
    is_granted(STARTED(ferry_lock_acquire_future, lock));
    return lock;
}

static void start_all(ferry_lock *lock, ferry_future **waits, size_t count) {
    for (size_t i = 0; i < count; i++)
        waits[i] = STARTED(ferry_lock_acquire_future, lock);
}

static void release(ferry_lock *lock) {
    CHECK_STATUS(ferry_lock_release(lock), 0);
}

static void end_free(ferry_lock *lock) {
    CHECK(!ferry_lock_locked(lock));
    ferry_lock_unref(lock);
    end();
}

/* LK-001 */
static void waiters_get_it_in_order_one_per_release(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[3];
    start_all(lock, waits, 3);
    CHECK_STRING(granted(waits, 3), "");
    release(lock);
    CHECK_STRING(granted(waits, 3), "a");
    CHECK(ferry_lock_locked(lock));
    settle();
    CHECK_STRING(granted(waits, 3), "a");
    release(lock);
    CHECK_STRING(granted(waits, 3), "ab");
    ferry_future *late = STARTED(ferry_lock_acquire_future, lock);
    release(lock);
    CHECK_STRING(granted(waits, 3), "abc");
    CHECK(!ferry_future_done(late));
    release(lock);
    is_granted(late);
    release(lock);
    ferry_future_unref_all(waits, 3);
    end_free(lock);
}

/* LK-003: the future that was granted and cancelled in the same turn has it, and is told so. */
static void grant_that_meets_a_cancellation_is_not_lost(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[2];
    start_all(lock, waits, 2);
    release(lock);
    CHECK(!ferry_future_cancel(waits[0]));
    release(lock);
    CHECK_STRING(granted(waits, 2), "ab");
    release(lock);
    ferry_future_unref_all(waits, 2);
    end_free(lock);
}

/* LK-004 */
static void release_passes_over_the_cancelled(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[4];
    start_all(lock, waits, 4);
    cancel_pending(waits[0]);
    cancel_pending(waits[2]);
    release(lock);
    CHECK_STRING(granted(waits, 4), "b");
    release(lock);
    CHECK_STRING(granted(waits, 4), "bd");
    release(lock);
    ferry_future_unref_all(waits, 4);
    end_free(lock);
}

static void lock_whose_waiters_all_left_is_free_after_release(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[3];
    start_all(lock, waits, 3);
    for (int i = 3; i--;)
        cancel_pending(waits[i]);
    release(lock);
    ferry_future_unref_all(waits, 3);
    end_free(lock);
}

/* LK-006 */
static void releasing_what_nobody_holds_is_refused(void) {
    begin();
    ferry_lock *lock = new_lock();
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    is_granted(STARTED(ferry_lock_acquire_future, lock));
    release(lock);
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    end_free(lock);
}

static void limited_wait_leaves_the_line(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[2], *limited = NULL;
    start_all(lock, waits, 2);
    CHECK_STATUS(ferry_wait_for(waits[0], 1000, &limited), 0);
    run_until(limited);
    ends_with(limited, FERRY_ETIMEDOUT);
    release(lock);
    CHECK_STRING(granted(waits, 2), "b");
    release(lock);
    ferry_future_unref_all(waits, 2);
    end_free(lock);
}

static void last_reference_cancels_who_waits(void) {
    begin();
    ferry_lock *lock = new_locked();
    ferry_future *waits[2];
    start_all(lock, waits, 2);
    CHECK(ferry_lock_ref(lock) == lock);
    ferry_lock_unref(lock);
    CHECK(!ferry_future_done(waits[0]));
    ferry_lock_unref(lock);
    CHECK(ferry_future_cancelled(waits[0]) && ferry_future_cancelled(waits[1]));
    ferry_future_unref_all(waits, 2);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 3; order++) {
        begin();
        ferry_lock *lock = new_locked();
        ferry_future *waits[2];
        start_all(lock, waits, 2);
        add_mark(waits[0], "x");
        end_loop(loop);
        CHECK_STATUS(ferry_lock_release(lock), FERRY_ECLOSED);
        CHECK_STATUS(ferry_lock_acquire_future(lock, &started), FERRY_ECLOSED);
        if (order == 1)
            cancel_pending(waits[0]);
        if (order == 2)
            ferry_future_unref_all(waits, 2);
        ferry_lock_unref(lock);
        ferry_future_unref_all(waits, 2);
        CHECK_STRING(trace, "");
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(waiters_get_it_in_order_one_per_release),
    FY_TEST(grant_that_meets_a_cancellation_is_not_lost),
    FY_TEST(release_passes_over_the_cancelled),
    FY_TEST(lock_whose_waiters_all_left_is_free_after_release),
    FY_TEST(releasing_what_nobody_holds_is_refused),
    FY_TEST(limited_wait_leaves_the_line),
    FY_TEST(last_reference_cancels_who_waits),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
};

FY_TEST_MAIN("lock", tests)
