/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: each scenario is run again and again, with the first, the second, ... allocation refused, and
 * then with all from that one on. Whatever is refused, every call gives a status, what was promised is kept, and once
 * the loop is gone nothing is left. */
#include "support/futures.h"

enum { MANY = 150, FEW = 40 };

/* Whether a call succeeded; no memory is the only reason not to, and only where memory was refused. */
static bool ok(ferry_status status) {
    if (!status)
        return true;
    CHECK_STATUS(status, APR_ENOMEM);
    CHECK(atomic_load(&refusals) > 0);
    return false;
}

static void torture_with(void (*scenario)(void), bool the_rest) {
    bool refused = true;
    for (long number = 1; refused; number++) {
        begin();
        allocator_refuse(number, the_rest);
        scenario();
        refused = atomic_load(&refusals) > 0;
        allocator_refuse(0, false);
        end();
    }
}

static void torture(void (*scenario)(void)) {
    torture_with(scenario, false);
    torture_with(scenario, true);
}

/* As many futures as there is memory for; the rest are NULL. */
static size_t make_some(ferry_future **futures, size_t count) {
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        futures[i] = NULL;
        if (made == i && ok(ferry_future_create(loop, &futures[i])))
            made++;
        CHECK(futures[i] || made <= i);
    }
    return made;
}

/* ---- futures ---- */

static void end_in_every_way(void) {
    ferry_future *futures[MANY];
    size_t count = make_some(futures, MANY);
    for (size_t i = 0; i < count; i++) {
        switch (i % 3) {
        case 0:
            fail(futures[i], APR_EGENERAL, "words");
            CHECK_STATUS(ferry_future_status(futures[i]), APR_EGENERAL);
            break;
        case 1:
            CHECK(ferry_future_cancel_with_message(futures[i], "words"));
            CHECK(ferry_future_cancelled(futures[i]));
            break;
        default:
            resolve(futures[i], 7);
            CHECK_INT(ferry_future_integer(futures[i]), 7);
            continue;
        }
        const char *message = ferry_future_message(futures[i]);
        CHECK(message ? strcmp(message, "words") == 0 : atomic_load(&refusals) > 0);
    }
    ferry_future_unref_all(futures, count);
}

static void futures_end_whatever_the_memory(void) {
    torture(end_in_every_way);
}

/* ---- callbacks ---- */

static ferry_status count_done(ferry_future *future, void *count) {
    CHECK(ferry_future_done(future));
    ++*(int *)count;
    return 0;
}

/* Once added, a callback is called: the queue takes it even if it cannot grow. */
static void add_and_run_callbacks(void) {
    ferry_future *future = NULL;
    int called = 0, expected = 0;
    if (!ok(ferry_future_create(loop, &future)))
        return;
    for (int i = 0; i < MANY; i++) {
        ferry_handle *handle = NULL;
        bool wants_handle = i % 3 == 0;
        if (!ok(ferry_future_add_done_callback(future, count_done, &called, wants_handle ? &handle : NULL))) {
            CHECK(!handle);
            continue;
        }
        if (i % 9 == 0)
            ferry_handle_cancel(handle);
        else
            expected++;
        ferry_handle_unref(handle);
        if (i == MANY / 2)
            resolve(future, 1);
    }
    if (!ferry_future_done(future))
        resolve(future, 1);
    ferry_future_unref(future);
    settle();
    settle();
    CHECK_INT(called, expected);
}

static void callbacks_that_were_taken_run_whatever_the_memory(void) {
    torture(add_and_run_callbacks);
}

/* ---- gather ---- */

static void settle_children(ferry_future **children, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i % 5 == 1)
            ferry_future_cancel(children[i]);
        else if (!ferry_future_done(children[i]))
            resolve(children[i], (int64_t)i);
    }
    settle();
    settle();
}

/* A gather that could not be made has taken nothing from its children. */
static void gather_and_collect(void) {
    ferry_future *children[FEW], *given[2 * FEW], *gathered = NULL;
    int called = 0, expected = 0;
    size_t count = make_some(children, FEW);
    for (size_t i = 0; i < count; i++) {
        given[2 * i] = children[i];
        given[2 * i + 1] = children[i / 2];
        if (i % 4 == 0)
            resolve(children[i], (int64_t)i);
        else if (ok(ferry_future_add_done_callback(children[i], count_done, &called, NULL)))
            expected++;
    }
    bool made = ok(ferry_gather(loop, given, 2 * count, FERRY_RETURN_EXCEPTIONS, &gathered));
    CHECK(made == !!gathered);
    settle_children(children, count);
    CHECK_INT(called, expected);
    if (made) {
        CHECK(ferry_future_done(gathered));
        CHECK_INT(ferry_future_integer(gathered), 2 * count);
        ferry_future_unref(gathered);
    }
    ferry_future_unref_all(children, count);
}

static void gather_a_failure(void) {
    ferry_future *children[FEW], *gathered = NULL, *outer = NULL;
    size_t count = make_some(children, FEW);
    bool made = count && ok(ferry_gather(loop, children, count, 0, &gathered));
    if (made && ok(ferry_gather(loop, &gathered, 1, 0, &outer))) {
        fail(children[count - 1], FERRY_EBROKEN, "words");
        settle_children(children, count);
        CHECK_STATUS(ferry_future_status(outer), FERRY_EBROKEN);
        const char *message = ferry_future_message(outer);
        CHECK(message ? strcmp(message, "words") == 0 : atomic_load(&refusals) > 0);
        ferry_future_unref(outer);
    }
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, count);
}

static void gather_and_cancel(void) {
    ferry_future *children[FEW], *gathered = NULL;
    size_t count = make_some(children, FEW);
    if (count && ok(ferry_gather(loop, children, count, 0, &gathered))) {
        CHECK(ferry_future_cancel_with_message(gathered, "words"));
        settle();
        settle();
        CHECK(ferry_future_cancelled(gathered));
        const char *message = ferry_future_message(gathered);
        CHECK(message ? strcmp(message, "words") == 0 : atomic_load(&refusals) > 0);
        ferry_future_unref(gathered);
    }
    ferry_future_unref_all(children, count);
}

static void gathers_end_or_are_refused_whole(void) {
    torture(gather_and_collect);
    torture(gather_a_failure);
    torture(gather_and_cancel);
}

/* The user keeps the children and lets the loop go. */
static void gather_and_leave(void) {
    ferry_future *children[FEW], *gathered = NULL;
    size_t count = make_some(children, FEW);
    (void)ok(ferry_gather(loop, children, count, 0, &gathered));
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, count);
}

static void unfinished_gathers_leave_nothing(void) {
    torture(gather_and_leave);
}

/* ---- wait ---- */

static void wait_for_members(ferry_return_when return_when, int64_t timeout_us, bool cancels) {
    ferry_future *members[FEW], *waiting = NULL;
    size_t count = make_some(members, FEW);
    for (size_t i = 1; i < count; i += 4)
        resolve(members[i], 1);
    bool made = count && ok(ferry_wait(members, count, timeout_us, return_when, &waiting));
    CHECK(made == !!waiting);
    if (made && cancels)
        CHECK(ferry_future_cancel_with_message(waiting, "words"));
    settle_children(members, count);
    if (made) {
        CHECK(ferry_future_done(waiting));
        CHECK_INT(ferry_future_integer(waiting), cancels ? 0 : count);
        ferry_future_unref(waiting);
    }
    ferry_future_unref_all(members, count);
}

static void wait_for_all_with_a_limit(void) {
    wait_for_members(FERRY_ALL_COMPLETED, AN_HOUR_US, false);
}

static void wait_for_the_first_without_a_limit(void) {
    wait_for_members(FERRY_FIRST_COMPLETED, FERRY_FOREVER, false);
}

static void wait_with_no_time(void) {
    wait_for_members(FERRY_FIRST_EXCEPTION, 0, false);
}

static void wait_and_cancel(void) {
    wait_for_members(FERRY_ALL_COMPLETED, AN_HOUR_US, true);
}

static void waits_end_or_are_refused_whole(void) {
    torture(wait_for_all_with_a_limit);
    torture(wait_for_the_first_without_a_limit);
    torture(wait_with_no_time);
    torture(wait_and_cancel);
}

/* ---- as_completed ---- */

/* Members that a refused next did not hand out are there for the one after it. */
static void iterate(void) {
    ferry_future *members[FEW], *next = NULL;
    ferry_as_completed *iterator = NULL;
    size_t count = make_some(members, FEW), handed_out = 0;
    bool made = ok(ferry_as_completed_open(loop, members, count, AN_HOUR_US, &iterator));
    CHECK(made == !!iterator);
    ferry_future *ahead = NULL;
    if (made && count && ok(ferry_as_completed_next(iterator, &ahead)))
        handed_out++;
    settle_children(members, count);
    for (int tries = 0; made && tries < 2 * FEW; tries++) {
        ferry_status status = ferry_as_completed_next(iterator, &next);
        if (status == FERRY_EEXHAUSTED || !ok(status))
            continue;
        CHECK(ferry_future_pointer(next));
        handed_out++;
        ferry_future_unref(next);
    }
    CHECK(!ahead || ferry_future_pointer(ahead));
    if (made && !atomic_load(&refuse_the_rest))
        CHECK_INT(handed_out, count);
    ferry_future_unref(ahead);
    ferry_as_completed_close(iterator);
    ferry_future_unref_all(members, count);
}

static void iterate_past_the_limit(void) {
    ferry_future *members[FEW], *nexts[3] = {NULL};
    ferry_as_completed *iterator = NULL;
    size_t count = make_some(members, FEW);
    if (count > 2 && ok(ferry_as_completed_open(loop, members, count, 0, &iterator))) {
        for (int i = 0; i < 3; i++)
            (void)ok(ferry_as_completed_next(iterator, &nexts[i]));
        settle();
        for (int i = 0; i < 3; i++)
            CHECK(!nexts[i] || ferry_future_status(nexts[i]) == FERRY_ETIMEDOUT);
        ferry_as_completed_close(iterator);
    }
    ferry_future_unref_all(nexts, 3);
    ferry_future_unref_all(members, count);
}

static void iterations_hand_out_all_or_are_refused_whole(void) {
    torture(iterate);
    torture(iterate_past_the_limit);
}

/* ---- shield and wait_for ---- */

/* The wait goes through a shield; the time may be up at once. */
static void follow_with(int64_t timeout_us) {
    ferry_future *inner = NULL, *shielded = NULL, *outer = NULL;
    if (!ok(ferry_future_create(loop, &inner)))
        return;
    bool made = ok(ferry_shield(inner, &shielded)) && ok(ferry_wait_for(shielded, timeout_us, &outer));
    CHECK(made == !!outer);
    settle();
    CHECK(!ferry_future_done(inner));
    fail(inner, FERRY_EBROKEN, "words");
    settle();
    CHECK_STATUS(ferry_future_status(inner), FERRY_EBROKEN);
    if (made)
        CHECK_STATUS(ferry_future_status(outer), timeout_us ? FERRY_EBROKEN : FERRY_ETIMEDOUT);
    reports.count = 0;
    if (shielded)
        CHECK(ferry_future_status(shielded));
    ferry_future_unref(outer);
    ferry_future_unref(shielded);
    ferry_future_unref(inner);
}

static void follow_in_time(void) {
    follow_with(AN_HOUR_US);
}

static void follow_too_late(void) {
    follow_with(0);
}

static void follow_and_cancel(void) {
    ferry_future *inner = NULL, *outer = NULL;
    if (ok(ferry_future_create(loop, &inner)) && ok(ferry_wait_for(inner, AN_HOUR_US, &outer))) {
        CHECK(ferry_future_cancel_with_message(outer, "words"));
        settle();
        CHECK(ferry_future_cancelled(outer));
        const char *message = ferry_future_message(outer);
        CHECK(message ? strcmp(message, "words") == 0 : atomic_load(&refusals) > 0);
    }
    ferry_future_unref(outer);
    ferry_future_unref(inner);
}

static void shields_and_limits_work_or_are_refused_whole(void) {
    torture(follow_in_time);
    torture(follow_too_late);
    torture(follow_and_cancel);
}

/* ---- running ---- */

static void run_for_a_future(void) {
    ferry_future *future = NULL;
    if (!ok(ferry_future_create(loop, &future)))
        return;
    resolve(future, 5);
    if (!ok(ferry_loop_run_until_complete(loop, future)))
        CHECK(!ferry_loop_is_running(loop));
    CHECK_INT(ferry_future_integer(future), 5);
    ferry_future_unref(future);
}

static void run_that_cannot_begin_gives_a_status(void) {
    torture(run_for_a_future);
}

static const fy_test tests[] = {
    FY_TEST(futures_end_whatever_the_memory),
    FY_TEST(callbacks_that_were_taken_run_whatever_the_memory),
    FY_TEST(gathers_end_or_are_refused_whole),
    FY_TEST(unfinished_gathers_leave_nothing),
    FY_TEST(waits_end_or_are_refused_whole),
    FY_TEST(iterations_hand_out_all_or_are_refused_whole),
    FY_TEST(shields_and_limits_work_or_are_refused_whole),
    FY_TEST(run_that_cannot_begin_gives_a_status),
};

FY_TEST_MAIN("future_torture", tests)
