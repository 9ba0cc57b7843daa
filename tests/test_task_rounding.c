/* SPDX-License-Identifier: Apache-2.0 */
/* The modes of floating point are each task's own: what one sets, nobody else computes with, neither beside it nor
 * after it on the same stack. */
#include <fenv.h>

#include "support/tasks.h"

/* As the modes say, and as the processor does. */
static bool rounds(int mode) {
    volatile double one = 1, three = 3;
    return fegetround() == mode && (one / three > 1.0 / 3) == (mode == FE_UPWARD);
}

static ferry_status set_upward(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK(rounds(FE_TONEAREST));
    CHECK_INT(fesetround(FE_UPWARD), 0);
    CHECK(rounds(FE_UPWARD));
    return 0;
}

static void ended_task_leaves_no_mode_to_the_next(void) {
    ferry_loop *loop = new_loop();
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(run_task(loop, set_upward, NULL), 0);
        CHECK(rounds(FE_TONEAREST));
    }
    end_loop(loop);
}

/* ---- beside each other ---- */

enum { WAITS = 5 };

static ferry_status keep_a_mode(void *mode, ferry_call *call) {
    (void)call;
    CHECK(rounds(FE_TONEAREST));
    CHECK_INT(fesetround((int)(intptr_t)mode), 0);
    for (int i = 0; i < WAITS; i++) {
        CHECK_STATUS(ferry_sleep(0), 0);
        CHECK(rounds((int)(intptr_t)mode));
    }
    return 0;
}

static ferry_status see_nearest(void *ran) {
    ++*(int *)ran;
    CHECK(rounds(FE_TONEAREST));
    return 0;
}

static void each_task_keeps_its_mode_while_others_run(void) {
    static const int modes[] = {FE_UPWARD, FE_TONEAREST, FE_DOWNWARD};
    ferry_loop *loop = new_loop();
    ferry_task *tasks[3];
    int ran = 0;
    for (int i = 0; i < 3; i++) {
        tasks[i] = new_task(loop, keep_a_mode, (void *)(intptr_t)modes[i]);
        CHECK_STATUS(ferry_call_soon(loop, see_nearest, &ran, NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(run_until(loop, tasks[i]), 0);
        ferry_future_unref(tasks[i]);
    }
    CHECK_INT(ran, 3);
    end_loop(loop);
}

/* ---- what a task begins with ---- */

static ferry_status go_on_downward(void *waits, ferry_call *call) {
    (void)call;
    CHECK(rounds(FE_UPWARD));
    CHECK_INT(fesetround(FE_DOWNWARD), 0);
    if (waits)
        CHECK_STATUS(ferry_sleep(0), 0);
    CHECK(rounds(FE_DOWNWARD));
    return 0;
}

static ferry_status make_eager_ones(void *arg, ferry_call *call) {
    ferry_task *children[2] = {NULL, NULL};
    (void)arg;
    (void)call;
    CHECK_INT(fesetround(FE_UPWARD), 0);
    for (int i = 0; i < 2; i++) {
        ferry_task_options options = {FERRY_TASK_OPTIONS, .function = go_on_downward, .arg = i ? &i : NULL,
                                      .eager = true};
        CHECK_STATUS(ferry_task_create_with(NULL, &options, &children[i]), 0);
        CHECK(rounds(FE_UPWARD));
    }
    CHECK_STATUS(FERRY_AWAIT_ALL(children[0], children[1]), 0);
    CHECK(rounds(FE_UPWARD));
    ferry_future_unref_all(children, 2);
    return 0;
}

static void eager_task_begins_with_its_makers_mode(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, make_eager_ones, NULL), 0);
    CHECK(rounds(FE_TONEAREST));
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(run_task(loop, set_upward, NULL), 0);
    end_loop(loop);
}

static ferry_status see_mode(void *mode, ferry_call *call) {
    (void)call;
    CHECK(rounds((int)(intptr_t)mode));
    return 0;
}

static void task_begins_with_the_mode_of_the_loops_thread(void) {
    static const int modes[] = {FE_UPWARD, FE_TONEAREST, FE_DOWNWARD, FE_TONEAREST};
    ferry_loop *loop = new_loop();
    for (int i = 0; i < 4; i++) {
        CHECK_INT(fesetround(modes[i]), 0);
        CHECK_STATUS(run_task(loop, see_mode, (void *)(intptr_t)modes[i]), 0);
        CHECK(rounds(modes[i]));
    }
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(ended_task_leaves_no_mode_to_the_next),
    FY_TEST(each_task_keeps_its_mode_while_others_run),
    FY_TEST(eager_task_begins_with_its_makers_mode),
    FY_TEST(task_begins_with_the_mode_of_the_loops_thread),
};

FY_TEST_MAIN("task_rounding", tests)
