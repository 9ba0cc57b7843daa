/* SPDX-License-Identifier: Apache-2.0 */
/* How a loop waits for room in a pool's bounded queue without blocking: a future that is done when there is some. */
#include "support/jobs.h"
#include "support/loops.h"

typedef struct scene {
    ferry_loop *loop;
    ferry_executor *pool;
    fy_gate door;
} scene;

/* One worker at the gate and one job in a queue for one: the pool is full. */
static void scene_open(scene *self) {
    self->loop = new_loop();
    self->pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .max_queue = 1});
    fy_gate_init(&self->door);
    fy_occupy(self->pool, &self->door, 1);
    CHECK_STATUS(ferry_executor_submit(self->pool, fy_nothing, NULL, NULL), 0);
    CHECK_STATUS(ferry_run_in_executor(self->loop, self->pool, fy_nothing, NULL, NULL), FERRY_EFULL);
}

static void scene_close(scene *self) {
    fy_gate_open(&self->door);
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
    end_loop(self->loop);
    fy_gate_fini(&self->door);
}

static ferry_future *space_future(scene *self) {
    ferry_future *space = NULL;
    CHECK_STATUS(ferry_executor_wait_for_space(self->loop, self->pool, &space), 0);
    CHECK(space != NULL);
    return space;
}

static void future_is_done_once_the_queue_has_room(void) {
    scene self;
    ferry_future *job;
    scene_open(&self);
    ferry_future *space = space_future(&self);
    turn(self.loop);
    CHECK(!ferry_future_done(space));
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, space), 0);
    CHECK_STATUS(ferry_future_status(space), 0);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_echo, (void *)(intptr_t)8, &job), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, job), 0);
    CHECK_INT(ferry_future_integer(job), 8);
    ferry_future_unref(job);
    ferry_future_unref(space);
    scene_close(&self);
}

static void future_is_done_when_a_queued_job_is_cancelled(void) {
    scene self;
    ferry_job *job;
    scene_open(&self);
    ferry_executor *pool = fy_pool_with(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .max_queue = 1});
    fy_occupy(pool, &self.door, 2);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
    ferry_future *space = NULL;
    CHECK_STATUS(ferry_executor_wait_for_space(self.loop, pool, &space), 0);
    turn(self.loop);
    CHECK(!ferry_future_done(space));
    CHECK(ferry_job_cancel(job));
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, space), 0);
    CHECK_STATUS(ferry_future_status(space), 0);
    ferry_future_unref(space);
    ferry_job_unref(job);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    scene_close(&self);
}

static void future_is_done_at_once_where_there_is_room(void) {
    scene self;
    scene_open(&self);
    ferry_executor *roomy = fy_pool_of(1);
    ferry_future *space = NULL;
    CHECK_STATUS(ferry_executor_wait_for_space(self.loop, roomy, &space), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, space), 0);
    CHECK_STATUS(ferry_future_status(space), 0);
    ferry_future_unref(space);
    CHECK_STATUS(ferry_executor_close(roomy), 0);
    scene_close(&self);
}

/* Keeps a queue of one full from a loop, by nothing but the future. */
static void loop_feeds_a_bounded_queue_to_the_end(void) {
    enum { JOBS = 2000 };
    atomic_int count = 0;
    scene self;
    scene_open(&self);
    fy_gate_open(&self.door);
    for (int i = 0; i < JOBS; i++) {
        ferry_status status;
        while ((status = ferry_run_in_executor(self.loop, self.pool, fy_count_up, &count, NULL)) == FERRY_EFULL) {
            ferry_future *space = space_future(&self);
            CHECK_STATUS(ferry_loop_run_until_complete(self.loop, space), 0);
            CHECK_STATUS(ferry_future_status(space), 0);
            ferry_future_unref(space);
        }
        CHECK_STATUS(status, 0);
    }
    scene_close(&self);
    CHECK_INT(count, JOBS);
}

static void every_one_of_several_futures_ends(void) {
    enum { COUNT = 5 };
    scene self;
    ferry_future *spaces[COUNT];
    scene_open(&self);
    for (int i = 0; i < COUNT; i++)
        spaces[i] = space_future(&self);
    fy_gate_open(&self.door);
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(ferry_loop_run_until_complete(self.loop, spaces[i]), 0);
    ferry_future_unref_all(spaces, COUNT);
    scene_close(&self);
}

static void future_may_be_cancelled(void) {
    scene self;
    scene_open(&self);
    ferry_future *space = space_future(&self);
    CHECK(ferry_future_cancel(space));
    CHECK_STATUS(ferry_future_status(space), FERRY_ECANCELED);
    ferry_future_unref(space);
    scene_close(&self);
}

static void future_may_outlive_the_interest_in_it(void) {
    scene self;
    scene_open(&self);
    ferry_future_unref(space_future(&self));
    scene_close(&self);
}

static void loop_may_close_while_a_future_waits(void) {
    scene self;
    scene_open(&self);
    ferry_future *space = space_future(&self);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    ferry_future_unref(space);
    scene_close(&self);
}

static void shutdown_ends_the_future(void) {
    scene self;
    scene_open(&self);
    ferry_future *space = space_future(&self), *none = NULL;
    CHECK_STATUS(ferry_executor_shutdown(self.pool, false, true, 0), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(self.loop, space), 0);
    ferry_future_unref(space);
    CHECK_STATUS(ferry_executor_wait_for_space(self.loop, self.pool, &none), FERRY_ESHUTDOWN);
    CHECK(none == NULL);
    scene_close(&self);
}

static const fy_test tests[] = {
    FY_TEST(future_is_done_once_the_queue_has_room),
    FY_TEST(future_is_done_when_a_queued_job_is_cancelled),
    FY_TEST(future_is_done_at_once_where_there_is_room),
    FY_TEST(loop_feeds_a_bounded_queue_to_the_end),
    FY_TEST(every_one_of_several_futures_ends),
    FY_TEST(future_may_be_cancelled),
    FY_TEST(future_may_outlive_the_interest_in_it),
    FY_TEST(loop_may_close_while_a_future_waits),
    FY_TEST(shutdown_ends_the_future),
};

FY_TEST_MAIN("wait_for_space", tests)
