/* SPDX-License-Identifier: Apache-2.0 */
/* The runner: a main task with a loop made and ended around it, and the order in which the rest ends. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "ferry/run.h"
#include "support/jobs.h"
#include "support/reports.h"
#include "support/tasks.h"

static ferry_runner *new_runner(void) {
    ferry_runner *runner = NULL;
    trace[0] = '\0';
    CHECK_STATUS(ferry_runner_create(NULL, &runner), 0);
    CHECK(runner);
    return runner;
}

static ferry_runner *new_runner_with_log(report_log *log) {
    ferry_runner *runner = new_runner();
    CHECK_STATUS(ferry_loop_set_exception_handler(ferry_runner_loop(runner), keep_report, log), 0);
    return runner;
}

/* ---- a run ---- */

static ferry_status set_after_a_sleep(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(1000), 0);
    *(int *)arg = 1;
    return ferry_return_integer(call, 42);
}

static void run_returns_when_main_has_ended(void) {
    int seen = 0;
    CHECK_STATUS(ferry_run(set_after_a_sleep, &seen), 0);
    CHECK_INT(seen, 1);
    CHECK(!ferry_running_loop());
    CHECK_STATUS(ferry_run(NULL, NULL), EINVAL);
}

static ferry_status fail(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_error(call, FERRY_EFULL, "no room for %d", 7);
}

static void error_of_main_is_returned_and_told(void) {
    static stderr_capture capture;
    stderr_divert(&capture);
    ferry_status status = ferry_run(fail, NULL);
    stderr_restore(&capture);
    CHECK_STATUS(status, FERRY_EFULL);
    CHECK(strstr(capture.text, "no room for 7"));
    CHECK_INT(count_lines(capture.text), 1);
}

static ferry_status cancel_oneself(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK(ferry_future_cancel(ferry_current_task()));
    return ferry_sleep(0);
}

static void main_that_is_cancelled_is_no_interrupt(void) {
    report_log log = {0};
    ferry_runner *runner = new_runner_with_log(&log);
    CHECK_STATUS(ferry_runner_run(runner, cancel_oneself, NULL, NULL), FERRY_ECANCELED);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_INT(log.count, 0);
}

static ferry_status run_inside(void *arg, ferry_call *call) {
    (void)call;
    CHECK_STATUS(ferry_run(set_after_a_sleep, NULL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_runner_run(arg, set_after_a_sleep, NULL, NULL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_runner_close(arg), FERRY_EINVALIDSTATE);
    CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 1);
    return 0;
}

/* RN-002 */
static void run_inside_a_running_loop_is_refused(void) {
    ferry_runner *runner = new_runner();
    CHECK_STATUS(ferry_runner_run(runner, run_inside, runner, NULL), 0);
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static void runner_runs_one_main_after_the_other_on_one_loop(void) {
    ferry_runner *runner = new_runner();
    ferry_loop *loop = ferry_runner_loop(runner);
    int seen = 0;
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_runner_run(runner, set_after_a_sleep, &seen, &task), 0);
    CHECK_INT(ferry_future_integer(task), 42);
    ferry_future_unref(task);
    CHECK_STATUS(ferry_runner_run(runner, fail, NULL, &task), FERRY_EFULL);
    CHECK_STRING(ferry_future_message(task), "no room for 7");
    CHECK(strstr(ferry_future_origin(task), "test_runner.c"));
    CHECK(ferry_future_loop(task) == loop);
    ferry_future_unref(task);
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static ferry_status stop_and_sleep(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_loop_stop(ferry_running_loop()), 0);
    leave('a');
    CHECK_STATUS(ferry_sleep(0), 0);
    leave('b');
    return 0;
}

static void stopped_run_goes_on_in_the_next_one(void) {
    ferry_runner *runner = new_runner();
    int seen = 0;
    CHECK_STATUS(ferry_runner_run(runner, stop_and_sleep, NULL, NULL), FERRY_EINVALIDSTATE);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_runner_run(runner, set_after_a_sleep, &seen, NULL), 0);
    CHECK_STRING(trace, "ab");
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

/* ---- making ---- */

static void options_are_the_loops(void) {
    ferry_runner *runner = NULL;
    ferry_loop_options of_loop = {FERRY_LOOP_OPTIONS, .debug = true};
    ferry_runner_options options;
    ferry_runner_options_init(&options);
    options.loop = &of_loop;
    CHECK_STATUS(ferry_runner_create(&options, &runner), 0);
    CHECK(ferry_loop_get_debug(ferry_runner_loop(runner)));
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static void options_that_make_no_sense_are_refused(void) {
    ferry_runner *runner = NULL;
    CHECK_STATUS(ferry_runner_create(NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_runner_create(&(ferry_runner_options){.shutdown_timeout_us = 1}, &runner), EINVAL);
    CHECK_STATUS(ferry_runner_create(&(ferry_runner_options){FERRY_RUNNER_OPTIONS, .shutdown_timeout_us = -1},
                                     &runner), EINVAL);
    CHECK(!runner);
    CHECK(!ferry_runner_loop(NULL));
    CHECK_STATUS(ferry_runner_run(NULL, fail, NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_runner_close(NULL), 0);
    ferry_runner_options_init(NULL);
    runner = new_runner();
    CHECK_STATUS(ferry_runner_run(runner, NULL, NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

/* ---- ending ---- */

static ferry_status fail_when_cancelled(void *arg, ferry_call *call) {
    (void)arg;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    return ferry_return_error(call, FERRY_EFULL, "could not clean up");
}

static ferry_status leave_one_that_fails(void *arg, ferry_call *call) {
    (void)arg;
    CHECK_STATUS(ferry_task_create(NULL, fail_when_cancelled, NULL, NULL), 0);
    CHECK_STATUS(ferry_sleep(0), 0);
    return ferry_return_integer(call, 5);
}

/* RN-004 */
static void task_left_over_that_fails_is_reported(void) {
    report_log log = {0};
    ferry_runner *runner = new_runner_with_log(&log);
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_runner_run(runner, leave_one_that_fails, NULL, &task), 0);
    CHECK_INT(ferry_future_integer(task), 5);
    ferry_future_unref(task);
    CHECK_INT(log.count, 0);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_INT(log.count, 1);
    CHECK_STATUS(log.all[0].status, FERRY_EFULL);
    CHECK_STRING(log.all[0].message, "could not clean up");
}

typedef struct ending {
    ferry_loop *loop;
    ferry_task *child;
    atomic_int steps; /* in order: 1 the task is cleaning up, 2 its job has run, 3 it has ended, 4 the other job has */
    int number;
} ending;

static ferry_status run_for_the_cleanup(void *arg, ferry_call *call) {
    ending *self = arg;
    (void)call;
    CHECK_INT(atomic_fetch_add(&self->steps, 1), 1);
    return 0;
}

static ferry_status clean_up_with_a_job(void *arg, ferry_call *call) {
    ending *self = arg;
    ferry_future *job = NULL;
    (void)call;
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    CHECK_INT(atomic_fetch_add(&self->steps, 1), 0);
    CHECK_STATUS(ferry_run_in_executor(NULL, NULL, run_for_the_cleanup, self, &job), 0);
    CHECK_STATUS(ferry_await(job), 0);
    ferry_future_unref(job);
    CHECK_INT(atomic_fetch_add(&self->steps, 1), 2);
    return FERRY_ECANCELED;
}

/* Is running from before the tasks are cancelled until they have ended. */
static ferry_status outlast_the_tasks(void *arg, ferry_call *call) {
    ending *self = arg;
    (void)call;
    FY_AWAIT(atomic_load(&self->steps) == 3);
    CHECK(!ferry_loop_is_closed(self->loop));
    atomic_store(&self->steps, 4);
    return 0;
}

static ferry_status leave_a_task_and_a_job(void *arg, ferry_call *call) {
    ending *self = arg;
    (void)call;
    CHECK_STATUS(ferry_run_in_executor(NULL, NULL, outlast_the_tasks, self, NULL), 0);
    CHECK_STATUS(ferry_task_create(NULL, clean_up_with_a_job, self, &self->child), 0);
    return ferry_sleep(0);
}

/* RN-005 */
static void tasks_end_then_the_executor_then_the_loop(void) {
    ferry_runner *runner = new_runner();
    ending self = {.loop = ferry_loop_ref(ferry_runner_loop(runner))};
    CHECK_STATUS(ferry_runner_run(runner, leave_a_task_and_a_job, &self, NULL), 0);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_INT(atomic_load(&self.steps), 4);
    CHECK(ferry_loop_is_closed(self.loop));
    CHECK(ferry_future_cancelled(self.child));
    ferry_future_unref(self.child);
    ferry_loop_unref(self.loop);
}

typedef struct latecomer {
    fy_gate door;
    atomic_int has_ended;
} latecomer;

static ferry_status pass_the_door(void *arg, ferry_call *call) {
    latecomer *self = arg;
    ferry_status status = fy_gate_job(&self->door, call);
    atomic_store(&self->has_ended, 1);
    return status;
}

static ferry_status leave_a_stuck_job(void *arg, ferry_call *call) {
    (void)call;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = pass_the_door, .arg = arg, .name = "the stuck one"};
    return ferry_run_in_executor_with(NULL, NULL, &options, NULL);
}

/* RN-005 */
static void job_that_is_stuck_is_named_and_not_waited_for(void) {
    report_log log = {0};
    latecomer stuck = {.has_ended = 0};
    ferry_runner *runner = NULL;
    fy_gate_init(&stuck.door);
    CHECK_STATUS(ferry_runner_create(&(ferry_runner_options){FERRY_RUNNER_OPTIONS, .shutdown_timeout_us = 20000},
                                     &runner), 0);
    CHECK_STATUS(ferry_loop_set_exception_handler(ferry_runner_loop(runner), keep_report, &log), 0);
    CHECK_STATUS(ferry_runner_run(runner, leave_a_stuck_job, &stuck, NULL), 0);
    fy_gate_await(&stuck.door, 1);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_INT(log.count, 1);
    CHECK_STATUS(log.all[0].status, FERRY_ETIMEDOUT);
    CHECK(strstr(log.all[0].message, "the stuck one"));
    fy_gate_open(&stuck.door);
    FY_AWAIT(atomic_load(&stuck.has_ended));
    fy_gate_fini(&stuck.door);
}

static ferry_status leave_a_latecomer(void *arg, ferry_call *call) {
    (void)call;
    return ferry_run_in_executor(NULL, NULL, pass_the_door, arg, NULL);
}

static ferry_status open_the_door(void *arg) {
    latecomer *self = arg;
    fy_gate_open(&self->door);
    return 0;
}

/* A stopped loop makes no further turn, so the door is opened in the run after it. */
static ferry_status stop_before_the_door_opens(void *arg) {
    ferry_loop *loop = ferry_running_loop();
    CHECK_STATUS(ferry_call_soon(loop, open_the_door, arg, NULL), 0);
    return ferry_loop_stop(loop);
}

/* RN-005 */
static void stop_while_the_executor_is_waited_for_does_not_cut_it_short(void) {
    latecomer self = {.has_ended = 0};
    ferry_runner *runner = new_runner();
    fy_gate_init(&self.door);
    CHECK_STATUS(ferry_runner_run(runner, leave_a_latecomer, &self, NULL), 0);
    post(ferry_runner_loop(runner), stop_before_the_door_opens, &self);
    ferry_status status = ferry_runner_close(runner);
    int had_ended = atomic_load(&self.has_ended);
    fy_gate_open(&self.door);
    FY_AWAIT(atomic_load(&self.has_ended));
    CHECK_STATUS(status, 0);
    CHECK_INT(had_ended, 1);
    fy_gate_fini(&self.door);
}

static ferry_status leave_another(void *arg, ferry_call *call) {
    (void)call;
    leave('a');
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    if (*(const char *)arg == 'x')
        CHECK_STATUS(ferry_task_create(NULL, leave_another, "y", NULL), 0);
    CHECK_STATUS(ferry_loop_stop(ferry_running_loop()), 0);
    CHECK_STATUS(ferry_sleep(1000), 0);
    leave(*(const char *)arg);
    return FERRY_ECANCELED;
}

static ferry_status leave_the_first(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_task_create(NULL, leave_another, "x", NULL), 0);
    return ferry_sleep(0);
}

static void task_made_while_the_others_end_is_ended_too(void) {
    report_log log = {0};
    ferry_runner *runner = new_runner_with_log(&log);
    CHECK_STATUS(ferry_runner_run(runner, leave_the_first, NULL, NULL), 0);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_STRING(trace, "aaxy");
    CHECK_INT(log.count, 0);
}

static void loop_that_the_program_has_closed_is_no_trouble(void) {
    ferry_runner *runner = new_runner();
    CHECK_STATUS(ferry_loop_close(ferry_runner_loop(runner)), 0);
    CHECK_STATUS(ferry_runner_run(runner, fail, NULL, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static const fy_test tests[] = {
    FY_TEST(run_returns_when_main_has_ended),
    FY_TEST(error_of_main_is_returned_and_told),
    FY_TEST(main_that_is_cancelled_is_no_interrupt),
    FY_TEST(run_inside_a_running_loop_is_refused),
    FY_TEST(runner_runs_one_main_after_the_other_on_one_loop),
    FY_TEST(stopped_run_goes_on_in_the_next_one),
    FY_TEST(options_are_the_loops),
    FY_TEST(options_that_make_no_sense_are_refused),
    FY_TEST(task_left_over_that_fails_is_reported),
    FY_TEST(tasks_end_then_the_executor_then_the_loop),
    FY_TEST(job_that_is_stuck_is_named_and_not_waited_for),
    FY_TEST(stop_while_the_executor_is_waited_for_does_not_cut_it_short),
    FY_TEST(task_made_while_the_others_end_is_ended_too),
    FY_TEST(loop_that_the_program_has_closed_is_no_trouble),
};

FY_TEST_MAIN("runner", tests)
