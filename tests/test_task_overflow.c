/* SPDX-License-Identifier: Apache-2.0 */
/* A task that goes over the end of its stack stops the program, and the program's user learns which task it was. Each
 * case is a child process. */
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/tasks.h"

static int recurse(volatile char *above, int depth) {
    volatile char room[512];
    room[0] = above ? above[0] : 1;
    if (depth == 0)
        return room[0];
    return recurse(room, depth - 1) + room[0]; /* what it adds keeps the frame */
}

static ferry_status recurse_for_long(void *arg, ferry_call *call) {
    (void)arg;
    CHECK_STATUS(ferry_sleep(0), 0);
    return ferry_return_integer(call, recurse(NULL, 1000000));
}

static int overflows(void) {
    ferry_loop *loop = NULL;
    ferry_task *task = NULL;
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = recurse_for_long, .name = "the deep one"};
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STATUS(ferry_task_create_with(loop, &options, &task), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, task), 0);
    return 0;
}

static inline void overflow_names_the_task(void) {
    fy_child child;
    fy_child_run("overflows", &child);
    CHECK(child.code != 0);
    CHECK(strstr(child.output, "ferry: stack overflow in task the deep one, made at ") != NULL);
    CHECK(strstr(child.output, "test_task_overflow.c:") != NULL);
}

static volatile int *volatile nowhere = (volatile int *)(uintptr_t)64;

/* An access elsewhere is as fatal as ever, and nobody speaks of stacks. */
static ferry_status write_nowhere(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    *nowhere = 1;
    return 0;
}

static int writes_nowhere(void) {
    ferry_loop *loop = NULL;
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STATUS(ferry_task_create(loop, write_nowhere, NULL, &task), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, task), 0);
    return 0;
}

static void other_faults_are_none_of_its_business(void) {
    fy_child child;
    fy_child_run("writes_nowhere", &child);
    CHECK(child.code != 0);
    CHECK(!strstr(child.output, "ferry: stack overflow"));
}

static const fy_test tests[] = {
#ifndef _WIN32 /* docs/conformance.md says why */
    FY_TEST(overflow_names_the_task),
#endif
    FY_TEST(other_faults_are_none_of_its_business),
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(overflows),
    FY_CHILD_MODE(writes_nowhere),
};

FY_CHILD_TEST_MAIN("task_overflow", tests, modes)
