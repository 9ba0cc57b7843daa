/* SPDX-License-Identifier: Apache-2.0 */
/* Semaphores: how many get in, who is next, and that no unit is lost or doubled. */
#include "support/sync.h"

static ferry_semaphore *new_semaphore(int64_t value, int flags) {
    ferry_semaphore *semaphore = NULL;
    CHECK_STATUS(ferry_semaphore_create(loop, value, flags, &semaphore), 0);
    return semaphore;
}

static void start_all(ferry_semaphore *semaphore, ferry_future **waits, size_t count) {
    for (size_t i = 0; i < count; i++)
        waits[i] = STARTED(ferry_semaphore_acquire_future, semaphore);
}

static void release(ferry_semaphore *semaphore) {
    CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
}

/* SE-001 */
static void as_many_get_in_as_there_are_units(void) {
    begin();
    ferry_semaphore *semaphore = new_semaphore(2, 0);
    ferry_future *waits[4];
    CHECK(!ferry_semaphore_locked(semaphore));
    start_all(semaphore, waits, 4);
    CHECK(ferry_semaphore_locked(semaphore));
    CHECK_STRING(granted(waits, 4), "ab");
    release(semaphore);
    CHECK_STRING(granted(waits, 4), "abc");
    release(semaphore);
    CHECK_STRING(granted(waits, 4), "abcd");
    CHECK(ferry_semaphore_locked(semaphore));
    for (int i = 0; i < 3; i++)
        release(semaphore);
    CHECK(!ferry_semaphore_locked(semaphore));
    ferry_future_unref_all(waits, 4);
    start_all(semaphore, waits, 4);
    CHECK_STRING(granted(waits, 4), "abc");
    ferry_future_unref_all(waits, 4);
    ferry_semaphore_unref(semaphore);
    end();
}

/* SE-002 */
static void who_comes_again_goes_behind_those_who_wait(void) {
    begin();
    ferry_semaphore *semaphore = new_semaphore(1, 0);
    ferry_future *waits[4];
    start_all(semaphore, waits, 3);
    release(semaphore);
    waits[3] = STARTED(ferry_semaphore_acquire_future, semaphore);
    CHECK_STRING(granted(waits, 4), "ab");
    release(semaphore);
    CHECK_STRING(granted(waits, 4), "abc");
    release(semaphore);
    CHECK_STRING(granted(waits, 4), "abcd");
    ferry_future_unref_all(waits, 4);
    ferry_semaphore_unref(semaphore);
    end();
}

/* SE-004 */
static void unit_passes_over_the_cancelled(void) {
    begin();
    ferry_semaphore *semaphore = new_semaphore(0, 0);
    ferry_future *waits[3];
    start_all(semaphore, waits, 3);
    cancel_pending(waits[0]);
    release(semaphore);
    CHECK_STRING(granted(waits, 3), "b");
    release(semaphore);
    CHECK_STRING(granted(waits, 3), "bc");
    ferry_future_unref_all(waits, 3);
    ferry_semaphore_unref(semaphore);
    end();
}

/* SE-005: the future was granted its unit, and says so: its holder gives it back. */
static void unit_that_meets_a_cancellation_is_not_lost(void) {
    begin();
    ferry_semaphore *semaphore = new_semaphore(0, 0);
    ferry_future *wait = STARTED(ferry_semaphore_acquire_future, semaphore);
    release(semaphore);
    CHECK(!ferry_future_cancel(wait));
    is_granted(wait);
    release(semaphore);
    is_granted(STARTED(ferry_semaphore_acquire_future, semaphore));
    CHECK(ferry_semaphore_locked(semaphore));
    ferry_semaphore_unref(semaphore);
    end();
}

/* SE-007 */
static void value_may_be_zero_but_not_negative(void) {
    begin();
    ferry_semaphore *semaphore = NULL;
    CHECK_STATUS(ferry_semaphore_create(loop, -1, 0, &semaphore), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_create(loop, INT64_MIN, FERRY_SEMAPHORE_BOUNDED, &semaphore), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_create(loop, 1, 2, &semaphore), APR_EINVAL);
    CHECK(!semaphore);
    semaphore = new_semaphore(0, 0);
    CHECK(ferry_semaphore_locked(semaphore));
    ferry_semaphore_unref(semaphore);
    end();
}

static void bounded_one_is_never_above_its_first_value(void) {
    for (int64_t value = 0; value <= 2; value++) {
        begin();
        ferry_semaphore *semaphore = new_semaphore(value, FERRY_SEMAPHORE_BOUNDED);
        CHECK_STATUS(ferry_semaphore_release(semaphore), FERRY_EINVALIDSTATE);
        for (int i = 0; value && i < 2; i++) {
            is_granted(STARTED(ferry_semaphore_acquire_future, semaphore));
            release(semaphore);
            CHECK_STATUS(ferry_semaphore_release(semaphore), FERRY_EINVALIDSTATE);
        }
        ferry_semaphore_unref(semaphore);
        end();
    }
    begin();
    ferry_semaphore *full = new_semaphore(INT64_MAX, 0);
    CHECK_STATUS(ferry_semaphore_release(full), FERRY_EINVALIDSTATE);
    ferry_semaphore_unref(full);
    end();
}

static void last_reference_cancels_who_waits(void) {
    begin();
    ferry_semaphore *semaphore = new_semaphore(1, 0);
    ferry_future *waits[2];
    start_all(semaphore, waits, 2);
    CHECK(ferry_semaphore_ref(semaphore) == semaphore);
    ferry_semaphore_unref(semaphore);
    ferry_semaphore_unref(semaphore);
    CHECK(!ferry_future_cancelled(waits[0]) && ferry_future_cancelled(waits[1]));
    ferry_future_unref_all(waits, 2);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 2; order++) {
        begin();
        ferry_semaphore *semaphore = new_semaphore(0, 0);
        ferry_future *waits[2];
        start_all(semaphore, waits, 2);
        end_loop(loop);
        CHECK_STATUS(ferry_semaphore_release(semaphore), FERRY_ECLOSED);
        CHECK_STATUS(ferry_semaphore_acquire_future(semaphore, &started), FERRY_ECLOSED);
        if (order)
            ferry_future_unref_all(waits, 2);
        ferry_semaphore_unref(semaphore);
        ferry_future_unref_all(waits, 2);
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(as_many_get_in_as_there_are_units),
    FY_TEST(who_comes_again_goes_behind_those_who_wait),
    FY_TEST(unit_passes_over_the_cancelled),
    FY_TEST(unit_that_meets_a_cancellation_is_not_lost),
    FY_TEST(value_may_be_zero_but_not_negative),
    FY_TEST(bounded_one_is_never_above_its_first_value),
    FY_TEST(last_reference_cancels_who_waits),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
};

FY_TEST_MAIN("semaphore", tests)
