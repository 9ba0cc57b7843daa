/* SPDX-License-Identifier: Apache-2.0 */
/* Task-local values: who sees what is set, and that each value is freed once, when nobody can see it any more. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "ferry/run.h"
#include "support/jobs.h"
#include "support/manual.h"
#include "support/tasks.h"

static ferry_context_var *var;
static atomic_int freed;

static void count_freed(void *value) {
    CHECK(value);
    atomic_fetch_add(&freed, 1);
}

static ferry_loop *begin(void) {
    atomic_store(&freed, 0);
    CHECK_STATUS(ferry_context_var_create("request", count_freed, &var), 0);
    return new_loop();
}

/* Everything that was set is gone. */
static void end(ferry_loop *loop, int set_in_all) {
    end_loop(loop);
    CHECK_INT(atomic_load(&freed), set_in_all);
    ferry_context_var_unref(var);
}

#define SET(letter) CHECK_STATUS(ferry_context_var_set(var, (void *)(uintptr_t)(letter)), 0)
#define SEES(letter) CHECK_STRING(ferry_context_var_get(var), letter)
#define SEES_NOTHING() CHECK(!ferry_context_var_get(var))

/* ---- a copy at creation ---- */

static ferry_status see_a_then_set_c(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    SEES("a"); /* not the b that its maker has set since */
    SET("c");
    CHECK_STATUS(ferry_sleep(0), 0);
    SEES("c");
    return 0;
}

static ferry_status set_make_and_set(void *arg, ferry_call *call) {
    ferry_task *child = NULL;
    (void)arg;
    (void)call;
    SEES_NOTHING();
    SET("x");
    SET("a");
    CHECK_STATUS(ferry_task_create(NULL, see_a_then_set_c, NULL, &child), 0);
    SET("b");
    CHECK_STATUS(ferry_await(child), 0);
    SEES("b");
    CHECK_STATUS(ferry_future_status(child), 0);
    ferry_future_unref(child);
    return 0;
}

/* CX-001 */
static void task_has_a_copy_of_its_makers_values(void) {
    ferry_loop *loop = begin();
    CHECK_STATUS(run_task(loop, set_make_and_set, NULL), 0);
    end(loop, 4);
}

static ferry_status set_in_the_eager_step(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    SEES("a");
    SET("b");
    CHECK_STATUS(ferry_sleep(0), 0);
    SEES("b");
    return 0;
}

static ferry_status make_an_eager_one(void *arg, ferry_call *call) {
    ferry_task *child = NULL;
    ferry_task_options options = {FERRY_TASK_OPTIONS, .function = set_in_the_eager_step, .eager = true};
    (void)arg;
    (void)call;
    SET("a");
    CHECK_STATUS(ferry_task_create_with(NULL, &options, &child), 0);
    SEES("a");
    CHECK_STATUS(ferry_await(child), 0);
    SEES("a");
    ferry_future_unref(child);
    return 0;
}

/* EG-006 */
static void what_the_eager_step_sets_is_not_its_makers(void) {
    ferry_loop *loop = begin();
    CHECK_STATUS(run_task(loop, make_an_eager_one, NULL), 0);
    end(loop, 2);
}

/* ---- a context that is given ---- */

static ferry_status see_a_and_set_b(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    SEES("a");
    CHECK_STATUS(ferry_sleep(0), 0);
    SET("b");
    return 0;
}

/* CX-003 */
static void task_runs_in_the_context_it_is_given(void) {
    ferry_loop *loop = begin();
    ferry_context *context = NULL;
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_context_copy(&context), 0);
    CHECK(!ferry_context_get(context, var));
    CHECK_STATUS(ferry_context_set(context, var, "a"), 0);
    ferry_task_options options = {FERRY_TASK_OPTIONS, .function = see_a_and_set_b, .context = context};
    CHECK_STATUS(ferry_task_create_with(loop, &options, &task), 0);
    CHECK_STATUS(run_until(loop, task), 0);
    CHECK_STRING(ferry_context_get(context, var), "b");
    ferry_future_unref(task);
    ferry_context_unref(context);
    end(loop, 2);
}

static ferry_status keep_a_copy(void *arg, ferry_call *call) {
    (void)call;
    SET("a");
    CHECK_STATUS(ferry_context_copy(arg), 0);
    SET("b");
    return 0;
}

static void copy_outlives_the_task(void) {
    ferry_loop *loop = begin();
    ferry_context *context = NULL;
    CHECK_STATUS(run_task(loop, keep_a_copy, &context), 0);
    CHECK_STRING(ferry_context_get(context, var), "a");
    CHECK_INT(atomic_load(&freed), 1);
    ferry_context_unref(context);
    end(loop, 2);
}

/* ---- jobs ---- */

static ferry_status see_a_in_a_job(void *arg, ferry_call *call) {
    (void)arg;
    SEES("a");
    SET("b");
    SEES("b");
    CHECK_INT(ferry_call_arg_size(call), 0);
    return ferry_return_integer(call, 1);
}

static ferry_status see_nothing(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    SEES_NOTHING();
    CHECK_STATUS(ferry_context_var_set(var, "x"), FERRY_ENOTASK);
    return 0;
}

static ferry_status call_for_jobs(void *arg, ferry_call *call) {
    int number = 0;
    ferry_future *job = NULL;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_to_thread(see_nothing, NULL, NULL), 0);
    SET("a");
    CHECK_STATUS(ferry_to_thread(see_a_in_a_job, NULL, &number), 0);
    CHECK_INT(number, 1);
    SEES("a");
    CHECK_STATUS(ferry_to_thread(NULL, NULL, &number), EINVAL);
    CHECK_STATUS(ferry_run_in_executor(NULL, NULL, see_nothing, NULL, &job), 0); /* as in asyncio */
    CHECK_STATUS(FERRY_AWAIT(job, NULL), 0);
    ferry_future_unref(job);
    return 0;
}

/* CX-005 */
static void job_sees_the_values_of_the_task_that_called_for_it(void) {
    ferry_loop *loop = begin();
    CHECK_STATUS(run_task(loop, call_for_jobs, NULL), 0);
    end(loop, 2);
}

static ferry_status set_and_call_in(void *executor, ferry_call *call) {
    int number = 0;
    SET("a");
    ferry_status status = ferry_call_in(executor, see_a_in_a_job, NULL, &number);
    SEES("a");
    return status ? status : ferry_return_integer(call, number);
}

static void job_sees_them_on_any_executor_of_the_process(void) {
    ferry_loop *loop = begin();
    ferry_executor *pool = fy_pool_of(1), *view = NULL;
    fy_manual manual;
    CHECK_STATUS(ferry_executor_limited(pool, 1, &view), 0);
    CHECK_STATUS(run_task(loop, set_and_call_in, view), 0);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_manual_open(&manual);
    ferry_task *task = new_task(loop, set_and_call_in, manual.executor);
    turn(loop);
    CHECK_INT(fy_manual_run_all(&manual, "hand_0"), 1);
    CHECK_STATUS(run_until(loop, task), 0);
    CHECK_INT(ferry_future_integer(task), 1);
    ferry_future_unref(task);
    fy_manual_close(&manual);
    end(loop, 4);
}

/* Nobody sees them: the job is refused, cancelled before it could start, or dropped; or the loop is closed. */
static void values_of_a_job_that_never_runs_are_given_back(void) {
    ferry_loop *loop = begin();
    fy_manual manual;
    fy_manual_open(&manual);
    manual.refusal = FERRY_EFULL;
    CHECK_STATUS(run_task(loop, set_and_call_in, manual.executor), FERRY_EFULL);
    CHECK_INT(atomic_load(&freed), 1);
    manual.refusal = 0;
    ferry_task *task = new_task(loop, set_and_call_in, manual.executor);
    turn(loop);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_INT(atomic_load(&freed), 2);
    CHECK_INT(fy_manual_run_all(&manual, "hand_0"), 1);
    ferry_future_unref(task);
    task = new_task(loop, set_and_call_in, manual.executor);
    turn(loop);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_STATUS(run_until(loop, task), FERRY_EAWAITED_CANCELED);
    CHECK_INT(atomic_load(&freed), 3);
    ferry_future_unref(task);
    ferry_future_unref(new_task(loop, set_and_call_in, manual.executor));
    turn(loop);
    end_loop(loop);
    ferry_job_drop(fy_manual_take(&manual));
    fy_manual_close(&manual);
    CHECK_INT(atomic_load(&freed), 4);
    ferry_context_var_unref(var);
}

/* ---- several, and misuse ---- */

static ferry_status set_two(void *arg, ferry_call *call) {
    ferry_context_var *other = arg;
    (void)call;
    SET("a");
    CHECK_STATUS(ferry_context_var_set(other, "o"), 0);
    SET("b");
    SEES("b");
    CHECK_STRING(ferry_context_var_get(other), "o");
    SET("c");
    CHECK_STATUS(ferry_context_var_set(other, NULL), 0);
    CHECK(!ferry_context_var_get(other));
    SEES("c");
    return 0;
}

static void variables_do_not_disturb_each_other(void) {
    ferry_loop *loop = begin();
    ferry_context_var *other = NULL;
    CHECK_STATUS(ferry_context_var_create("other", NULL, &other), 0);
    CHECK_STRING(ferry_context_var_name(other), "other");
    CHECK_STATUS(run_task(loop, set_two, other), 0);
    ferry_context_var_unref(other);
    end(loop, 3);
}

static void calls_that_make_no_sense_are_refused(void) {
    ferry_loop *loop = begin();
    ferry_context_var *other = NULL;
    ferry_context *context = NULL;
    CHECK_STATUS(ferry_context_var_create(NULL, NULL, &other), EINVAL);
    CHECK_STATUS(ferry_context_var_create("x", NULL, NULL), EINVAL);
    CHECK_STATUS(ferry_context_var_set(NULL, "x"), EINVAL);
    CHECK_STATUS(ferry_context_var_set(var, "x"), FERRY_ENOTASK);
    CHECK(!ferry_context_var_get(NULL));
    CHECK(!ferry_context_var_name(NULL));
    CHECK_STATUS(ferry_context_copy(NULL), EINVAL);
    CHECK_STATUS(ferry_context_copy(&context), 0);
    CHECK_STATUS(ferry_context_set(context, NULL, "x"), EINVAL);
    CHECK_STATUS(ferry_context_set(NULL, var, "x"), EINVAL);
    CHECK(!ferry_context_get(NULL, var));
    CHECK(!ferry_context_get(context, NULL));
    ferry_context_unref(context);
    ferry_context_unref(NULL);
    ferry_context_var_unref(NULL);
    end(loop, 0);
}

static const fy_test tests[] = {
    FY_TEST(task_has_a_copy_of_its_makers_values),
    FY_TEST(what_the_eager_step_sets_is_not_its_makers),
    FY_TEST(task_runs_in_the_context_it_is_given),
    FY_TEST(copy_outlives_the_task),
    FY_TEST(job_sees_the_values_of_the_task_that_called_for_it),
    FY_TEST(job_sees_them_on_any_executor_of_the_process),
    FY_TEST(values_of_a_job_that_never_runs_are_given_back),
    FY_TEST(variables_do_not_disturb_each_other),
    FY_TEST(calls_that_make_no_sense_are_refused),
};

FY_TEST_MAIN("context_var", tests)
