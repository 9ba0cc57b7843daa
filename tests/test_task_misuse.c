/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on tasks and groups from a thread that is not their loop's: refused, or where there is no status to refuse them
 * with, the end of the program. */
#include <string.h>

#include "support/child.h"
#include "support/sync.h"
#include "support/threads.h"

static ferry_status never(void *arg, ferry_call *call) {
    const bool reached = true;
    (void)arg;
    (void)call;
    CHECK(!reached);
    return 0;
}

static void add_a_child(void *group) {
    size_t before = atomic_load(&live_blocks);
    CHECK_STATUS(ferry_task_group_create_task(group, never, NULL, NULL), FERRY_EWRONGTHREAD);
    CHECK_INT(atomic_load(&live_blocks), before);
}

static ferry_status have_a_child_added(void *arg, ferry_call *call) {
    ferry_task_group *group = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    on_another_thread(add_a_child, group);
    return ferry_task_group_close(group, 0);
}

static void group_is_not_touched_by_another_thread(void) {
    begin();
    run_task(have_a_child_added, NULL);
    end();
}

static void uncancel_it(void *task) {
    (void)ferry_task_uncancel(task);
}

static void cancel_its_children(void *group) {
    ferry_task_group_cancel(group);
}

static ferry_status have_oneself_uncancelled(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    on_another_thread(uncancel_it, ferry_current_task());
    return 0;
}

static ferry_status have_the_children_cancelled(void *arg, ferry_call *call) {
    ferry_task_group *group = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    on_another_thread(cancel_its_children, group);
    return ferry_task_group_close(group, 0);
}

static int uncancels_on_another_thread(void) {
    begin();
    run_task(have_oneself_uncancelled, NULL);
    return 0;
}

static int cancels_a_group_on_another_thread(void) {
    begin();
    run_task(have_the_children_cancelled, NULL);
    return 0;
}

static void ends_the_program(const char *mode) {
    static fy_child child;
    fy_child_run(mode, &child);
    CHECK(child.code);
    CHECK(strstr(child.output, "this must hold"));
}

static void cancelling_is_for_the_loops_thread_alone(void) {
    ends_the_program("uncancels_on_another_thread");
    ends_the_program("cancels_a_group_on_another_thread");
}

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(uncancels_on_another_thread),
    FY_CHILD_MODE(cancels_a_group_on_another_thread),
};

static const fy_test tests[] = {
    FY_TEST(group_is_not_touched_by_another_thread),
    FY_TEST(cancelling_is_for_the_loops_thread_alone),
};

FY_CHILD_TEST_MAIN("task_misuse", tests, modes)
