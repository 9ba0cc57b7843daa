/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop holds on to: nothing once it is gone, and while it lives no more than what is pending asks for, however
 * much was posted, cancelled and dropped before. */
#include "support/loops.h"

#include "support/allocator.h"
#include "support/threads.h"

enum { CROWD = 20000, ROUNDS = 20 };

static ferry_handle *handles[CROWD];

static void check_nothing_is_left(void) {
    CHECK_INT(atomic_load(&live_blocks), 0);
    CHECK_INT(atomic_load(&live_bytes), 0);
}

static void check_crowd_is_given_back(void (*make_and_cancel)(ferry_loop *loop)) {
    allocator_install();
    ferry_loop *loop = new_loop();
    size_t most_bytes = 0;
    for (int round = 0; round < ROUNDS; round++) {
        make_and_cancel(loop);
        turn(loop);
        if (round < 2)
            most_bytes = atomic_load(&live_bytes);
        CHECK(atomic_load(&live_bytes) <= most_bytes + most_bytes / 2);
    }
    end_loop(loop);
    check_nothing_is_left();
}

/* ---- cancelled ---- */

static void cancel_all(void) {
    for (int i = 0; i < CROWD; i++) {
        ferry_handle_cancel(handles[i]);
        ferry_handle_unref(handles[i]);
    }
}

static void make_timers_and_cancel(ferry_loop *loop) {
    for (int i = 0; i < CROWD; i++)
        CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US + i, mark, NULL, &handles[i]), 0);
    cancel_all();
}

/* The head of the heap stays: the cancelled must go although none of them is ever due. */
static void make_timers_behind_a_lasting_one_and_cancel(ferry_loop *loop) {
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US / 2, mark, NULL, NULL), 0);
    make_timers_and_cancel(loop);
}

static void post_and_cancel(ferry_loop *loop) {
    for (int i = 0; i < CROWD; i++)
        CHECK_STATUS(ferry_call_soon(loop, mark, NULL, &handles[i]), 0);
    cancel_all();
}

static void post_threadsafe_and_cancel(ferry_loop *loop) {
    for (int i = 0; i < CROWD; i++)
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, NULL, &handles[i]), 0);
    cancel_all();
}

/* TM-005 */
static void cancelled_timers_are_purged(void) {
    check_crowd_is_given_back(make_timers_and_cancel);
    check_crowd_is_given_back(make_timers_behind_a_lasting_one_and_cancel);
}

static void cancelled_callbacks_are_given_back(void) {
    check_crowd_is_given_back(post_and_cancel);
    check_crowd_is_given_back(post_threadsafe_and_cancel);
}

/* TM-005: each is taken back at once, so a loop that never makes a turn must not grow either. */
static void timer_made_and_cancelled_over_and_over_keeps_the_loop_small(void) {
    allocator_install();
    ferry_loop *loop = new_loop();
    size_t bytes = 0;
    for (int i = 0; i < 20 * CROWD; i++) {
        ferry_handle *handle;
        CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, NULL, &handle), 0);
        ferry_handle_cancel(handle);
        ferry_handle_unref(handle);
        if (i == 1000)
            bytes = atomic_load(&live_bytes);
    }
    CHECK(atomic_load(&live_bytes) <= bytes);
    end_loop(loop);
    check_nothing_is_left();
}

/* ---- run and posted again ---- */

static ferry_status do_nothing(void *arg) {
    (void)arg;
    return 0;
}

static void post_all_kinds(ferry_loop *loop) {
    for (int i = 0; i < CROWD; i += 4) {
        CHECK_STATUS(ferry_call_soon(loop, do_nothing, NULL, NULL), 0);
        CHECK_STATUS(ferry_call_soon(loop, do_nothing, NULL, &handles[i]), 0);
        CHECK_STATUS(ferry_call_later(loop, -1, do_nothing, NULL, NULL), 0);
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, do_nothing, NULL, NULL), 0);
        ferry_handle_unref(handles[i]);
    }
    turn(loop);
}

static void what_has_run_is_given_back(void) {
    check_crowd_is_given_back(post_all_kinds);
}

/* ---- closing ---- */

static void post_for_close(ferry_loop *loop, ferry_handle **kept) {
    for (int i = 0; i < 1000; i++) {
        CHECK_STATUS(ferry_call_soon(loop, mark, NULL, i ? NULL : &kept[0]), 0);
        CHECK_STATUS(ferry_call_later(loop, 0, mark, NULL, i ? NULL : &kept[1]), 0);
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, NULL, i ? NULL : &kept[2]), 0);
    }
}

static void closing_gives_back_what_is_pending(void) {
    ferry_handle *kept[3];
    allocator_install();
    ferry_loop *loop = new_loop();
    post_for_close(loop, kept);
    for (int i = 0; i < 3; i++)
        ferry_handle_unref(kept[i]);
    end_loop(loop);
    check_nothing_is_left();
}

static void handles_and_futures_that_outlive_the_loop_are_given_back(void) {
    ferry_handle *kept[3];
    allocator_install();
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    post_for_close(loop, kept);
    end_loop(loop);
    ferry_handle_cancel(kept[1]);
    ferry_future_unref(future);
    for (int i = 0; i < 3; i++)
        ferry_handle_unref(kept[i]);
    check_nothing_is_left();
}

/* ---- racing with close ---- */

enum { POSTS_BEFORE_CLOSE = 100, POSTS_MAX = 5000 };

typedef struct racer {
    ferry_loop *loop;
    atomic_int *posted;
} racer;

static void post_until_closed(void *arg) {
    racer *self = arg;
    ferry_status status = 0;
    for (int i = 0; !status; i++) {
        ferry_handle *handle = NULL;
        status = ferry_call_soon_threadsafe(self->loop, do_nothing, NULL, i % 2 ? &handle : NULL);
        if (i % 4 == 1)
            ferry_handle_cancel(handle);
        ferry_handle_unref(handle);
        if (atomic_fetch_add(self->posted, 1) > POSTS_MAX)
            while (!ferry_loop_is_closed(self->loop))
                apr_thread_yield();
    }
    CHECK_STATUS(status, FERRY_ECLOSED);
    ferry_loop_unref(self->loop);
}

static void posts_that_race_with_close_are_given_back(void) {
    allocator_install();
    for (int i = 0; i < 200; i++) {
        atomic_int posted = 0;
        ferry_loop *loop = new_loop();
        racer self = {loop, &posted};
        helper_thread threads[2];
        for (int thread = 0; thread < 2; thread++) {
            ferry_loop_ref(loop);
            thread_start(&threads[thread], post_until_closed, &self);
        }
        while (atomic_load(&posted) < POSTS_BEFORE_CLOSE)
            turn(loop);
        CHECK_STATUS(ferry_loop_close(loop), 0);
        for (int thread = 0; thread < 2; thread++)
            thread_join(&threads[thread]);
        ferry_loop_unref(loop);
        check_nothing_is_left();
    }
}

static const fy_test tests[] = {
    FY_TEST(cancelled_timers_are_purged),
    FY_TEST(cancelled_callbacks_are_given_back),
    FY_TEST(timer_made_and_cancelled_over_and_over_keeps_the_loop_small),
    FY_TEST(what_has_run_is_given_back),
    FY_TEST(closing_gives_back_what_is_pending),
    FY_TEST(handles_and_futures_that_outlive_the_loop_are_given_back),
    FY_TEST(posts_that_race_with_close_are_given_back),
};

FY_TEST_MAIN("loop_memory", tests)
