/* SPDX-License-Identifier: Apache-2.0 */
/* What one turn of the loop runs, in which order, and how a callback is taken back. */
#include "support/loops.h"

#include <stdio.h>

#include <apr_portable.h>

/* ---- running ---- */

typedef struct visit {
    ferry_loop *loop;
    apr_os_thread_t thread;
    int count;
} visit;

static ferry_status record_visit(void *arg) {
    visit *here = arg;
    here->loop = ferry_running_loop();
    here->thread = apr_os_thread_current();
    here->count++;
    return 0;
}

/* LS-001 */
static void callback_runs_once_on_the_loops_thread_with_its_argument(void) {
    ferry_loop *loop = new_loop();
    visit here = {0}, other = {0};
    post(loop, record_visit, &here);
    post(loop, stop_loop, loop);
    CHECK_INT(here.count, 0);
    run_forever(loop);
    turn(loop);
    CHECK_INT(here.count, 1);
    CHECK_INT(other.count, 0);
    CHECK(here.loop == loop);
    CHECK(apr_os_thread_equal(here.thread, apr_os_thread_current()));
    end_loop(loop);
}

/* LS-001: the argument is the one of the time of posting. */
static void argument_is_captured_when_posted(void) {
    ferry_loop *loop = new_loop();
    const char *letter = "a";
    post_mark(loop, letter);
    letter = "b";
    post_mark(loop, letter);
    turn(loop);
    CHECK_STRING(trace, "ab");
    end_loop(loop);
}

static void callbacks_run_in_the_order_of_posting(void) {
    ferry_loop *loop = new_loop();
    for (const char *letters = "the order"; *letters; letters++)
        post_mark(loop, letters);
    turn(loop);
    CHECK_STRING(trace, "the order");
    end_loop(loop);
}

typedef struct numbered {
    int number;
    int *next;
} numbered;

static ferry_status check_number(void *arg) {
    numbered *self = arg;
    CHECK_INT(self->number, *self->next);
    ++*self->next;
    return 0;
}

/* With and without handles, in bursts that make every queue grow, wrap around and shrink. */
static void order_holds_however_many_are_queued(void) {
    static numbered all[100000];
    ferry_loop *loop = new_loop();
    int posted = 0, next = 0;
    for (int burst = 1; posted < 100000; burst = burst * 3 % 16381 + 1) {
        for (int i = 0; i < burst && posted < 100000; i++, posted++) {
            ferry_handle *handle = NULL;
            all[posted] = (numbered){posted, &next};
            CHECK_STATUS(ferry_call_soon(loop, check_number, &all[posted], posted % 3 ? NULL : &handle), 0);
            ferry_handle_unref(handle);
        }
        turn(loop);
        CHECK_INT(next, posted);
    }
    end_loop(loop);
}

static ferry_status post_b(void *loop) {
    leave('a');
    post_mark(loop, "b");
    return 0;
}

/* LS-012 */
static void what_a_callback_posts_runs_in_the_next_turn(void) {
    ferry_loop *loop = new_loop();
    post(loop, post_b, loop);
    post_mark(loop, "c");
    turn(loop);
    CHECK_STRING(trace, "ac");
    turn(loop);
    CHECK_STRING(trace, "acb");
    end_loop(loop);
}

typedef struct repeater {
    ferry_loop *loop;
    int count;
} repeater;

static ferry_status repeat(void *arg) {
    repeater *self = arg;
    self->count++;
    return ferry_call_soon(self->loop, repeat, self, NULL);
}

/* LS-012 */
static void callback_that_reposts_itself_runs_once_a_turn(void) {
    ferry_loop *loop = new_loop();
    repeater one = {loop, 0}, two = {loop, 0};
    post(loop, repeat, &one);
    post(loop, repeat, &two);
    for (int turns = 1; turns <= 300; turns++) {
        turn(loop);
        CHECK_INT(one.count, turns);
        CHECK_INT(two.count, turns);
    }
    end_loop(loop);
}

static ferry_status repeat_until_500(void *arg) {
    repeater *self = arg;
    if (++self->count == 500)
        return ferry_loop_stop(self->loop);
    return ferry_call_soon(self->loop, repeat_until_500, self, NULL);
}

/* LS-009: it would hang in its poll for an hour, or for ever. */
static void turn_does_not_block_while_callbacks_are_ready(void) {
    ferry_loop *loop = new_loop();
    repeater chain = {loop, 0};
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", NULL), 0);
    post_mark(loop, "a");
    CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    CHECK_STRING(trace, "a");
    post(loop, repeat_until_500, &chain);
    run_forever(loop);
    CHECK_INT(chain.count, 500);
    end_loop(loop);
}

/* LS-009 */
static void turn_does_not_block_while_a_stop_is_pending(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    run_forever(loop);
    post(loop, stop_loop, loop);
    run_forever(loop);
    end_loop(loop);
}

/* LS-004 */
static void due_timer_runs_in_the_turn_that_polls(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_at(loop, ferry_loop_time(loop), mark, (void *)"a", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, ferry_loop_time(loop) + AN_HOUR_US, mark, (void *)"x", NULL), 0);
    turn(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static void due_timers_come_after_what_is_ready(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_at(loop, ferry_loop_time(loop) - 1000, mark, (void *)"t", NULL), 0);
    post_mark(loop, "a");
    post_mark(loop, "b");
    run_for(loop, 1000);
    CHECK_STRING(trace, "abt");
    end_loop(loop);
}

/* ---- cancelling ---- */

/* LS-006 */
static void cancelled_callback_is_skipped_and_cancelling_again_is_harmless(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = NULL;
    post_mark(loop, "a");
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &handle), 0);
    post_mark(loop, "b");
    CHECK(!ferry_handle_cancelled(handle));
    ferry_handle_cancel(handle);
    CHECK(ferry_handle_cancelled(handle));
    ferry_handle_cancel(handle);
    CHECK(ferry_handle_cancelled(handle));
    turn(loop);
    ferry_handle_cancel(handle);
    CHECK(ferry_handle_cancelled(handle));
    CHECK_STRING(trace, "ab");
    ferry_handle_unref(handle);
    end_loop(loop);
}

/* LS-005 */
static void timer_cancelled_before_it_is_due_never_runs(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_call_later(loop, 1000, mark, (void *)"x", &handle), 0);
    CHECK_STATUS(ferry_call_later(loop, 1000, mark, (void *)"a", NULL), 0);
    ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
    run_for(loop, 3000);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static ferry_status cancel_other(void *handle) {
    leave('a');
    ferry_handle_cancel(*(ferry_handle **)handle);
    return 0;
}

static void callback_takes_back_one_queued_behind_it_in_the_same_turn(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *soon = NULL, *timer = NULL;
    post(loop, cancel_other, &soon);
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &soon), 0);
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_call_at(loop, 1, cancel_other, &timer, NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, 2, mark, (void *)"x", &timer), 0);
    CHECK_STATUS(ferry_call_at(loop, 3, mark, (void *)"b", NULL), 0);
    turn(loop);
    CHECK_STRING(trace, "aab");
    CHECK(ferry_handle_cancelled(soon) && ferry_handle_cancelled(timer));
    ferry_handle_unref(soon);
    ferry_handle_unref(timer);
    end_loop(loop);
}

static ferry_status cancel_and_drop_itself(void *handle) {
    ferry_handle **self = handle;
    leave('a');
    ferry_handle_cancel(*self);
    leave(ferry_handle_cancelled(*self) ? 'c' : '-');
    ferry_handle_unref(*self);
    *self = NULL;
    leave('z');
    return 0;
}

static void callback_may_cancel_and_drop_its_own_handle(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_call_soon(loop, cancel_and_drop_itself, &handle, &handle), 0);
    turn(loop);
    CHECK_STRING(trace, "acz");
    CHECK_STATUS(ferry_call_later(loop, 0, cancel_and_drop_itself, &handle, &handle), 0);
    turn(loop);
    turn(loop);
    CHECK_STRING(trace, "aczacz");
    CHECK(!handle);
    end_loop(loop);
}

static void cancel_after_it_has_run_is_harmless(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *soon = NULL, *timer = NULL;
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"a", &soon), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"b", &timer), 0);
    turn(loop);
    turn(loop);
    ferry_handle_cancel(soon);
    ferry_handle_cancel(timer);
    ferry_handle_cancel(timer);
    turn(loop);
    CHECK_STRING(trace, "ab");
    ferry_handle_unref(soon);
    ferry_handle_unref(timer);
    end_loop(loop);
}

/* ---- handles ---- */

static void dropping_a_handle_does_not_cancel(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"a", &handle), 0);
    ferry_handle_unref(handle);
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"b", &handle), 0);
    ferry_handle_unref(handle);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"c", &handle), 0);
    ferry_handle_unref(handle);
    run_for(loop, 1000);
    CHECK_INT(strlen(trace), 3);
    CHECK(strchr(trace, 'a') && strchr(trace, 'b') && strchr(trace, 'c'));
    end_loop(loop);
}

static void handle_lives_as_long_as_its_references(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"a", &handle), 0);
    CHECK(ferry_handle_ref(handle) == handle);
    turn(loop);
    ferry_handle_unref(handle);
    for (int i = 0; i < 1000; i++)
        post_mark(loop, "");
    CHECK(!ferry_handle_cancelled(handle));
    CHECK_INT(ferry_handle_when(handle), 0);
    ferry_handle_unref(handle);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static void check_dead_handle(ferry_handle *handle, int64_t when_us, int line) {
    char origin[256];
    snprintf(origin, sizeof origin, "%s:%d", __FILE__, line);
    CHECK_STRING(ferry_handle_origin(handle), origin);
    CHECK_INT(ferry_handle_when(handle), when_us);
    CHECK(ferry_handle_ref(handle) == handle);
    ferry_handle_unref(handle);
    ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
}

static void handles_outlive_the_loop(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *done, *soon, *timer, *threadsafe;
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"a", &done), 0);
    int line = __LINE__ - 1;
    turn(loop);
    int64_t when_us = ferry_loop_time(loop) + AN_HOUR_US;
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &soon), 0);
    CHECK_STATUS(ferry_call_at(loop, when_us, mark, (void *)"x", &timer), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &threadsafe), 0);
    end_loop(loop);
    check_dead_handle(done, 0, line);
    check_dead_handle(soon, 0, line + 4);
    check_dead_handle(timer, when_us, line + 5);
    check_dead_handle(threadsafe, 0, line + 6);
    CHECK_STRING(trace, "a");
}

static void handle_tells_deadline_and_origin(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *soon, *later, *at;
    char origin[256];
    snprintf(origin, sizeof origin, "%s:%d", __FILE__, __LINE__ + 1);
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"a", &soon), 0);
    CHECK_STRING(ferry_handle_origin(soon), origin);
    CHECK_INT(ferry_handle_when(soon), 0);
    int64_t before_us = ferry_loop_time(loop);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", &later), 0);
    CHECK(ferry_handle_when(later) >= before_us + AN_HOUR_US);
    CHECK(ferry_handle_when(later) <= clock_of(loop) + AN_HOUR_US + 1); /* the loop may round up */
    CHECK_STATUS(ferry_call_at_from("here", loop, before_us + 12345, mark, (void *)"x", &at), 0);
    CHECK_INT(ferry_handle_when(at), before_us + 12345);
    CHECK_STRING(ferry_handle_origin(at), "here");
    ferry_handle_unref(soon);
    ferry_handle_unref(later);
    ferry_handle_unref(at);
    end_loop(loop);
}

/* ---- the clock ---- */

static ferry_status compare_times(void *arg) {
    ferry_loop *loop = arg;
    int64_t first_us = ferry_loop_time(loop);
    take_time(loop, 2000);
    CHECK_INT(ferry_loop_time(loop), first_us);
    CHECK(first_us <= clock_of(loop) - 2000);
    leave('a');
    return 0;
}

static void time_stands_still_in_a_callback_and_is_fresh_between_turns(void) {
    ferry_loop *loop = new_loop();
    post(loop, compare_times, loop);
    turn(loop);
    CHECK_STRING(trace, "a");
    for (int i = 0; i < 3; i++) {
        int64_t before_us = clock_of(loop), loop_us = ferry_loop_time(loop);
        CHECK(before_us <= loop_us && loop_us <= clock_of(loop));
        take_time(loop, 2000);
    }
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(callback_runs_once_on_the_loops_thread_with_its_argument),
    FY_TEST(argument_is_captured_when_posted),
    FY_TEST(callbacks_run_in_the_order_of_posting),
    FY_TEST(order_holds_however_many_are_queued),
    FY_TEST(what_a_callback_posts_runs_in_the_next_turn),
    FY_TEST(callback_that_reposts_itself_runs_once_a_turn),
    FY_TEST(turn_does_not_block_while_callbacks_are_ready),
    FY_TEST(turn_does_not_block_while_a_stop_is_pending),
    FY_TEST(due_timer_runs_in_the_turn_that_polls),
    FY_TEST(due_timers_come_after_what_is_ready),
    FY_TEST(cancelled_callback_is_skipped_and_cancelling_again_is_harmless),
    FY_TEST(timer_cancelled_before_it_is_due_never_runs),
    FY_TEST(callback_takes_back_one_queued_behind_it_in_the_same_turn),
    FY_TEST(callback_may_cancel_and_drop_its_own_handle),
    FY_TEST(cancel_after_it_has_run_is_harmless),
    FY_TEST(dropping_a_handle_does_not_cancel),
    FY_TEST(handle_lives_as_long_as_its_references),
    FY_TEST(handles_outlive_the_loop),
    FY_TEST(handle_tells_deadline_and_origin),
    FY_TEST(time_stands_still_in_a_callback_and_is_fresh_between_turns),
};

FY_TEST_MAIN("loop", tests)
