/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that have not ended when their loop is closed: what they have open goes with them, or is closed by what they
 * have deferred. */
#include "support/sync.h"

/* A task that is not to be ended by cancelling it. */
static ferry_status stay(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    while (ferry_sleep(AN_HOUR_US) == FERRY_ECANCELED)
        continue;
    return 0;
}

static ferry_status stay_in_open_scopes(void *arg, ferry_call *call) {
    ferry_timeout *outer = NULL, *inner = NULL;
    ferry_task_group *group = NULL;
    CHECK_STATUS(ferry_timeout_open(FERRY_FOREVER, &outer), 0);
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &inner), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, stay, NULL, NULL), 0);
    return stay(arg, call);
}

static void open_scopes_go_with_their_task(void) {
    begin();
    ferry_future_unref(start_task(stay_in_open_scopes, NULL));
    turn(loop);
    turn(loop);
    end_with_reports(2);
}

static ferry_status end_in_error(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return FERRY_EBROKEN;
}

static ferry_status wait_for_children(void *arg, ferry_call *call) {
    ferry_task_group *group = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_group_open(FERRY_RETURN_EXCEPTIONS, &group), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, end_in_error, NULL, NULL), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, stay, NULL, NULL), 0);
    return ferry_task_group_close(group, 0);
}

static void group_whose_children_never_end_goes_with_its_owner(void) {
    begin();
    ferry_task *task = start_task(wait_for_children, NULL);
    turn(loop);
    turn(loop);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref(task);
    end_with_reports(2);
}

typedef struct opened {
    ferry_timeout *timeout;
    ferry_task_group *group;
} opened;

static void close_both(void *arg) {
    opened *self = arg;
    ferry_task *failed = NULL;
    CHECK(!ferry_current_task());
    CHECK_STATUS(ferry_task_group_create_task(self->group, end_in_error, NULL, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_task_group_join(self->group, FERRY_EBROKEN, &failed), FERRY_EBROKEN);
    CHECK_STATUS(ferry_timeout_reschedule(self->timeout, AN_HOUR_US), FERRY_ECLOSED);
    CHECK_STATUS(ferry_timeout_close(self->timeout, FERRY_ECANCELED), FERRY_ECANCELED);
    CHECK(!failed);
    leave('c');
}

static ferry_status stay_and_defer_the_closing(void *arg, ferry_call *call) {
    opened self;
    ferry_timeout *left_open = NULL;
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &self.timeout), 0);
    CHECK_STATUS(ferry_timeout_open(AN_HOUR_US, &left_open), 0);
    CHECK_STATUS(ferry_task_group_open(0, &self.group), 0);
    CHECK_STATUS(ferry_task_group_create_task(self.group, stay, NULL, NULL), 0);
    CHECK_STATUS(ferry_defer(close_both, &self), 0);
    return stay(arg, call);
}

static void deferred_call_may_close_a_scope(void) {
    begin();
    ferry_future_unref(start_task(stay_and_defer_the_closing, NULL));
    turn(loop);
    turn(loop);
    end_with_reports(2);
    CHECK_STRING(trace, "c");
}

enum { ROUNDS_MAX = 1000 };

static ferry_future *child, *gathered;

/* A gather whose child is done by the time the task is cancelled takes no request. */
static ferry_status await_gathers(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        ferry_future_unref(gathered);
        ferry_future_unref(child);
        child = make();
        CHECK_STATUS(ferry_gather(loop, &child, 1, 0, &gathered), 0);
        (void)ferry_await(gathered);
    }
    return 0;
}

static ferry_status end_child_and_cancel(ferry_loop *closing, const ferry_report *report, void *cancels) {
    (void)closing;
    resolve(child, 1);
    CHECK(ferry_future_cancel(report->future));
    ++*(int *)cancels;
    return 0;
}

static void handler_may_cancel_the_task_that_it_is_told_of(void) {
    int cancels = 0;
    child = gathered = NULL;
    begin();
    ferry_task *task = start_task(await_gathers, NULL);
    settle();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, end_child_and_cancel, &cancels), 0);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_INT(cancels, 1);
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref(task);
    ferry_future_unref(gathered);
    ferry_future_unref(child);
    ferry_loop_unref(loop);
    check_nothing_is_left();
}

static const fy_test tests[] = {
    FY_TEST(open_scopes_go_with_their_task),
    FY_TEST(group_whose_children_never_end_goes_with_its_owner),
    FY_TEST(deferred_call_may_close_a_scope),
    FY_TEST(handler_may_cancel_the_task_that_it_is_told_of),
};

FY_TEST_MAIN("task_abandoned", tests)
