/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps a gather and its children alive: dropped early, closed under, in whatever order; and very many children. */
#include "support/futures.h"

enum { FEW = 3, MANY = 100000 };

static ferry_future *gather(ferry_future *const *children, size_t count, int flags) {
    ferry_future *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, children, count, flags, &gathered), 0);
    return gathered;
}

/* ---- dropped ---- */

static void dropped_gather_goes_on_and_tells_its_callbacks(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future *gathered = gather(children, FEW, 0);
    add_mark(gathered, "d");
    ferry_future_unref(gathered);
    for (int i = 0; i < FEW; i++)
        resolve(children[i], i);
    ferry_future_unref_all(children, FEW);
    settle();
    CHECK_STRING(trace, "d");
    end();
}

static void dropped_gather_does_not_cancel_its_children(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future_unref(gather(children, FEW, 0));
    settle();
    for (int i = 0; i < FEW; i++) {
        CHECK(!ferry_future_done(children[i]));
        resolve(children[i], i);
        settle();
    }
    ferry_future_unref_all(children, FEW);
    end();
}

static void error_of_a_dropped_gather_is_reported_once(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future_unref(gather(children, FEW, 0));
    for (int i = 0; i < FEW; i++)
        fail(children[i], APR_EGENERAL, "dropped");
    ferry_future_unref_all(children, FEW);
    settle();
    end_with_reports(1);
}

static void gather_keeps_its_children_for_whoever_asks(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future *gathered = gather(children, FEW, 0);
    ferry_future_unref_all(children, FEW);
    for (int i = 0; i < FEW; i++)
        resolve(ferry_gather_child(gathered, (size_t)i), 10 + i);
    run_until(gathered);
    for (int i = 0; i < FEW; i++)
        CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, (size_t)i)), 10 + i);
    ferry_future_unref(gathered);
    end();
}

/* It has ended, and some of its callbacks have not run. */
static void gather_that_failed_may_be_dropped_before_its_last_child_ends(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future *gathered = gather(children, FEW, 0);
    fail(children[1], APR_EGENERAL, "first");
    run_until(gathered);
    CHECK_STATUS(ferry_future_status(gathered), APR_EGENERAL);
    ferry_future_unref(gathered);
    fail(children[0], APR_EGENERAL, "counts as looked at");
    settle();
    resolve(children[2], 1);
    settle();
    ferry_future_unref_all(children, FEW);
    end();
}

static ferry_status drop_all(ferry_future *future, void *children) {
    leave('d');
    ferry_future_unref(future);
    ferry_future_unref_all(children, FEW);
    return 0;
}

static void its_callback_may_drop_it_and_its_children(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future *gathered = gather(children, FEW, 0);
    CHECK_STATUS(ferry_future_add_done_callback(gathered, drop_all, children, NULL), 0);
    for (int i = 0; i < FEW; i++)
        resolve(children[i], i);
    settle();
    CHECK_STRING(trace, "d");
    end();
}

/* ---- closing ---- */

/* How far the children are when the loop is closed. */
typedef enum { ALL_PENDING, SOME_QUEUED, SOME_DONE, FAILED, CANCELLED, STAGES } stage;

static void bring_to(stage reached, ferry_future *const *children, ferry_future *gathered) {
    if (reached == SOME_QUEUED || reached == SOME_DONE)
        resolve(children[0], 1);
    if (reached == FAILED)
        fail(children[0], APR_EGENERAL, "failed");
    if (reached == CANCELLED)
        CHECK(ferry_future_cancel_with_message(gathered, "cancelled"));
    if (reached == SOME_DONE || reached == FAILED)
        turn(loop);
}

/* Bits of `late`: what the user lets go of only after the loop is closed. */
static void close_in_order(stage reached, int flags, int late) {
    ferry_future *children[FEW];
    begin();
    make_all(children, FEW);
    ferry_future *gathered = gather(children, FEW, flags);
    ferry_future *outer = gather(&gathered, 1, flags);
    add_mark(outer, "x");
    bring_to(reached, children, gathered);
    if (!(late & 1))
        ferry_future_unref(gathered);
    if (!(late & 2))
        ferry_future_unref_all(children, FEW);
    if (!(late & 4))
        ferry_future_unref(outer);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    if (late & 1)
        ferry_future_unref(gathered);
    ferry_loop_unref(loop);
    if (late & 2)
        ferry_future_unref_all(children, FEW);
    if (late & 4)
        ferry_future_unref(outer);
    CHECK_STRING(trace, "");
    CHECK_INT(reports.count, reached == FAILED);
    check_nothing_is_left();
}

static void close_lets_go_at_every_stage_and_in_every_order(void) {
    for (int reached = 0; reached < STAGES; reached++)
        for (int late = 0; late < 8; late++) {
            close_in_order((stage)reached, 0, late);
            close_in_order((stage)reached, FERRY_RETURN_EXCEPTIONS, late);
        }
}

static void gather_outlives_its_loop(void) {
    begin();
    ferry_future *children[FEW];
    make_all(children, FEW);
    ferry_future *none = gather(NULL, 0, 0), *pending = gather(children, FEW, 0);
    ferry_future_unref_all(children, FEW);
    end_loop(loop);
    CHECK_INT(ferry_future_integer(none), 0);
    CHECK(ferry_future_loop(none) == ferry_future_loop(pending));
    CHECK(!ferry_future_done(pending));
    resolve(ferry_gather_child(pending, 1), 1);
    CHECK(ferry_future_cancel_with_message(pending, "after the end"));
    CHECK(ferry_future_cancelled(pending));
    CHECK_STRING(ferry_future_message(pending), "after the end");
    CHECK_STRING(ferry_future_message(ferry_gather_child(pending, 2)), "after the end");
    CHECK(!ferry_future_cancel(pending));
    ferry_future_unref(pending);
    ferry_future_unref(none);
    CHECK_INT(reports.count, 0);
    check_nothing_is_left();
}

/* ---- very many ---- */

static ferry_future *crowd[MANY];

static void many_children_end_in_one_gather(void) {
    begin();
    make_all(crowd, MANY);
    ferry_future *gathered = gather(crowd, MANY, 0);
    for (size_t i = 0; i < MANY; i++)
        resolve(crowd[(i * 7919) % MANY], (int64_t)i);
    CHECK(!ferry_future_done(gathered));
    turn(loop);
    CHECK_INT(ferry_future_integer(gathered), MANY);
    CHECK_INT(ferry_future_integer(ferry_gather_child(gathered, 7919)), 1);
    ferry_future_unref_all(crowd, MANY);
    ferry_future_unref(gathered);
    end();
}

static void many_errors_are_one_error(void) {
    begin();
    make_all(crowd, MANY);
    ferry_future *gathered = gather(crowd, MANY, 0);
    for (size_t i = 0; i < MANY; i++)
        CHECK_STATUS(ferry_future_set_error(crowd[MANY - 1 - i], APR_EGENERAL, "number %d", (int)i), 0);
    ferry_future_unref_all(crowd, MANY);
    run_until(gathered);
    CHECK_STRING(ferry_future_message(gathered), "number 0");
    ferry_future_unref(gathered);
    end();
}

static void one_child_may_be_in_many_gathers(void) {
    enum { GATHERS = 1000 };
    begin();
    ferry_future *pair[] = {make(), make()};
    for (int i = 0; i < GATHERS; i++)
        crowd[i] = gather(pair, 2, i % 2 ? FERRY_RETURN_EXCEPTIONS : 0);
    for (int i = 0; i < GATHERS; i += 3)
        ferry_future_unref(crowd[i]);
    resolve(pair[1], 1);
    settle();
    resolve(pair[0], 1);
    settle();
    for (int i = 0; i < GATHERS; i++)
        if (i % 3) {
            CHECK_INT(ferry_future_integer(crowd[i]), 2);
            ferry_future_unref(crowd[i]);
        }
    ferry_future_unref_all(pair, 2);
    end();
}

static const fy_test tests[] = {
    FY_TEST(dropped_gather_goes_on_and_tells_its_callbacks),
    FY_TEST(dropped_gather_does_not_cancel_its_children),
    FY_TEST(error_of_a_dropped_gather_is_reported_once),
    FY_TEST(gather_keeps_its_children_for_whoever_asks),
    FY_TEST(gather_that_failed_may_be_dropped_before_its_last_child_ends),
    FY_TEST(its_callback_may_drop_it_and_its_children),
    FY_TEST(close_lets_go_at_every_stage_and_in_every_order),
    FY_TEST(gather_outlives_its_loop),
    FY_TEST(many_children_end_in_one_gather),
    FY_TEST(many_errors_are_one_error),
    FY_TEST(one_child_may_be_in_many_gathers),
};

FY_TEST_MAIN("gather_life", tests)
