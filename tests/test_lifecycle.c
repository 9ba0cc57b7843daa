/* SPDX-License-Identifier: Apache-2.0 */
/* A loop from its making to its end: runs, stops, nested and refused runs, what close drops and what lives on. */
#include "support/allocator.h"
#include "support/loops.h"
#include "support/threads.h"

/* ---- closing ---- */

/* LL-001 */
static void close_sets_the_flag_and_closing_again_does_nothing(void) {
    ferry_loop *loop = new_loop();
    post(loop, stop_loop, loop);
    run_forever(loop);
    CHECK(!ferry_loop_is_closed(loop));
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(ferry_loop_close(loop), 0);
        CHECK(ferry_loop_is_closed(loop));
        CHECK(!ferry_loop_is_running(loop));
    }
    ferry_loop_unref(loop);
}

/* LL-003 */
static void closed_loop_refuses_to_run(void) {
    ferry_loop *loop = new_loop();
    ferry_future *pending = new_future(loop), *done = new_future(loop);
    CHECK_STATUS(ferry_future_set_result(done), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_loop_run_forever(loop), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, pending), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, done), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), FERRY_ECLOSED);
    CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), FERRY_ECLOSED);
    ferry_future_unref(pending);
    ferry_future_unref(done);
    ferry_loop_unref(loop);
}

static ferry_status close_while_running(void *loop) {
    CHECK_STATUS(ferry_loop_close(loop), FERRY_EINVALIDSTATE);
    CHECK(!ferry_loop_is_closed(loop));
    CHECK(ferry_loop_is_running(loop));
    post_mark(loop, "a");
    return ferry_call_later(loop, 1000, stop_loop, loop, NULL);
}

/* LL-004 */
static void close_from_a_callback_is_refused_and_the_loop_goes_on(void) {
    ferry_loop *loop = new_loop();
    post(loop, close_while_running, loop);
    run_forever(loop);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_call_at(loop, 0, close_while_running, loop, NULL), 0);
    turn(loop);
    run_forever(loop);
    CHECK_STRING(trace, "aa");
    end_loop(loop);
}

static void close_drops_what_is_posted_without_running_it(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle;
    post_mark(loop, "x");
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", &handle), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), FERRY_ECLOSED);
    ferry_handle_unref(handle);
    ferry_loop_unref(loop);
    CHECK_STRING(trace, "");
}

static void last_unref_closes_an_open_loop(void) {
    ferry_loop *loop = new_loop();
    post_mark(loop, "x");
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"x", NULL), 0);
    CHECK(ferry_loop_ref(loop) == loop);
    ferry_loop_unref(loop);
    CHECK(!ferry_loop_is_closed(loop));
    ferry_loop_unref(loop);
    CHECK_STRING(trace, "");
}

static ferry_status drop_loop(void *loop) {
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    ferry_loop_unref(loop);
    return 0;
}

static void last_unref_in_a_callback_ends_the_loop_after_the_run(void) {
    allocator_refuse(0, false);
    allocator_install();
    ferry_loop *loop = new_loop();
    post(loop, drop_loop, loop);
    run_forever(loop);
    CHECK_INT(atomic_load(&live_blocks), 0);
}

static ferry_status never_called(ferry_future *future, void *arg) {
    (void)future;
    (void)arg;
    CHECK(false);
    return 0;
}

static void free_loop(void *loop) {
    ferry_loop_unref(loop);
}

/* A callback that is dropped holds a future, whose value holds the loop. */
static void value_that_a_close_frees_may_hold_the_last_reference(void) {
    allocator_refuse(0, false);
    allocator_install();
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    CHECK_STATUS(ferry_future_add_done_callback(future, never_called, NULL, NULL), 0);
    CHECK_STATUS(ferry_future_set_pointer(future, loop, free_loop), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_INT(atomic_load(&live_blocks), 0);
}

static ferry_status hold_and_drop(ferry_loop *loop, const ferry_report *report, void *count) {
    (void)report;
    ferry_loop_unref(ferry_loop_ref(loop));
    ++*(int *)count;
    return 0;
}

static void reports_of_a_close_may_hold_and_drop_the_loop(void) {
    int reports = 0;
    allocator_refuse(0, false);
    allocator_install();
    ferry_loop *loop = new_loop();
    ferry_loop_set_debug(loop, true);
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, hold_and_drop, &reports), 0);
    for (int i = 0; i < 3; i++)
        post(loop, mark, "never");
    ferry_loop_unref(loop);
    CHECK_INT(reports, 3);
    CHECK_INT(atomic_load(&live_blocks), 0);
}

static void closed_loop_lives_until_the_last_unref(void) {
    ferry_loop *loop = new_loop();
    ferry_loop_ref(loop);
    end_loop(loop);
    CHECK(ferry_loop_is_closed(loop));
    CHECK_STATUS(ferry_call_soon(loop, mark, (void *)"x", NULL), FERRY_ECLOSED);
    ferry_loop_unref(loop);
}

/* ---- run_until_complete ---- */

static ferry_status resolve(void *future) {
    return ferry_future_set_integer(future, 42);
}

static void runs_until_a_callback_resolves_the_future(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    CHECK_STATUS(ferry_call_later(loop, 1000, resolve, future, NULL), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_INT(ferry_future_integer(future), 42);
    ferry_future_unref(future);
    end_loop(loop);
}

static void run_until_complete_of_a_done_future_returns(void) {
    ferry_loop *loop = new_loop();
    ferry_future *result = new_future(loop), *error = new_future(loop), *cancelled = new_future(loop);
    CHECK_STATUS(ferry_future_set_integer(result, 1), 0);
    CHECK_STATUS(ferry_future_set_error(error, FERRY_EFULL, "full"), 0);
    CHECK(ferry_future_cancel(cancelled));
    CHECK_STATUS(ferry_loop_run_until_complete(loop, result), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, error), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, cancelled), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, result), 0);
    CHECK_INT(ferry_future_integer(result), 1);
    CHECK_STATUS(ferry_future_status(error), FERRY_EFULL);
    CHECK(ferry_future_cancelled(cancelled));
    ferry_future_unref(result);
    ferry_future_unref(error);
    ferry_future_unref(cancelled);
    end_loop(loop);
}

/* LL-007, LL-008 */
static void early_stop_leaves_the_future_pending_for_a_later_run(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    for (int i = 0; i < 3; i++) {
        post(loop, stop_loop, loop);
        CHECK_STATUS(ferry_loop_run_until_complete(loop, future), FERRY_EINVALIDSTATE);
        CHECK(!ferry_future_done(future));
    }
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_done(future));
    post(loop, resolve, future);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_INT(ferry_future_integer(future), 42);
    ferry_future_unref(future);
    end_loop(loop);
}

/* LL-008 */
static void future_of_a_stopped_run_can_be_cancelled_later(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    post(loop, stop_loop, loop);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), FERRY_EINVALIDSTATE);
    CHECK(ferry_future_cancel(future));
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    end_loop(loop);
}

/* LL-011 */
static void completion_after_a_stopped_run_does_not_stop_another_run(void) {
    ferry_loop *loop = new_loop();
    ferry_future *orphan = new_future(loop), *wanted = new_future(loop);
    post(loop, stop_loop, loop);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, orphan), FERRY_EINVALIDSTATE);
    post(loop, resolve, orphan);
    CHECK_STATUS(ferry_call_later(loop, 2000, mark, (void *)"a", NULL), 0);
    run_for(loop, 3000);
    CHECK(ferry_future_done(orphan));
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_call_later(loop, 2000, resolve, wanted, NULL), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, wanted), 0);
    ferry_future_unref(orphan);
    ferry_future_unref(wanted);
    end_loop(loop);
}

/* LL-010 */
static void future_of_another_loop_is_refused(void) {
    ferry_loop *loop = new_loop(), *other = new_loop();
    ferry_future *pending = new_future(other), *done = new_future(other);
    CHECK_STATUS(ferry_future_set_result(done), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, pending), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, done), FERRY_EWRONGLOOP);
    ferry_future_unref(pending);
    ferry_future_unref(done);
    end_loop(other);
    end_loop(loop);
}

/* ---- stopping ---- */

static ferry_status post_and_stop(void *loop) {
    post_mark(loop, "c");
    return stop_loop(loop);
}

static void stop_ends_the_run_after_the_current_turn(void) {
    ferry_loop *loop = new_loop();
    post_mark(loop, "a");
    post(loop, post_and_stop, loop);
    post(loop, stop_loop, loop);
    post_mark(loop, "b");
    run_forever(loop);
    CHECK_STRING(trace, "ab");
    post(loop, stop_loop, loop);
    run_forever(loop);
    CHECK_STRING(trace, "abc");
    end_loop(loop);
}

static ferry_status post_c(void *loop) {
    leave('b');
    post_mark(loop, "c");
    return 0;
}

/* LL-012 */
static void stop_before_a_run_makes_it_exactly_one_turn(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    post_mark(loop, "a");
    post(loop, post_c, loop);
    run_forever(loop);
    CHECK_STRING(trace, "ab");
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    run_forever(loop);
    CHECK_STRING(trace, "abc");
    end_loop(loop);
}

/* LL-012: the stop is used up by the run it ended. */
static void stop_counts_for_one_run_only(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    run_forever(loop);
    run_for(loop, 1000);
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    turn(loop);
    CHECK_STATUS(ferry_call_later(loop, 1000, mark, (void *)"a", NULL), 0);
    run_for(loop, 2000);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

/* ---- which loop runs where ---- */

typedef struct nested {
    ferry_loop *loop;
    ferry_loop *inner;
    ferry_future *of_inner;
} nested;

static ferry_status run_another(void *arg) {
    nested *self = arg;
    CHECK_STATUS(ferry_loop_run_forever(self->inner), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_loop_run_once(self->inner, 0), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_loop_run_until_complete(self->inner, self->of_inner), FERRY_EINVALIDSTATE);
    CHECK(ferry_running_loop() == self->loop);
    CHECK(!ferry_loop_is_running(self->inner) || self->inner == self->loop);
    leave('a');
    return 0;
}

/* LL-009 */
static void run_inside_a_run_is_refused(void) {
    ferry_loop *loop = new_loop(), *other = new_loop();
    nested second = {loop, other, new_future(other)}, itself = {loop, loop, new_future(loop)};
    post(other, mark, (void *)"x");
    post(loop, run_another, &second);
    post(loop, run_another, &itself);
    turn(loop);
    post(loop, run_another, &second);
    post(loop, run_another, &itself);
    post(loop, stop_loop, loop);
    run_forever(loop);
    CHECK_STRING(trace, "aaaa");
    turn(other);
    CHECK_STRING(trace, "aaaax");
    ferry_future_unref(second.of_inner);
    ferry_future_unref(itself.of_inner);
    end_loop(other);
    end_loop(loop);
}

static ferry_status look_from_inside(void *loop) {
    CHECK(ferry_running_loop() == loop);
    CHECK(ferry_loop_is_running(loop));
    leave('a');
    return 0;
}

static void running_loop_is_known_while_it_runs(void) {
    ferry_loop *loop = new_loop();
    CHECK(!ferry_running_loop());
    CHECK(!ferry_loop_is_running(loop));
    post(loop, look_from_inside, loop);
    turn(loop);
    CHECK(!ferry_running_loop());
    CHECK(!ferry_loop_is_running(loop));
    CHECK_STATUS(ferry_call_later(loop, 0, look_from_inside, loop, NULL), 0);
    run_for(loop, 1000);
    CHECK(!ferry_running_loop());
    CHECK(!ferry_loop_is_running(loop));
    CHECK_STRING(trace, "aa");
    end_loop(loop);
}

static void look_from_outside(void *loop) {
    CHECK(!ferry_running_loop());
    CHECK(ferry_loop_is_running(loop));
    CHECK(!ferry_loop_is_closed(loop));
    CHECK_STATUS(ferry_loop_run_forever(loop), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_run_once(loop, 0), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_close(loop), FERRY_EWRONGTHREAD);
}

static ferry_status ask_another_thread(void *loop) {
    on_another_thread(look_from_outside, loop);
    leave('a');
    return 0;
}

static void running_loop_is_of_one_thread_only(void) {
    ferry_loop *loop = new_loop();
    post(loop, ask_another_thread, loop);
    turn(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static void use_loop(void *loop) {
    post_mark(loop, "b");
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"c", NULL), 0);
    run_for(loop, 1000);
}

static void end_it(void *loop) {
    end_loop(loop);
}

static void loop_at_rest_may_move_to_another_thread(void) {
    ferry_loop *loop = new_loop();
    post_mark(loop, "a");
    turn(loop);
    on_another_thread(use_loop, loop);
    post_mark(loop, "d");
    turn(loop);
    CHECK_STRING(trace, "abcd");
    on_another_thread(end_it, loop);
}

/* ---- many ---- */

static void ended_loops_give_everything_back(void) {
    for (int i = 0; i < 3000; i++) {
        ferry_loop *loop = new_loop();
        if (i % 3)
            post_mark(loop, "a");
        if (i % 3 == 2)
            turn(loop);
        end_loop(loop);
    }
}

static void loops_live_side_by_side(void) {
    ferry_loop *loops[100];
    int counts[100] = {0};
    for (int i = 0; i < 100; i++) {
        loops[i] = new_loop();
        CHECK_STATUS(ferry_call_later(loops[i], 0, count_up, &counts[i], NULL), 0);
        post(loops[i], count_up, &counts[i]);
    }
    for (int i = 99; i >= 0; i--) {
        run_for(loops[i], 1);
        CHECK_INT(counts[i], 2);
    }
    for (int i = 0; i < 100; i++)
        end_loop(loops[i]);
}

static const fy_test tests[] = {
    FY_TEST(close_sets_the_flag_and_closing_again_does_nothing),
    FY_TEST(closed_loop_refuses_to_run),
    FY_TEST(close_from_a_callback_is_refused_and_the_loop_goes_on),
    FY_TEST(close_drops_what_is_posted_without_running_it),
    FY_TEST(last_unref_closes_an_open_loop),
    FY_TEST(last_unref_in_a_callback_ends_the_loop_after_the_run),
    FY_TEST(value_that_a_close_frees_may_hold_the_last_reference),
    FY_TEST(reports_of_a_close_may_hold_and_drop_the_loop),
    FY_TEST(closed_loop_lives_until_the_last_unref),
    FY_TEST(runs_until_a_callback_resolves_the_future),
    FY_TEST(run_until_complete_of_a_done_future_returns),
    FY_TEST(early_stop_leaves_the_future_pending_for_a_later_run),
    FY_TEST(future_of_a_stopped_run_can_be_cancelled_later),
    FY_TEST(completion_after_a_stopped_run_does_not_stop_another_run),
    FY_TEST(future_of_another_loop_is_refused),
    FY_TEST(stop_ends_the_run_after_the_current_turn),
    FY_TEST(stop_before_a_run_makes_it_exactly_one_turn),
    FY_TEST(stop_counts_for_one_run_only),
    FY_TEST(run_inside_a_run_is_refused),
    FY_TEST(running_loop_is_known_while_it_runs),
    FY_TEST(running_loop_is_of_one_thread_only),
    FY_TEST(loop_at_rest_may_move_to_another_thread),
    FY_TEST(ended_loops_give_everything_back),
    FY_TEST(loops_live_side_by_side),
};

FY_TEST_MAIN("lifecycle", tests)
