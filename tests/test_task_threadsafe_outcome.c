/* SPDX-License-Identifier: Apache-2.0 */
/* How a task ends that another thread has asked for: whoever awaits the task is told the same as whoever has the job,
 * and a value has one owner. */
#include <stdatomic.h>

#include "ferry/run.h"
#include "support/tasks.h"

typedef struct watched {
    ferry_function *function;
    ferry_task *task; /* once it has begun */
    atomic_int freed;
} watched;

static ferry_status run_watched(void *arg, ferry_call *call) {
    watched *self = arg;
    self->task = ferry_future_ref(ferry_current_task());
    CHECK_STATUS(ferry_sleep(1000), 0);
    return self->function(arg, call);
}

static void free_watched(void *arg) {
    atomic_fetch_add(&((watched *)arg)->freed, 1);
}

static ferry_status fail(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_error(call, FERRY_EFULL, "no room for %d", 7);
}

static ferry_status return_seven(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, 7);
}

static ferry_status return_watched(void *arg, ferry_call *call) {
    return ferry_return_pointer(call, arg, free_watched);
}

/* Both the task and the job have ended with that. */
static ferry_job *await_watched(watched *self, ferry_function *function, ferry_status status) {
    ferry_job *job = NULL;
    *self = (watched){.function = function};
    CHECK_STATUS(ferry_run_coroutine_threadsafe(ferry_running_loop(), run_watched, self, &job), 0);
    while (!self->task)
        CHECK_STATUS(ferry_sleep(1000), 0);
    CHECK_STATUS(FERRY_AWAIT(self->task, NULL), status);
    CHECK_STATUS(ferry_job_status(job), status);
    return job;
}

static ferry_status await_some(void *arg, ferry_call *call) {
    watched self;
    void *pointer = &self;
    (void)arg;
    (void)call;
    ferry_job *job = await_watched(&self, fail, FERRY_EFULL);
    CHECK_STRING(ferry_future_message(self.task), "no room for 7");
    CHECK_STRING(ferry_job_message(job), "no room for 7");
    ferry_job_unref(job);
    ferry_future_unref(self.task);
    job = await_watched(&self, return_seven, 0);
    CHECK_INT(ferry_future_integer(self.task), 7);
    CHECK_INT(ferry_job_integer(job), 7);
    ferry_job_unref(job);
    ferry_future_unref(self.task);
    job = await_watched(&self, return_watched, 0);
    CHECK_STATUS(FERRY_AWAIT(self.task, &pointer), 0);
    CHECK(!pointer);
    CHECK(ferry_job_pointer(job) == &self);
    ferry_job_unref(job);
    CHECK_INT(atomic_load(&self.freed), 1);
    ferry_future_unref(self.task);
    CHECK_INT(atomic_load(&self.freed), 1);
    return 0;
}

static void outcome_is_also_the_tasks(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, await_some, NULL), 0);
    end_loop(loop);
}

static ferry_status return_argument(void *arg, ferry_call *call) {
    ((char *)arg)[0] = 'A';
    return ferry_return_arg(call, ferry_call_arg_size(call));
}

/* The task is gone when the job is looked at. */
static void argument_that_is_the_result_outlives_the_task(void) {
    ferry_loop *loop = new_loop();
    ferry_job *job = NULL;
    size_t size = 0;
    char text[] = "an argument";
    ferry_task_options options = {FERRY_TASK_OPTIONS, .function = return_argument, .arg = text,
                                  .arg_size = sizeof text};
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(loop, &options, &job), 0);
    while (!ferry_job_done(job))
        CHECK_STATUS(ferry_loop_run_once(loop, 1000), 0);
    end_loop(loop);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_STRING(ferry_job_bytes(job, &size), "An argument");
    CHECK_INT(size, sizeof text);
    ferry_job_unref(job);
}

static const fy_test tests[] = {
    FY_TEST(outcome_is_also_the_tasks),
    FY_TEST(argument_that_is_the_result_outlives_the_task),
};

FY_TEST_MAIN("task_threadsafe_outcome", tests)
