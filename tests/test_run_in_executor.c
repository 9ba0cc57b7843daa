/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge from jobs to a loop's futures: outcomes arrive on the loop's thread, a cancelled future keeps its job from
 * running or drops what it returns, and a loop that is stopped or closed refuses or goes on later. */
#include "support/loops.h"
#include "support/manual.h"
#include "support/reports.h"
#include "support/threads.h"

#include <stdlib.h>

/* A loop, a pool of one worker and a gate for it. */
typedef struct scene {
    ferry_loop *loop;
    ferry_executor *pool;
    fy_gate door;
    report_log reports;
} scene;

static void scene_open(scene *self) {
    self->loop = new_loop();
    self->pool = fy_pool_of(1);
    self->reports.count = 0;
    fy_gate_init(&self->door);
    CHECK_STATUS(ferry_loop_set_exception_handler(self->loop, keep_report, &self->reports), 0);
}

static void scene_close(scene *self) {
    fy_gate_open(&self->door);
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
    end_loop(self->loop);
    fy_gate_fini(&self->door);
}

static void run_to_the_end(scene *self, ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(self->loop, future), 0);
}

/* ---- outcomes ---- */

static ferry_status answer_bytes(void *arg, ferry_call *call) {
    char *copy = malloc(strlen(arg));
    CHECK(copy != NULL);
    memcpy(copy, arg, strlen(arg));
    return ferry_return_bytes(call, copy, strlen(arg), free);
}

static ferry_status answer_real(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_real(call, 0.25);
}

/* FU-016 */
static void values_arrive_in_the_future(void) {
    scene self;
    ferry_future *integer, *real, *bytes;
    size_t size;
    scene_open(&self);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_echo, (void *)(intptr_t)-3, &integer), 0);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, answer_real, NULL, &real), 0);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, answer_bytes, "four", &bytes), 0);
    CHECK(!ferry_future_done(integer));
    CHECK_STATUS(ferry_future_status(integer), FERRY_EINVALIDSTATE);
    run_to_the_end(&self, integer);
    run_to_the_end(&self, real);
    run_to_the_end(&self, bytes);
    CHECK_INT(ferry_future_integer(integer), -3);
    CHECK(ferry_future_real(real) >= 0.25 && ferry_future_real(real) <= 0.25);
    CHECK(memcmp(ferry_future_bytes(bytes, &size), "four", 4) == 0);
    CHECK_INT(size, 4);
    void *taken;
    CHECK_STATUS(ferry_future_take_bytes(bytes, &taken, &size), 0);
    CHECK(memcmp(taken, "four", 4) == 0);
    free(taken);
    ferry_future_unref(integer);
    ferry_future_unref(real);
    ferry_future_unref(bytes);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

/* FU-016 */
static void error_arrives_with_its_words_and_places(void) {
    scene self;
    ferry_future *future;
    scene_open(&self);
    const char *here = FERRY_HERE; ferry_run_in_executor(self.loop, self.pool, fy_unlucky, (void *)4, &future);
    run_to_the_end(&self, future);
    CHECK_STATUS(ferry_future_status(future), APR_EGENERAL);
    CHECK_STRING(ferry_future_message(future), "unlucky number 4");
    CHECK_STRING(ferry_future_origin(future), here);
    CHECK(ferry_future_worker(future) != NULL);
    CHECK(strstr(ferry_future_worker(future), "ferry-") != NULL);
    CHECK_INT(ferry_future_integer(future), 0);
    ferry_future_unref(future);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

/* FU-013 */
static void error_nobody_looks_at_is_reported_with_its_origin(void) {
    scene self;
    ferry_future *future;
    scene_open(&self);
    int line = __LINE__; CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_unlucky, NULL, &future), 0);
    run_to_the_end(&self, future);
    CHECK_INT(self.reports.count, 0);
    ferry_future_unref(future);
    CHECK_INT(self.reports.count, 1);
    const report_copy *report = report_of_line(&self.reports, line);
    CHECK(report != NULL);
    CHECK_STATUS(report->status, APR_EGENERAL);
    scene_close(&self);
    CHECK_INT(self.reports.count, 1);
}

typedef struct witness {
    scene *scene;
    void *thread;
    ferry_loop *running;
    size_t calls;
} witness;

static ferry_status witness_and_stop(ferry_future *future, void *arg) {
    witness *self = arg;
    CHECK(ferry_future_done(future));
    self->thread = fy_this_thread();
    self->running = ferry_running_loop();
    self->calls++;
    return stop_loop(self->scene->loop);
}

/* FU-016 */
static void completion_is_told_on_the_loops_thread(void) {
    scene self;
    ferry_future *future;
    witness seen = {.scene = &self};
    scene_open(&self);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_gate_job, &self.door, &future), 0);
    CHECK_STATUS(ferry_future_add_done_callback(future, witness_and_stop, &seen, NULL), 0);
    fy_gate_await(&self.door, 1);
    fy_gate_open(&self.door);
    run_forever(self.loop);
    CHECK_INT(seen.calls, 1);
    CHECK(seen.thread == fy_this_thread());
    CHECK(seen.running == self.loop);
    ferry_future_unref(future);
    scene_close(&self);
}

static void every_one_of_many_is_resolved_once(void) {
    enum { JOBS = 10000 };
    static ferry_future *futures[JOBS];
    scene self;
    ferry_future *together;
    scene_open(&self);
    ferry_executor *pool = fy_pool_of(3);
    for (intptr_t i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_run_in_executor(self.loop, pool, fy_echo, (void *)i, &futures[i]), 0);
    CHECK_STATUS(ferry_gather(self.loop, futures, JOBS, 0, &together), 0);
    run_to_the_end(&self, together);
    CHECK_STATUS(ferry_future_status(together), 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(ferry_future_integer(futures[i]), i);
    ferry_future_unref(together);
    ferry_future_unref_all(futures, JOBS);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    scene_close(&self);
}

static void job_runs_though_its_future_was_let_go(void) {
    scene self;
    ferry_future *future;
    atomic_int count = 0;
    scene_open(&self);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_count_up, &count, NULL), 0);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_count_up, &count, &future), 0);
    ferry_future_unref(future);
    while (atomic_load(&count) < 2)
        CHECK_STATUS(ferry_loop_run_once(self.loop, 1000), 0);
    scene_close(&self);
    CHECK_INT(count, 2);
}

/* ---- cancelling ---- */

/* ED-012 */
static void cancelled_future_keeps_its_job_from_running(void) {
    scene self;
    fy_tracked tracked = {0};
    ferry_future *future;
    scene_open(&self);
    fy_occupy(self.pool, &self.door, 1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &future), 0);
    turn(self.loop);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_done(future) && ferry_future_cancelled(future));
    CHECK(!ferry_future_cancel(future));
    CHECK_STATUS(ferry_future_status(future), FERRY_ECANCELED);
    CHECK_INT(fy_stats(self.pool).cancelled, 1);
    ferry_future_unref(future);
    scene_close(&self);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(self.reports.count, 0);
}

/* ED-012 */
static void future_cancelled_in_the_turn_of_its_making_keeps_its_job_from_running(void) {
    scene self;
    fy_tracked tracked[20] = {{0}};
    scene_open(&self);
    fy_occupy(self.pool, &self.door, 1);
    for (int i = 0; i < 20; i++) {
        ferry_future *future;
        ferry_job_options options = fy_tracked_options(&tracked[i]);
        CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &future), 0);
        if (i % 2)
            CHECK(ferry_future_cancel(future));
        ferry_future_unref(future);
    }
    scene_close(&self);
    for (int i = 0; i < 20; i++)
        CHECK_INT(tracked[i].ran, i % 2 == 0);
}

/* ED-017 */
static void future_of_a_running_job_is_cancelled_at_once(void) {
    scene self;
    fy_tracked tracked = {0};
    ferry_future *future;
    scene_open(&self);
    tracked.gate = &self.door;
    tracked.answer = APR_EGENERAL;
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &future), 0);
    turn(self.loop);
    fy_gate_await(&self.door, 1);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_cancelled(future));
    run_to_the_end(&self, future);
    CHECK_INT(tracked.ran, 0);
    CHECK_INT(fy_stats(self.pool).running, 1);
    fy_gate_open(&self.door);
    while (tracked.freed == 0)
        CHECK_STATUS(ferry_loop_run_once(self.loop, 1000), 0);
    CHECK_INT(tracked.ran, 1);
    CHECK_STATUS(ferry_future_status(future), FERRY_ECANCELED);
    ferry_future_unref(future);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

static ferry_status until_cancelled(void *arg, ferry_call *call) {
    fy_gate_arrive(arg);
    while (!ferry_call_is_cancelled(call))
        ferry_thread_sleep(100);
    return FERRY_ECANCELED;
}

/* ED-017 */
static void running_job_may_see_that_its_future_was_cancelled(void) {
    scene self;
    ferry_future *future;
    scene_open(&self);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, until_cancelled, &self.door, &future), 0);
    turn(self.loop);
    fy_gate_await(&self.door, 1);
    CHECK(ferry_future_cancel(future));
    ferry_future_unref(future);
    scene_close(&self);
}

/* FU-018 */
static void future_cancelled_before_the_notification_stays_cancelled(void) {
    scene self;
    fy_manual manual;
    ferry_future *future;
    scene_open(&self);
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_run_in_executor(self.loop, manual.executor, fy_unlucky, NULL, &future), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK(ferry_future_cancel(future));
    turn(self.loop);
    turn(self.loop);
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    fy_manual_close(&manual);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

/* ---- loops that stop, end, or are not there ---- */

static ferry_status let_go_of_done(ferry_loop *closing, const ferry_report *report, void *done) {
    (void)closing;
    (void)report;
    ferry_future_unref(*(ferry_future **)done);
    *(ferry_future **)done = NULL;
    return 0;
}

static void handler_may_let_go_of_a_job_when_another_is_still_out(void) {
    scene self;
    ferry_future *done = NULL, *out = NULL;
    scene_open(&self);
    CHECK_STATUS(ferry_loop_set_debug(self.loop, true), 0);
    CHECK_STATUS(ferry_loop_set_exception_handler(self.loop, let_go_of_done, &done), 0);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_nothing, NULL, &done), 0);
    run_to_the_end(&self, done);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_gate_job, &self.door, &out), 0);
    fy_gate_await(&self.door, 1);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    CHECK(!done);
    ferry_future_unref(out);
    scene_close(&self);
}

/* ED-016 */
static void job_submitted_before_a_restart_completes_in_the_later_run(void) {
    scene self;
    ferry_future *future;
    scene_open(&self);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_gate_job, &self.door, &future), 0);
    post(self.loop, stop_loop, self.loop);
    run_forever(self.loop);
    CHECK(!ferry_future_done(future));
    fy_gate_open(&self.door);
    FY_AWAIT(fy_stats(self.pool).done == 1);
    run_to_the_end(&self, future);
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
    scene_close(&self);
}

/* ED-014 */
static void closed_loop_refuses(void) {
    scene self;
    fy_tracked tracked = {0};
    ferry_future *none = NULL;
    ferry_job *job;
    scene_open(&self);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &none), FERRY_ECLOSED);
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, NULL, &options, &none), FERRY_ECLOSED);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &none), FERRY_ECLOSED);
    CHECK_STATUS(ferry_executor_wait_for_space(self.loop, self.pool, &none), FERRY_ECLOSED);
    CHECK(none == NULL);
    ferry_job_unref(job);
    scene_close(&self);
    CHECK(tracked.ran == 0 && tracked.freed == 0);
}

typedef struct without_loop {
    ferry_executor *pool;
    ferry_future *future;
    ferry_status status;
} without_loop;

static ferry_status submit_without_naming_the_loop(void *arg) {
    without_loop *self = arg;
    self->status = ferry_run_in_executor(NULL, self->pool, fy_echo, (void *)(intptr_t)2, &self->future);
    return stop_loop(ferry_running_loop());
}

static void no_loop_named_means_the_running_one(void) {
    scene self;
    scene_open(&self);
    without_loop inner = {.pool = self.pool};
    CHECK_STATUS(ferry_run_in_executor(NULL, self.pool, fy_nothing, NULL, &inner.future), APR_EINVAL);
    CHECK(inner.future == NULL);
    post(self.loop, submit_without_naming_the_loop, &inner);
    run_forever(self.loop);
    CHECK_STATUS(inner.status, 0);
    CHECK(ferry_future_loop(inner.future) == self.loop);
    run_to_the_end(&self, inner.future);
    CHECK_INT(ferry_future_integer(inner.future), 2);
    ferry_future_unref(inner.future);
    scene_close(&self);
}

typedef struct intruder {
    scene *scene;
    ferry_status status;
} intruder;

static void submit_from_another_thread(void *arg) {
    intruder *self = arg;
    ferry_future *none = NULL;
    self->status = ferry_run_in_executor(self->scene->loop, self->scene->pool, fy_nothing, NULL, &none);
    CHECK(none == NULL);
}

static ferry_status let_intrude(void *arg) {
    intruder *self = arg;
    on_another_thread(submit_from_another_thread, self);
    return stop_loop(self->scene->loop);
}

static void another_thread_is_refused_while_the_loop_runs(void) {
    scene self;
    scene_open(&self);
    intruder other = {.scene = &self};
    post(self.loop, let_intrude, &other);
    run_forever(self.loop);
    CHECK_STATUS(other.status, FERRY_EWRONGTHREAD);
    scene_close(&self);
}

/* ---- cancelling at odd moments ---- */

static void future_of_a_job_with_options_is_cancelled_after_its_loop_has_closed(void) {
    scene self;
    ferry_future *future = NULL;
    scene_open(&self);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_gate_job, .arg = &self.door, .name = "late"};
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &future), 0);
    fy_gate_await(&self.door, 1);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_shutdown(self.pool, true, false, FERRY_FOREVER), 0);
    CHECK(ferry_future_cancel(future));
    ferry_future_unref(future);
    ferry_loop_unref(self.loop);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&self.door);
}

static ferry_future *cancelled_again;

static void cancel_again(void *arg) {
    (void)arg;
    (void)ferry_future_cancel_with_message(cancelled_again, "by the argument's destructor");
}

static ferry_status count_call(ferry_future *future, void *calls) {
    (void)future;
    ++*(int *)calls;
    return 0;
}

static void argument_destructor_may_cancel_the_future_that_is_being_cancelled(void) {
    scene self;
    int calls = 0;
    scene_open(&self);
    fy_occupy(self.pool, &self.door, 1);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_nothing, .arg = &calls, .arg_free = cancel_again};
    CHECK_STATUS(ferry_run_in_executor_with(self.loop, self.pool, &options, &cancelled_again), 0);
    CHECK_STATUS(ferry_future_add_done_callback(cancelled_again, count_call, &calls, NULL), 0);
    CHECK(ferry_future_cancel(cancelled_again));
    CHECK_STRING(ferry_future_message(cancelled_again), "by the argument's destructor");
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_loop_run_once(self.loop, 0), 0);
    CHECK_INT(calls, 1);
    ferry_future_unref(cancelled_again);
    scene_close(&self);
}

static const fy_test tests[] = {
    FY_TEST(future_of_a_job_with_options_is_cancelled_after_its_loop_has_closed),
    FY_TEST(argument_destructor_may_cancel_the_future_that_is_being_cancelled),
    FY_TEST(values_arrive_in_the_future),
    FY_TEST(error_arrives_with_its_words_and_places),
    FY_TEST(error_nobody_looks_at_is_reported_with_its_origin),
    FY_TEST(completion_is_told_on_the_loops_thread),
    FY_TEST(every_one_of_many_is_resolved_once),
    FY_TEST(job_runs_though_its_future_was_let_go),
    FY_TEST(cancelled_future_keeps_its_job_from_running),
    FY_TEST(future_cancelled_in_the_turn_of_its_making_keeps_its_job_from_running),
    FY_TEST(future_of_a_running_job_is_cancelled_at_once),
    FY_TEST(running_job_may_see_that_its_future_was_cancelled),
    FY_TEST(future_cancelled_before_the_notification_stays_cancelled),
    FY_TEST(handler_may_let_go_of_a_job_when_another_is_still_out),
    FY_TEST(job_submitted_before_a_restart_completes_in_the_later_run),
    FY_TEST(closed_loop_refuses),
    FY_TEST(no_loop_named_means_the_running_one),
    FY_TEST(another_thread_is_refused_while_the_loop_runs),
};

FY_TEST_MAIN("run_in_executor", tests)
