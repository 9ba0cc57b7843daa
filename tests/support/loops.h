/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a loop share: a loop made and ended with every status checked, and callbacks that leave letters in
 * the order in which they run. It knows nothing of what a test wants to see. */
#ifndef FERRY_TESTS_SUPPORT_LOOPS_H
#define FERRY_TESTS_SUPPORT_LOOPS_H

#include <string.h>

#include "ferry/future.h"
#include "ferry/loop.h"
#include "ferry/sim.h"
#include "support/harness.h"

#define AN_HOUR_US INT64_C(3600000000)

/* The letters left by `mark` since the last loop was made. */
static char trace[256];

static inline ferry_loop *new_loop(void) {
    ferry_loop *loop = NULL;
    trace[0] = '\0';
    CHECK(!ferry_running_loop()); /* else an earlier test has failed in a callback, and its loop never ended its run */
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK(loop);
    return loop;
}

/* What the loop's clock says: on the simulator it is not the one of ferry_now. */
static inline int64_t clock_of(const ferry_loop *loop) {
    return ferry_sim_is_simulated(loop) ? ferry_sim_now(loop) : ferry_now();
}

/* What a callback does that takes so long. */
static inline void take_time(ferry_loop *loop, int64_t duration_us) {
    if (ferry_sim_is_simulated(loop))
        CHECK_STATUS(ferry_sim_spend(loop, duration_us), 0);
    else
        ferry_thread_sleep(duration_us);
}

static inline void end_loop(ferry_loop *loop) {
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

static inline void leave(char letter) {
    size_t length = strlen(trace);
    CHECK(length + 1 < sizeof trace);
    trace[length] = letter;
    trace[length + 1] = '\0';
}

/* Callbacks. */
static inline ferry_status mark(void *letter) {
    leave(*(const char *)letter);
    return 0;
}

static inline ferry_status stop_loop(void *loop) {
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    return 0;
}

static inline ferry_status count_up(void *count) {
    ++*(int *)count;
    return 0;
}

/* Short ways to say what most tests do. A macro where the line of the test is to be the origin. */
#define post(loop, callback, arg) CHECK_STATUS(ferry_call_soon(loop, callback, arg, NULL), 0)

static inline void post_mark(ferry_loop *loop, const char *letter) {
    post(loop, mark, (void *)(uintptr_t)letter);
}

static inline void turn(ferry_loop *loop) {
    CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
}

static inline void run_forever(ferry_loop *loop) {
    CHECK_STATUS(ferry_loop_run_forever(loop), 0);
}

/* On a busy machine several times pass between two turns; what follows from the earlier ones takes a few turns more. */
enum { TURNS_TO_SETTLE = 8 };

static inline ferry_status stop_when_settled(void *arg) {
    ferry_loop *loop = (ferry_loop *)arg;
    static int turns;
    turns = (turns + 1) % TURNS_TO_SETTLE;
    return turns ? ferry_call_soon(loop, stop_when_settled, loop, NULL) : stop_loop(loop);
}

/* Runs until `delay_us` have passed, and what is due by then has taken its course. */
static inline void run_for(ferry_loop *loop, int64_t delay_us) {
    CHECK_STATUS(ferry_call_later(loop, delay_us, stop_when_settled, loop, NULL), 0);
    run_forever(loop);
}

static inline ferry_future *new_future(ferry_loop *loop) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_future_create(loop, &future), 0);
    return future;
}

#endif
