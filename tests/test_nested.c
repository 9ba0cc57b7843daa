/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for jobs. A worker that waits helps, so that one worker is enough for any depth; where waiting could
 * never end, the caller is told instead. A running loop's thread is told too. */
#include "support/jobs.h"
#include "support/loops.h"

/* ---- helping ---- */

typedef struct problem {
    ferry_executor *pool;
    int size;
} problem;

/* The Fibonacci number, each term a job of its own that is waited for. */
static ferry_status fibonacci(void *arg, ferry_call *call) {
    problem *self = arg;
    ferry_job *jobs[2];
    int64_t sum = 0;
    if (self->size < 2)
        return ferry_return_integer(call, self->size);
    for (int i = 0; i < 2; i++) {
        problem part = {self->pool, self->size - 1 - i};
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fibonacci, .arg = &part, .arg_size = sizeof part};
        CHECK_STATUS(ferry_executor_submit_with(self->pool, &options, &jobs[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_job_result(jobs[i], FERRY_FOREVER), 0);
        sum += ferry_job_integer(jobs[i]);
    }
    ferry_job_unref_all(jobs, 2);
    return ferry_return_integer(call, sum);
}

static void check_fibonacci(size_t workers) {
    problem self = {fy_pool_of(workers), 14};
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit(self.pool, fibonacci, &self, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 377);
    ferry_job_unref(job);
    CHECK_INT(fy_stats(self.pool).failed, 0);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
}

static void jobs_that_wait_for_jobs_end_on_any_number_of_workers(void) {
    check_fibonacci(1);
    check_fibonacci(2);
    check_fibonacci(4);
}

/* One job inside the other, `size` deep. */
static ferry_status descend(void *arg, ferry_call *call) {
    problem *self = arg;
    problem below = {self->pool, self->size - 1};
    ferry_job *job;
    if (self->size == 0)
        return ferry_return_integer(call, 0);
    CHECK_STATUS(ferry_executor_submit(self->pool, descend, &below, &job), 0);
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    int64_t depth = ferry_job_integer(job) + 1;
    ferry_job_unref(job);
    return ferry_return_integer(call, depth);
}

static void one_worker_is_enough_for_deep_nesting(void) {
    problem self = {fy_pool_of(1), 100};
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit(self.pool, descend, &self, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 100);
    ferry_job_unref(job);
    CHECK_INT(fy_stats(self.pool).workers_started, 1);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
}

enum { INNER = 20 };

static void submit_inner(ferry_executor *pool, ferry_job **jobs) {
    for (intptr_t i = 0; i < INNER; i++)
        CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)i, &jobs[i]), 0);
}

static ferry_status wait_for_many(void *arg, ferry_call *call) {
    ferry_job *jobs[INNER];
    size_t done = 0;
    (void)call;
    submit_inner(arg, jobs);
    ferry_status status = ferry_jobs_wait(jobs, INNER, FERRY_FOREVER, FERRY_ALL_COMPLETED, &done);
    CHECK(status || done == INNER);
    ferry_job_unref_all(jobs, INNER);
    return status;
}

static ferry_status read_as_completed(void *arg, ferry_call *call) {
    ferry_job *jobs[INNER], *next;
    ferry_jobs_as_completed *iterator;
    ferry_status status = 0;
    (void)call;
    submit_inner(arg, jobs);
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, INNER, FERRY_FOREVER, &iterator), 0);
    for (int i = 0; i < INNER && !status; i++)
        status = ferry_jobs_as_completed_next(iterator, &next);
    ferry_jobs_as_completed_close(iterator);
    ferry_job_unref_all(jobs, INNER);
    return status;
}

static ferry_status next_argument(void *source, void **ret_arg) {
    int *given = source;
    if (*given == INNER)
        return FERRY_EEXHAUSTED;
    *ret_arg = (void *)(intptr_t)(*given)++;
    return 0;
}

static ferry_status read_a_map(void *arg, ferry_call *call) {
    ferry_map *map;
    ferry_job *job;
    int given = 0;
    ferry_status status = 0;
    (void)call;
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_echo, .next = next_argument, .source = &given,
                                 .buffer_size = 3};
    CHECK_STATUS(ferry_executor_map((ferry_executor *)arg, &options, &map), 0);
    for (int i = 0; i < INNER && !status; i++) {
        status = ferry_map_next(map, &job);
        CHECK(status || ferry_job_integer(job) == i);
        if (!status)
            ferry_job_unref(job);
    }
    ferry_map_close(map);
    return status;
}

static void check_in_one_worker(ferry_function *function) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, function, pool, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void worker_helps_in_every_kind_of_wait(void) {
    check_in_one_worker(wait_for_many);
    check_in_one_worker(read_as_completed);
    check_in_one_worker(read_a_map);
}

static ferry_status wait_for_given(void *job, ferry_call *call) {
    (void)call;
    return ferry_job_result(job, FERRY_FOREVER);
}

static void worker_that_waits_for_a_running_job_waits(void) {
    fy_gate door;
    ferry_job *running, *waiting[2];
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(3);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, &running), 0);
    fy_gate_await(&door, 1);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(ferry_executor_submit(pool, wait_for_given, running, &waiting[i]), 0);
    FY_AWAIT(ferry_job_running(waiting[0]) && ferry_job_running(waiting[1]));
    fy_gate_open(&door);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(ferry_job_result(waiting[i], FERRY_FOREVER), 0);
    ferry_job_unref(running);
    ferry_job_unref_all(waiting, 2);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ---- waits that could never end ---- */

typedef struct ring {
    fy_gate door;
    ferry_job *jobs[5];
    int count;
} ring;

typedef struct seat {
    ring *whole;
    int number;
} seat;

/* Waits for its neighbour in the ring; the gate opens when all of them run. */
static ferry_status wait_for_neighbour(void *arg, ferry_call *call) {
    seat *self = arg;
    (void)call;
    fy_gate_pass(&self->whole->door);
    return ferry_job_wait(self->whole->jobs[(self->number + 1) % self->whole->count], FERRY_FOREVER);
}

static void check_ring(int count) {
    ring whole = {.count = count};
    int told = 0;
    fy_gate_init(&whole.door);
    ferry_executor *pool = fy_pool_of((size_t)count);
    for (int i = 0; i < count; i++) {
        seat self = {&whole, i};
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = wait_for_neighbour, .arg = &self,
                                     .arg_size = sizeof self};
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &whole.jobs[i]), 0);
    }
    fy_gate_await(&whole.door, (size_t)count);
    fy_gate_open(&whole.door);
    for (int i = 0; i < count; i++) {
        CHECK_STATUS(ferry_job_wait(whole.jobs[i], FERRY_FOREVER), 0);
        ferry_status status = ferry_job_status(whole.jobs[i]);
        CHECK(status == 0 || status == FERRY_EDEADLK);
        told += status == FERRY_EDEADLK;
    }
    CHECK(told >= 1);
    ferry_job_unref_all(whole.jobs, (size_t)count);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&whole.door);
}

static void job_that_waits_for_itself_is_told(void) {
    for (int round = 0; round < 20; round++)
        check_ring(1);
}

static void jobs_that_wait_for_each_other_are_told(void) {
    for (int round = 0; round < 100; round++)
        check_ring(2);
}

static void longer_rings_are_told(void) {
    for (int round = 0; round < 50; round++) {
        check_ring(3);
        check_ring(5);
    }
}

typedef struct helped {
    ferry_executor *pool;
    ferry_job *outer;
    ferry_status inner_wait;
    fy_gate door;
} helped;

static ferry_status wait_for_the_helper(void *arg, ferry_call *call) {
    helped *self = arg;
    (void)call;
    self->inner_wait = ferry_job_wait(self->outer, FERRY_FOREVER);
    return 0;
}

static ferry_status help_one_that_waits_for_me(void *arg, ferry_call *call) {
    helped *self = arg;
    ferry_job *inner;
    (void)call;
    fy_gate_pass(&self->door);
    CHECK_STATUS(ferry_executor_submit(self->pool, wait_for_the_helper, self, &inner), 0);
    ferry_status status = ferry_job_result(inner, FERRY_FOREVER);
    ferry_job_unref(inner);
    return status;
}

static void helped_job_that_waits_for_its_helper_is_told(void) {
    helped self = {.pool = fy_pool_of(1), .inner_wait = 0};
    fy_gate_init(&self.door);
    CHECK_STATUS(ferry_executor_submit(self.pool, help_one_that_waits_for_me, &self, &self.outer), 0);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_job_result(self.outer, FERRY_FOREVER), 0);
    CHECK_STATUS(self.inner_wait, FERRY_EDEADLK);
    ferry_job_unref(self.outer);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&self.door);
}

static ferry_status wait_for_self_among_others(void *arg, ferry_call *call) {
    ring *whole = arg;
    (void)call;
    fy_gate_pass(&whole->door);
    return ferry_jobs_wait(whole->jobs, 2, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL);
}

static void job_that_waits_for_all_and_itself_is_told(void) {
    ring whole = {.count = 2};
    fy_gate_init(&whole.door);
    ferry_executor *pool = fy_pool_of(2);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &whole.jobs[0]), 0);
    CHECK_STATUS(ferry_executor_submit(pool, wait_for_self_among_others, &whole, &whole.jobs[1]), 0);
    fy_gate_open(&whole.door);
    CHECK_STATUS(ferry_job_result(whole.jobs[1], FERRY_FOREVER), FERRY_EDEADLK);
    ferry_job_unref_all(whole.jobs, 2);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&whole.door);
}

/* ---- across pools ---- */

typedef struct pools {
    ferry_executor *here;
    ferry_executor *there;
    int depth;
} pools;

/* Each level waits for a job of the other pool. */
static ferry_status cross_over(void *arg, ferry_call *call) {
    pools *self = arg;
    pools across = {self->there, self->here, self->depth - 1};
    ferry_job *job;
    if (self->depth == 0)
        return ferry_return_integer(call, 1);
    CHECK_STATUS(ferry_executor_submit(self->there, cross_over, &across, &job), 0);
    ferry_status status = ferry_job_result(job, FERRY_FOREVER);
    int64_t value = ferry_job_integer(job);
    ferry_job_unref(job);
    return status ? status : ferry_return_integer(call, value + 1);
}

static void nesting_across_two_pools_of_one_worker_ends(void) {
    pools self = {fy_pool_of(1), fy_pool_of(1), 10};
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit(self.here, cross_over, &self, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 11);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(self.here), 0);
    CHECK_STATUS(ferry_executor_close(self.there), 0);
}

/* ---- on a running loop's thread ---- */

typedef struct on_loop {
    ferry_loop *loop;
    ferry_executor *pool;
    ferry_job *pending;
    ferry_job *done;
} on_loop;

static ferry_status wait_in_a_callback(void *arg) {
    on_loop *self = arg;
    ferry_jobs_as_completed *iterator;
    ferry_job *job;
    CHECK_STATUS(ferry_job_wait(self->pending, FERRY_FOREVER), FERRY_EDEADLK);
    CHECK_STATUS(ferry_job_result(self->pending, 1000), FERRY_EDEADLK);
    CHECK_STATUS(ferry_job_wait(self->pending, 0), FERRY_ETIMEDOUT);
    CHECK_STATUS(ferry_job_wait(self->done, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_jobs_wait(&self->pending, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL), FERRY_EDEADLK);
    CHECK_STATUS(ferry_jobs_wait(&self->done, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL), 0);
    CHECK_STATUS(ferry_jobs_as_completed_open(&self->pending, 1, FERRY_FOREVER, &iterator), 0);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), FERRY_EDEADLK);
    ferry_jobs_as_completed_close(iterator);
    return stop_loop(self->loop);
}

static void running_loop_is_told_instead_of_blocked(void) {
    fy_gate door;
    on_loop self = {.loop = new_loop(), .pool = fy_pool_of(2)};
    fy_gate_init(&door);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_gate_job, &door, &self.pending), 0);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, &self.done), 0);
    CHECK_STATUS(ferry_job_result(self.done, FERRY_FOREVER), 0);
    post(self.loop, wait_in_a_callback, &self);
    run_forever(self.loop);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(self.pending, FERRY_FOREVER), 0);
    ferry_job_unref(self.pending);
    ferry_job_unref(self.done);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    end_loop(self.loop);
    fy_gate_fini(&door);
}

/* ---- in a done callback, when no job runs on the worker ---- */

typedef struct after {
    ferry_executor *pool;
    fy_gate over;
    ferry_status status;
} after;

static ferry_status wait_in_callback(ferry_job *done, void *arg) {
    after *self = arg;
    ferry_job *job = NULL;
    (void)done;
    self->status = ferry_executor_submit(self->pool, fy_nothing, NULL, &job);
    if (!self->status)
        self->status = ferry_job_wait(job, FERRY_FOREVER);
    if (!self->status)
        self->status = ferry_jobs_wait(&job, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL);
    ferry_job_unref(job);
    fy_gate_arrive(&self->over);
    return 0;
}

static void worker_helps_in_a_done_callback(void) {
    after self = {.pool = fy_pool_of(1)};
    ferry_job *job = NULL;
    fy_gate door;
    fy_gate_init(&door);
    fy_gate_init(&self.over);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_gate_job, &door, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, wait_in_callback, &self), 0);
    fy_gate_open(&door);
    fy_gate_await(&self.over, 1);
    CHECK_STATUS(self.status, 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&self.over);
    fy_gate_fini(&door);
}

/* ---- a job whose time is up ---- */

static ferry_status wait_until_it_is_too_late(void *arg, ferry_call *call) {
    ferry_executor *pool = arg;
    ferry_job *job = NULL;
    fy_tracked tracked = {0};
    (void)call;
    ferry_job_options options = fy_tracked_options(&tracked);
    options.timeout_us = 1000;
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    ferry_thread_sleep(2000);
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_status(job), FERRY_ETIMEDOUT);
    ferry_job_unref(job);
    CHECK(tracked.ran == 0 && tracked.freed == 1);
    return 0;
}

static void worker_that_helps_does_not_run_a_job_that_is_too_late(void) {
    ferry_executor *pool = fy_pool_of(1);
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_executor_submit(pool, wait_until_it_is_too_late, pool, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    ferry_job_unref(job);
    CHECK_INT(fy_stats(pool).done, 1);
    CHECK_INT(fy_stats(pool).cancelled, 1);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static const fy_test tests[] = {
    FY_TEST(worker_that_helps_does_not_run_a_job_that_is_too_late),
    FY_TEST(worker_helps_in_a_done_callback),
    FY_TEST(jobs_that_wait_for_jobs_end_on_any_number_of_workers),
    FY_TEST(one_worker_is_enough_for_deep_nesting),
    FY_TEST(worker_helps_in_every_kind_of_wait),
    FY_TEST(worker_that_waits_for_a_running_job_waits),
    FY_TEST(job_that_waits_for_itself_is_told),
    FY_TEST(jobs_that_wait_for_each_other_are_told),
    FY_TEST(longer_rings_are_told),
    FY_TEST(helped_job_that_waits_for_its_helper_is_told),
    FY_TEST(job_that_waits_for_all_and_itself_is_told),
    FY_TEST(nesting_across_two_pools_of_one_worker_ends),
    FY_TEST(running_loop_is_told_instead_of_blocked),
};

FY_TEST_MAIN("nested", tests)
