/* SPDX-License-Identifier: Apache-2.0 */
/* A job that was made without a loop, wrapped as a future of one: it ends as the job does, on the loop's thread,
 * and the two may be cancelled from either side at any moment. */
#include "support/loops.h"
#include "support/manual.h"
#include "support/reports.h"

#include <stdlib.h>

/* A loop and a pool of one worker. */
typedef struct scene {
    ferry_loop *loop;
    ferry_executor *pool;
    report_log reports;
} scene;

static void scene_open(scene *self) {
    self->loop = new_loop();
    self->pool = fy_pool_of(1);
    self->reports.count = 0;
    CHECK_STATUS(ferry_loop_set_exception_handler(self->loop, keep_report, &self->reports), 0);
}

static void scene_close(scene *self) {
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
    end_loop(self->loop);
}

static void run_to_the_end(scene *self, ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(self->loop, future), 0);
}

static ferry_status answer_bytes(void *arg, ferry_call *call) {
    char *copy = malloc(strlen(arg));
    CHECK(copy != NULL);
    memcpy(copy, arg, strlen(arg));
    return ferry_return_bytes(call, copy, strlen(arg), free);
}

/* FU-016 */
static void wrapper_ends_as_its_job_does(void) {
    scene self;
    ferry_job *good, *bad;
    ferry_future *futures[2];
    scene_open(&self);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_echo, (void *)(intptr_t)11, &good), 0);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_unlucky, (void *)(intptr_t)13, &bad), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, good, &futures[0]), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, bad, &futures[1]), 0);
    ferry_job_unref(bad);
    run_to_the_end(&self, futures[0]);
    run_to_the_end(&self, futures[1]);
    CHECK_INT(ferry_future_integer(futures[0]), 11);
    CHECK_INT(ferry_job_integer(good), 11);
    CHECK_STATUS(ferry_future_status(futures[1]), APR_EGENERAL);
    CHECK_STRING(ferry_future_message(futures[1]), "unlucky number 13");
    ferry_job_unref(good);
    ferry_future_unref_all(futures, 2);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

/* FU-016 */
static void wrapper_of_a_cancelled_job_is_cancelled(void) {
    scene self;
    fy_manual manual;
    ferry_job *job;
    ferry_future *future;
    scene_open(&self);
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &future), 0);
    CHECK(ferry_job_cancel(job));
    fy_manual_acknowledge(&manual);
    run_to_the_end(&self, future);
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    scene_close(&self);
}

static void cancelling_the_wrapper_cancels_the_job(void) {
    scene self;
    fy_manual manual;
    ferry_job *job;
    ferry_future *future;
    scene_open(&self);
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &future), 0);
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_job_cancelled(job));
    fy_manual_acknowledge(&manual);
    turn(self.loop);
    ferry_future_unref(future);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    scene_close(&self);
}

static void wrapper_borrows_bytes_from_its_job(void) {
    scene self;
    ferry_job *job;
    ferry_future *futures[2];
    size_t size = 0;
    scene_open(&self);
    CHECK_STATUS(ferry_executor_submit(self.pool, answer_bytes, "shared", &job), 0);
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_wrap_future(self.loop, job, &futures[i]), 0);
        run_to_the_end(&self, futures[i]);
        CHECK(ferry_future_bytes(futures[i], &size) == ferry_job_bytes(job, NULL));
        CHECK_INT(size, 6);
    }
    ferry_job_unref(job);
    ferry_future_unref(futures[0]);
    CHECK(memcmp(ferry_future_bytes(futures[1], &size), "shared", 6) == 0);
    ferry_future_unref(futures[1]);
    scene_close(&self);
}

static void check_cancel_before_notification(ferry_function *function, ferry_status outcome) {
    scene self;
    fy_manual manual;
    ferry_job *job;
    ferry_future *future;
    scene_open(&self);
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, function, (void *)(intptr_t)21, &job), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &future), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK(ferry_future_cancel(future));
    turn(self.loop);
    turn(self.loop);
    CHECK(ferry_future_cancelled(future));
    CHECK_STATUS(ferry_job_status(job), outcome);
    CHECK_INT(ferry_job_integer(job), outcome ? 0 : 21);
    ferry_future_unref(future);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    scene_close(&self);
    CHECK_INT(self.reports.count, 0);
}

/* FU-018 */
static void wrapper_cancelled_before_the_notification_stays_cancelled(void) {
    check_cancel_before_notification(fy_echo, 0);
    check_cancel_before_notification(fy_unlucky, APR_EGENERAL);
}

static void wrapper_let_go_leaves_the_job_alone(void) {
    scene self;
    ferry_job *job;
    ferry_future *future;
    scene_open(&self);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_echo, (void *)(intptr_t)5, &job), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &future), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 5);
    ferry_job_unref(job);
    scene_close(&self);
}

static void loop_may_close_before_the_job_ends(void) {
    scene self;
    fy_manual manual;
    ferry_job *job;
    ferry_future *future;
    scene_open(&self);
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_echo, (void *)(intptr_t)5, &job), 0);
    CHECK_STATUS(ferry_wrap_future(self.loop, job, &future), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    CHECK_INT(ferry_job_integer(job), 5);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    scene_close(&self);
}

static const fy_test tests[] = {
    FY_TEST(wrapper_ends_as_its_job_does),
    FY_TEST(wrapper_of_a_cancelled_job_is_cancelled),
    FY_TEST(cancelling_the_wrapper_cancels_the_job),
    FY_TEST(wrapper_borrows_bytes_from_its_job),
    FY_TEST(wrapper_cancelled_before_the_notification_stays_cancelled),
    FY_TEST(wrapper_let_go_leaves_the_job_alone),
    FY_TEST(loop_may_close_before_the_job_ends),
};

FY_TEST_MAIN("wrap_future", tests)
