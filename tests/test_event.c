/* SPDX-License-Identifier: Apache-2.0 */
/* Events: who waits, who is told, and what remains set. */
#include "support/sync.h"

static ferry_event *new_event(void) {
    ferry_event *event = NULL;
    CHECK_STATUS(ferry_event_create(loop, &event), 0);
    return event;
}

static void set_ends_all_who_wait_and_who_comes_later(void) {
    begin();
    ferry_event *event = new_event();
    ferry_future *waits[3];
    for (int i = 0; i < 3; i++)
        waits[i] = STARTED(ferry_event_wait_future, event);
    add_mark(waits[0], "a");
    add_mark(waits[1], "b");
    settle();
    CHECK_STRING(granted(waits, 3), "");
    CHECK_STATUS(ferry_event_set(event), 0);
    CHECK_STRING(granted(waits, 3), "abc");
    CHECK_STRING(trace, "");
    settle();
    CHECK_STRING(trace, "ab");
    is_granted(STARTED(ferry_event_wait_future, event));
    ferry_future_unref_all(waits, 3);
    ferry_event_unref(event);
    end();
}

/* EV-003 */
static void set_and_cleared_at_once_still_wakes(void) {
    begin();
    ferry_event *event = new_event();
    ferry_future *wait = STARTED(ferry_event_wait_future, event);
    CHECK_STATUS(ferry_event_set(event), 0);
    CHECK_STATUS(ferry_event_clear(event), 0);
    ferry_future *next = STARTED(ferry_event_wait_future, event);
    settle();
    is_granted(wait);
    CHECK(!ferry_future_done(next));
    cancel_pending(next);
    ferry_future_unref(next);
    ferry_event_unref(event);
    end();
}

/* EV-004 */
static void cancelled_waiter_leaves_the_others(void) {
    begin();
    ferry_event *event = new_event();
    ferry_future *waits[3];
    for (int i = 0; i < 3; i++)
        waits[i] = STARTED(ferry_event_wait_future, event);
    CHECK(ferry_future_cancel_with_message(waits[1], "enough"));
    CHECK_STRING(ferry_future_message(waits[1]), "enough");
    CHECK(!ferry_future_cancel(waits[1]));
    CHECK_STATUS(ferry_event_set(event), 0);
    CHECK_STRING(granted(waits, 3), "ac");
    CHECK(!ferry_future_cancel(waits[0]));
    ferry_future_unref_all(waits, 3);
    ferry_event_unref(event);
    end();
}

/* EV-005 */
static void setting_and_clearing_are_idempotent(void) {
    begin();
    ferry_event *event = new_event();
    CHECK(!ferry_event_is_set(event));
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_event_set(event), 0);
        CHECK(ferry_event_is_set(event));
    }
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_event_clear(event), 0);
        CHECK(!ferry_event_is_set(event));
    }
    ferry_event_unref(event);
    end();
}

static void last_reference_cancels_who_waits(void) {
    begin();
    ferry_event *event = new_event();
    ferry_future *wait = STARTED(ferry_event_wait_future, event);
    add_mark(wait, "c");
    ferry_future_unref(STARTED(ferry_event_wait_future, event));
    CHECK(ferry_event_ref(event) == event);
    ferry_event_unref(event);
    CHECK(!ferry_future_done(wait));
    ferry_event_unref(event);
    CHECK(ferry_future_cancelled(wait));
    settle();
    CHECK_STRING(trace, "c");
    ferry_future_unref(wait);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 3; order++) {
        begin();
        ferry_event *event = new_event();
        ferry_future *wait = STARTED(ferry_event_wait_future, event), *other = STARTED(ferry_event_wait_future, event);
        add_mark(wait, "x");
        end_loop(loop);
        CHECK_STATUS(ferry_event_set(event), FERRY_ECLOSED);
        CHECK_STATUS(ferry_event_clear(event), FERRY_ECLOSED);
        CHECK_STATUS(ferry_event_wait_future(event, &started), FERRY_ECLOSED);
        CHECK(!ferry_future_done(wait));
        if (order == 1)
            cancel_pending(wait);
        if (order == 2)
            ferry_future_unref_all((ferry_future *[]){wait, other}, 2);
        ferry_event_unref(event);
        if (order != 2)
            ferry_future_unref_all((ferry_future *[]){wait, other}, 2);
        CHECK_STRING(trace, "");
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(set_ends_all_who_wait_and_who_comes_later),
    FY_TEST(set_and_cleared_at_once_still_wakes),
    FY_TEST(cancelled_waiter_leaves_the_others),
    FY_TEST(setting_and_clearing_are_idempotent),
    FY_TEST(last_reference_cancels_who_waits),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
};

FY_TEST_MAIN("event", tests)
