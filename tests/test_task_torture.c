/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out amid tasks, timeout scopes and groups: the Nth request is refused, and then all that follow, for
 * every N. Each refusal is a status, every task that was made still ends, and nothing stays behind. */
#include <apr_errno.h>

#include "support/tasks.h"

#include "support/allocator.h"

enum { CHILDREN = 5 };

static int refused, made, freed, deferred;

static bool accepted(ferry_status status) {
    CHECK(status == 0 || status == APR_ENOMEM);
    refused += status != 0;
    return status == 0;
}

static void free_argument(void *arg) {
    (void)arg;
    freed++;
}

static void count_deferred(void *arg) {
    (void)arg;
    deferred++;
}

static ferry_status fail_or_sleep(void *arg, ferry_call *call) {
    int which = *(const int *)arg, before = deferred;
    if (!accepted(ferry_defer(count_deferred, NULL)))
        CHECK_INT(deferred, before + 1); /* at once, then */
    ferry_status status = ferry_sleep(which ? 100 : 200);
    if (status)
        return status;
    return which ? 0 : ferry_return_error(call, FERRY_EFULL, "child %d", which);
}

static void make_children(ferry_task_group *group) {
    for (int i = 0; i < CHILDREN; i++) {
        const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = fail_or_sleep, .arg = &i,
                                            .arg_size = sizeof i, .arg_free = free_argument, .name = "child"};
        if (accepted(ferry_task_group_create_task_with(group, &options, NULL)))
            made++;
    }
}

static ferry_status be_careful(void *arg, ferry_call *call) {
    ferry_timeout *timeout = NULL;
    ferry_task_group *group = NULL;
    (void)arg;
    (void)call;
    if (!accepted(ferry_timeout_open(AN_HOUR_US, &timeout)))
        return 0;
    accepted(ferry_timeout_reschedule(timeout, FERRY_FOREVER));
    accepted(ferry_task_set_name(ferry_current_task(), "careful"));
    ferry_status status = 0;
    if (accepted(ferry_task_group_open(0, &group))) {
        make_children(group);
        status = ferry_task_group_close(group, 0);
        CHECK(status == 0 || status == FERRY_EFULL || status == APR_ENOMEM);
        refused += status == APR_ENOMEM;
    }
    ferry_status closed = ferry_timeout_close(timeout, 0);
    CHECK_STATUS(closed, 0);
    return 0;
}

static ferry_status ignore_reports(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)loop;
    (void)report;
    (void)arg;
    return 0;
}

static void run_main_task(ferry_loop *loop) {
    ferry_task *task = NULL;
    if (!accepted(ferry_loop_set_exception_handler(loop, ignore_reports, NULL)) ||
        !accepted(ferry_task_create(loop, be_careful, NULL, &task)))
        return;
    while (!ferry_future_done(task))
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    accepted(ferry_future_status(task));
    ferry_future_unref(task);
}

static int play(void) {
    ferry_loop *loop = NULL;
    refused = made = freed = 0;
    if (accepted(ferry_loop_create(NULL, &loop))) {
        run_main_task(loop);
        CHECK_STATUS(ferry_loop_close(loop), 0);
        ferry_loop_unref(loop);
    }
    CHECK_INT(freed, made);
    return refused;
}

static void one_refused_request_leaves_no_task_stuck(void) {
    allocator_refuse_each(play, false, 10);
}

static void refusals_from_some_moment_on_leave_no_task_stuck(void) {
    allocator_refuse_each(play, true, 10);
}

static const fy_test tests[] = {
    FY_TEST(one_refused_request_leaves_no_task_stuck),
    FY_TEST(refusals_from_some_moment_on_leave_no_task_stuck),
};

FY_TEST_MAIN("task_torture", tests)
