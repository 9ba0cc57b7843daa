/* SPDX-License-Identifier: Apache-2.0 */
/* Very many jobs that have come home before their loop looks: the loop takes them in by parts, and yet no time limit
 * overtakes one of them, and no turn that is the last one leaves something behind. */
#include <stdint.h>

#include "support/jobs.h"
#include "support/loops.h"

enum { MANY = 3000, LIMIT_US = 1000 };

static ferry_loop *loop;

static void submit_many(ferry_executor *pool, ferry_future **futures) {
    for (int i = 0; i < MANY; i++)
        CHECK_STATUS(ferry_run_in_executor(loop, pool, fy_nothing, NULL, &futures[i]), 0);
}

/* A pool that was waited for has sent all that it had to send. */
static void bring_many_home(ferry_future **futures) {
    ferry_executor *pool = fy_pool_of(2);
    loop = new_loop();
    submit_many(pool, futures);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    ferry_executor_unref(pool);
}

static ferry_status count_done(ferry_future *future, void *count) {
    CHECK_STATUS(ferry_future_status(future), 0);
    return ++*(int *)count == MANY ? ferry_loop_stop(loop) : 0;
}

static void time_limits_do_not_overtake_them(void) {
    static ferry_future *futures[MANY], *limited[MANY];
    int done = 0;
    bring_many_home(futures);
    for (int i = 0; i < MANY; i++) {
        CHECK_STATUS(ferry_wait_for(futures[i], LIMIT_US, &limited[i]), 0);
        CHECK_STATUS(ferry_future_add_done_callback(limited[i], count_done, &done, NULL), 0);
    }
    ferry_thread_sleep(2 * LIMIT_US);
    run_forever(loop);
    CHECK_INT(done, MANY);
    ferry_future_unref_all(limited, MANY);
    ferry_future_unref_all(futures, MANY);
    end_loop(loop);
}

/* How the last turn, or the only one, is made. */
static void stop_and_run(void) {
    CHECK_STATUS(ferry_loop_stop(loop), 0);
    run_forever(loop);
}

static void run_without_waiting(void) {
    CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
}

static void run_with_a_limit(void) {
    CHECK_STATUS(ferry_loop_run_once(loop, AN_HOUR_US), 0);
}

static void run_behind_them(void (*make_turn)(void)) {
    static ferry_future *futures[MANY];
    bring_many_home(futures);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, "p", NULL), 0);
    make_turn();
    CHECK_STRING(trace, "p");
    for (int i = 0; i < MANY; i++)
        CHECK_STATUS(ferry_future_status(futures[i]), 0);
    ferry_future_unref_all(futures, MANY);
    end_loop(loop);
}

static void last_turn_leaves_nothing_behind_them(void) {
    run_behind_them(stop_and_run);
    run_behind_them(run_without_waiting);
    run_behind_them(run_with_a_limit);
}

static const fy_test tests[] = {
    FY_TEST(time_limits_do_not_overtake_them),
    FY_TEST(last_turn_leaves_nothing_behind_them),
};

FY_TEST_MAIN("jobs_home", tests)
