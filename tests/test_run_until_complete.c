/* SPDX-License-Identifier: Apache-2.0 */
/* Running a loop until one future is done, seen from the future's side: what has run by then, what a stopped run leaves
 * behind, and runs for the futures that Ferry makes. Runs as such are in test_lifecycle.c. */
#include "support/futures.h"

static ferry_status resolve_posted(void *future) {
    resolve(future, 42);
    return 0;
}

/* ---- what has run ---- */

static void callbacks_added_before_the_run_have_run_when_it_returns(void) {
    begin();
    ferry_future *future = make();
    add_mark(future, "a");
    add_mark(future, "b");
    post(loop, resolve_posted, future);
    run_until(future);
    CHECK_STRING(trace, "ab");
    CHECK_INT(ferry_future_integer(future), 42);
    ferry_future_unref(future);
    end();
}

static void whatever_is_ready_in_the_last_turn_still_runs(void) {
    begin();
    ferry_future *future = make();
    post(loop, resolve_posted, future);
    turn(loop);
    post_mark(loop, "a");
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    post_mark(loop, "b");
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STRING(trace, "ab");
    ferry_future_unref(future);
    end();
}

static void outcome_is_for_the_accessors_and_not_for_the_run(void) {
    begin();
    ferry_future *failed = make(), *cancelled = make();
    fail(failed, APR_EGENERAL, "seen by nobody yet");
    CHECK(ferry_future_cancel(cancelled));
    run_until(failed);
    run_until(cancelled);
    ferry_future_unref(failed);
    CHECK_INT(reports.count, 1);
    ferry_future_unref(cancelled);
    end_with_reports(1);
}

static ferry_status unref_posted(void *future) {
    ferry_future_unref(future);
    return 0;
}

static void run_holds_its_future(void) {
    begin();
    ferry_future *future = make();
    post(loop, unref_posted, future);
    CHECK_STATUS(ferry_call_later(loop, 1000, resolve_posted, ferry_future_ref(future), NULL), 0);
    post(loop, unref_posted, future);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    end();
}

/* ---- ended early ---- */

/* LL-007, LL-011 */
static void early_stop_takes_back_what_the_run_had_added(void) {
    begin();
    ferry_future *future = make();
    size_t bytes = 0;
    for (int i = 0; i < 1000; i++) {
        post(loop, stop_loop, loop);
        CHECK_STATUS(ferry_loop_run_until_complete(loop, future), FERRY_EINVALIDSTATE);
        if (i == 10)
            bytes = atomic_load(&live_bytes);
        CHECK(i <= 10 || atomic_load(&live_bytes) <= bytes);
    }
    CHECK(!ferry_future_done(future));
    ferry_future_unref(future);
    end();
}

static ferry_status resolve_and_stop(void *future) {
    resolve(future, 42);
    return stop_loop(ferry_future_loop(future));
}

/* LL-011: it is done in the turn in which the run was stopped, so the run's own callback is in the queue already. */
static void future_done_in_the_turn_of_the_stop_counts_and_stops_no_later_run(void) {
    begin();
    ferry_future *future = make(), *later = make();
    post(loop, resolve_and_stop, future);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_call_later(loop, 1000, resolve_posted, later, NULL), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, later), 0);
    CHECK(ferry_future_done(later));
    ferry_future_unref(future);
    ferry_future_unref(later);
    end();
}

/* LL-008 */
static void stopped_run_of_a_gather_goes_on_later(void) {
    begin();
    ferry_future *children[] = {make(), make()}, *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, children, 2, 0, &gathered), 0);
    resolve(children[0], 1);
    post(loop, stop_loop, loop);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, gathered), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_done(gathered));
    post(loop, resolve_posted, children[1]);
    run_until(gathered);
    CHECK_INT(ferry_future_integer(gathered), 2);
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, 2);
    end();
}

/* ---- of what Ferry makes ---- */

static ferry_status fail_posted(void *future) {
    fail(future, FERRY_EFULL, "no room");
    return 0;
}

static void runs_until_a_gather_has_failed_and_leaves_the_others(void) {
    begin();
    ferry_future *children[] = {make(), make()}, *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, children, 2, 0, &gathered), 0);
    CHECK_STATUS(ferry_call_later(loop, 500, fail_posted, children[1], NULL), 0);
    run_until(gathered);
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EFULL);
    CHECK(!ferry_future_done(children[0]));
    CHECK(ferry_future_cancel(children[0]));
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, 2);
    end();
}

static void runs_until_each_member_of_an_iteration_came(void) {
    enum { COUNT = 4 };
    static const int64_t delays_us[COUNT] = {3000, 1000, 4000, 2000};
    static const int order[COUNT] = {1, 3, 0, 2};
    begin();
    ferry_future *members[COUNT];
    ferry_as_completed *iterator = NULL;
    make_all(members, COUNT);
    int64_t now_us = ferry_loop_time(loop);
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(ferry_call_at(loop, now_us + delays_us[i], resolve_posted, members[i], NULL), 0);
    CHECK_STATUS(ferry_as_completed_open(loop, members, COUNT, AN_HOUR_US, &iterator), 0);
    for (int i = 0; i < COUNT; i++) {
        ferry_future *next = NULL;
        CHECK_STATUS(ferry_as_completed_next(iterator, &next), 0);
        run_until(next);
        CHECK(ferry_future_pointer(next) == members[order[i]]);
        ferry_future_unref(next);
    }
    ferry_as_completed_close(iterator);
    ferry_future_unref_all(members, COUNT);
    end();
}

/* ---- refused ---- */

static ferry_status run_inside(void *inner) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, inner), FERRY_EINVALIDSTATE);
    ferry_loop *other = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &other), 0);
    ferry_future *other_future = new_future(other);
    CHECK_STATUS(ferry_loop_run_until_complete(other, other_future), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_loop_run_until_complete(other, inner), FERRY_EWRONGLOOP);
    ferry_future_unref(other_future);
    end_loop(other);
    resolve(inner, 42);
    leave('i');
    return 0;
}

/* LL-009, LL-010 */
static void run_inside_a_run_is_refused_and_changes_nothing(void) {
    begin();
    ferry_future *future = make();
    add_mark(future, "d");
    post(loop, run_inside, future);
    run_until(future);
    CHECK_STRING(trace, "id");
    ferry_future_unref(future);
    end();
}

static const fy_test tests[] = {
    FY_TEST(callbacks_added_before_the_run_have_run_when_it_returns),
    FY_TEST(whatever_is_ready_in_the_last_turn_still_runs),
    FY_TEST(outcome_is_for_the_accessors_and_not_for_the_run),
    FY_TEST(run_holds_its_future),
    FY_TEST(early_stop_takes_back_what_the_run_had_added),
    FY_TEST(future_done_in_the_turn_of_the_stop_counts_and_stops_no_later_run),
    FY_TEST(stopped_run_of_a_gather_goes_on_later),
    FY_TEST(runs_until_a_gather_has_failed_and_leaves_the_others),
    FY_TEST(runs_until_each_member_of_an_iteration_came),
    FY_TEST(run_inside_a_run_is_refused_and_changes_nothing),
};

FY_TEST_MAIN("run_until_complete", tests)
