/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs handed out one by one in the order in which they end, with no loop at all. */
#include "support/manual.h"
#include "support/threads.h"

enum { COUNT = 4 };

static void submit_all(fy_manual *manual, ferry_job **jobs, size_t count) {
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(ferry_executor_submit(manual->executor, fy_nothing, NULL, &jobs[i]), 0);
}

/* Finishes one job of those that wait, whichever its place. */
static void finish_in_any_order(fy_manual *manual, ferry_job *job) {
    for (ferry_job *taken;;) {
        taken = fy_manual_take(manual);
        CHECK(taken != NULL);
        if (taken == job) {
            ferry_job_run(taken, NULL);
            return;
        }
        CHECK_STATUS(fy_manual_submit(manual, taken), 0);
    }
}

static ferry_jobs_as_completed *open_for(ferry_job *const *jobs, size_t count, int64_t timeout_us) {
    ferry_jobs_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_jobs_as_completed_open(jobs, count, timeout_us, &iterator), 0);
    CHECK(iterator != NULL);
    return iterator;
}

static ferry_job *next_of(ferry_jobs_as_completed *iterator) {
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), 0);
    CHECK(job != NULL);
    CHECK(ferry_job_done(job));
    return job;
}

static void jobs_come_in_the_order_of_their_ends(void) {
    static const int order[COUNT] = {2, 0, 3, 1};
    fy_manual manual;
    ferry_job *jobs[COUNT], *none = NULL;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    ferry_jobs_as_completed *iterator = open_for(jobs, COUNT, FERRY_FOREVER);
    finish_in_any_order(&manual, jobs[order[0]]);
    CHECK(next_of(iterator) == jobs[order[0]]);
    for (int i = 1; i < COUNT; i++)
        finish_in_any_order(&manual, jobs[order[i]]);
    for (int i = 1; i < COUNT; i++)
        CHECK(next_of(iterator) == jobs[order[i]]);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &none), FERRY_EEXHAUSTED);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &none), FERRY_EEXHAUSTED);
    CHECK(none == NULL);
    ferry_jobs_as_completed_close(iterator);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-019 */
static void what_is_done_is_handed_out_even_when_the_time_is_up(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT], *late = NULL;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    fy_manual_finish(&manual, 1, 0);
    fy_manual_finish(&manual, 2, APR_EGENERAL);
    ferry_jobs_as_completed *iterator = open_for(jobs, COUNT, 0);
    ferry_job *first = next_of(iterator), *second = next_of(iterator);
    CHECK((first == jobs[0] && second == jobs[1]) || (first == jobs[1] && second == jobs[0]));
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &late), FERRY_ETIMEDOUT);
    CHECK(late == NULL);
    CHECK_INT(ferry_job_get_state(jobs[2]), FERRY_JOB_PENDING);
    CHECK_INT(ferry_job_get_state(jobs[3]), FERRY_JOB_PENDING);
    ferry_jobs_as_completed_close(iterator);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 2);
    CHECK_STATUS(ferry_job_status(jobs[3]), 0);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

/* CF-019 */
static void time_limit_is_for_all_together_and_never_early(void) {
    fy_manual manual;
    ferry_job *jobs[2], *late = NULL;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 2);
    int64_t before = ferry_now();
    ferry_jobs_as_completed *iterator = open_for(jobs, 2, 5000);
    fy_manual_finish(&manual, 1, 0);
    CHECK(next_of(iterator) == jobs[0]);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &late), FERRY_ETIMEDOUT);
    CHECK(ferry_now() - before >= 5000);
    ferry_jobs_as_completed_close(iterator);
    fy_manual_run_all(&manual, NULL);
    ferry_job_unref_all(jobs, 2);
    fy_manual_close(&manual);
}

/* CF-014 */
static void cancelled_job_is_handed_out_once_acknowledged(void) {
    fy_manual manual;
    ferry_job *jobs[1], *job = NULL;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 1);
    CHECK(ferry_job_cancel(jobs[0]));
    ferry_jobs_as_completed *iterator = open_for(jobs, 1, 0);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), FERRY_ETIMEDOUT);
    fy_manual_acknowledge(&manual);
    CHECK(next_of(iterator) == jobs[0]);
    CHECK_STATUS(ferry_job_status(jobs[0]), FERRY_ECANCELED);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), FERRY_EEXHAUSTED);
    ferry_jobs_as_completed_close(iterator);
    ferry_job_unref_all(jobs, 1);
    fy_manual_close(&manual);
}

static void job_given_twice_is_handed_out_once(void) {
    fy_manual manual;
    ferry_job *jobs[2], *given[5], *job = NULL;
    fy_manual_open(&manual);
    submit_all(&manual, jobs, 2);
    for (int i = 0; i < 5; i++)
        given[i] = jobs[i % 2];
    fy_manual_finish(&manual, 1, 0);
    ferry_jobs_as_completed *iterator = open_for(given, 5, FERRY_FOREVER);
    CHECK(next_of(iterator) == jobs[0]);
    fy_manual_finish(&manual, 2, 0);
    CHECK(next_of(iterator) == jobs[1]);
    CHECK_STATUS(ferry_jobs_as_completed_next(iterator, &job), FERRY_EEXHAUSTED);
    ferry_jobs_as_completed_close(iterator);
    ferry_job_unref_all(jobs, 2);
    fy_manual_close(&manual);
}

static void iterator_keeps_its_jobs_alive(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    fy_manual_open(&manual);
    for (intptr_t i = 0; i < COUNT; i++)
        CHECK_STATUS(ferry_executor_submit(manual.executor, fy_echo, (void *)(i + 1), &jobs[i]), 0);
    ferry_jobs_as_completed *iterator = open_for(jobs, COUNT, FERRY_FOREVER);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_run_all(&manual, NULL);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(ferry_job_integer(next_of(iterator)), i + 1);
    ferry_jobs_as_completed_close(iterator);
    fy_manual_close(&manual);
}

static void closing_early_cancels_nothing(void) {
    fy_manual manual;
    ferry_job *jobs[COUNT];
    fy_manual_open(&manual);
    submit_all(&manual, jobs, COUNT);
    fy_manual_finish(&manual, 1, 0);
    ferry_jobs_as_completed *iterator = open_for(jobs, COUNT, FERRY_FOREVER);
    CHECK(next_of(iterator) == jobs[0]);
    ferry_jobs_as_completed_close(iterator);
    ferry_jobs_as_completed_close(NULL);
    CHECK_INT(fy_manual_run_all(&manual, NULL), COUNT - 1);
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(ferry_job_status(jobs[i]), 0);
    ferry_job_unref_all(jobs, COUNT);
    fy_manual_close(&manual);
}

typedef struct reader {
    ferry_jobs_as_completed *iterator;
    fy_gate about_to_wait;
    ferry_job *got[COUNT];
} reader;

static void read_all(void *arg) {
    reader *self = arg;
    fy_gate_arrive(&self->about_to_wait);
    for (int i = 0; i < COUNT; i++)
        self->got[i] = next_of(self->iterator);
}

static void completion_in_another_thread_wakes_the_reader(void) {
    enum { ROUNDS = 100 };
    fy_manual manual;
    fy_manual_open(&manual);
    for (int round = 0; round < ROUNDS; round++) {
        ferry_job *jobs[COUNT];
        helper_thread thread;
        reader self;
        submit_all(&manual, jobs, COUNT);
        self.iterator = open_for(jobs, COUNT, FERRY_FOREVER);
        fy_gate_init(&self.about_to_wait);
        thread_start(&thread, read_all, &self);
        fy_gate_await(&self.about_to_wait, 1);
        for (int i = 0; i < COUNT; i++)
            fy_manual_finish(&manual, i, 0);
        thread_join(&thread);
        for (int i = 0; i < COUNT; i++)
            CHECK(self.got[i] == jobs[i]);
        fy_gate_fini(&self.about_to_wait);
        ferry_jobs_as_completed_close(self.iterator);
        ferry_job_unref_all(jobs, COUNT);
    }
    fy_manual_close(&manual);
}

/* CF-017 */
static void jobs_that_end_at_once_are_all_handed_out(void) {
    enum { JOBS = 100, ROUNDS = 40 };
    ferry_executor *pool = fy_pool_of(4);
    for (int round = 0; round < ROUNDS; round++) {
        ferry_job *jobs[JOBS];
        bool seen[JOBS] = {false};
        for (intptr_t i = 0; i < JOBS; i++)
            CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)i, &jobs[i]), 0);
        ferry_jobs_as_completed *iterator = open_for(jobs, JOBS, FERRY_FOREVER);
        for (int i = 0; i < JOBS; i++) {
            int64_t which = ferry_job_integer(next_of(iterator));
            CHECK(!seen[which]);
            seen[which] = true;
        }
        ferry_jobs_as_completed_close(iterator);
        ferry_job_unref_all(jobs, JOBS);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static const fy_test tests[] = {
    FY_TEST(jobs_come_in_the_order_of_their_ends),
    FY_TEST(what_is_done_is_handed_out_even_when_the_time_is_up),
    FY_TEST(time_limit_is_for_all_together_and_never_early),
    FY_TEST(cancelled_job_is_handed_out_once_acknowledged),
    FY_TEST(job_given_twice_is_handed_out_once),
    FY_TEST(iterator_keeps_its_jobs_alive),
    FY_TEST(closing_early_cancels_nothing),
    FY_TEST(completion_in_another_thread_wakes_the_reader),
    FY_TEST(jobs_that_end_at_once_are_all_handed_out),
};

FY_TEST_MAIN("jobs_as_completed", tests)
