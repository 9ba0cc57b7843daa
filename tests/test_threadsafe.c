/* SPDX-License-Identifier: Apache-2.0 */
/* The door for other threads: posts wake the loop, run on its thread, and can be taken back from anywhere. What
 * many threads do at once is for test_threadsafe_stress.c. */
#include "support/loops.h"

#include <apr_portable.h>

#include "support/threads.h"

static void post_threadsafe(ferry_loop *loop, ferry_callback *callback, void *arg) {
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, callback, arg, NULL), 0);
}

/* ---- waking ---- */

typedef struct sleeper {
    ferry_loop *loop;
    gate running;
    apr_os_thread_t ran_on;
    ferry_loop *ran_in;
} sleeper;

static ferry_status note_thread_and_stop(void *arg) {
    sleeper *self = arg;
    self->ran_on = apr_os_thread_current();
    self->ran_in = ferry_running_loop();
    return stop_loop(self->loop);
}

/* The pause makes it likely that the loop blocks by then; the test holds either way. */
static void wake_sleeper(void *arg) {
    sleeper *self = arg;
    gate_wait(&self->running);
    ferry_thread_sleep(20000);
    CHECK(ferry_loop_is_running(self->loop));
    post_threadsafe(self->loop, note_thread_and_stop, self);
}

static ferry_status open_gate(void *door) {
    gate_open(door);
    return 0;
}

/* TS-001 */
static void post_wakes_a_blocked_loop_and_runs_on_its_thread(void) {
    sleeper self = {.loop = new_loop()};
    helper_thread waker;
    gate_init(&self.running);
    thread_start(&waker, wake_sleeper, &self);
    post(self.loop, open_gate, &self.running);
    run_forever(self.loop);
    thread_join(&waker);
    CHECK(apr_os_thread_equal(self.ran_on, apr_os_thread_current()));
    CHECK(self.ran_in == self.loop);
    gate_fini(&self.running);
    end_loop(self.loop);
}

static void post_mark_a(void *loop) {
    post_threadsafe(loop, mark, (void *)"a");
}

static ferry_status post_mark_b(void *loop) {
    post_threadsafe(loop, mark, (void *)"b");
    leave('(');
    return 0;
}

static void posts_may_come_before_the_run_and_from_the_loops_own_thread(void) {
    ferry_loop *loop = new_loop();
    on_another_thread(post_mark_a, loop);
    turn(loop);
    CHECK_STRING(trace, "a");
    post(loop, post_mark_b, loop);
    turn(loop);
    CHECK_STRING(trace, "a(");
    turn(loop);
    CHECK_STRING(trace, "a(b");
    end_loop(loop);
}

enum { VOLLEYS = 5000 };

typedef struct player {
    ferry_loop *own;
    struct player *other;
    int hits;
} player;

static ferry_status hit(void *arg) {
    player *self = arg;
    if (++self->hits <= VOLLEYS)
        post_threadsafe(self->other->own, hit, self->other);
    return self->hits >= VOLLEYS ? stop_loop(self->own) : 0;
}

static void play(void *arg) {
    player *self = arg;
    run_forever(self->own);
    CHECK(self->hits >= VOLLEYS);
}

/* TS-001: every volley finds the other loop asleep or about to be. */
static void two_loops_wake_each_other(void) {
    player one = {.own = new_loop()}, two = {.own = new_loop(), .other = &one};
    helper_thread thread;
    one.other = &two;
    post(one.own, hit, &one);
    thread_start(&thread, play, &two);
    play(&one);
    thread_join(&thread);
    end_loop(one.own);
    end_loop(two.own);
}

/* ---- cancelling ---- */

typedef struct slow_job {
    ferry_handle *handle;
    gate entered;
    bool finished;
} slow_job;

static ferry_status run_slowly(void *arg) {
    slow_job *self = arg;
    gate_open(&self->entered);
    ferry_thread_sleep(50000);
    self->finished = true;
    return 0;
}

static void cancel_slow_job(void *arg) {
    slow_job *self = arg;
    gate_wait(&self->entered);
    ferry_handle_cancel(self->handle);
    CHECK(self->finished);
    ferry_handle_unref(self->handle);
}

/* TS-002 */
static void cancel_from_another_thread_waits_for_the_running_callback(void) {
    ferry_loop *loop = new_loop();
    slow_job job = {0};
    helper_thread canceller;
    gate_init(&job.entered);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, run_slowly, &job, &job.handle), 0);
    thread_start(&canceller, cancel_slow_job, &job);
    while (!job.finished)
        turn(loop);
    thread_join(&canceller);
    gate_fini(&job.entered);
    end_loop(loop);
}

static ferry_status cancel_itself(void *handle) {
    leave('a');
    ferry_handle_cancel(*(ferry_handle **)handle);
    ferry_handle_cancel(*(ferry_handle **)handle);
    leave('b');
    return 0;
}

/* TS-003 */
static void callback_may_cancel_its_own_threadsafe_handle(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *handle;
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, cancel_itself, &handle, &handle), 0);
    CHECK(!ferry_handle_cancelled(handle));
    turn(loop);
    CHECK_STRING(trace, "ab");
    CHECK(ferry_handle_cancelled(handle));
    ferry_handle_unref(handle);
    end_loop(loop);
}

static void cancel_and_unref(void *handle) {
    ferry_handle_cancel(handle);
    CHECK(ferry_handle_cancelled(handle));
    ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
}

static void threadsafe_handle_is_cancelled_before_it_runs(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *here, *there;
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &here), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &there), 0);
    post_threadsafe(loop, mark, (void *)"a");
    cancel_and_unref(here);
    on_another_thread(cancel_and_unref, there);
    turn(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static void cancel_and_drop(void *handle) {
    ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
}

static void threadsafe_handles_outlive_the_loop_on_other_threads(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *ran, *dropped;
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"a", &ran), 0);
    turn(loop);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &dropped), 0);
    end_loop(loop);
    on_another_thread(cancel_and_drop, ran);
    on_another_thread(cancel_and_drop, dropped);
    CHECK_STRING(trace, "a");
}

/* ---- a loop that is closed ---- */

static void find_it_closed(void *loop) {
    ferry_handle *untouched = NULL;
    CHECK(ferry_loop_is_closed(loop));
    CHECK(!ferry_loop_is_running(loop));
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", &untouched), FERRY_ECLOSED);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"x", NULL), FERRY_ECLOSED);
    CHECK(!untouched);
}

static void closed_loop_refuses_posts_from_any_thread(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_close(loop), 0);
    find_it_closed(loop);
    on_another_thread(find_it_closed, loop);
    ferry_loop_unref(loop);
    CHECK_STRING(trace, "");
}

static const fy_test tests[] = {
    FY_TEST(post_wakes_a_blocked_loop_and_runs_on_its_thread),
    FY_TEST(posts_may_come_before_the_run_and_from_the_loops_own_thread),
    FY_TEST(two_loops_wake_each_other),
    FY_TEST(cancel_from_another_thread_waits_for_the_running_callback),
    FY_TEST(callback_may_cancel_its_own_threadsafe_handle),
    FY_TEST(threadsafe_handle_is_cancelled_before_it_runs),
    FY_TEST(threadsafe_handles_outlive_the_loop_on_other_threads),
    FY_TEST(closed_loop_refuses_posts_from_any_thread),
};

FY_TEST_MAIN("threadsafe", tests)
