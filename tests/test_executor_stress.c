/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads at once: they submit, cancel and complete jobs and shut pools down under each other's hands, a million
 * operations in all. Whatever the order was, each argument is destroyed once and each job ends once. What loops add to
 * that is for test_executor_stress_loop.c. */
#define FY_TEST_DEADLINE_S 600

#include "support/jobs.h"
#include "support/threads.h"

#include <stdlib.h>

enum { THREADS = 3, ROUNDS = 8, JOBS = 20000, SLOTS = 64 };

/* What became of one job. */
typedef struct record {
    atomic_uchar ran;
    atomic_uchar freed;
    atomic_uchar ended;
    atomic_bool accepted;
} record;

/* One round: a pool or another executor, its submitters, and jobs that any thread may cancel. */
typedef struct arena {
    ferry_executor *executor;
    record *records;            /* THREADS * JOBS */
    _Atomic(ferry_job *) slots[SLOTS];
    atomic_uint started;        /* submitters; each takes the next number */
    atomic_size_t operations;
    atomic_size_t accepted;
} arena;

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- jobs ---- */

static ferry_status run_record(void *arg, ferry_call *call) {
    record *self = arg;
    atomic_fetch_add(&self->ran, 1);
    return ferry_return_integer(call, 1);
}

static void free_record(void *arg) {
    record *self = arg;
    atomic_fetch_add(&self->freed, 1);
}

static ferry_status end_record(ferry_job *job, void *arg) {
    record *self = arg;
    CHECK(ferry_job_done(job));
    atomic_fetch_add(&self->ended, 1);
    return 0;
}

/* Puts the job where another thread finds it, and cancels or lets go what lay there. */
static void pass_on(arena *self, ferry_job *job, uint32_t *random) {
    ferry_job *other = atomic_exchange(&self->slots[next_random(random) % SLOTS], job);
    if (other && next_random(random) % 2) {
        ferry_job_cancel(other);
        atomic_fetch_add(&self->operations, 1);
    }
    ferry_job_unref(other);
}

static void empty_slots(arena *self) {
    for (int i = 0; i < SLOTS; i++)
        ferry_job_unref(atomic_exchange(&self->slots[i], NULL));
}

/* True until the executor takes no more. */
static bool submit_record(arena *self, record *mine, uint32_t *random) {
    ferry_job *job;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = run_record, .arg = mine, .arg_free = free_record,
                                 .priority = (int)(next_random(random) % 3) - 1};
    ferry_status status = ferry_executor_submit_with(self->executor, &options, &job);
    if (status == FERRY_ESHUTDOWN)
        return false;
    CHECK_STATUS(status, 0);
    atomic_store(&mine->accepted, true);
    atomic_fetch_add(&self->accepted, 1);
    atomic_fetch_add(&self->operations, 2);
    CHECK_STATUS(ferry_job_add_done_callback(job, end_record, mine), 0);
    if (next_random(random) % 8 == 0) {
        ferry_job_cancel(job);
        atomic_fetch_add(&self->operations, 1);
    }
    pass_on(self, job, random);
    return true;
}

static void submit_records(void *arg) {
    arena *self = arg;
    uint32_t number = atomic_fetch_add(&self->started, 1), random = number * 7919 + 1;
    record *mine = self->records + (size_t)number * JOBS;
    for (int i = 0; i < JOBS && submit_record(self, &mine[i], &random); i++)
        continue;
}

/* ---- the rounds ---- */

static void arena_open(arena *self, ferry_executor *executor) {
    memset(self, 0, sizeof *self);
    self->executor = executor;
    self->records = calloc((size_t)THREADS * JOBS, sizeof *self->records);
    CHECK(self->records != NULL);
}

/* Every job accepted ended once and gave its argument back once; every other was left alone. */
static size_t arena_close(arena *self) {
    size_t ran = 0, accepted = 0;
    for (size_t i = 0; i < (size_t)THREADS * JOBS; i++) {
        const record *one = &self->records[i];
        CHECK_INT(one->freed, one->accepted);
        CHECK_INT(one->ended, one->accepted);
        CHECK(one->ran <= one->accepted);
        ran += one->ran;
        accepted += one->accepted;
    }
    CHECK_INT(accepted, self->accepted);
    free(self->records);
    return ran;
}

static void shut_down_and_wait(void *arg) {
    arena *self = arg;
    CHECK_STATUS(ferry_executor_shutdown(self->executor, true, false, FERRY_FOREVER), 0);
    atomic_fetch_add(&self->operations, 1);
}

static void check_statistics(arena *self, size_t ran) {
    ferry_executor_stats stats = fy_stats(self->executor);
    CHECK_INT(stats.done, ran);
    CHECK_INT(stats.cancelled, self->accepted - ran);
    CHECK_INT(stats.queued + stats.running + stats.workers, 0);
}

/* The pool is shut down by two threads when about `share` parts in four of the jobs have been submitted. */
static size_t pool_round(unsigned share) {
    arena self;
    helper_thread submitters[THREADS], closers[2];
    arena_open(&self, fy_pool_of(2));
    for (int i = 0; i < THREADS; i++)
        thread_start(&submitters[i], submit_records, &self);
    FY_AWAIT(atomic_load(&self.accepted) >= (size_t)THREADS * JOBS / 4 * share);
    for (int i = 0; i < 2; i++)
        thread_start(&closers[i], shut_down_and_wait, &self);
    for (int i = 0; i < THREADS; i++)
        thread_join(&submitters[i]);
    for (int i = 0; i < 2; i++)
        thread_join(&closers[i]);
    empty_slots(&self);
    size_t ran = arena_close(&self);
    check_statistics(&self, ran);
    ferry_executor_unref(self.executor);
    return self.operations;
}

/* ES-002 */
static void pool_under_many_hands_ends_every_job_once(void) {
    size_t operations = 0;
    for (unsigned round = 0; round < ROUNDS; round++)
        operations += pool_round(round % 4 + 1);
    CHECK(operations >= 500000);
}

/* ---- an executor of one's own, whose jobs are claimed, finished and dropped by several threads ---- */

typedef struct workshop {
    arena arena;
    apr_pool_t *memory;
    apr_thread_mutex_t *mutex;
    ferry_job **jobs;
    size_t head;
    size_t tail;
    atomic_uint started;
    atomic_bool closed;
} workshop;

static ferry_status workshop_submit(void *arg, ferry_job *job) {
    workshop *self = arg;
    apr_thread_mutex_lock(self->mutex);
    self->jobs[self->tail++] = job;
    apr_thread_mutex_unlock(self->mutex);
    return 0;
}

static ferry_job *workshop_take(workshop *self) {
    apr_thread_mutex_lock(self->mutex);
    ferry_job *job = self->head < self->tail ? self->jobs[self->head++] : NULL;
    apr_thread_mutex_unlock(self->mutex);
    return job;
}

static void claim_and_finish(ferry_job *job) {
    if (!ferry_job_claim(job)) {
        ferry_job_drop(job);
        return;
    }
    CHECK_STATUS(ferry_return_integer(ferry_job_call(job), 2), 0);
    CHECK_STATUS(ferry_job_finish(job, 0), 0);
}

static void work(void *arg) {
    workshop *self = arg;
    uint32_t random = atomic_fetch_add(&self->started, 1) + 77;
    for (;;) {
        bool closed = atomic_load(&self->closed);
        ferry_job *job = workshop_take(self);
        if (!job && closed)
            return;
        if (!job) {
            ferry_thread_sleep(50);
            continue;
        }
        switch (next_random(&random) % 4) {
        case 0: claim_and_finish(job); break;
        case 1: ferry_job_drop(job); break;
        default: ferry_job_run(job, NULL);
        }
        atomic_fetch_add(&self->arena.operations, 1);
    }
}

static size_t workshop_round(void) {
    static const ferry_executor_class by_workers = {.size = sizeof by_workers, .submit = workshop_submit};
    workshop self = {.head = 0};
    helper_thread submitters[THREADS], workers[2];
    ferry_executor *executor;
    CHECK_STATUS(ferry_executor_create(&by_workers, &self, &executor), 0);
    arena_open(&self.arena, executor);
    self.jobs = malloc((size_t)THREADS * JOBS * sizeof(ferry_job *));
    CHECK(self.jobs != NULL);
    CHECK_STATUS(apr_pool_create(&self.memory, NULL), 0);
    CHECK_STATUS(apr_thread_mutex_create(&self.mutex, APR_THREAD_MUTEX_DEFAULT, self.memory), 0);
    for (int i = 0; i < 2; i++)
        thread_start(&workers[i], work, &self);
    for (int i = 0; i < THREADS; i++)
        thread_start(&submitters[i], submit_records, &self.arena);
    for (int i = 0; i < THREADS; i++)
        thread_join(&submitters[i]);
    atomic_store(&self.closed, true);
    for (int i = 0; i < 2; i++)
        thread_join(&workers[i]);
    empty_slots(&self.arena);
    CHECK_INT(self.head, (size_t)THREADS * JOBS);
    arena_close(&self.arena);
    CHECK_STATUS(ferry_executor_close(executor), 0);
    apr_pool_destroy(self.memory);
    free(self.jobs);
    return self.arena.operations;
}

/* CF-010, CF-020 */
static void claims_cancels_and_drops_that_race_end_every_job_once(void) {
    size_t operations = 0;
    for (int round = 0; round < 3; round++)
        operations += workshop_round();
    CHECK(operations >= 500000);
}

static const fy_test tests[] = {
    FY_TEST(pool_under_many_hands_ends_every_job_once),
    FY_TEST(claims_cancels_and_drops_that_race_end_every_job_once),
};

FY_TEST_MAIN("executor_stress", tests)
