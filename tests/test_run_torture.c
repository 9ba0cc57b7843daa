/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out around a program's main task: a runner, jobs as calls, values, and tasks for other threads, with
 * the Nth request refused, for every N. Each refusal is a status, whatever was begun still ends, and nothing stays
 * behind. */
#include <apr_errno.h>

#include "ferry/run.h"
#include "support/jobs.h"
#include "support/tasks.h"

#include "support/allocator.h"

/* More than a moment's worth, so that queues and slabs grow. */
enum { EACH = 6 };

static int refused;
static ferry_context_var *var;
static atomic_int set_values, freed_values;

/* True if it was accepted; a refusal has few reasons. */
static bool accepted(ferry_status status) {
    CHECK(status == 0 || status == APR_ENOMEM || status == FERRY_ENOTHREAD);
    refused += status != 0;
    return status == 0;
}

static void free_value(void *value) {
    CHECK_STRING(value, "value");
    atomic_fetch_add(&freed_values, 1);
}

static ferry_status return_six(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, 6);
}

static void set_a_value(void) {
    if (accepted(ferry_context_var_set(var, "value")))
        atomic_fetch_add(&set_values, 1);
}

static void use_values(void) {
    ferry_context *context = NULL;
    set_a_value();
    set_a_value();
    if (accepted(ferry_context_copy(&context)) && accepted(ferry_context_set(context, var, "value")))
        atomic_fetch_add(&set_values, 1);
    ferry_context_unref(context);
}

static ferry_status sleep_long(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    ferry_status status = ferry_sleep(FERRY_FOREVER);
    return status == APR_ENOMEM ? 0 : status;
}

static void call_for_six(void) {
    int number = 6;
    if (accepted(ferry_to_thread(return_six, NULL, &number)))
        CHECK_INT(number, 6);
}

static ferry_status be_main(void *arg, ferry_call *call) {
    (void)arg;
    call_for_six();
    use_values();
    call_for_six();
    for (int i = 0; i < EACH; i++)
        accepted(ferry_task_create(NULL, sleep_long, NULL, NULL));
    accepted(ferry_sleep(1));
    return ferry_return_integer(call, 7);
}

static int arguments;

static void free_argument(void *arg) {
    (void)arg;
    arguments--;
}

/* Begun by the run, one cancelled before, one by the end of all. */
static void ask_for_tasks(ferry_loop *loop, ferry_job **jobs) {
    int argument = 0;
    for (int i = 0; i < 3; i++) {
        const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = i ? sleep_long : return_six,
                                            .arg = &argument, .arg_size = sizeof argument, .arg_free = free_argument,
                                            .name = "asked for"};
        arguments += accepted(ferry_run_coroutine_threadsafe_with(loop, &options, &jobs[i]));
    }
    CHECK(!jobs[1] || ferry_job_cancel(jobs[1]));
}

static ferry_status count_report(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)loop;
    (void)arg;
    accepted(report->status); /* of a task that nobody asks for */
    return 0;
}

static void use_runner(ferry_runner *runner) {
    ferry_task *task = NULL;
    ferry_job *jobs[3] = {NULL, NULL, NULL};
    CHECK_STATUS(ferry_loop_set_exception_handler(ferry_runner_loop(runner), count_report, NULL), 0);
    ask_for_tasks(ferry_runner_loop(runner), jobs);
    if (accepted(ferry_runner_run(runner, be_main, NULL, &task)))
        CHECK_INT(ferry_future_integer(task), 7);
    ferry_future_unref(task);
    accepted(ferry_runner_close(runner));
    if (jobs[0])
        accepted(ferry_job_status(jobs[0]) == FERRY_ECLOSED ? APR_ENOMEM : ferry_job_status(jobs[0]));
    CHECK(!jobs[1] || ferry_job_cancelled(jobs[1]));
    CHECK(!jobs[2] || ferry_job_done(jobs[2]));
    ferry_job_unref_all(jobs, 3);
    CHECK_INT(arguments, 0);
}

static void play(void) {
    ferry_runner *runner = NULL;
    var = NULL;
    atomic_store(&set_values, 0);
    atomic_store(&freed_values, 0);
    if (!accepted(ferry_context_var_create("value", free_value, &var)))
        return;
    if (accepted(ferry_runner_create(NULL, &runner)))
        use_runner(runner);
    ferry_context_var_unref(var);
    FY_AWAIT(atomic_load(&freed_values) == atomic_load(&set_values)); /* a job may be the last to see one */
}

static void one_refused_request_is_a_status_and_leaks_nothing(void) {
    allocator_install();
    allocator_refuse(0, false);
    refused = 0;
    play();
    CHECK_INT(refused, 0);
    allocator_sweep(play, false, allocator_blocks_kept());
    CHECK(refused > 20);
    allocator_refuse(0, false);
}

static const fy_test tests[] = {
    FY_TEST(one_refused_request_is_a_status_and_leaks_nothing),
};

FY_TEST_MAIN("run_torture", tests)
