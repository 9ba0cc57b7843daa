/* SPDX-License-Identifier: Apache-2.0 */
/* Task groups: no child outlives its group, a failure ends the others, and whose cancellation it was is never mixed
 * up. */
#include <errno.h>
#include <string.h>

#include "support/tasks.h"

/* ---- children ---- */

static ferry_status succeed(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(0), 0);
    leave(*(const char *)arg);
    return ferry_return_integer(call, 1);
}

static ferry_status fail(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(100), 0);
    leave(*(const char *)arg);
    return ferry_return_error(call, FERRY_EFULL, "child %s", (const char *)arg);
}

static ferry_status sleep_long(void *arg, ferry_call *call) {
    (void)call;
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_STATUS(status, FERRY_ECANCELED);
    CHECK_STATUS(ferry_sleep(100), 0); /* cleans up */
    leave(*(const char *)arg);
    return status;
}

static ferry_status fail_when_cancelled(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave(*(const char *)arg);
    return ferry_return_error(call, FERRY_EBROKEN, "while cleaning up");
}

static ferry_task_group *open_group(int flags) {
    ferry_task_group *group = NULL;
    CHECK_STATUS(ferry_task_group_open(flags, &group), 0);
    return group;
}

static void add(ferry_task_group *group, ferry_function *function, const char *letter) {
    CHECK_STATUS(ferry_task_group_create_task(group, function, (void *)(uintptr_t)letter, NULL), 0);
}

/* ---- ending well ---- */

static ferry_status two_children(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, succeed, "a");
    add(group, succeed, "b");
    CHECK_STATUS(ferry_task_group_close(group, 0), 0);
    CHECK_STRING(trace, "ab");
    return ferry_task_group_close(NULL, 0);
}

static void group_ends_after_its_children(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, two_children, NULL), 0);
    end_loop(loop);
}

/* ---- failures ---- */

static ferry_status one_fails(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    ferry_task *failed = NULL;
    (void)arg;
    (void)call;
    add(group, sleep_long, "a");
    add(group, fail, "f");
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_STATUS(status, FERRY_ECANCELED); /* interrupted */
    CHECK_STATUS(ferry_task_group_create_task(group, succeed, "x", NULL), FERRY_EINVALIDSTATE); /* TG-013 */
    CHECK_STATUS(ferry_task_group_join(group, status, &failed), FERRY_EFULL);
    CHECK_STRING(trace, "fa");
    CHECK_STRING(ferry_future_message(failed), "child f");
    ferry_future_unref(failed);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0); /* TG-008 */
    CHECK_STATUS(ferry_sleep(0), 0);                           /* TG-009 */
    CHECK_STATUS(ferry_sleep(100), 0);
    return 0;
}

/* TG-002, TG-008, TG-009, TG-013 */
static void failure_cancels_the_siblings_and_interrupts_the_owner(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, one_fails, NULL), 0);
    end_loop(loop);
}

static ferry_status fails_while_closing(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, sleep_long, "a");
    add(group, fail, "f");
    CHECK_STATUS(ferry_task_group_close(group, 0), FERRY_EFULL);
    CHECK_STRING(trace, "fa");
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0);
    CHECK_STATUS(ferry_sleep(100), 0);
    return 0;
}

static void failure_while_the_owner_waits_needs_no_interrupt(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, fails_while_closing, NULL), 0);
    end_loop(loop);
}

static ferry_status body_fails(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, fail_when_cancelled, "a");
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_STATUS(ferry_task_group_close(group, FERRY_EWRONGTYPE), FERRY_EWRONGTYPE);
    CHECK_STRING(trace, "a");
    return 0;
}

static void failure_of_the_body_cancels_the_children(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, body_fails, NULL), 0);
    end_loop(loop);
}

static ferry_status collect(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(FERRY_RETURN_EXCEPTIONS);
    (void)arg;
    (void)call;
    add(group, fail, "f");
    add(group, fail, "g");
    add(group, succeed, "a");
    while (!ferry_task_group_failed(group, 1))
        CHECK_STATUS(ferry_sleep(100), 0); /* nobody interrupts */
    CHECK_STRING(ferry_future_message(ferry_task_group_failed(group, 0)), "child f");
    CHECK_STRING(ferry_future_message(ferry_task_group_failed(group, 1)), "child g");
    CHECK(!ferry_task_group_failed(group, 2));
    CHECK_STATUS(ferry_task_group_close(group, 0), FERRY_EFULL);
    CHECK_STRING(trace, "afg");
    return 0;
}

static void collecting_group_lets_the_others_go_on(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, collect, NULL), 0);
    end_loop(loop);
}

/* ---- cancellations ---- */

static ferry_status own_two_sleepers(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, sleep_long, "a");
    add(group, sleep_long, "b");
    return ferry_task_group_close(group, 0);
}

/* TG-004 */
static void cancelling_the_owner_cancels_every_child(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, own_two_sleepers, NULL);
    turn(loop);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK(ferry_future_cancelled(task));
    CHECK_STRING(trace, "ab");
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status cancel_one_child(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    ferry_task *child = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_create_task(group, sleep_long, "a", &child), 0);
    add(group, succeed, "b");
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK(ferry_future_cancel(child));
    ferry_future_unref(child);
    CHECK_STATUS(ferry_task_group_close(group, 0), 0);
    CHECK_STRING(trace, "ba");
    return 0;
}

/* TG-005 */
static void child_that_was_cancelled_does_not_fail_the_group(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, cancel_one_child, NULL), 0);
    end_loop(loop);
}

static ferry_status own_a_bad_loser(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, fail_when_cancelled, "a");
    ferry_status status = ferry_task_group_close(group, ferry_sleep(AN_HOUR_US));
    CHECK_STATUS(status, FERRY_EBROKEN);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 1);
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED); /* TG-007: made again */
    return FERRY_ECANCELED;
}

/* TG-006, TG-007 */
static void childs_error_comes_before_the_cancellation_which_is_made_again(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, own_a_bad_loser, NULL);
    turn(loop);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STRING(trace, "a");
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status nest(void *arg, ferry_call *call) {
    ferry_task_group *outer = open_group(0);
    (void)arg;
    (void)call;
    add(outer, fail, "o");
    ferry_task_group *inner = open_group(0);
    add(inner, fail, "i");
    ferry_status status = ferry_sleep(AN_HOUR_US);
    while (ferry_task_cancelling(ferry_current_task()) < 2)
        (void)ferry_sleep(100); /* until both have failed; each request is delivered once */
    status = ferry_task_group_close(inner, status);
    CHECK_STATUS(status, FERRY_EFULL);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 1); /* the outer one's, until it ends */
    CHECK_STATUS(ferry_task_group_close(outer, status), FERRY_EFULL);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0);
    CHECK_STATUS(ferry_sleep(100), 0);
    return 0;
}

/* TG-011 */
static void nested_groups_that_fail_together_count_apart(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, nest, NULL), 0);
    end_loop(loop);
}

static ferry_status cancel_the_rest(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, sleep_long, "a");
    CHECK_STATUS(ferry_sleep(0), 0);
    ferry_task_group_cancel(group);
    ferry_task_group_cancel(NULL);
    CHECK_STATUS(ferry_task_group_close(group, 0), 0);
    CHECK_STRING(trace, "a");
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 0);
    return 0;
}

static ferry_status cancel_a_bad_loser(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    add(group, fail_when_cancelled, "a");
    CHECK_STATUS(ferry_sleep(0), 0);
    ferry_task_group_cancel(group);
    CHECK_STATUS(ferry_task_group_create_task(group, succeed, NULL, NULL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_task_group_close(group, 0), FERRY_EBROKEN);
    return 0;
}

static void child_that_answers_the_groups_cancel_with_an_error_has_failed(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, cancel_a_bad_loser, NULL), 0);
    end_loop(loop);
}

static void owner_may_cancel_the_rest(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, cancel_the_rest, NULL), 0);
    end_loop(loop);
}

static ferry_status cancel_the_group_and_fail(void *group, ferry_call *call) {
    ferry_task_group_cancel(group);
    return ferry_return_error(call, EIO, "the disk is gone");
}

static ferry_status child_cancels_the_rest(void *arg, ferry_call *call) {
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_create_task(group, cancel_the_group_and_fail, group, NULL), 0);
    CHECK_STATUS(ferry_task_group_close(group, 0), EIO);
    return 0;
}

static void error_of_a_child_that_cancels_its_group_is_told(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, child_cancels_the_rest, NULL), 0);
    end_loop(loop);
}

/* ---- limits ---- */

static ferry_status live_long(void *arg, ferry_call *call) {
    enum { MANY = 500 };
    ferry_task_group *group = open_group(0);
    (void)arg;
    (void)call;
    for (int i = 0; i < MANY; i++) {
        trace[0] = '\0';
        add(group, succeed, "a");
        CHECK_STATUS(ferry_sleep(0), 0);
        CHECK_STATUS(ferry_sleep(0), 0);
        CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 1);
    }
    return ferry_task_group_close(group, 0);
}

/* TG-015: what is left of a child that has ended is nothing, or the harness would count it as a leak */
static void ended_children_are_dropped_at_once(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, live_long, NULL), 0);
    end_loop(loop);
}

static ferry_status ask_for_nonsense(void *arg, ferry_call *call) {
    ferry_task_group *group = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_open(99, &group), EINVAL);
    CHECK_STATUS(ferry_task_group_open(0, NULL), EINVAL);
    group = open_group(0);
    CHECK_STATUS(ferry_task_group_create_task(group, NULL, NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_task_group_create_task_with(group, NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_task_group_create_task(NULL, succeed, NULL, NULL), EINVAL);
    return ferry_task_group_close(group, 0);
}

static void nonsense_is_refused(void) {
    ferry_loop *loop = new_loop();
    ferry_task_group *group = NULL;
    CHECK_STATUS(ferry_task_group_open(0, &group), FERRY_ENOTASK);
    CHECK_STATUS(run_task(loop, ask_for_nonsense, NULL), 0);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(group_ends_after_its_children),
    FY_TEST(failure_cancels_the_siblings_and_interrupts_the_owner),
    FY_TEST(failure_while_the_owner_waits_needs_no_interrupt),
    FY_TEST(failure_of_the_body_cancels_the_children),
    FY_TEST(collecting_group_lets_the_others_go_on),
    FY_TEST(cancelling_the_owner_cancels_every_child),
    FY_TEST(child_that_was_cancelled_does_not_fail_the_group),
    FY_TEST(childs_error_comes_before_the_cancellation_which_is_made_again),
    FY_TEST(nested_groups_that_fail_together_count_apart),
    FY_TEST(owner_may_cancel_the_rest),
    FY_TEST(child_that_answers_the_groups_cancel_with_an_error_has_failed),
    FY_TEST(error_of_a_child_that_cancels_its_group_is_told),
    FY_TEST(ended_children_are_dropped_at_once),
    FY_TEST(nonsense_is_refused),
};

FY_TEST_MAIN("task_group", tests)
