/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the argument of a job that a loop submitted: it is destroyed exactly once, on the loop's thread, in
 * every way in which a job can end; on the worker once the loop is closed; and never if the submission was refused. */
#include "support/loops.h"
#include "support/manual.h"
#include "support/threads.h"

enum { SHORT_US = 2000 };

/* A loop, a pool of one worker, a gate for it, and an argument. */
typedef struct scene {
    ferry_loop *loop;
    ferry_executor *pool;
    fy_gate door;
    fy_tracked tracked;
    ferry_future *future;
} scene;

static void scene_open(scene *self) {
    *self = (scene){.loop = new_loop(), .pool = fy_pool_of(1)};
    fy_gate_init(&self->door);
}

static void submit(scene *self) {
    ferry_job_options options = fy_tracked_options(&self->tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self->loop, self->pool, &options, &self->future), 0);
}

static void submit_and_start(scene *self) {
    self->tracked.gate = &self->door;
    submit(self);
    turn(self->loop);
    fy_gate_await(&self->door, 1);
}

static void submit_behind_another(scene *self) {
    fy_occupy(self->pool, &self->door, 1);
    submit(self);
    turn(self->loop);
}

/* Opens the gate, runs the loop until the argument is destroyed, and ends everything. */
static void scene_close(scene *self, int ran) {
    fy_gate_open(&self->door);
    while (self->tracked.freed == 0)
        CHECK_STATUS(ferry_loop_run_once(self->loop, 1000), 0);
    CHECK(self->tracked.freed_by == fy_this_thread());
    ferry_future_unref(self->future);
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
    end_loop(self->loop);
    CHECK_INT(self->tracked.freed, 1);
    CHECK_INT(self->tracked.ran, ran);
    fy_gate_fini(&self->door);
}

/* ---- however the job ends ---- */

static void argument_of_a_job_that_ran(void) {
    scene self;
    scene_open(&self);
    submit_and_start(&self);
    CHECK_INT(self.tracked.freed, 0);
    scene_close(&self, 1);
}

static void argument_of_a_job_that_failed(void) {
    scene self;
    scene_open(&self);
    self.tracked.answer = APR_EGENERAL;
    submit(&self);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), APR_EGENERAL);
    scene_close(&self, 1);
}

static void argument_of_a_job_nobody_asks_about(void) {
    scene self;
    scene_open(&self);
    submit(&self);
    ferry_future_unref(self.future);
    self.future = NULL;
    scene_close(&self, 1);
}

/* ED-012 */
static void argument_of_a_job_cancelled_in_the_queue(void) {
    scene self;
    scene_open(&self);
    submit_behind_another(&self);
    CHECK(ferry_future_cancel(self.future));
    scene_close(&self, 0);
}

static void argument_of_a_job_cancelled_in_the_turn_of_its_making(void) {
    scene self;
    scene_open(&self);
    fy_occupy(self.pool, &self.door, 1);
    submit(&self);
    CHECK(ferry_future_cancel(self.future));
    scene_close(&self, 0);
}

/* ED-017 */
static void argument_of_a_job_cancelled_while_it_runs(void) {
    scene self;
    scene_open(&self);
    submit_and_start(&self);
    CHECK(ferry_future_cancel(self.future));
    turn(self.loop);
    CHECK_INT(self.tracked.freed, 0);
    scene_close(&self, 1);
}

static void argument_of_a_job_dropped_by_shutdown(void) {
    scene self;
    scene_open(&self);
    submit_behind_another(&self);
    CHECK_STATUS(ferry_executor_shutdown(self.pool, false, true, 0), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), FERRY_ECANCELED);
    scene_close(&self, 0);
}

static void argument_of_a_job_whose_time_ran_out_in_the_queue(void) {
    scene self;
    scene_open(&self);
    fy_occupy(self.pool, &self.door, 1);
    ferry_job_options options = fy_tracked_options(&self.tracked);
    options.timeout_us = SHORT_US;
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &self.future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), FERRY_ETIMEDOUT);
    scene_close(&self, 0);
}

static void argument_of_a_job_whose_time_ran_out_while_it_ran(void) {
    scene self;
    scene_open(&self);
    self.tracked.gate = &self.door;
    ferry_job_options options = fy_tracked_options(&self.tracked);
    options.timeout_us = 150 * 1000;
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &self.future), 0);
    turn(self.loop);
    fy_gate_await(&self.door, 1);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), FERRY_ETIMEDOUT);
    CHECK_INT(self.tracked.freed, 0);
    scene_close(&self, 1);
}

static ferry_status fail_to_initialize(void *arg) {
    (void)arg;
    return APR_EGENERAL;
}

static void argument_of_a_job_on_a_broken_pool(void) {
    scene self;
    scene_open(&self);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    self.pool = fy_pool_with(&(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1,
                                                          .initializer = fail_to_initialize});
    submit(&self);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), FERRY_EBROKEN);
    scene_close(&self, 0);
}

static void argument_of_a_job_dropped_by_its_executor(void) {
    scene self;
    fy_manual manual;
    scene_open(&self);
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&self.tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, manual.executor, &options, &self.future), 0);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, self.future), 0);
    CHECK_STATUS(ferry_future_status(self.future), FERRY_ECANCELED);
    scene_close(&self, 0);
    fy_manual_close(&manual);
}

/* ---- refused ---- */

static void argument_of_a_refused_submission_stays_the_callers(void) {
    scene self;
    fy_manual manual;
    ferry_future *none = NULL;
    scene_open(&self);
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&self.tracked);
    manual.refusal = FERRY_EFULL;
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, manual.executor, &options, &none), FERRY_EFULL);
    CHECK_STATUS(ferry_executor_shutdown(self.pool, true, false, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &none), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_submit_with(self.pool, &options, NULL), FERRY_ESHUTDOWN);
    options.size = 1;
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &none), APR_EINVAL);
    turn(self.loop);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    options.size = sizeof options;
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &none), FERRY_ECLOSED);
    CHECK(none == NULL);
    ferry_loop_unref(self.loop);
    fy_manual_close(&manual);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    CHECK(self.tracked.ran == 0 && self.tracked.freed == 0);
    fy_gate_fini(&self.door);
}

/* ---- the loop ends first ---- */

/* The loop is closed, then the pool; the argument is destroyed once, where the job ended. */
static void close_loop_first(scene *self, bool keep_future, int ran) {
    if (!keep_future) {
        ferry_future_unref(self->future);
        self->future = NULL;
    }
    CHECK_STATUS(ferry_loop_close(self->loop), 0);
    ferry_future_unref(self->future);
    ferry_loop_unref(self->loop);
    fy_gate_open(&self->door);
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
    CHECK_INT(self->tracked.freed, 1);
    CHECK_INT(self->tracked.ran, ran);
    fy_gate_fini(&self->door);
}

/* ED-011 */
static void argument_of_a_job_that_ends_after_its_loop(void) {
    for (int keep = 0; keep < 2; keep++) {
        scene self;
        scene_open(&self);
        submit_and_start(&self);
        close_loop_first(&self, keep, 1);
        CHECK(self.tracked.freed_by == self.tracked.ran_by);
        CHECK(self.tracked.freed_by != fy_this_thread());
    }
}

/* ED-011 */
static void argument_of_a_cancelled_job_that_ends_after_its_loop(void) {
    for (int keep = 0; keep < 2; keep++) {
        scene self;
        scene_open(&self);
        submit_and_start(&self);
        CHECK(ferry_future_cancel(self.future));
        close_loop_first(&self, keep, 1);
    }
}

static void argument_of_a_queued_job_whose_loop_is_closed(void) {
    for (int keep = 0; keep < 2; keep++) {
        scene self;
        scene_open(&self);
        submit_behind_another(&self);
        close_loop_first(&self, keep, 1);
    }
}

static void argument_of_a_finished_job_whose_loop_is_closed_before_it_is_told(void) {
    for (int keep = 0; keep < 2; keep++) {
        scene self;
        scene_open(&self);
        submit_and_start(&self);
        fy_gate_open(&self.door);
        FY_AWAIT(fy_stats(self.pool).done == 1);
        close_loop_first(&self, keep, 1);
    }
}

static void argument_of_a_job_cancelled_in_the_queue_of_a_closed_loop(void) {
    for (int keep = 0; keep < 2; keep++) {
        scene self;
        scene_open(&self);
        submit_behind_another(&self);
        CHECK(ferry_future_cancel(self.future));
        close_loop_first(&self, keep, 0);
    }
}

/* ---- copies ---- */

typedef struct copied {
    fy_tracked *tracked;
    int number;
} copied;

static ferry_status read_copy(void *arg, ferry_call *call) {
    copied *self = arg;
    atomic_fetch_add(&self->tracked->ran, 1);
    return ferry_return_integer(call, self->number);
}

static void free_copy(void *arg) {
    copied *self = arg;
    fy_tracked_free(self->tracked);
}

static void copied_arguments_are_each_jobs_own(void) {
    enum { JOBS = 200 };
    scene self;
    fy_tracked all = {0};
    ferry_future *futures[JOBS];
    scene_open(&self);
    copied arg = {&all, 0};
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = read_copy, .arg = &arg, .arg_size = sizeof arg,
                                 .arg_free = free_copy};
    for (int i = 0; i < JOBS; i++) {
        arg.number = i;
        CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &futures[i]), 0);
    }
    memset(&arg, 0, sizeof arg);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_loop_run_until_complete(self.loop, futures[i]), 0);
        CHECK_INT(ferry_future_integer(futures[i]), i);
    }
    while (all.freed < JOBS)
        CHECK_STATUS(ferry_loop_run_once(self.loop, 1000), 0);
    CHECK(all.freed_by == fy_this_thread());
    ferry_future_unref_all(futures, JOBS);
    submit(&self);
    scene_close(&self, 1);
    CHECK_INT(all.freed, JOBS);
}

static const fy_test tests[] = {
    FY_TEST(argument_of_a_job_that_ran),
    FY_TEST(argument_of_a_job_that_failed),
    FY_TEST(argument_of_a_job_nobody_asks_about),
    FY_TEST(argument_of_a_job_cancelled_in_the_queue),
    FY_TEST(argument_of_a_job_cancelled_in_the_turn_of_its_making),
    FY_TEST(argument_of_a_job_cancelled_while_it_runs),
    FY_TEST(argument_of_a_job_dropped_by_shutdown),
    FY_TEST(argument_of_a_job_whose_time_ran_out_in_the_queue),
    FY_TEST(argument_of_a_job_whose_time_ran_out_while_it_ran),
    FY_TEST(argument_of_a_job_on_a_broken_pool),
    FY_TEST(argument_of_a_job_dropped_by_its_executor),
    FY_TEST(argument_of_a_refused_submission_stays_the_callers),
    FY_TEST(argument_of_a_job_that_ends_after_its_loop),
    FY_TEST(argument_of_a_cancelled_job_that_ends_after_its_loop),
    FY_TEST(argument_of_a_queued_job_whose_loop_is_closed),
    FY_TEST(argument_of_a_finished_job_whose_loop_is_closed_before_it_is_told),
    FY_TEST(argument_of_a_job_cancelled_in_the_queue_of_a_closed_loop),
    FY_TEST(copied_arguments_are_each_jobs_own),
};

FY_TEST_MAIN("job_arguments", tests)
