/* SPDX-License-Identifier: Apache-2.0 */
/* A shield: it ends as what it stands for, keeps a cancellation to itself, and loses no error. */
#include "support/futures.h"

static ferry_future *shield(ferry_future *inner) {
    ferry_future *outer = NULL;
    CHECK_STATUS(ferry_shield(inner, &outer), 0);
    CHECK(outer);
    return outer;
}

static void unref_both(ferry_future *outer, ferry_future *inner) {
    ferry_future_unref(outer);
    ferry_future_unref(inner);
}

/* ---- passing on ---- */

/* SH-002 */
static void result_and_error_pass_through(void) {
    begin();
    ferry_future *inner = make(), *outer = shield(inner);
    resolve(inner, 42);
    CHECK(!ferry_future_done(outer));
    settle();
    CHECK_STATUS(ferry_future_status(outer), 0);
    CHECK_INT(ferry_future_integer(outer), 42);
    unref_both(outer, inner);
    inner = make();
    outer = shield(inner);
    fail(inner, FERRY_EFULL, "no room");
    settle();
    CHECK_STATUS(ferry_future_status(outer), FERRY_EFULL);
    CHECK_STRING(ferry_future_message(outer), "no room");
    unref_both(outer, inner);
    end();
}

/* SH-002 */
static void pointer_is_borrowed_and_taken_from_the_inner_one(void) {
    static char value;
    void *taken = NULL;
    begin();
    frees = 0;
    ferry_future *inner = make(), *outer = shield(inner);
    CHECK_STATUS(ferry_future_set_pointer(inner, &value, count_free), 0);
    settle();
    CHECK(ferry_future_pointer(outer) == &value);
    CHECK_STATUS(ferry_future_take_pointer(outer, &taken), FERRY_ENOTSUP);
    ferry_future_unref(inner);
    CHECK(ferry_future_pointer(outer) == &value);
    CHECK_INT(frees, 0);
    ferry_future_unref(outer);
    CHECK_INT(frees, 1);
    end();
}

static void shield_of_what_is_done_is_done_at_once(void) {
    begin();
    ferry_future *inner = make();
    resolve(inner, 7);
    ferry_future *outer = shield(inner);
    CHECK_INT(ferry_future_integer(outer), 7);
    CHECK(!ferry_future_cancel(outer));
    unref_both(outer, inner);
    inner = make();
    CHECK(ferry_future_cancel_with_message(inner, "gone"));
    outer = shield(inner);
    CHECK(ferry_future_cancelled(outer));
    CHECK_STRING(ferry_future_message(outer), "gone");
    unref_both(outer, inner);
    end();
}

/* ---- cancelling ---- */

/* SH-003 */
static void inner_that_is_cancelled_ends_the_shield_cancelled(void) {
    begin();
    ferry_future *inner = make(), *outer = shield(inner);
    CHECK(ferry_future_cancel_with_message(inner, "enough"));
    CHECK(!ferry_future_done(outer));
    settle();
    CHECK(ferry_future_cancelled(outer));
    CHECK_STRING(ferry_future_message(outer), "enough");
    unref_both(outer, inner);
    end();
}

static void cancelled_shield_leaves_the_inner_one_alone(void) {
    begin();
    ferry_future *inner = make(), *outer = shield(inner);
    CHECK(ferry_future_cancel_with_message(outer, "not me"));
    CHECK(ferry_future_cancelled(outer));
    CHECK_STRING(ferry_future_message(outer), "not me");
    CHECK(!ferry_future_cancel(outer));
    settle();
    CHECK(!ferry_future_done(inner));
    resolve(inner, 5);
    settle();
    CHECK(ferry_future_cancelled(outer));
    CHECK_INT(ferry_future_integer(inner), 5);
    unref_both(outer, inner);
    end();
}

/* SH-006 */
static void gather_of_shields_cancels_the_shields_alone(void) {
    begin();
    ferry_future *inner[2], *shields[2], *gathered = NULL;
    make_all(inner, 2);
    for (int i = 0; i < 2; i++)
        shields[i] = shield(inner[i]);
    CHECK_STATUS(ferry_gather(loop, shields, 2, 0, &gathered), 0);
    CHECK(ferry_future_cancel(gathered));
    settle();
    CHECK(ferry_future_cancelled(gathered));
    for (int i = 0; i < 2; i++) {
        CHECK(ferry_future_cancelled(shields[i]));
        CHECK(!ferry_future_done(inner[i]));
        resolve(inner[i], i);
    }
    settle();
    ferry_future_unref(gathered);
    ferry_future_unref_all(shields, 2);
    ferry_future_unref_all(inner, 2);
    end();
}

/* ---- errors that nobody looked at ---- */

/* SH-004 */
static void error_after_the_shield_was_cancelled_is_reported_once(void) {
    begin();
    ferry_future *inner = make();
    ferry_future *outer = shield(inner), *other = shield(inner);
    CHECK(ferry_future_cancel(outer));
    CHECK(ferry_future_cancel(other));
    settle();
    fail(inner, APR_EGENERAL, "nobody waits");
    settle();
    CHECK_INT(reports.count, 1);
    CHECK_STATUS(reports.all[0].status, APR_EGENERAL);
    CHECK_STRING(reports.all[0].message, "nobody waits");
    CHECK(reports.all[0].future == inner);
    ferry_future_unref(other);
    unref_both(outer, inner);
    end_with_reports(1);
}

/* SH-004 */
static void error_that_somebody_saw_is_not_reported(void) {
    begin();
    ferry_future *inner = make(), *outer = shield(inner);
    CHECK(ferry_future_cancel(outer));
    fail(inner, APR_EGENERAL, "seen");
    CHECK_STATUS(ferry_future_status(inner), APR_EGENERAL);
    settle();
    unref_both(outer, inner);
    inner = make();
    outer = shield(inner);
    fail(inner, APR_EGENERAL, "seen through the shield");
    settle();
    ferry_future_unref(inner);
    CHECK_STATUS(ferry_future_status(outer), APR_EGENERAL);
    ferry_future_unref(outer);
    end();
}

static void dropped_shield_still_loses_no_error(void) {
    begin();
    ferry_future *inner = make();
    ferry_future_unref(shield(inner));
    fail(inner, APR_EGENERAL, "dropped");
    ferry_future_unref(inner);
    settle();
    end_with_reports(1);
}

/* ---- life ---- */

static void shield_outlives_its_loop_in_every_stage(void) {
    for (int stage = 0; stage < 5; stage++) {
        begin();
        ferry_future *inner = make(), *outer = shield(inner);
        add_mark(outer, "x");
        if (stage == 1)
            resolve(inner, 1);
        if (stage == 2)
            CHECK(ferry_future_cancel(outer));
        if (stage == 3) {
            ferry_future_unref(outer);
            outer = NULL;
        }
        end_loop(loop);
        if (stage == 4) {
            CHECK(ferry_future_cancel(outer));
            CHECK(ferry_future_cancel(inner));
        }
        unref_both(outer, inner);
        CHECK_STRING(trace, "");
        check_nothing_is_left();
    }
}

static void misuse_is_refused(void) {
    begin();
    ferry_future *inner = make(), *outer = NULL;
    CHECK_STATUS(ferry_shield(NULL, &outer), APR_EINVAL);
    CHECK_STATUS(ferry_shield(inner, NULL), APR_EINVAL);
    end_loop(loop);
    CHECK_STATUS(ferry_shield(inner, &outer), FERRY_ECLOSED);
    CHECK(!outer);
    ferry_future_unref(inner);
    check_nothing_is_left();
}

static const fy_test tests[] = {
    FY_TEST(result_and_error_pass_through),
    FY_TEST(pointer_is_borrowed_and_taken_from_the_inner_one),
    FY_TEST(shield_of_what_is_done_is_done_at_once),
    FY_TEST(inner_that_is_cancelled_ends_the_shield_cancelled),
    FY_TEST(cancelled_shield_leaves_the_inner_one_alone),
    FY_TEST(gather_of_shields_cancels_the_shields_alone),
    FY_TEST(error_after_the_shield_was_cancelled_is_reported_once),
    FY_TEST(error_that_somebody_saw_is_not_reported),
    FY_TEST(dropped_shield_still_loses_no_error),
    FY_TEST(shield_outlives_its_loop_in_every_stage),
    FY_TEST(misuse_is_refused),
};

FY_TEST_MAIN("shield", tests)
