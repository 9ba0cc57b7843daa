/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers: rounds, indices, and what becomes of a round that is cancelled, reset or aborted. */
#include "support/sync.h"

static ferry_barrier *new_barrier(size_t parties) {
    ferry_barrier *barrier = NULL;
    CHECK_STATUS(ferry_barrier_create(loop, parties, &barrier), 0);
    CHECK_INT(ferry_barrier_parties(barrier), parties);
    return barrier;
}

static void start_all(ferry_barrier *barrier, ferry_future **waits, size_t count) {
    for (size_t i = 0; i < count; i++)
        waits[i] = STARTED(ferry_barrier_wait_future, barrier);
}

/* Each has another index, below the count. */
static void check_indices(ferry_future *const *waits, size_t count) {
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK_STATUS(ferry_future_status(waits[i]), 0);
        int64_t index = ferry_future_integer(waits[i]);
        CHECK(index >= 0 && index < (int64_t)count);
        CHECK(!(seen & 1u << index));
        seen |= 1u << index;
    }
}

/* BA-001 */
static void all_go_on_together_each_with_its_index(void) {
    begin();
    ferry_barrier *barrier = new_barrier(3);
    ferry_future *waits[3];
    start_all(barrier, waits, 2);
    settle();
    CHECK_STRING(granted(waits, 2), "");
    CHECK_INT(ferry_barrier_n_waiting(barrier), 2);
    start_all(barrier, waits + 2, 1);
    CHECK_STRING(granted(waits, 3), "abc");
    check_indices(waits, 3);
    CHECK_INT(ferry_barrier_n_waiting(barrier), 0);
    ferry_future_unref_all(waits, 3);
    ferry_barrier_unref(barrier);
    end();
}

static void party_of_one_never_waits(void) {
    begin();
    ferry_barrier *barrier = new_barrier(1);
    for (int i = 0; i < 2; i++) {
        ferry_future *wait = STARTED(ferry_barrier_wait_future, barrier);
        CHECK_INT(ferry_future_integer(wait), 0);
        is_granted(wait);
    }
    ferry_barrier_unref(barrier);
    end();
}

/* BA-002, BA-003: who comes again before the others have seen the end of their round is in the next one. */
static void rounds_follow_each_other_and_do_not_mix(void) {
    begin();
    ferry_barrier *barrier = new_barrier(2);
    ferry_future *first[2], *second[2], *third[2];
    start_all(barrier, first, 2);
    start_all(barrier, second, 1);
    CHECK_STRING(granted(first, 2), "ab");
    CHECK(!ferry_future_done(second[0]));
    CHECK_INT(ferry_barrier_n_waiting(barrier), 1);
    start_all(barrier, second + 1, 1);
    start_all(barrier, third, 2);
    check_indices(first, 2);
    check_indices(second, 2);
    check_indices(third, 2);
    ferry_future_unref_all(first, 2);
    ferry_future_unref_all(second, 2);
    ferry_future_unref_all(third, 2);
    ferry_barrier_unref(barrier);
    end();
}

/* BA-004 */
static void cancelled_party_leaves_the_round_to_others(void) {
    begin();
    ferry_barrier *barrier = new_barrier(3);
    ferry_future *waits[4];
    start_all(barrier, waits, 2);
    cancel_pending(waits[0]);
    CHECK_INT(ferry_barrier_n_waiting(barrier), 1);
    CHECK(!ferry_barrier_broken(barrier));
    start_all(barrier, waits + 2, 2);
    CHECK_STRING(granted(waits, 4), "bcd");
    check_indices(waits + 1, 3);
    ferry_future_unref_all(waits, 4);
    ferry_barrier_unref(barrier);
    end();
}

/* BA-007 */
static void reset_fails_who_is_inside_and_nobody_who_was_let_go(void) {
    begin();
    ferry_barrier *barrier = new_barrier(2);
    ferry_future *done[2], *inside[1], *next[2];
    start_all(barrier, done, 2);
    start_all(barrier, inside, 1);
    CHECK_STATUS(ferry_barrier_reset(barrier), 0);
    settle();
    check_indices(done, 2);
    ends_with(inside[0], FERRY_EBROKEN);
    CHECK(!ferry_barrier_broken(barrier));
    CHECK_INT(ferry_barrier_n_waiting(barrier), 0);
    start_all(barrier, next, 2);
    check_indices(next, 2);
    ferry_future_unref_all(done, 2);
    ferry_future_unref_all(next, 2);
    ferry_barrier_unref(barrier);
    end();
}

static void aborted_barrier_refuses_until_it_is_reset(void) {
    begin();
    ferry_barrier *barrier = new_barrier(2);
    ferry_future *inside = STARTED(ferry_barrier_wait_future, barrier);
    CHECK_STATUS(ferry_barrier_abort(barrier), 0);
    CHECK(ferry_barrier_broken(barrier));
    ends_with(inside, FERRY_EBROKEN);
    CHECK_STATUS(ferry_barrier_wait_future(barrier, &started), FERRY_EBROKEN);
    CHECK_STATUS(ferry_barrier_abort(barrier), 0);
    CHECK_STATUS(ferry_barrier_reset(barrier), 0);
    ferry_future *next[2];
    start_all(barrier, next, 2);
    check_indices(next, 2);
    ferry_future_unref_all(next, 2);
    ferry_barrier_unref(barrier);
    end();
}

static ferry_status come_again(ferry_loop *of, const ferry_report *report, void *barrier) {
    (void)of;
    CHECK_STATUS(report->status, FERRY_EBROKEN);
    started = STARTED(ferry_barrier_wait_future, barrier);
    return 0;
}

/* The error of a wait that nobody holds is reported in the middle of the reset. */
static void who_comes_during_a_reset_is_not_failed_by_it(void) {
    begin();
    ferry_barrier *barrier = new_barrier(3);
    ferry_future_unref(STARTED(ferry_barrier_wait_future, barrier));
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, come_again, barrier), 0);
    CHECK_STATUS(ferry_barrier_reset(barrier), 0);
    ferry_future *wait = started;
    CHECK(wait && !ferry_future_done(wait));
    CHECK_INT(ferry_barrier_n_waiting(barrier), 1);
    cancel_pending(wait);
    ferry_future_unref(wait);
    ferry_barrier_unref(barrier);
    end();
}

static void barrier_of_none_is_refused(void) {
    begin();
    ferry_barrier *barrier = NULL;
    CHECK_STATUS(ferry_barrier_create(loop, 0, &barrier), APR_EINVAL);
    CHECK(!barrier);
    end();
}

static void last_reference_cancels_who_waits(void) {
    begin();
    ferry_barrier *barrier = new_barrier(2);
    ferry_future *wait = STARTED(ferry_barrier_wait_future, barrier);
    CHECK(ferry_barrier_ref(barrier) == barrier);
    ferry_barrier_unref(barrier);
    ferry_barrier_unref(barrier);
    CHECK(ferry_future_cancelled(wait));
    ferry_future_unref(wait);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 2; order++) {
        begin();
        ferry_barrier *barrier = new_barrier(3);
        ferry_future *waits[2];
        start_all(barrier, waits, 2);
        end_loop(loop);
        CHECK_STATUS(ferry_barrier_reset(barrier), FERRY_ECLOSED);
        CHECK_STATUS(ferry_barrier_wait_future(barrier, &started), FERRY_ECLOSED);
        if (order)
            ferry_future_unref_all(waits, 2);
        ferry_barrier_unref(barrier);
        ferry_future_unref_all(waits, 2);
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(all_go_on_together_each_with_its_index),
    FY_TEST(party_of_one_never_waits),
    FY_TEST(rounds_follow_each_other_and_do_not_mix),
    FY_TEST(cancelled_party_leaves_the_round_to_others),
    FY_TEST(reset_fails_who_is_inside_and_nobody_who_was_let_go),
    FY_TEST(aborted_barrier_refuses_until_it_is_reset),
    FY_TEST(who_comes_during_a_reset_is_not_failed_by_it),
    FY_TEST(barrier_of_none_is_refused),
    FY_TEST(last_reference_cancels_who_waits),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
};

FY_TEST_MAIN("barrier", tests)
