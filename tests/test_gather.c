/* SPDX-License-Identifier: Apache-2.0 */
/* One future for several: when it ends and as what, in both ways of meeting errors, and how it is cancelled. What comes
 * of a gather that is dropped, or whose loop is closed, is in test_gather_life.c. */
#include "support/futures.h"

static ferry_future *gather(ferry_future *const *children, size_t count, int flags) {
    ferry_future *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, children, count, flags, &gathered), 0);
    CHECK(gathered);
    return gathered;
}

static void unref_both(ferry_future *gathered, ferry_future **children, size_t count) {
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, count);
}

static const int both_flags[] = {0, FERRY_RETURN_EXCEPTIONS};

/* ---- results ---- */

static void ends_with_the_last_child_and_counts_them(void) {
    static const size_t order[] = {2, 0, 3, 1};
    begin();
    for (int i = 0; i < 2; i++) {
        ferry_future *children[4];
        make_all(children, 4);
        ferry_future *gathered = gather(children, 4, both_flags[i]);
        for (size_t k = 0; k < 4; k++) {
            CHECK(!ferry_future_done(gathered));
            resolve(children[order[k]], (int64_t)order[k]);
            settle();
        }
        CHECK(ferry_future_done(gathered));
        CHECK_STATUS(ferry_future_status(gathered), 0);
        CHECK_INT(ferry_future_integer(gathered), 4);
        for (size_t k = 0; k < 4; k++)
            CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, k)), k);
        CHECK(!ferry_gather_child(gathered, 4));
        unref_both(gathered, children, 4);
    }
    end();
}

static void gather_of_none_is_done_at_once(void) {
    begin();
    for (int i = 0; i < 2; i++) {
        ferry_future *gathered = gather(NULL, 0, both_flags[i]);
        CHECK_STATUS(ferry_future_status(gathered), 0);
        CHECK_INT(ferry_future_integer(gathered), 0);
        CHECK(!ferry_gather_child(gathered, 0));
        CHECK(!ferry_future_cancel(gathered));
        ferry_future_unref(gathered);
    }
    end();
}

static void gather_done_children(size_t count, int flags) {
    ferry_future *children[3];
    trace[0] = '\0';
    make_all(children, count);
    for (size_t i = 0; i < count; i++)
        resolve(children[i], (int64_t)i);
    post_mark(loop, "a");
    ferry_future *gathered = gather(children, count, flags);
    add_mark(gathered, "b");
    CHECK(!ferry_future_done(gathered));
    CHECK(!ferry_future_cancel(gathered));
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK_INT(ferry_future_integer(gathered), count);
    turn(loop);
    CHECK_STRING(trace, "ab");
    unref_both(gathered, children, count);
}

static void gather_of_done_children_ends_through_the_loop(void) {
    begin();
    for (int i = 0; i < 2; i++)
        for (size_t count = 1; count <= 3; count++)
            gather_done_children(count, both_flags[i]);
    end();
}

/* ---- errors ---- */

/* GA-002 */
static void first_error_ends_it_and_the_others_go_on(void) {
    begin();
    ferry_future *children[4];
    make_all(children, 4);
    ferry_future *gathered = gather(children, 4, 0);
    resolve(children[0], 5);
    settle();
    fail(children[2], FERRY_EFULL, "no room");
    fail(children[1], APR_EGENERAL, "later");
    settle();
    CHECK(ferry_future_done(gathered));
    CHECK(!ferry_future_cancelled(gathered));
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EFULL);
    CHECK_STRING(ferry_future_message(gathered), "no room");
    CHECK_INT(ferry_future_integer(gathered), 0);
    CHECK(!ferry_future_done(children[3]));
    CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, 0)), 5);
    resolve(children[3], 8);
    settle();
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EFULL);
    CHECK_INT(ferry_future_integer(children[3]), 8);
    unref_both(gathered, children, 4);
    end();
}

static void first_of_the_errors_that_are_there_already_wins(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    fail(children[2], APR_EGENERAL, "earlier, but behind");
    fail(children[1], FERRY_EBROKEN, "first in the list");
    ferry_future *gathered = gather(children, 3, 0);
    settle();
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EBROKEN);
    CHECK_STRING(ferry_future_message(gathered), "first in the list");
    unref_both(gathered, children, 3);
    end();
}

/* GA-003 */
static void collecting_waits_for_all_and_keeps_errors_in_their_places(void) {
    begin();
    ferry_future *children[4];
    make_all(children, 4);
    ferry_future *gathered = gather(children, 4, FERRY_RETURN_EXCEPTIONS);
    fail(children[1], FERRY_EFULL, "no room");
    resolve(children[3], 3);
    settle();
    fail(children[0], APR_EGENERAL, "unlucky number 7");
    settle();
    CHECK(!ferry_future_done(gathered));
    resolve(children[2], 2);
    settle();
    CHECK_STATUS(ferry_future_status(gathered), 0);
    CHECK_INT(ferry_future_integer(gathered), 4);
    CHECK_STATUS(ferry_future_status(ferry_gather_child(gathered, 0)), APR_EGENERAL);
    CHECK_STRING(ferry_future_message(ferry_gather_child(gathered, 0)), "unlucky number 7");
    CHECK_STATUS(ferry_future_status(ferry_gather_child(gathered, 1)), FERRY_EFULL);
    CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, 2)), 2);
    CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, 3)), 3);
    unref_both(gathered, children, 4);
    end();
}

/* GA-004 */
static void child_cancelled_by_another_is_an_error_and_no_cancellation(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    ferry_future *gathered = gather(children, 3, 0);
    resolve(children[0], 1);
    CHECK(ferry_future_cancel_with_message(children[1], "changed my mind"));
    settle();
    CHECK(ferry_future_done(gathered));
    CHECK(!ferry_future_cancelled(gathered));
    CHECK_STATUS(ferry_future_status(gathered), FERRY_ECANCELED);
    CHECK_STRING(ferry_future_message(gathered), "changed my mind");
    CHECK(!ferry_future_done(children[2]));
    resolve(children[2], 1);
    settle();
    unref_both(gathered, children, 3);
    end();
}

/* GA-005 */
static void collecting_keeps_a_cancelled_child_in_its_place(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    ferry_future *gathered = gather(children, 3, FERRY_RETURN_EXCEPTIONS);
    CHECK(ferry_future_cancel(children[1]));
    resolve(children[0], 1);
    settle();
    CHECK(!ferry_future_done(gathered));
    fail(children[2], FERRY_EFULL, "no room");
    settle();
    CHECK_STATUS(ferry_future_status(gathered), 0);
    CHECK(ferry_future_cancelled(ferry_gather_child(gathered, 1)));
    CHECK_STATUS(ferry_future_status(ferry_gather_child(gathered, 1)), FERRY_ECANCELED);
    unref_both(gathered, children, 3);
    end();
}

/* ---- errors that nobody looked at ---- */

/* GA-009 */
static void errors_after_the_first_are_not_reported(void) {
    begin();
    ferry_future *children[4];
    make_all(children, 4);
    fail(children[3], FERRY_EFULL, "was there before");
    ferry_future *gathered = gather(children, 4, 0);
    fail(children[0], APR_EGENERAL, "same turn");
    settle();
    fail(children[1], FERRY_EBROKEN, "later");
    settle();
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EFULL);
    CHECK(ferry_future_cancel(children[2]));
    settle();
    unref_both(gathered, children, 4);
    end();
}

/* GA-009: the gather's own error still needs somebody to look at it. */
static void unseen_error_of_the_gather_is_reported_once(void) {
    begin();
    ferry_future *children[2], *gathered = NULL;
    make_all(children, 2);
    int line = __LINE__ + 1;
    CHECK_STATUS(ferry_gather(loop, children, 2, 0, &gathered), 0);
    fail(children[0], APR_EGENERAL, "first");
    fail(children[1], APR_EGENERAL, "second");
    settle();
    unref_both(gathered, children, 2);
    CHECK_INT(reports.count, 1);
    CHECK(report_of_line(&reports, line));
    CHECK_STRING(reports.all[0].message, "first");
    end_with_reports(1);
}

/* GA-003: what was collected counts as looked at, once the gather has ended. */
static void collected_errors_are_not_reported(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    fail(children[0], APR_EGENERAL, "before");
    ferry_future *gathered = gather(children, 3, FERRY_RETURN_EXCEPTIONS);
    fail(children[1], FERRY_EFULL, "meanwhile");
    settle();
    resolve(children[2], 1);
    settle();
    unref_both(gathered, children, 3);
    end();
}

static void errors_of_a_collection_that_never_ends_are_reported(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    ferry_future *gathered = gather(children, 3, FERRY_RETURN_EXCEPTIONS);
    fail(children[1], FERRY_EFULL, "nobody saw it");
    settle();
    end_loop(loop);
    unref_both(gathered, children, 3);
    CHECK_INT(reports.count, 1);
    CHECK_STRING(reports.all[0].message, "nobody saw it");
    check_nothing_is_left();
}

static void end_child(ferry_future *child, ferry_status how) {
    if (how == FERRY_ECANCELED)
        CHECK(ferry_future_cancel(child));
    else if (how)
        fail(child, how, "failed");
    else
        resolve(child, 1);
}

/* Each of three children ends in each way, in the turn of the one before it or in a later one, which a bit tells. */
static void gather_of_these(int endings, int turns, int flags) {
    static const ferry_status each[] = {0, FERRY_EFULL, FERRY_ECANCELED};
    ferry_status first = 0;
    ferry_future *children[3];
    make_all(children, 3);
    ferry_future *gathered = gather(children, 3, flags);
    for (int i = 0; i < 3; i++, endings /= 3) {
        CHECK(!ferry_future_done(gathered) || (first && !flags));
        end_child(children[2 - i], each[endings % 3]);
        first = first ? first : each[endings % 3];
        if (turns >> i & 1)
            settle();
    }
    settle();
    CHECK_STATUS(ferry_future_status(gathered), flags ? 0 : first);
    CHECK_INT(ferry_future_integer(gathered), flags || !first ? 3 : 0);
    unref_both(gathered, children, 3);
}

static void ends_once_however_its_children_end(void) {
    begin();
    for (int i = 0; i < 27 * 4; i++) {
        gather_of_these(i / 4, i % 4, 0);
        gather_of_these(i / 4, i % 4, FERRY_RETURN_EXCEPTIONS);
    }
    end();
}

/* ---- cancelling ---- */

/* GA-008 */
static void cancel_reaches_the_children_and_ends_it_with_the_message(void) {
    begin();
    for (int i = 0; i < 2; i++) {
        ferry_future *children[3];
        char words[] = "enough";
        make_all(children, 3);
        resolve(children[0], 1);
        ferry_future *gathered = gather(children, 3, both_flags[i]);
        CHECK(ferry_future_cancel_with_message(gathered, words));
        words[0] = '?';
        CHECK(!ferry_future_done(gathered));
        CHECK_STRING(ferry_future_message(children[1]), "enough");
        CHECK(ferry_future_cancelled(children[2]));
        settle();
        CHECK(ferry_future_cancelled(gathered));
        CHECK_STATUS(ferry_future_status(gathered), FERRY_ECANCELED);
        CHECK_STRING(ferry_future_message(gathered), "enough");
        CHECK_INT(ferry_future_integer(children[0]), 1);
        CHECK(!ferry_future_cancel(gathered));
        unref_both(gathered, children, 3);
    }
    end();
}

/* GA-008 */
static void cancel_without_words_leaves_none(void) {
    begin();
    ferry_future *children[2];
    make_all(children, 2);
    ferry_future *gathered = gather(children, 2, FERRY_RETURN_EXCEPTIONS);
    CHECK(ferry_future_cancel(gathered));
    CHECK(!ferry_future_cancel_with_message(gathered, "nothing is left to cancel"));
    settle();
    CHECK(ferry_future_cancelled(gathered));
    CHECK(!ferry_future_message(gathered));
    unref_both(gathered, children, 2);
    end();
}

/* One that was on its way when the gather was cancelled; not the last one to come. */
static void error_of_a_child_ends_a_cancelled_gather_unless_it_collects(void) {
    for (int i = 0; i < 2; i++) {
        ferry_future *children[3];
        begin();
        make_all(children, 3);
        ferry_future *gathered = gather(children, 3, both_flags[i]);
        fail(children[1], FERRY_EBROKEN, "on its way");
        CHECK(ferry_future_cancel_with_message(gathered, "enough"));
        settle();
        CHECK(ferry_future_cancelled(gathered) == (i == 1));
        CHECK_STATUS(ferry_future_status(gathered), i == 1 ? FERRY_ECANCELED : FERRY_EBROKEN);
        CHECK_STRING(ferry_future_message(gathered), i == 1 ? "enough" : "on its way");
        unref_both(gathered, children, 3);
        end();
    }
}

/* The errors of its children count as looked at, its own does not. */
static void error_in_answer_to_a_cancel_is_reported_if_nobody_asks(void) {
    ferry_future *children[3];
    begin();
    make_all(children, 3);
    ferry_future *gathered = gather(children, 3, 0);
    fail(children[0], APR_EGENERAL, "nobody saw it");
    fail(children[2], APR_EGENERAL, "nor this");
    CHECK(ferry_future_cancel(gathered));
    settle();
    unref_both(gathered, children, 3);
    CHECK_STRING(reports.all[0].message, "nobody saw it");
    end_with_reports(1);
}

/* A child that was cancelled by another before is none that answers with an error. */
static void cancelled_child_does_not_end_a_cancelled_gather_early(void) {
    ferry_future *children[2], *inner, *halves[2];
    begin();
    make_all(children, 2);
    inner = gather(children, 1, 0);
    halves[0] = inner;
    halves[1] = children[1];
    ferry_future *whole = gather(halves, 2, 0);
    CHECK(ferry_future_cancel(children[0]));
    turn(loop);
    CHECK(!ferry_future_cancelled(inner) && ferry_future_done(inner) && !ferry_future_done(whole));
    CHECK(ferry_future_cancel(whole));
    settle();
    CHECK(ferry_future_cancelled(whole));
    ferry_future_unref(inner);
    unref_both(whole, children, 2);
    end();
}

static void cancel_with_nothing_to_cancel_is_refused(void) {
    begin();
    ferry_future *children[2];
    make_all(children, 2);
    ferry_future *gathered = gather(children, 2, 0);
    resolve(children[0], 1);
    resolve(children[1], 2);
    CHECK(!ferry_future_cancel(gathered));
    settle();
    CHECK(!ferry_future_cancelled(gathered));
    CHECK_INT(ferry_future_integer(gathered), 2);
    unref_both(gathered, children, 2);
    end();
}

/* ---- gathers of gathers ---- */

static void gathers_nest(void) {
    begin();
    ferry_future *children[4];
    make_all(children, 4);
    ferry_future *halves[] = {gather(children, 2, 0), gather(children + 2, 2, 0)};
    ferry_future *whole = gather(halves, 2, 0);
    for (int i = 0; i < 4; i++)
        resolve(children[i], i);
    run_until(whole);
    CHECK_INT(ferry_future_integer(whole), 2);
    CHECK_INT(ferry_future_integer(ferry_gather_child(ferry_gather_child(whole, 1), 0)), 2);
    ferry_future_unref_all(halves, 2);
    unref_both(whole, children, 4);
    end();
}

static void cancel_goes_down_to_the_grandchildren_and_the_end_comes_up(void) {
    begin();
    ferry_future *children[3];
    make_all(children, 3);
    ferry_future *halves[] = {gather(children, 2, FERRY_RETURN_EXCEPTIONS), children[2]};
    ferry_future *whole = gather(halves, 2, FERRY_RETURN_EXCEPTIONS);
    CHECK(ferry_future_cancel_with_message(whole, "all of it"));
    CHECK_STRING(ferry_future_message(children[0]), "all of it");
    turn(loop);
    CHECK(ferry_future_cancelled(halves[0]));
    CHECK(!ferry_future_done(whole));
    turn(loop);
    CHECK(ferry_future_cancelled(whole));
    CHECK_STRING(ferry_future_message(whole), "all of it");
    CHECK_STRING(ferry_future_message(halves[0]), "all of it");
    ferry_future_unref(halves[0]);
    unref_both(whole, children, 3);
    end();
}

static void error_comes_up_through_the_floors_with_its_message(void) {
    begin();
    ferry_future *child = make();
    ferry_future *gathered = gather(&child, 1, 0);
    for (int i = 0; i < 10; i++) {
        ferry_future *outer = gather(&gathered, 1, 0);
        ferry_future_unref(gathered);
        gathered = outer;
    }
    fail(child, FERRY_EBROKEN, "deep down");
    run_until(gathered);
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EBROKEN);
    CHECK_STRING(ferry_future_message(gathered), "deep down");
    unref_both(gathered, &child, 1);
    end();
}

static const fy_test tests[] = {
    FY_TEST(ends_with_the_last_child_and_counts_them),
    FY_TEST(gather_of_none_is_done_at_once),
    FY_TEST(gather_of_done_children_ends_through_the_loop),
    FY_TEST(first_error_ends_it_and_the_others_go_on),
    FY_TEST(first_of_the_errors_that_are_there_already_wins),
    FY_TEST(collecting_waits_for_all_and_keeps_errors_in_their_places),
    FY_TEST(child_cancelled_by_another_is_an_error_and_no_cancellation),
    FY_TEST(collecting_keeps_a_cancelled_child_in_its_place),
    FY_TEST(errors_after_the_first_are_not_reported),
    FY_TEST(unseen_error_of_the_gather_is_reported_once),
    FY_TEST(collected_errors_are_not_reported),
    FY_TEST(errors_of_a_collection_that_never_ends_are_reported),
    FY_TEST(ends_once_however_its_children_end),
    FY_TEST(cancel_reaches_the_children_and_ends_it_with_the_message),
    FY_TEST(cancel_without_words_leaves_none),
    FY_TEST(error_of_a_child_ends_a_cancelled_gather_unless_it_collects),
    FY_TEST(error_in_answer_to_a_cancel_is_reported_if_nobody_asks),
    FY_TEST(cancelled_child_does_not_end_a_cancelled_gather_early),
    FY_TEST(cancel_with_nothing_to_cancel_is_refused),
    FY_TEST(gathers_nest),
    FY_TEST(cancel_goes_down_to_the_grandchildren_and_the_end_comes_up),
    FY_TEST(error_comes_up_through_the_floors_with_its_message),
};

FY_TEST_MAIN("gather", tests)
