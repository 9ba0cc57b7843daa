/* SPDX-License-Identifier: Apache-2.0 */
/* Futures handed out in the order in which they end: each once, asked for early or late, within a time limit or not. */
#include "support/futures.h"

enum { COUNT = 5 };

static ferry_as_completed *open_for(ferry_future *const *members, size_t count, int64_t timeout_us) {
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_as_completed_open(loop, members, count, timeout_us, &iterator), 0);
    CHECK(iterator);
    return iterator;
}

static ferry_future *ask(ferry_as_completed *iterator) {
    ferry_future *next = NULL;
    CHECK_STATUS(ferry_as_completed_next(iterator, &next), 0);
    CHECK(next);
    return next;
}

static void ask_for_all(ferry_as_completed *iterator, ferry_future **nexts, size_t count) {
    for (size_t i = 0; i < count; i++)
        nexts[i] = ask(iterator);
}

static void check_exhausted(ferry_as_completed *iterator) {
    ferry_future *next = NULL;
    CHECK_STATUS(ferry_as_completed_next(iterator, &next), FERRY_EEXHAUSTED);
    CHECK(!next);
}

/* Asks, runs until there is an answer, and gives the member. */
static ferry_future *next_member(ferry_as_completed *iterator) {
    ferry_future *next = ask(iterator);
    run_until(next);
    CHECK_STATUS(ferry_future_status(next), 0);
    ferry_future *member = ferry_future_pointer(next);
    ferry_future_unref(next);
    return member;
}

static void check_timed_out(ferry_future *next) {
    CHECK(ferry_future_done(next));
    CHECK(!ferry_future_cancelled(next));
    CHECK_STATUS(ferry_future_status(next), FERRY_ETIMEDOUT);
}

static void close_and_unref(ferry_as_completed *iterator, ferry_future **members, size_t count) {
    ferry_as_completed_close(iterator);
    ferry_future_unref_all(members, count);
}

/* ---- order ---- */

/* AC-001 */
static void members_come_in_the_order_in_which_they_end(void) {
    static const size_t order[COUNT] = {3, 0, 4, 2, 1};
    begin();
    ferry_future *members[COUNT];
    make_all(members, COUNT);
    ferry_as_completed *iterator = open_for(members, COUNT, FERRY_FOREVER);
    for (size_t i = 0; i < COUNT; i++) {
        ferry_future *next = ask(iterator);
        settle();
        CHECK(!ferry_future_done(next));
        resolve(members[order[i]], 1);
        settle();
        CHECK(ferry_future_pointer(next) == members[order[i]]);
        ferry_future_unref(next);
    }
    check_exhausted(iterator);
    check_exhausted(iterator);
    close_and_unref(iterator, members, COUNT);
    end();
}

/* AC-001: asked for all at once, before any has ended, and each kind of end counts. */
static void those_who_ask_ahead_are_served_in_the_order_of_asking(void) {
    begin();
    ferry_future *members[COUNT], *nexts[COUNT];
    make_all(members, COUNT);
    ferry_as_completed *iterator = open_for(members, COUNT, AN_HOUR_US);
    ask_for_all(iterator, nexts, COUNT);
    check_exhausted(iterator);
    fail(members[4], APR_EGENERAL, "failed");
    CHECK(ferry_future_cancel(members[2]));
    settle();
    resolve(members[0], 1);
    resolve(members[1], 1);
    resolve(members[3], 1);
    settle();
    static const size_t order[COUNT] = {4, 2, 0, 1, 3};
    for (size_t i = 0; i < COUNT; i++)
        CHECK(ferry_future_pointer(nexts[i]) == members[order[i]]);
    CHECK_STATUS(ferry_future_status(members[4]), APR_EGENERAL);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    ferry_future_unref_all(nexts, COUNT);
    close_and_unref(iterator, members, COUNT);
    end();
}

/* AC-001 */
static void members_that_are_done_already_come_first_in_the_order_given(void) {
    begin();
    ferry_future *members[COUNT];
    make_all(members, COUNT);
    resolve(members[4], 1);
    resolve(members[1], 1);
    ferry_as_completed *iterator = open_for(members, COUNT, FERRY_FOREVER);
    resolve(members[0], 1);
    CHECK(next_member(iterator) == members[1]);
    CHECK(next_member(iterator) == members[4]);
    CHECK(next_member(iterator) == members[0]);
    resolve(members[3], 1);
    resolve(members[2], 1);
    CHECK(next_member(iterator) == members[3]);
    CHECK(next_member(iterator) == members[2]);
    check_exhausted(iterator);
    close_and_unref(iterator, members, COUNT);
    end();
}

/* AC-004 */
static void members_that_end_in_the_same_instant_all_come(void) {
    for (int ahead = 0; ahead <= COUNT; ahead++) {
        begin();
        ferry_future *members[COUNT], *nexts[COUNT];
        make_all(members, COUNT);
        ferry_as_completed *iterator = open_for(members, COUNT, FERRY_FOREVER);
        ask_for_all(iterator, nexts, (size_t)ahead);
        for (int i = COUNT; i-- > 0;)
            resolve(members[i], 1);
        turn(loop);
        ask_for_all(iterator, nexts + ahead, (size_t)(COUNT - ahead));
        for (int i = 0; i < COUNT; i++)
            CHECK(ferry_future_pointer(nexts[i]) == members[COUNT - 1 - i]);
        check_exhausted(iterator);
        ferry_future_unref_all(nexts, COUNT);
        close_and_unref(iterator, members, COUNT);
        end();
    }
}

/* AC-001 */
static void member_given_twice_is_handed_out_once(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    resolve(members[1], 1);
    ferry_future *const given[] = {members[0], members[1], members[1], members[0], members[0]};
    ferry_as_completed *iterator = open_for(given, 5, FERRY_FOREVER);
    CHECK(next_member(iterator) == members[1]);
    resolve(members[0], 1);
    CHECK(next_member(iterator) == members[0]);
    check_exhausted(iterator);
    close_and_unref(iterator, members, 2);
    end();
}

static void iteration_over_none_is_at_its_end(void) {
    begin();
    ferry_as_completed *iterator = open_for(NULL, 0, 1000);
    check_exhausted(iterator);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    ferry_as_completed_close(iterator);
    end();
}

/* ---- the time limit ---- */

/* AC-002 */
static void time_limit_is_told_to_all_who_ask_and_cancels_no_member(void) {
    begin();
    ferry_future *members[COUNT];
    make_all(members, COUNT);
    ferry_as_completed *iterator = open_for(members, COUNT, 1000);
    resolve(members[2], 1);
    CHECK(next_member(iterator) == members[2]);
    ferry_future *early[] = {ask(iterator), ask(iterator)};
    run_until(early[1]);
    check_timed_out(early[0]);
    check_timed_out(early[1]);
    resolve(members[4], 1);
    settle();
    ferry_future *late[] = {ask(iterator), ask(iterator)};
    check_timed_out(late[0]);
    check_timed_out(late[1]);
    check_exhausted(iterator);
    for (int i = 0; i < COUNT; i++)
        if (i != 2 && i != 4) {
            CHECK(!ferry_future_done(members[i]));
            resolve(members[i], 1);
        }
    settle();
    check_exhausted(iterator);
    ferry_future_unref_all(early, 2);
    ferry_future_unref_all(late, 2);
    close_and_unref(iterator, members, COUNT);
    end();
}

/* AC-002 */
static void what_ended_in_time_is_handed_out_after_the_time_is_up(void) {
    begin();
    ferry_future *members[3];
    make_all(members, 3);
    ferry_as_completed *iterator = open_for(members, 3, 1000);
    resolve(members[2], 1);
    resolve(members[0], 1);
    run_for(loop, 3000);
    CHECK(next_member(iterator) == members[2]);
    CHECK(next_member(iterator) == members[0]);
    ferry_future *next = ask(iterator);
    check_timed_out(next);
    check_exhausted(iterator);
    ferry_future_unref(next);
    close_and_unref(iterator, members, 3);
    end();
}

static ferry_status resolve_third_and_first(void *arg) {
    ferry_future **members = arg;
    resolve(members[2], 1);
    resolve(members[0], 1);
    return 0;
}

/* Four members. In one turn two of them end and then the time is up, while the ends are still in the queue. */
static ferry_as_completed *open_for_a_close_finish(ferry_future **members) {
    make_all(members, 4);
    CHECK_STATUS(ferry_call_later(loop, 0, resolve_third_and_first, members, NULL), 0);
    return open_for(members, 4, 0);
}

static void what_ends_as_the_time_is_up_is_handed_out_to_the_first_who_asked(void) {
    begin();
    ferry_future *members[4], *nexts[4];
    ferry_as_completed *iterator = open_for_a_close_finish(members);
    ask_for_all(iterator, nexts, 3);
    turn(loop);
    nexts[3] = ask(iterator);
    check_timed_out(nexts[2]);
    check_timed_out(nexts[3]);
    settle();
    CHECK(ferry_future_pointer(nexts[0]) == members[2]);
    CHECK(ferry_future_pointer(nexts[1]) == members[0]);
    check_exhausted(iterator);
    ferry_future_unref_all(nexts, 4);
    close_and_unref(iterator, members, 4);
    end();
}

static void cancelled_asker_does_not_count_as_the_time_is_up(void) {
    begin();
    ferry_future *members[4], *nexts[4];
    ferry_as_completed *iterator = open_for_a_close_finish(members);
    ask_for_all(iterator, nexts, 4);
    CHECK(ferry_future_cancel(nexts[0]));
    turn(loop);
    check_timed_out(nexts[3]);
    settle();
    CHECK(ferry_future_pointer(nexts[1]) == members[2]);
    CHECK(ferry_future_pointer(nexts[2]) == members[0]);
    ferry_future *last = ask(iterator);
    check_timed_out(last);
    check_exhausted(iterator);
    ferry_future_unref(last);
    ferry_future_unref_all(nexts, 4);
    close_and_unref(iterator, members, 4);
    end();
}

static void who_asks_after_the_time_is_up_waits_for_what_ended_in_time(void) {
    begin();
    ferry_future *members[4], *nexts[4];
    ferry_as_completed *iterator = open_for_a_close_finish(members);
    turn(loop);
    ask_for_all(iterator, nexts, 2);
    CHECK(!ferry_future_done(nexts[0]));
    CHECK(ferry_future_cancel(nexts[0]));
    nexts[2] = ask(iterator);
    CHECK(!ferry_future_done(nexts[2]));
    nexts[3] = ask(iterator);
    check_timed_out(nexts[3]);
    settle();
    CHECK(ferry_future_pointer(nexts[1]) == members[2]);
    CHECK(ferry_future_pointer(nexts[2]) == members[0]);
    ferry_future *last = ask(iterator);
    check_timed_out(last);
    check_exhausted(iterator);
    ferry_future_unref(last);
    ferry_future_unref_all(nexts, 4);
    close_and_unref(iterator, members, 4);
    end();
}

/* ---- cancelling who waits ---- */

/* FU-015: the member's end finds the first who asked cancelled; nothing of it is lost. */
static void cancelled_asker_leaves_the_member_to_the_next(void) {
    begin();
    ferry_future *members[2], *nexts[2];
    make_all(members, 2);
    ferry_as_completed *iterator = open_for(members, 2, FERRY_FOREVER);
    ask_for_all(iterator, nexts, 2);
    CHECK(ferry_future_cancel(nexts[0]));
    resolve(members[1], 1);
    settle();
    CHECK(ferry_future_cancelled(nexts[0]));
    CHECK(ferry_future_pointer(nexts[1]) == members[1]);
    resolve(members[0], 1);
    CHECK(next_member(iterator) == members[0]);
    check_exhausted(iterator);
    ferry_future_unref_all(nexts, 2);
    close_and_unref(iterator, members, 2);
    end();
}

static void asking_and_cancelling_over_and_over_loses_no_turn(void) {
    begin();
    ferry_future *members[3], *nexts[3];
    make_all(members, 3);
    ferry_as_completed *iterator = open_for(members, 3, FERRY_FOREVER);
    for (int i = 0; i < 100; i++) {
        ask_for_all(iterator, nexts, 3);
        for (int k = 0; k < 3; k++)
            if (k != i % 3)
                CHECK(ferry_future_cancel(nexts[k]));
        ferry_future *more[] = {ask(iterator), ask(iterator)};
        check_exhausted(iterator);
        CHECK(ferry_future_cancel(nexts[i % 3]));
        CHECK(ferry_future_cancel(more[0]));
        CHECK(ferry_future_cancel(more[1]));
        ferry_future_unref_all(nexts, 3);
        ferry_future_unref_all(more, 2);
    }
    for (int i = 0; i < 3; i++)
        resolve(members[i], 1);
    for (int i = 0; i < 3; i++)
        CHECK(next_member(iterator) == members[i]);
    check_exhausted(iterator);
    close_and_unref(iterator, members, 3);
    end();
}

/* ---- closing ---- */

static void close_cancels_who_waits_and_no_member(void) {
    begin();
    ferry_future *members[2], *nexts[2];
    make_all(members, 2);
    ferry_as_completed *iterator = open_for(members, 2, AN_HOUR_US);
    ask_for_all(iterator, nexts, 2);
    add_mark(nexts[0], "a");
    add_mark(nexts[1], "b");
    resolve(members[0], 1);
    turn(loop);
    ferry_as_completed_close(iterator);
    CHECK(ferry_future_cancelled(nexts[1]));
    CHECK(ferry_future_pointer(nexts[0]) == members[0]);
    CHECK(!ferry_future_done(members[1]));
    CHECK_INT(ferry_loop_next_deadline(loop) <= clock_of(loop), 1);
    settle();
    CHECK_STRING(trace, "ab");
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    resolve(members[1], 1);
    settle();
    ferry_future_unref_all(nexts, 2);
    ferry_future_unref_all(members, 2);
    end();
}

static void close_forgets_ends_that_are_in_the_queue(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    resolve(members[0], 1);
    ferry_as_completed *iterator = open_for(members, 2, FERRY_FOREVER);
    resolve(members[1], 1);
    close_and_unref(iterator, members, 2);
    settle();
    end();
}

static void iterator_keeps_its_members_and_those_who_wait(void) {
    begin();
    ferry_future *members[2];
    make_all(members, 2);
    ferry_as_completed *iterator = open_for(members, 2, FERRY_FOREVER);
    resolve(members[0], 7);
    ferry_future *pending = members[1];
    ferry_future_unref(members[0]);
    CHECK_INT(ferry_future_integer(next_member(iterator)), 7);
    ferry_future *next = ask(iterator);
    add_mark(next, "n");
    ferry_future_unref(next);
    resolve(pending, 8);
    ferry_future_unref(pending);
    settle();
    CHECK_STRING(trace, "n");
    ferry_as_completed_close(iterator);
    end();
}

static void iterator_may_be_closed_after_its_loop(void) {
    begin();
    ferry_future *members[3], *nexts[2];
    make_all(members, 3);
    ferry_as_completed *iterator = open_for(members, 3, AN_HOUR_US);
    ask_for_all(iterator, nexts, 2);
    add_mark(nexts[1], "x");
    resolve(members[0], 1);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_future *next = NULL;
    CHECK_STATUS(ferry_as_completed_next(iterator, &next), FERRY_ECLOSED);
    resolve(members[1], 1);
    ferry_loop_unref(loop);
    ferry_as_completed_close(iterator);
    CHECK(ferry_future_cancelled(nexts[0]));
    CHECK(ferry_future_cancelled(nexts[1]));
    ferry_future_unref_all(nexts, 2);
    ferry_future_unref_all(members, 3);
    CHECK_STRING(trace, "");
    check_nothing_is_left();
}

static void iterators_over_none_may_be_closed_after_their_loop(void) {
    begin();
    ferry_as_completed *iterator = open_for(NULL, 0, FERRY_FOREVER);
    end_loop(loop);
    ferry_as_completed_close(iterator);
    check_nothing_is_left();
}

/* AC-001: each exactly once, however many. */
static void a_crowd_comes_in_order(void) {
    enum { CROWD = 20000 };
    static ferry_future *members[CROWD], *nexts[CROWD];
    begin();
    make_all(members, CROWD);
    ferry_as_completed *iterator = open_for(members, CROWD, AN_HOUR_US);
    ask_for_all(iterator, nexts, CROWD / 2);
    for (size_t i = 0; i < CROWD; i++)
        resolve(members[i * 7919 % CROWD], 1);
    settle();
    ask_for_all(iterator, nexts + CROWD / 2, CROWD / 2);
    for (size_t i = 0; i < CROWD; i++)
        CHECK(ferry_future_pointer(nexts[i]) == members[i * 7919 % CROWD]);
    check_exhausted(iterator);
    ferry_future_unref_all(nexts, CROWD);
    close_and_unref(iterator, members, CROWD);
    end();
}

static ferry_status close_iterator(ferry_loop *of, const ferry_report *report, void *iterator) {
    CHECK(of == loop && report->status == FERRY_ETIMEDOUT);
    ferry_as_completed_close(*(ferry_as_completed **)iterator);
    *(ferry_as_completed **)iterator = NULL;
    return 0;
}

/* Each error is reported, for those who asked have let go; the first report closes the iterator. */
static void exception_handler_may_close_it_when_the_time_is_up(void) {
    ferry_future *members[COUNT], *nexts[COUNT];
    begin();
    make_all(members, COUNT);
    ferry_as_completed *iterator = open_for(members, COUNT, 1000);
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, close_iterator, &iterator), 0);
    ask_for_all(iterator, nexts, COUNT);
    ferry_future_unref_all(nexts, COUNT);
    run_for(loop, 2000);
    ferry_future_unref_all(members, COUNT);
    end();
}

static const fy_test tests[] = {
    FY_TEST(exception_handler_may_close_it_when_the_time_is_up),
    FY_TEST(members_come_in_the_order_in_which_they_end),
    FY_TEST(those_who_ask_ahead_are_served_in_the_order_of_asking),
    FY_TEST(members_that_are_done_already_come_first_in_the_order_given),
    FY_TEST(members_that_end_in_the_same_instant_all_come),
    FY_TEST(member_given_twice_is_handed_out_once),
    FY_TEST(iteration_over_none_is_at_its_end),
    FY_TEST(time_limit_is_told_to_all_who_ask_and_cancels_no_member),
    FY_TEST(what_ended_in_time_is_handed_out_after_the_time_is_up),
    FY_TEST(what_ends_as_the_time_is_up_is_handed_out_to_the_first_who_asked),
    FY_TEST(cancelled_asker_does_not_count_as_the_time_is_up),
    FY_TEST(who_asks_after_the_time_is_up_waits_for_what_ended_in_time),
    FY_TEST(cancelled_asker_leaves_the_member_to_the_next),
    FY_TEST(asking_and_cancelling_over_and_over_loses_no_turn),
    FY_TEST(close_cancels_who_waits_and_no_member),
    FY_TEST(close_forgets_ends_that_are_in_the_queue),
    FY_TEST(iterator_keeps_its_members_and_those_who_wait),
    FY_TEST(iterator_may_be_closed_after_its_loop),
    FY_TEST(iterators_over_none_may_be_closed_after_their_loop),
    FY_TEST(a_crowd_comes_in_order),
};

FY_TEST_MAIN("as_completed", tests)
