/* SPDX-License-Identifier: Apache-2.0 */
/* Another loop drives this one: it asks for the next deadline and makes one turn at a time, which may block. */
#include "support/loops.h"

#include "support/threads.h"

/* ---- one turn ---- */

static void turn_without_work_returns_at_once_or_when_its_time_is_up(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
    CHECK_STATUS(ferry_loop_run_once(loop, 1), 0);
    CHECK_STATUS(ferry_loop_run_once(loop, 2000), 0);
    CHECK_STRING(trace, "");
    end_loop(loop);
}

static void turn_waits_for_a_timer_within_its_limit(void) {
    ferry_loop *loop = new_loop();
    int ran = 0;
    CHECK_STATUS(ferry_call_later(loop, 3000, count_up, &ran, NULL), 0);
    while (!ran)
        CHECK_STATUS(ferry_loop_run_once(loop, AN_HOUR_US), 0);
    CHECK_STATUS(ferry_call_later(loop, 3000, count_up, &ran, NULL), 0);
    while (ran == 1)
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    end_loop(loop);
}

static void post_after_a_pause(void *loop) {
    ferry_thread_sleep(10000);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"a", NULL), 0);
}

static void blocked_turn_is_woken_by_another_thread(void) {
    ferry_loop *loop = new_loop();
    helper_thread poster;
    thread_start(&poster, post_after_a_pause, loop);
    while (!*trace)
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    thread_join(&poster);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

/* ---- the next deadline ---- */

static void next_deadline_tells_what_is_ready_or_due(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *late, *early;
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", &late), 0);
    CHECK_INT(ferry_loop_next_deadline(loop), ferry_handle_when(late));
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US / 2, mark, (void *)"x", &early), 0);
    CHECK_INT(ferry_loop_next_deadline(loop), ferry_handle_when(early));
    post_mark(loop, "a");
    CHECK(ferry_loop_next_deadline(loop) <= ferry_now());
    turn(loop);
    CHECK_INT(ferry_loop_next_deadline(loop), ferry_handle_when(early));
    ferry_handle_unref(late);
    ferry_handle_unref(early);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(turn_without_work_returns_at_once_or_when_its_time_is_up),
    FY_TEST(turn_waits_for_a_timer_within_its_limit),
    FY_TEST(blocked_turn_is_woken_by_another_thread),
    FY_TEST(next_deadline_tells_what_is_ready_or_due),
};

FY_TEST_MAIN("embedding", tests)
