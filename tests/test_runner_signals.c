/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C during a run: the signal is raised in the program itself. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ferry/run.h"
#include "support/reports.h"
#include "support/tasks.h"

static ferry_runner *new_runner(void) {
    ferry_runner *runner = NULL;
    trace[0] = '\0';
    CHECK_STATUS(ferry_runner_create(NULL, &runner), 0);
    return runner;
}

typedef void signal_handler(int signum);

/* What the process does about it by itself. */
static signal_handler *look(void) {
    signal_handler *now = signal(SIGINT, SIG_IGN);
    CHECK(now != SIG_ERR);
    CHECK(signal(SIGINT, now) == SIG_IGN);
    return now;
}

static bool is_default(void) {
    return look() == SIG_DFL;
}

static void press(void) {
    CHECK_INT(raise(SIGINT), 0);
}

static ferry_status press_later(void *arg) {
    (void)arg;
    press();
    return 0;
}

static ferry_status sleep_and_clean_up(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK(!is_default());
    CHECK_STATUS(ferry_call_later(ferry_running_loop(), 1000, press_later, NULL, NULL), 0);
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_INT(ferry_task_cancelling(ferry_current_task()), 1);
    CHECK_STATUS(ferry_sleep(0), 0);
    leave('c');
    return status;
}

/* RN-008 */
static void first_interrupt_cancels_main_and_is_the_runs_outcome(void) {
    ferry_runner *runner = new_runner();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_runner_run(runner, sleep_and_clean_up, NULL, &task), EINTR);
    CHECK(ferry_future_cancelled(task));
    CHECK_STRING(trace, "c");
    CHECK(is_default());
    ferry_future_unref(task);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_STATUS(ferry_run(sleep_and_clean_up, NULL), EINTR);
}

static ferry_status finish_all_the_same(void *arg, ferry_call *call) {
    (void)arg;
    press();
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    return ferry_return_integer(call, 3);
}

static void main_that_goes_on_after_an_interrupt_has_its_own_outcome(void) {
    ferry_runner *runner = new_runner();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_runner_run(runner, finish_all_the_same, NULL, &task), 0);
    CHECK_INT(ferry_future_integer(task), 3);
    ferry_future_unref(task);
    CHECK_STATUS(ferry_runner_run(runner, finish_all_the_same, NULL, NULL), 0); /* counted anew */
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static ferry_status never_stop(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    press();
    for (;;) {
        ferry_status status = ferry_sleep(0);
        if (status)
            return status;
    }
}

/* RN-009 */
static void main_that_never_blocks_is_interrupted(void) {
    CHECK_STATUS(ferry_run(never_stop, NULL), EINTR);
}

static ferry_status cancel_it_too(void *task) {
    CHECK(ferry_future_cancel(task));
    return 0;
}

static ferry_status sleep_an_hour(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    post(ferry_running_loop(), cancel_it_too, ferry_current_task());
    press();
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    (void)ferry_sleep(0); /* by now both have come */
    return FERRY_ECANCELED;
}

/* RN-010 */
static void main_that_others_cancelled_too_is_no_interrupt(void) {
    CHECK_STATUS(ferry_run(sleep_an_hour, NULL), FERRY_ECANCELED);
}

static ferry_status ignore_cancellation(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    leave('a');
    press();
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED);
    leave('b');
    press();
    CHECK_STATUS(ferry_sleep(AN_HOUR_US), FERRY_ECANCELED); /* only the closing of the loop ends this one */
    leave('c');
    return FERRY_ECANCELED;
}

static void second_interrupt_stops_the_run_at_once(void) {
    ferry_runner *runner = new_runner();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_runner_run(runner, ignore_cancellation, NULL, &task), EINTR);
    CHECK_STRING(trace, "ab");
    CHECK(!ferry_future_done(task));
    CHECK(is_default());
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_STRING(trace, "abc");
    CHECK(ferry_future_cancelled(task));
    ferry_future_unref(task);
}

static ferry_status sleep_a_little(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return ferry_sleep(1000);
}

static void run_after_a_hard_stop_has_its_own_outcome(void) {
    ferry_runner *runner = new_runner();
    ferry_task *first = NULL, *second = NULL;
    CHECK_STATUS(ferry_runner_run(runner, ignore_cancellation, NULL, &first), EINTR);
    CHECK_STATUS(ferry_runner_run(runner, sleep_a_little, NULL, &second), 0);
    CHECK_STATUS(ferry_future_status(second), 0);
    CHECK_STRING(trace, "ab");
    CHECK_STATUS(ferry_runner_run(runner, sleep_and_clean_up, NULL, NULL), EINTR);
    CHECK_STATUS(ferry_runner_close(runner), 0);
    CHECK_STRING(trace, "abcc"); /* the close waits for the first one */
    CHECK(ferry_future_cancelled(first));
    ferry_future_unref(second);
    ferry_future_unref(first);
}

/* ---- where it is not to be had ---- */

static int foreign_calls;

/* A handler may be gone once it was called: that is the system's choice. */
static void foreign_handler(int signum) {
    foreign_calls++;
    (void)signal(signum, foreign_handler);
}

static ferry_status press_and_sleep(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    press();
    return ferry_sleep(1000);
}

/* RN-011 */
static void runner_goes_without_where_the_program_handles_or_ignores_it(void) {
    foreign_calls = 0;
    CHECK(signal(SIGINT, foreign_handler) == SIG_DFL);
    CHECK_STATUS(ferry_run(press_and_sleep, NULL), 0);
    CHECK_INT(foreign_calls, 1);
    CHECK(signal(SIGINT, SIG_IGN) == foreign_handler);
    CHECK_STATUS(ferry_run(press_and_sleep, NULL), 0);
    CHECK(signal(SIGINT, SIG_DFL) == SIG_IGN);
}

static int own_calls;

static ferry_status handle_it_oneself(void *arg, ferry_call *call) {
    ferry_loop *loop = ferry_running_loop();
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGINT, count_up, &own_calls), 0);
    press();
    CHECK_STATUS(ferry_sleep(1000), 0);
    CHECK_INT(own_calls, 1);
    return 0;
}

static void handler_of_the_programs_own_takes_the_place_and_stays(void) {
    ferry_runner *runner = new_runner();
    own_calls = 0;
    CHECK_STATUS(ferry_runner_run(runner, handle_it_oneself, NULL, NULL), 0);
    CHECK(!is_default());
    CHECK(ferry_remove_signal_handler(ferry_runner_loop(runner), SIGINT));
    CHECK(is_default());
    CHECK_STATUS(ferry_runner_close(runner), 0);
}

static const fy_test tests[] = {
    FY_TEST(first_interrupt_cancels_main_and_is_the_runs_outcome),
    FY_TEST(main_that_goes_on_after_an_interrupt_has_its_own_outcome),
    FY_TEST(main_that_never_blocks_is_interrupted),
    FY_TEST(main_that_others_cancelled_too_is_no_interrupt),
    FY_TEST(second_interrupt_stops_the_run_at_once),
    FY_TEST(run_after_a_hard_stop_has_its_own_outcome),
    FY_TEST(runner_goes_without_where_the_program_handles_or_ignores_it),
    FY_TEST(handler_of_the_programs_own_takes_the_place_and_stays),
};

FY_TEST_MAIN("runner_signals", tests)
