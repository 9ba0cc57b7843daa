/* SPDX-License-Identifier: Apache-2.0 */
/* Another loop drives this one: it asks for the next deadline, polls the wait handle, and makes one turn at a time. The
 * foreign loop here is poll() itself. */
#include "support/loops.h"

#include <poll.h>
#include <stdatomic.h>

#include "support/threads.h"

enum { FAR_TOO_LONG_MS = 60000 };

/* ---- a foreign loop in a few lines ---- */

static int milliseconds_until(int64_t deadline_us) {
    int64_t left_us = deadline_us == FERRY_FOREVER ? FERRY_FOREVER : deadline_us - ferry_now();
    if (left_us <= 0)
        return 0;
    return left_us > FAR_TOO_LONG_MS * INT64_C(1000) ? FAR_TOO_LONG_MS : (int)((left_us + 999) / 1000);
}

/* Blocks as the loop says it may, then makes one turn. Nothing in these tests takes a minute: then a wake was lost. */
static void drive_once(ferry_loop *loop) {
    struct pollfd watched = {.fd = (int)ferry_loop_wait_handle(loop), .events = POLLIN};
    int timeout_ms = milliseconds_until(ferry_loop_next_deadline(loop));
    int count = poll(&watched, 1, timeout_ms);
    CHECK(count >= 0);
    CHECK(count == 1 || timeout_ms < FAR_TOO_LONG_MS);
    turn(loop);
}

static bool is_readable_now(ferry_loop *loop) {
    struct pollfd watched = {.fd = (int)ferry_loop_wait_handle(loop), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

/* A foreign loop must come to rest when there is nothing to do; one turn in vain may come before. */
static void check_at_rest(ferry_loop *loop) {
    turn(loop);
    turn(loop);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    CHECK(!is_readable_now(loop));
}

/* What was posted before the loop was asked must show, by either sign: nobody will write to the handle for it again. */
static void post_from_before_the_question_is_not_lost(void) {
    ferry_loop *loop = new_loop();
    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"a", NULL), 0);
        CHECK(ferry_loop_next_deadline(loop) <= ferry_now() || is_readable_now(loop));
        turn(loop);
        CHECK_INT(strlen(trace), i + 1);
    }
    check_at_rest(loop);
    end_loop(loop);
}

/* ---- the wait handle ---- */

static void post_mark_a(void *loop) {
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"a", NULL), 0);
}

static void post_makes_the_wait_handle_readable_until_it_has_run(void) {
    ferry_loop *loop = new_loop();
    CHECK(ferry_loop_wait_handle(loop) >= 0);
    for (int i = 1; i <= 100; i++) {
        CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
        CHECK(!is_readable_now(loop));
        on_another_thread(post_mark_a, loop);
        CHECK(is_readable_now(loop));
        turn(loop);
        CHECK_INT(strlen(trace), i);
        check_at_rest(loop);
    }
    end_loop(loop);
}

static ferry_status note_driven(void *loop) {
    CHECK(ferry_running_loop() == loop);
    leave('a');
    return 0;
}

static void timers_run_under_a_foreign_loop(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_later(loop, 500, note_driven, loop, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 1500, note_driven, loop, NULL), 0);
    post(loop, note_driven, loop);
    int turns = 0;
    for (; strlen(trace) < 3; turns++)
        drive_once(loop);
    CHECK(turns <= 10);
    check_at_rest(loop);
    end_loop(loop);
}

static void post_mark_a_after_a_pause(void *loop) {
    ferry_thread_sleep(5000);
    post_mark_a(loop);
}

/* The turn ends before its time; whatever the kernel says when that has come, it is said once. */
static void time_limit_of_an_earlier_turn_leaves_the_handle_at_rest(void) {
    enum { LIMIT_MS = 40 };
    ferry_loop *loop = new_loop();
    helper_thread poster;
    thread_start(&poster, post_mark_a_after_a_pause, loop);
    int64_t limit_us = ferry_now() + LIMIT_MS * INT64_C(1000);
    while (!*trace)
        CHECK_STATUS(ferry_loop_run_once(loop, LIMIT_MS * INT64_C(1000)), 0);
    thread_join(&poster);
    struct pollfd watched = {.fd = (int)ferry_loop_wait_handle(loop), .events = POLLIN};
    while (ferry_now() < limit_us + 1000)
        if (poll(&watched, 1, LIMIT_MS) == 1)
            turn(loop);
    check_at_rest(loop);
    end_loop(loop);
}

enum { POSTERS = 3, POSTS_EACH = 20000 };

typedef struct poster {
    ferry_loop *loop;
    atomic_int *ran;
    bool in_step; /* waits until each post has run before it makes the next one */
} poster;

static ferry_status count_atomically(void *count) {
    atomic_fetch_add((atomic_int *)count, 1);
    return 0;
}

static void post_many(void *arg) {
    poster *self = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        CHECK_STATUS(ferry_call_soon_threadsafe(self->loop, count_atomically, self->ran, NULL), 0);
        while (self->in_step && atomic_load(self->ran) <= i)
            apr_thread_yield();
    }
}

static void drive_posters(int count, bool in_step) {
    ferry_loop *loop = new_loop();
    atomic_int ran = 0;
    poster self = {loop, &ran, in_step};
    helper_thread threads[POSTERS];
    for (int i = 0; i < count; i++)
        thread_start(&threads[i], post_many, &self);
    while (atomic_load(&ran) < count * POSTS_EACH)
        drive_once(loop);
    for (int i = 0; i < count; i++)
        thread_join(&threads[i]);
    check_at_rest(loop);
    CHECK_INT(atomic_load(&ran), count * POSTS_EACH);
    end_loop(loop);
}

static void every_single_post_wakes_the_foreign_poll(void) {
    drive_posters(1, true);
}

static void no_post_of_many_threads_is_lost_to_the_foreign_poll(void) {
    drive_posters(POSTERS, false);
}

/* ---- turns and runs on one loop ---- */

static void turns_and_runs_may_alternate(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    post_mark(loop, "a");
    turn(loop);
    post_mark(loop, "b");
    run_for(loop, 500);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"c", NULL), 0);
    drive_once(loop);
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    on_another_thread(post_mark_a, loop);
    drive_once(loop);
    CHECK_STRING(trace, "abca");
    check_at_rest(loop);
    ferry_future_unref(future);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(post_from_before_the_question_is_not_lost),
    FY_TEST(post_makes_the_wait_handle_readable_until_it_has_run),
    FY_TEST(timers_run_under_a_foreign_loop),
    FY_TEST(every_single_post_wakes_the_foreign_poll),
    FY_TEST(no_post_of_many_threads_is_lost_to_the_foreign_poll),
    FY_TEST(time_limit_of_an_earlier_turn_leaves_the_handle_at_rest),
    FY_TEST(turns_and_runs_may_alternate),
};

FY_TEST_MAIN("embedding_poll", tests)
