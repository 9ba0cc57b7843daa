/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for some of several: when a wait is over, what it counts, and that it leaves its members as they are. */
#include "support/futures.h"

static ferry_future *wait_for(ferry_future *const *members, size_t count, int64_t timeout_us,
                              ferry_return_when return_when) {
    ferry_future *waiting = NULL;
    CHECK_STATUS(ferry_wait(members, count, timeout_us, return_when, &waiting), 0);
    CHECK(waiting);
    return waiting;
}

static ferry_future *wait_for_all(ferry_future *const *members, size_t count) {
    return wait_for(members, count, FERRY_FOREVER, FERRY_ALL_COMPLETED);
}

static void check_over(ferry_future *waiting, int64_t done) {
    CHECK(ferry_future_done(waiting));
    CHECK(!ferry_future_cancelled(waiting));
    CHECK_STATUS(ferry_future_status(waiting), 0);
    CHECK_INT(ferry_future_integer(waiting), done);
}

static void unref_both(ferry_future *waiting, ferry_future **members, size_t count) {
    ferry_future_unref(waiting);
    ferry_future_unref_all(members, count);
}

/* ---- all ---- */

/* WA-001 */
static void waiting_for_all_counts_every_kind_of_end_and_never_fails(void) {
    begin();
    ferry_future *members[3];
    make_all(members, 3);
    ferry_future *waiting = wait_for_all(members, 3);
    fail(members[1], APR_EGENERAL, "failed");
    settle();
    CHECK(ferry_future_cancel(members[2]));
    settle();
    CHECK(!ferry_future_done(waiting));
    resolve(members[0], 1);
    settle();
    check_over(waiting, 3);
    CHECK(!ferry_future_message(waiting));
    CHECK_STATUS(ferry_future_status(members[1]), APR_EGENERAL);
    unref_both(waiting, members, 3);
    end();
}

/* WA-001 */
static void time_limit_ends_it_with_what_is_done_by_then(void) {
    begin();
    ferry_future *members[3];
    make_all(members, 3);
    ferry_future *waiting = wait_for(members, 3, 2000, FERRY_ALL_COMPLETED);
    int64_t not_before_us = clock_of(loop) + 1900;
    resolve(members[1], 1);
    run_until(waiting);
    CHECK(clock_of(loop) >= not_before_us);
    check_over(waiting, 1);
    CHECK(!ferry_future_done(members[0]));
    CHECK(ferry_future_done(members[1]));
    CHECK(!ferry_future_done(members[2]));
    unref_both(waiting, members, 3);
    end();
}

static void no_time_at_all_still_sees_what_is_done(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    resolve(members[0], 1);
    ferry_future *waiting = wait_for(members, 2, 0, FERRY_ALL_COMPLETED);
    CHECK(!ferry_future_done(waiting));
    run_until(waiting);
    check_over(waiting, 1);
    unref_both(waiting, members, 2);
    end();
}

static void wait_for_done_members_ends_through_the_loop(void) {
    static const ferry_return_when whens[] = {FERRY_ALL_COMPLETED, FERRY_FIRST_COMPLETED, FERRY_FIRST_EXCEPTION};
    begin();
    for (int i = 0; i < 3; i++) {
        ferry_future *members[2];
        make_all(members, 2);
        resolve(members[0], 1);
        resolve(members[1], 1);
        ferry_future *waiting = wait_for(members, 2, AN_HOUR_US, whens[i]);
        CHECK(!ferry_future_done(waiting));
        turn(loop);
        check_over(waiting, 2);
        unref_both(waiting, members, 2);
    }
    end();
}

/* WA-003 */
static void members_that_end_before_the_wait_does_are_counted(void) {
    begin();
    ferry_future *members[4];
    make_all(members, 4);
    ferry_future *waiting = wait_for(members, 4, FERRY_FOREVER, FERRY_FIRST_COMPLETED);
    resolve(members[3], 1);
    resolve(members[0], 1);
    CHECK(ferry_future_cancel(members[1]));
    settle();
    check_over(waiting, 3);
    unref_both(waiting, members, 4);
    end();
}

static ferry_status note_which_are_done(ferry_future *waiting, void *arg) {
    ferry_future **members = arg;
    CHECK(ferry_future_done(waiting));
    for (int i = 0; i < 3; i++)
        leave(ferry_future_done(members[i]) ? 'd' : 'p');
    return 0;
}

static ferry_status resolve_when_posted(void *future) {
    resolve(future, 1);
    return 0;
}

/* WA-003: one ends after the wait has, and before the waiter is told. */
static void members_that_end_before_the_waiter_is_told_are_done(void) {
    begin();
    ferry_future *members[3];
    make_all(members, 3);
    ferry_future *waiting = wait_for(members, 3, FERRY_FOREVER, FERRY_FIRST_COMPLETED);
    CHECK_STATUS(ferry_future_add_done_callback(waiting, note_which_are_done, members, NULL), 0);
    resolve(members[1], 1);
    post(loop, resolve_when_posted, members[2]);
    settle();
    CHECK_STRING(trace, "pdd");
    unref_both(waiting, members, 3);
    end();
}

static void member_given_twice_counts_once(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    resolve(members[1], 1);
    ferry_future *const given[] = {members[0], members[1], members[0], members[1], members[1]};
    ferry_future *waiting = wait_for_all(given, 5);
    settle();
    CHECK(!ferry_future_done(waiting));
    resolve(members[0], 1);
    settle();
    check_over(waiting, 2);
    unref_both(waiting, members, 2);
    end();
}

/* ---- the first ---- */

static void first_completed_ends_with_any_end(void) {
    begin();
    for (int how = 0; how < 3; how++) {
        ferry_future *members[3];
        make_all(members, 3);
        ferry_future *waiting = wait_for(members, 3, FERRY_FOREVER, FERRY_FIRST_COMPLETED);
        settle();
        CHECK(!ferry_future_done(waiting));
        if (how == 0)
            resolve(members[2], 1);
        else if (how == 1)
            fail(members[2], APR_EGENERAL, "failed");
        else
            CHECK(ferry_future_cancel(members[2]));
        settle();
        check_over(waiting, 1);
        CHECK(!ferry_future_done(members[0]));
        (void)ferry_future_status(members[2]);
        unref_both(waiting, members, 3);
    }
    end();
}

/* WA-004 */
static void first_exception_ends_as_soon_as_one_fails(void) {
    begin();
    ferry_future *members[4];
    make_all(members, 4);
    ferry_future *waiting = wait_for(members, 4, FERRY_FOREVER, FERRY_FIRST_EXCEPTION);
    resolve(members[0], 1);
    CHECK(ferry_future_cancel(members[3]));
    settle();
    CHECK(!ferry_future_done(waiting));
    fail(members[2], APR_EGENERAL, "failed");
    settle();
    check_over(waiting, 3);
    CHECK(!ferry_future_done(members[1]));
    CHECK_STATUS(ferry_future_status(members[2]), APR_EGENERAL);
    unref_both(waiting, members, 4);
    end();
}

/* WA-004 */
static void first_exception_waits_for_all_if_none_fails(void) {
    begin();
    ferry_future *members[3];
    make_all(members, 3);
    ferry_future *waiting = wait_for(members, 3, FERRY_FOREVER, FERRY_FIRST_EXCEPTION);
    resolve(members[0], 1);
    CHECK(ferry_future_cancel(members[1]));
    settle();
    CHECK(!ferry_future_done(waiting));
    resolve(members[2], 1);
    settle();
    check_over(waiting, 3);
    unref_both(waiting, members, 3);
    end();
}

/* A gather that failed because a child was cancelled has an error; it was not cancelled. */
static void gather_may_be_a_member(void) {
    begin();
    ferry_future *child = make(), *other = make(), *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, &child, 1, 0, &gathered), 0);
    ferry_future *members[] = {other, gathered};
    ferry_future *waiting = wait_for(members, 2, FERRY_FOREVER, FERRY_FIRST_EXCEPTION);
    CHECK(ferry_future_cancel(child));
    settle();
    check_over(waiting, 1);
    CHECK_STATUS(ferry_future_status(gathered), FERRY_ECANCELED);
    ferry_future_unref(child);
    unref_both(waiting, members, 2);
    end();
}

/* No wait looks at its members' errors: whoever waited still has to. */
static void errors_of_members_nobody_looked_at_are_reported(void) {
    static const ferry_return_when whens[] = {FERRY_ALL_COMPLETED, FERRY_FIRST_COMPLETED, FERRY_FIRST_EXCEPTION};
    begin();
    for (int i = 0; i < 3; i++) {
        ferry_future *members[2];
        make_all(members, 2);
        ferry_future *waiting = wait_for(members, 2, FERRY_FOREVER, whens[i]);
        fail(members[0], APR_EGENERAL, "nobody looked");
        settle();
        resolve(members[1], 1);
        run_until(waiting);
        CHECK_INT(reports.count, i);
        unref_both(waiting, members, 2);
    }
    end_with_reports(3);
}

/* ---- what it leaves behind ---- */

static void timer_goes_when_the_wait_is_over(void) {
    begin();
    ferry_future *member = make();
    ferry_future *over = wait_for(&member, 1, AN_HOUR_US, FERRY_ALL_COMPLETED);
    ferry_future *cancelled = wait_for(&member, 1, AN_HOUR_US, FERRY_ALL_COMPLETED);
    CHECK(ferry_future_cancel(cancelled));
    resolve(member, 1);
    settle();
    check_over(over, 1);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    ferry_future_unref(cancelled);
    unref_both(over, &member, 1);
    end();
}

static void waits_on_one_lasting_member_leave_nothing_in_it(void) {
    begin();
    ferry_future *lasting = make();
    size_t bytes = 0;
    for (int i = 0; i < 2000; i++) {
        ferry_future *members[] = {lasting, make()};
        ferry_future *waiting = wait_for(members, 2, AN_HOUR_US, FERRY_FIRST_COMPLETED);
        if (i % 2)
            resolve(members[1], 1);
        else
            CHECK(ferry_future_cancel(waiting));
        ferry_future_unref(members[1]);
        settle();
        CHECK(ferry_future_done(waiting));
        ferry_future_unref(waiting);
        if (i == 200)
            bytes = atomic_load(&live_bytes);
        CHECK(i < 200 || atomic_load(&live_bytes) <= bytes);
    }
    resolve(lasting, 1);
    ferry_future_unref(lasting);
    settle();
    end();
}

static void members_are_held_until_it_is_over_and_no_longer(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    frees = 0;
    CHECK_STATUS(ferry_future_set_pointer(members[0], &frees, count_free), 0);
    ferry_future *waiting = wait_for(members, 2, 1000, FERRY_ALL_COMPLETED);
    ferry_future_unref_all(members, 2);
    settle();
    CHECK_INT(frees, 0);
    run_until(waiting);
    CHECK_INT(frees, 1);
    check_over(waiting, 1);
    ferry_future_unref(waiting);
    end();
}

/* ---- cancelling ---- */

/* WA-006 */
static void cancelling_the_wait_leaves_its_members_alone(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    ferry_future *waiting = wait_for_all(members, 2);
    add_mark(waiting, "c");
    CHECK(ferry_future_cancel_with_message(waiting, "enough waited"));
    CHECK(ferry_future_cancelled(waiting));
    CHECK_STRING(ferry_future_message(waiting), "enough waited");
    CHECK(!ferry_future_cancel(waiting));
    for (int i = 0; i < 2; i++) {
        CHECK(!ferry_future_done(members[i]));
        resolve(members[i], 1);
    }
    settle();
    CHECK_STRING(trace, "c");
    CHECK(ferry_future_cancelled(waiting));
    unref_both(waiting, members, 2);
    end();
}

/* FU-015: the member's end and the time limit both come when the wait was cancelled already. */
static void late_ends_of_a_cancelled_wait_are_dropped(void) {
    begin();
    ferry_future *member = make();
    ferry_future *waiting = wait_for(&member, 1, 0, FERRY_ALL_COMPLETED);
    resolve(member, 1);
    CHECK(ferry_future_cancel(waiting));
    run_for(loop, 1000);
    CHECK(ferry_future_cancelled(waiting));
    unref_both(waiting, &member, 1);
    end();
}

/* ---- dropping and closing ---- */

static void dropped_wait_still_tells_its_callbacks(void) {
    begin();
    ferry_future *member = make();
    ferry_future *waiting = wait_for(&member, 1, AN_HOUR_US, FERRY_ALL_COMPLETED);
    add_mark(waiting, "w");
    ferry_future_unref(waiting);
    resolve(member, 1);
    ferry_future_unref(member);
    settle();
    CHECK_STRING(trace, "w");
    end();
}

static void close_lets_go_of_a_wait_in_every_order(void) {
    for (int late = 0; late < 4; late++)
        for (int queued = 0; queued < 3; queued++) {
            ferry_future *members[2];
            begin();
            make_all(members, 2);
            ferry_future *waiting = wait_for(members, 2, queued ? 0 : AN_HOUR_US, FERRY_ALL_COMPLETED);
            if (queued == 2)
                resolve(members[0], 1);
            if (!(late & 1))
                ferry_future_unref(waiting);
            if (!(late & 2))
                ferry_future_unref_all(members, 2);
            end_loop(loop);
            if (late & 2)
                ferry_future_unref_all(members, 2);
            if (late & 1) {
                CHECK(!ferry_future_done(waiting));
                CHECK(ferry_future_cancel(waiting));
                CHECK(ferry_future_cancelled(waiting));
                ferry_future_unref(waiting);
            }
            CHECK_INT(reports.count, 0);
            check_nothing_is_left();
        }
}

static ferry_future *wait_in_handler;

static ferry_status cancel_the_wait(ferry_loop *of, const ferry_report *report, void *arg) {
    (void)of;
    (void)report;
    (void)arg;
    leave('h');
    CHECK(!ferry_future_cancel(wait_in_handler));
    ferry_future_unref(wait_in_handler);
    return 0;
}

/* Letting go of a member whose error nobody looked at calls the handler in the midst of the wait's end. */
static void exception_handler_may_touch_the_wait_that_ends(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, cancel_the_wait, NULL), 0);
    wait_in_handler = wait_for_all(members, 2);
    fail(members[0], APR_EGENERAL, "unseen");
    settle();
    ferry_future_unref(members[0]);
    CHECK_STRING(trace, "");
    resolve(members[1], 1);
    settle();
    CHECK_STRING(trace, "h");
    ferry_future_unref(members[1]);
    end();
}

static const fy_test tests[] = {
    FY_TEST(waiting_for_all_counts_every_kind_of_end_and_never_fails),
    FY_TEST(time_limit_ends_it_with_what_is_done_by_then),
    FY_TEST(no_time_at_all_still_sees_what_is_done),
    FY_TEST(wait_for_done_members_ends_through_the_loop),
    FY_TEST(members_that_end_before_the_wait_does_are_counted),
    FY_TEST(members_that_end_before_the_waiter_is_told_are_done),
    FY_TEST(member_given_twice_counts_once),
    FY_TEST(first_completed_ends_with_any_end),
    FY_TEST(first_exception_ends_as_soon_as_one_fails),
    FY_TEST(first_exception_waits_for_all_if_none_fails),
    FY_TEST(gather_may_be_a_member),
    FY_TEST(errors_of_members_nobody_looked_at_are_reported),
    FY_TEST(timer_goes_when_the_wait_is_over),
    FY_TEST(waits_on_one_lasting_member_leave_nothing_in_it),
    FY_TEST(members_are_held_until_it_is_over_and_no_longer),
    FY_TEST(cancelling_the_wait_leaves_its_members_alone),
    FY_TEST(late_ends_of_a_cancelled_wait_are_dropped),
    FY_TEST(dropped_wait_still_tells_its_callbacks),
    FY_TEST(close_lets_go_of_a_wait_in_every_order),
    FY_TEST(exception_handler_may_touch_the_wait_that_ends),
};

FY_TEST_MAIN("wait", tests)
