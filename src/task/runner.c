/* SPDX-License-Identifier: Apache-2.0 */
/* A program's main task, with a loop made and ended around it. It decides what Ctrl-C does to a run, and the order in
 * which things end. */
#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "ferry/run.h"
#include "task/task.h"

#define SHUTDOWN_TIMEOUT_DEFAULT_US INT64_C(300000000)

struct ferry_runner {
    ferry_loop *loop;
    ferry_task *main;     /* of the run that is under way */
    unsigned interrupts;  /* during this run, or the last one */
    bool is_stopped_hard; /* that run, by the second one */
    int64_t shutdown_timeout_us;
};

/* ---- making ---- */

void ferry_runner_options_init(ferry_runner_options *options) {
    if (options)
        *options = (ferry_runner_options){FERRY_RUNNER_OPTIONS};
}

ferry_status ferry_runner_create(const ferry_runner_options *options, ferry_runner **ret_runner) {
    const ferry_runner_options defaults = {FERRY_RUNNER_OPTIONS};
    if (!options)
        options = &defaults;
    if (!ret_runner || options->size != sizeof *options || options->shutdown_timeout_us < 0)
        return EINVAL;
    ferry_runner *runner = fy_calloc(sizeof *runner);
    if (!runner)
        return ENOMEM;
    runner->shutdown_timeout_us =
        options->shutdown_timeout_us ? options->shutdown_timeout_us : SHUTDOWN_TIMEOUT_DEFAULT_US;
    ferry_status status = ferry_loop_create(options->loop, &runner->loop);
    if (status) {
        fy_free(runner);
        return status;
    }
    *ret_runner = runner;
    return 0;
}

ferry_loop *ferry_runner_loop(const ferry_runner *runner) {
    return runner ? runner->loop : NULL;
}

/* ---- Ctrl-C ---- */

static ferry_status interrupt(void *arg) {
    ferry_runner *runner = arg;
    if (++runner->interrupts == 1 && ferry_future_cancel(runner->main))
        return 0;
    runner->is_stopped_hard = true;
    return ferry_loop_stop(runner->loop);
}

/* Where it cannot be had the run goes without. */
static void watch_interrupts(ferry_runner *runner) {
    if (fy_signals_are_default(SIGINT))
        (void)ferry_add_signal_handler(runner->loop, SIGINT, interrupt, runner);
}

/* The program may have put a handler of its own in the place. */
static void unwatch_interrupts(ferry_runner *runner) {
    if (fy_signals_have(runner->loop, SIGINT, interrupt))
        (void)ferry_remove_signal_handler(runner->loop, SIGINT);
}

/* ---- running ---- */

/* What a run has come to whose loop has stopped with `status`. */
static ferry_status conclude(const ferry_runner *runner, ferry_status status, bool is_asked_for) {
    ferry_task *task = runner->main;
    if (runner->is_stopped_hard)
        return EINTR;
    if (status)
        return status;
    if (runner->interrupts && ferry_future_cancelled(task) && ferry_task_cancelling(task) <= 1)
        return EINTR;
    return is_asked_for ? ferry_future_status(task) : fy_future_peek(task);
}

static ferry_status run_main(ferry_runner *runner, bool is_asked_for) {
    runner->interrupts = 0;
    runner->is_stopped_hard = false;
    watch_interrupts(runner);
    ferry_status status = ferry_loop_run_until_complete(runner->loop, runner->main);
    unwatch_interrupts(runner);
    if (status && status != FERRY_EINVALIDSTATE)
        (void)ferry_future_cancel(runner->main); /* the run is refused, so the next one shall not make up for it */
    return conclude(runner, status, is_asked_for);
}

ferry_status ferry_runner_run_from(const char *origin, ferry_runner *runner, ferry_function *function, void *arg,
                                   ferry_task **ret_task) {
    if (!runner)
        return EINVAL;
    if (ferry_running_loop())
        return FERRY_EINVALIDSTATE;
    ferry_status status = ferry_task_create_from(origin, runner->loop, function, arg, &runner->main);
    if (status)
        return status;
    status = run_main(runner, ret_task != NULL);
    if (ret_task)
        *ret_task = runner->main;
    else
        ferry_future_unref(runner->main);
    runner->main = NULL;
    return status;
}

/* ---- ending ---- */

/* What has not ended in time has been reported. A stop of the loop does not cut it short, as it does not with tasks. */
static ferry_status end_default_executor(ferry_runner *runner) {
    ferry_future *ended = NULL;
    ferry_status status =
        ferry_loop_shutdown_default_executor(runner->loop, runner->shutdown_timeout_us, &ended);
    if (!status)
        do
            status = ferry_loop_run_until_complete(runner->loop, ended);
        while (status == FERRY_EINVALIDSTATE && !ferry_future_done(ended));
    (void)ferry_future_status(ended);
    ferry_future_unref(ended);
    return status;
}

static ferry_status end_in_order(ferry_runner *runner) {
    fy_tasks_end(runner->loop, FERRY_FOREVER);
    return end_default_executor(runner);
}

ferry_status ferry_runner_close(ferry_runner *runner) {
    if (!runner)
        return 0;
    ferry_status refusal = fy_loop_check(runner->loop);
    if (!refusal && ferry_running_loop())
        return FERRY_EINVALIDSTATE;
    if (refusal == FERRY_EWRONGTHREAD)
        return refusal;
    /* In a child made by fork, and where the program has closed the loop itself, there is nothing left to be run. */
    ferry_status status = refusal || runner->is_stopped_hard ? 0 : end_in_order(runner);
    (void)ferry_loop_close(runner->loop);
    ferry_loop_unref(runner->loop);
    fy_free(runner);
    return status;
}

ferry_status ferry_run_from(const char *origin, ferry_function *function, void *arg) {
    ferry_runner *runner = NULL;
    ferry_status status = ferry_running_loop() ? FERRY_EINVALIDSTATE : ferry_runner_create(NULL, &runner);
    if (status)
        return status;
    status = ferry_runner_run_from(origin, runner, function, arg, NULL);
    ferry_status closed = ferry_runner_close(runner);
    return status ? status : closed;
}
