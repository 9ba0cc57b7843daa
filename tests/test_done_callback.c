/* SPDX-License-Identifier: Apache-2.0 */
/* The callbacks of a future: posted to the loop and never inline, in order, each once, and taken back at any moment
 * before they run. */
#include "support/futures.h"

/* ---- order ---- */

static ferry_future *expected_future;

static ferry_status mark_expected(ferry_future *future, void *letter) {
    CHECK(future == expected_future);
    return mark_done(future, letter);
}

/* FU-008 */
static void callbacks_run_in_order_each_once_with_their_future(void) {
    static const char letters[] = "abcdef";
    begin();
    ferry_future *future = expected_future = make();
    for (int i = 0; i < 6; i++)
        CHECK_STATUS(ferry_future_add_done_callback(future, mark_expected, (void *)(uintptr_t)&letters[i], NULL), 0);
    settle();
    CHECK_STRING(trace, "");
    resolve(future, 1);
    settle();
    settle();
    CHECK_STRING(trace, "abcdef");
    ferry_future_unref(future);
    end();
}

static void callbacks_are_never_called_inline(void) {
    begin();
    ferry_future *resolved = make(), *failed = make(), *cancelled = make();
    add_mark(resolved, "a");
    add_mark(failed, "b");
    add_mark(cancelled, "c");
    resolve(resolved, 1);
    fail(failed, APR_EGENERAL, "no");
    CHECK(ferry_future_cancel(cancelled));
    add_mark(resolved, "d");
    CHECK_STRING(trace, "");
    settle();
    CHECK_STRING(trace, "abcd");
    CHECK_STATUS(ferry_future_status(failed), APR_EGENERAL);
    ferry_future_unref(resolved);
    ferry_future_unref(failed);
    ferry_future_unref(cancelled);
    end();
}

/* One queue for everything: what was posted between two completions runs between their callbacks. */
static void callbacks_take_their_place_in_the_loops_queue(void) {
    begin();
    ferry_future *first = make(), *second = make();
    add_mark(second, "d");
    add_mark(first, "b");
    post_mark(loop, "a");
    resolve(first, 1);
    post_mark(loop, "c");
    resolve(second, 2);
    post_mark(loop, "e");
    turn(loop);
    CHECK_STRING(trace, "abcde");
    ferry_future_unref(first);
    ferry_future_unref(second);
    end();
}

static ferry_status add_another(ferry_future *future, void *letter) {
    leave('a');
    add_mark(future, letter);
    return 0;
}

static void callback_added_by_a_callback_runs_in_the_next_turn(void) {
    begin();
    ferry_future *future = make();
    CHECK_STATUS(ferry_future_add_done_callback(future, add_another, (void *)"c", NULL), 0);
    add_mark(future, "b");
    resolve(future, 1);
    turn(loop);
    CHECK_STRING(trace, "ab");
    turn(loop);
    CHECK_STRING(trace, "abc");
    ferry_future_unref(future);
    end();
}

static ferry_status resolve_other(ferry_future *future, void *other) {
    CHECK_STATUS(ferry_future_set_integer(other, ferry_future_integer(future) + 1), 0);
    return 0;
}

static void chain_of_futures_takes_a_turn_each(void) {
    enum { LENGTH = 100 };
    ferry_future *chain[LENGTH];
    begin();
    make_all(chain, LENGTH);
    for (int i = 0; i + 1 < LENGTH; i++)
        CHECK_STATUS(ferry_future_add_done_callback(chain[i], resolve_other, chain[i + 1], NULL), 0);
    resolve(chain[0], 0);
    for (int i = 1; i < LENGTH; i++) {
        CHECK(!ferry_future_done(chain[i]));
        turn(loop);
        CHECK_INT(ferry_future_integer(chain[i]), i);
    }
    ferry_future_unref_all(chain, LENGTH);
    end();
}

/* ---- taking back ---- */

static void cancelled_handle_is_skipped_wherever_it_stands(void) {
    static const char letters[] = "abcde";
    static const char *const expected[] = {"bcde", "acde", "abde", "abce", "abcd"};
    begin();
    for (int skipped = 0; skipped < 5; skipped++)
        for (int queued = 0; queued < 2; queued++) {
            ferry_future *future = make();
            ferry_handle *handles[5];
            trace[0] = '\0';
            for (int i = 0; i < 5; i++)
                handles[i] = add_mark_handle(future, &letters[i]);
            if (queued)
                resolve(future, 1);
            ferry_handle_cancel(handles[skipped]);
            CHECK(ferry_handle_cancelled(handles[skipped]));
            ferry_handle_cancel(handles[skipped]);
            if (!queued)
                resolve(future, 1);
            ferry_future_unref(future);
            settle();
            CHECK_STRING(trace, expected[skipped]);
            for (int i = 0; i < 5; i++)
                ferry_handle_unref(handles[i]);
        }
    end();
}

static void list_takes_more_after_all_were_taken_back(void) {
    begin();
    ferry_future *future = make();
    for (int round = 0; round < 3; round++) {
        ferry_handle *first = add_mark_handle(future, "x"), *second = add_mark_handle(future, "x");
        ferry_handle_cancel(round == 1 ? second : first);
        ferry_handle_cancel(round == 1 ? first : second);
        ferry_handle_unref(first);
        ferry_handle_unref(second);
    }
    add_mark(future, "a");
    add_mark(future, "b");
    resolve(future, 1);
    settle();
    CHECK_STRING(trace, "ab");
    ferry_future_unref(future);
    end();
}

static void callback_added_after_one_was_taken_back_is_still_the_last(void) {
    static const char letters[] = "abc";
    static const char *const expected[] = {"bcd", "acd", "abd"};
    begin();
    for (int removed = 0; removed < 3; removed++) {
        ferry_future *future = make();
        ferry_handle *handles[3];
        trace[0] = '\0';
        for (int i = 0; i < 3; i++)
            handles[i] = add_mark_handle(future, &letters[i]);
        ferry_handle_cancel(handles[removed]);
        add_mark(future, "d");
        resolve(future, 1);
        settle();
        CHECK_STRING(trace, expected[removed]);
        for (int i = 0; i < 3; i++)
            ferry_handle_unref(handles[i]);
        ferry_future_unref(future);
    }
    end();
}

static void remove_takes_back_every_match_and_counts_them(void) {
    static const char a = 'a', b = 'b';
    begin();
    for (int queued = 0; queued < 2; queued++) {
        ferry_future *future = make(), *other = make();
        trace[0] = '\0';
        for (int i = 0; i < 3; i++) {
            add_mark(future, &a);
            add_mark(future, &b);
        }
        CHECK_STATUS(ferry_future_add_done_callback(future, mark_expected, (void *)(uintptr_t)&a, NULL), 0);
        add_mark(other, &a);
        expected_future = future;
        if (queued) {
            resolve(future, 1);
            resolve(other, 1);
        }
        CHECK_INT(ferry_future_remove_done_callback(future, mark_done, (void *)(uintptr_t)&a), 3);
        CHECK_INT(ferry_future_remove_done_callback(future, mark_done, (void *)(uintptr_t)&a), 0);
        CHECK_INT(ferry_future_remove_done_callback(future, mark_done, &trace), 0);
        if (!queued) {
            resolve(future, 1);
            resolve(other, 1);
        }
        settle();
        CHECK_STRING(trace, "bbbaa");
        CHECK_INT(ferry_future_remove_done_callback(future, mark_done, (void *)(uintptr_t)&b), 0);
        ferry_future_unref(future);
        ferry_future_unref(other);
    }
    end();
}

static void taken_back_callbacks_leave_nothing_behind(void) {
    begin();
    ferry_future *future = make();
    add_mark(future, "a");
    size_t bytes = 0;
    for (int i = 0; i < 10000; i++) {
        ferry_handle *handle = add_mark_handle(future, "x");
        add_mark(future, "y");
        ferry_handle_cancel(handle);
        ferry_handle_unref(handle);
        CHECK_INT(ferry_future_remove_done_callback(future, mark_done, (void *)"y"), 1);
        if (i == 10)
            bytes = atomic_load(&live_bytes);
        CHECK(atomic_load(&live_bytes) <= bytes || i < 10);
    }
    resolve(future, 1);
    settle();
    CHECK_STRING(trace, "a");
    ferry_future_unref(future);
    end();
}

/* ---- taking back while callbacks run ---- */

typedef struct remover {
    ferry_handle *handles[5];
    size_t count;
    ferry_future *by_match; /* instead of by handle */
} remover;

static ferry_status remove_all(ferry_future *future, void *arg) {
    remover *self = arg;
    (void)future;
    leave('r');
    for (size_t i = 0; i < self->count; i++)
        ferry_handle_cancel(self->handles[i]);
    if (self->by_match)
        CHECK_INT(ferry_future_remove_done_callback(self->by_match, mark_done, (void *)"x"), 2);
    return 0;
}

/* FU-011 */
static void callback_may_take_back_all_others_and_itself_by_handle(void) {
    remover self = {.count = 5};
    begin();
    ferry_future *future = make();
    self.handles[0] = add_mark_handle(future, "a");
    CHECK_STATUS(ferry_future_add_done_callback(future, remove_all, &self, &self.handles[1]), 0);
    for (int i = 2; i < 5; i++)
        self.handles[i] = add_mark_handle(future, "x");
    resolve(future, 1);
    ferry_future_unref(future);
    settle();
    CHECK_STRING(trace, "ar");
    CHECK(!ferry_handle_cancelled(self.handles[0]));
    CHECK(ferry_handle_cancelled(self.handles[4]));
    for (int i = 0; i < 5; i++)
        ferry_handle_unref(self.handles[i]);
    end();
}

/* FU-011 */
static void callback_may_take_back_others_by_function_and_argument(void) {
    remover self = {.count = 0};
    begin();
    ferry_future *future = self.by_match = make();
    add_mark(future, "a");
    CHECK_STATUS(ferry_future_add_done_callback(future, remove_all, &self, NULL), 0);
    add_mark(future, "x");
    add_mark(future, "b");
    add_mark(future, "x");
    resolve(future, 1);
    settle();
    CHECK_STRING(trace, "arb");
    ferry_future_unref(future);
    end();
}

/* FU-011: of a future that is still pending. */
static void callback_may_take_back_callbacks_of_another_future(void) {
    remover self = {.count = 2};
    begin();
    ferry_future *future = make(), *other = self.by_match = make();
    self.handles[0] = add_mark_handle(other, "x");
    add_mark(other, "x");
    self.handles[1] = add_mark_handle(other, "b");
    add_mark(other, "x");
    add_mark(other, "a");
    CHECK_STATUS(ferry_future_add_done_callback(future, remove_all, &self, NULL), 0);
    resolve(future, 1);
    settle();
    resolve(other, 1);
    settle();
    CHECK_STRING(trace, "ra");
    ferry_handle_unref(self.handles[0]);
    ferry_handle_unref(self.handles[1]);
    ferry_future_unref(future);
    ferry_future_unref(other);
    end();
}

/* ---- life ---- */

static ferry_status look_at_value(ferry_future *future, void *expected) {
    CHECK_INT(ferry_future_integer(future), *(int *)expected);
    leave('v');
    return 0;
}

static void done_future_lives_until_its_callbacks_have_run(void) {
    int expected = 77;
    begin();
    ferry_future *future = make();
    CHECK_STATUS(ferry_future_add_done_callback(future, look_at_value, &expected, NULL), 0);
    CHECK_STATUS(ferry_future_add_done_callback(future, look_at_value, &expected, NULL), 0);
    resolve(future, 77);
    ferry_future_unref(future);
    settle();
    CHECK_STRING(trace, "vv");
    end();
}

static void callbacks_of_an_abandoned_future_never_run(void) {
    begin();
    ferry_future *future = make();
    ferry_handle *handle = add_mark_handle(future, "x");
    add_mark(future, "x");
    ferry_future_unref(future);
    settle();
    CHECK_STRING(trace, "");
    ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
    end();
}

static ferry_status fail_with(ferry_future *future, void *status) {
    (void)future;
    return *(ferry_status *)status;
}

/* XH-001 */
static void error_of_a_callback_is_reported_and_the_others_run(void) {
    ferry_status failure = FERRY_EFULL;
    ferry_handle *handle = NULL;
    begin();
    ferry_future *future = make();
    add_mark(future, "a");
    int line = __LINE__ + 1;
    CHECK_STATUS(ferry_future_add_done_callback(future, fail_with, &failure, &handle), 0);
    add_mark(future, "b");
    resolve(future, 1);
    settle();
    CHECK_STRING(trace, "ab");
    const report_copy *report = report_of_line(&reports, line);
    CHECK(report);
    CHECK_STATUS(report->status, FERRY_EFULL);
    CHECK(report->handle == handle);
    CHECK(strstr(ferry_handle_origin(handle), "test_done_callback.c:"));
    ferry_handle_unref(handle);
    ferry_future_unref(future);
    end_with_reports(1);
}

/* ---- closing ---- */

static void close_drops_callbacks_that_wait_and_that_are_queued(void) {
    begin();
    ferry_future *done = make(), *pending = make();
    ferry_handle *queued = add_mark_handle(done, "x"), *waiting = add_mark_handle(pending, "x");
    add_mark(done, "x");
    add_mark(pending, "x");
    resolve(done, 1);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_handle_cancel(queued);
    ferry_handle_cancel(waiting);
    CHECK(ferry_handle_cancelled(waiting));
    ferry_handle_unref(queued);
    ferry_handle_unref(waiting);
    ferry_future_unref(done);
    ferry_future_unref(pending);
    end();
    CHECK_STRING(trace, "");
}

static void completion_after_close_drops_the_callbacks(void) {
    begin();
    ferry_future *resolved = make(), *cancelled = make();
    ferry_handle *handle = add_mark_handle(resolved, "x");
    add_mark(resolved, "x");
    add_mark(cancelled, "x");
    CHECK_STATUS(ferry_loop_close(loop), 0);
    resolve(resolved, 5);
    CHECK(ferry_future_cancel(cancelled));
    CHECK_STATUS(ferry_future_add_done_callback(resolved, mark_done, (void *)"x", NULL), FERRY_ECLOSED);
    CHECK_INT(ferry_future_integer(resolved), 5);
    ferry_future_unref(resolved);
    ferry_future_unref(cancelled);
    ferry_handle_unref(handle);
    end();
    CHECK_STRING(trace, "");
}

static const fy_test tests[] = {
    FY_TEST(callbacks_run_in_order_each_once_with_their_future),
    FY_TEST(callbacks_are_never_called_inline),
    FY_TEST(callbacks_take_their_place_in_the_loops_queue),
    FY_TEST(callback_added_by_a_callback_runs_in_the_next_turn),
    FY_TEST(chain_of_futures_takes_a_turn_each),
    FY_TEST(cancelled_handle_is_skipped_wherever_it_stands),
    FY_TEST(list_takes_more_after_all_were_taken_back),
    FY_TEST(callback_added_after_one_was_taken_back_is_still_the_last),
    FY_TEST(remove_takes_back_every_match_and_counts_them),
    FY_TEST(taken_back_callbacks_leave_nothing_behind),
    FY_TEST(callback_may_take_back_all_others_and_itself_by_handle),
    FY_TEST(callback_may_take_back_others_by_function_and_argument),
    FY_TEST(callback_may_take_back_callbacks_of_another_future),
    FY_TEST(done_future_lives_until_its_callbacks_have_run),
    FY_TEST(callbacks_of_an_abandoned_future_never_run),
    FY_TEST(error_of_a_callback_is_reported_and_the_others_run),
    FY_TEST(close_drops_callbacks_that_wait_and_that_are_queued),
    FY_TEST(completion_after_close_drops_the_callbacks),
};

FY_TEST_MAIN("done_callback", tests)
