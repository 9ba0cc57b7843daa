/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as the thread-level futures they are: their states, who may cancel, claim and finish them, who is woken and
 * what they are told. Most jobs go by hand through an executor of the test's own, so each step is its choice. */
#include "support/manual.h"
#include "support/threads.h"

/* ---- states ---- */

static void states_go_from_pending_to_running_to_finished(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_PENDING);
    CHECK(!ferry_job_done(job) && !ferry_job_running(job) && !ferry_job_cancelled(job));
    CHECK_STATUS(ferry_job_status(job), FERRY_EINVALIDSTATE);

    ferry_job *taken = fy_manual_take(&manual);
    CHECK(taken == job);
    CHECK(ferry_job_claim(taken));
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_RUNNING);
    CHECK(!ferry_job_done(job) && ferry_job_running(job) && !ferry_job_cancelled(job));
    CHECK_STATUS(ferry_job_status(job), FERRY_EINVALIDSTATE);

    CHECK_STATUS(ferry_job_finish(taken, 0), 0);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_FINISHED);
    CHECK(ferry_job_done(job) && !ferry_job_running(job) && !ferry_job_cancelled(job));
    CHECK_STATUS(ferry_job_status(job), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void job_is_claimed_by_one_only(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    ferry_job *taken = fy_manual_take(&manual);
    CHECK(ferry_job_claim(taken));
    CHECK(!ferry_job_claim(taken));
    CHECK(ferry_job_running(job));
    CHECK_STATUS(ferry_job_finish(taken, 0), 0);
    CHECK(!ferry_job_claim(job));
    CHECK_STATUS(ferry_job_status(job), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-010 */
static void finishing_twice_leaves_the_first_outcome(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    ferry_job *taken = fy_manual_take(&manual);
    CHECK_STATUS(ferry_job_finish(taken, 0), FERRY_EINVALIDSTATE);
    CHECK(ferry_job_claim(taken));
    CHECK_STATUS(ferry_return_integer(ferry_job_call(taken), 1), 0);
    CHECK_STATUS(ferry_job_finish(taken, 0), 0);
    CHECK_STATUS(ferry_job_finish(job, APR_EGENERAL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_job_finish(job, 0), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_INT(ferry_job_integer(job), 1);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-010 */
static void finishing_a_cancelled_job_is_refused(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK(ferry_job_cancel(job));
    ferry_job *taken = fy_manual_take(&manual);
    CHECK_STATUS(ferry_job_finish(taken, 0), FERRY_EINVALIDSTATE);
    CHECK(!ferry_job_claim(taken));
    CHECK_STATUS(ferry_job_finish(taken, 0), FERRY_EINVALIDSTATE);
    CHECK(ferry_job_cancelled(job));
    CHECK_STATUS(ferry_job_status(job), FERRY_ECANCELED);
    ferry_job_drop(taken);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* ---- cancelling ---- */

/* CF-020 */
static void cancelled_job_cannot_be_claimed_and_never_runs(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *job;
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &job), 0);
    CHECK(ferry_job_cancel(job));
    CHECK(ferry_job_cancel(job));
    CHECK_INT(manual.cancels, 1);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_CANCELLED);
    CHECK(ferry_job_done(job) && ferry_job_cancelled(job));
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    CHECK_INT(tracked.ran, 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(tracked.freed, 1);
}

/* CF-007 */
static void cancelled_job_answers_canceled_at_once(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK(ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    CHECK_STATUS(ferry_job_result(job, 0), FERRY_ECANCELED);
    CHECK_STATUS(ferry_job_status(job), FERRY_ECANCELED);
    CHECK_INT(ferry_job_integer(job), 0);
    CHECK(ferry_job_pointer(job) == NULL);
    fy_manual_acknowledge(&manual);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static ferry_status until_cancelled(void *door, ferry_call *call) {
    fy_gate_arrive(door);
    while (!ferry_call_is_cancelled(call))
        ferry_thread_sleep(100);
    return FERRY_ECANCELED;
}

static void running_job_is_asked_to_stop(void) {
    fy_gate door;
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, until_cancelled, &door, &job), 0);
    fy_gate_await(&door, 1);
    CHECK(!ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_FINISHED);
    CHECK(!ferry_job_cancelled(job));
    CHECK(!ferry_job_cancel(job));
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

static void running_job_may_ignore_the_request(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    ferry_job *taken = fy_manual_take(&manual);
    CHECK(ferry_job_claim(taken));
    CHECK(!ferry_call_is_cancelled(ferry_job_call(taken)));
    CHECK(!ferry_job_cancel(job));
    CHECK(ferry_call_is_cancelled(ferry_job_call(taken)));
    CHECK(ferry_job_running(job));
    CHECK_STATUS(ferry_return_integer(ferry_job_call(taken), 7), 0);
    CHECK_STATUS(ferry_job_finish(taken, 0), 0);
    CHECK_STATUS(ferry_job_result(job, 0), 0);
    CHECK_INT(ferry_job_integer(job), 7);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void cancel_of_a_finished_job_changes_nothing(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, fy_echo, (void *)(intptr_t)5);
    CHECK(!ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_INT(ferry_job_integer(job), 5);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

typedef struct sleeper {
    fy_gate started;
    int64_t duration_us;
    int64_t slept_us;
    ferry_status status;
} sleeper;

static ferry_status sleep_in_call(void *arg, ferry_call *call) {
    sleeper *self = arg;
    fy_gate_arrive(&self->started);
    int64_t before = ferry_now();
    self->status = ferry_call_sleep(call, self->duration_us);
    self->slept_us = ferry_now() - before;
    return self->status;
}

static void call_sleep_ends_when_the_time_has_passed_and_not_before(void) {
    sleeper self = {.duration_us = 3000};
    ferry_job *job;
    fy_gate_init(&self.started);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, sleep_in_call, &self, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_STATUS(self.status, 0);
    CHECK(self.slept_us >= 3000);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&self.started);
}

static void call_sleep_is_ended_by_cancel(void) {
    sleeper self = {.duration_us = FERRY_FOREVER};
    ferry_job *job;
    fy_gate_init(&self.started);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, sleep_in_call, &self, &job), 0);
    fy_gate_await(&self.started, 1);
    CHECK(!ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    CHECK_STATUS(self.status, FERRY_ECANCELED);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&self.started);
}

/* ---- waiting ---- */

/* CF-006 */
static void timeout_of_a_wait_leaves_the_job_running(void) {
    fy_gate door;
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, &job), 0);
    fy_gate_await(&door, 1);
    int64_t before = ferry_now();
    CHECK_STATUS(ferry_job_wait(job, 2000), FERRY_ETIMEDOUT);
    CHECK_STATUS(ferry_job_result(job, 2000), FERRY_ETIMEDOUT);
    CHECK(ferry_now() - before >= 4000);
    CHECK_STATUS(ferry_job_wait(job, 0), FERRY_ETIMEDOUT);
    CHECK(ferry_job_running(job));
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_result(job, 0), 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

enum { WAITERS = 4, WAKE_ROUNDS = 100 };

typedef struct waiter {
    fy_gate *about_to_wait;
    ferry_job *job;
    ferry_status result;
    int64_t integer;
} waiter;

static void wait_for_result(void *arg) {
    waiter *self = arg;
    fy_gate_arrive(self->about_to_wait);
    self->result = ferry_job_result(self->job, FERRY_FOREVER);
    self->integer = ferry_job_integer(self->job);
    ferry_job_unref(self->job);
}

/* Lets several threads wait for one job, ends it with `end`, and checks what each was told. */
static void check_all_woken(fy_manual *manual, void (*end)(fy_manual *, ferry_job *), ferry_status expected,
                            int64_t integer) {
    waiter waiters[WAITERS];
    helper_thread threads[WAITERS];
    fy_gate about_to_wait;
    ferry_job *job;
    fy_gate_init(&about_to_wait);
    CHECK_STATUS(ferry_executor_submit(manual->executor, fy_nothing, NULL, &job), 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.about_to_wait = &about_to_wait, .job = ferry_job_ref(job)};
        thread_start(&threads[i], wait_for_result, &waiters[i]);
    }
    fy_gate_await(&about_to_wait, WAITERS);
    end(manual, job);
    for (int i = 0; i < WAITERS; i++) {
        thread_join(&threads[i]);
        CHECK_STATUS(waiters[i].result, expected);
        CHECK_INT(waiters[i].integer, integer);
    }
    ferry_job_unref(job);
    fy_gate_fini(&about_to_wait);
}

static void end_with_a_value(fy_manual *manual, ferry_job *job) {
    (void)job;
    fy_manual_finish(manual, 42, 0);
}

/* The executor acknowledges it later: whoever waits for one job does not wait for that. */
static void end_with_cancel(fy_manual *manual, ferry_job *job) {
    (void)manual;
    CHECK(ferry_job_cancel(job));
}

static void end_with_drop(fy_manual *manual, ferry_job *job) {
    (void)job;
    ferry_job_drop(fy_manual_take(manual));
}

/* CF-008 */
static void completion_wakes_every_thread_that_waits(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    for (int round = 0; round < WAKE_ROUNDS; round++)
        check_all_woken(&manual, end_with_a_value, 0, 42);
    fy_manual_close(&manual);
}

/* CF-009 */
static void cancel_wakes_every_thread_that_waits(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    for (int round = 0; round < WAKE_ROUNDS; round++)
        check_all_woken(&manual, end_with_cancel, FERRY_ECANCELED, 0);
    for (int round = 0; round < WAKE_ROUNDS; round++)
        fy_manual_acknowledge(&manual);
    fy_manual_close(&manual);
}

/* CF-009 */
static void dropped_job_wakes_every_thread_that_waits(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    for (int round = 0; round < WAKE_ROUNDS; round++)
        check_all_woken(&manual, end_with_drop, FERRY_ECANCELED, 0);
    fy_manual_close(&manual);
}

/* ---- snapshots ---- */

static ferry_job_snapshot look(ferry_job *job) {
    ferry_job_snapshot snapshot = {.size = sizeof snapshot};
    CHECK_STATUS(ferry_job_get_snapshot(job, &snapshot), 0);
    return snapshot;
}

/* CF-011 */
static void snapshot_tells_state_outcome_and_request(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_unlucky, (void *)(intptr_t)13, &job), 0);
    ferry_job_snapshot snapshot = look(job);
    CHECK_INT(snapshot.state, FERRY_JOB_PENDING);
    CHECK_STATUS(snapshot.status, FERRY_EINVALIDSTATE);
    CHECK(!snapshot.cancel_requested && !snapshot.message);
    fy_manual_run_all(&manual, NULL);
    snapshot = look(job);
    CHECK_INT(snapshot.state, FERRY_JOB_FINISHED);
    CHECK_STATUS(snapshot.status, APR_EGENERAL);
    CHECK_STRING(snapshot.message, "unlucky number 13");
    ferry_job_unref(job);

    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    ferry_job *taken = fy_manual_take(&manual);
    CHECK(ferry_job_claim(taken));
    CHECK(!look(job).cancel_requested);
    ferry_job_cancel(job);
    snapshot = look(job);
    CHECK_INT(snapshot.state, FERRY_JOB_RUNNING);
    CHECK(snapshot.cancel_requested);
    CHECK_STATUS(snapshot.status, FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_job_finish(taken, 0), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-011 */
static void snapshot_of_a_cancelled_job_says_so(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK(ferry_job_cancel(job));
    ferry_job_snapshot snapshot = look(job);
    CHECK_INT(snapshot.state, FERRY_JOB_CANCELLED);
    CHECK_STATUS(snapshot.status, FERRY_ECANCELED);
    CHECK(snapshot.cancel_requested);
    fy_manual_acknowledge(&manual);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-011 */
static void snapshot_taken_while_others_complete_is_consistent(void) {
    enum { ROUNDS = 2000 };
    ferry_executor *pool = fy_pool_of(2);
    for (intptr_t round = 1; round <= ROUNDS; round++) {
        ferry_job *job;
        ferry_job_snapshot snapshot;
        CHECK_STATUS(ferry_executor_submit(pool, round % 2 ? fy_echo : fy_unlucky, (void *)round, &job), 0);
        do {
            snapshot = look(job);
            bool over = snapshot.state == FERRY_JOB_FINISHED;
            CHECK_STATUS(snapshot.status, !over ? FERRY_EINVALIDSTATE : round % 2 ? 0 : APR_EGENERAL);
            CHECK_INT(snapshot.integer, over && round % 2 ? round : 0);
            CHECK(!snapshot.message == !(over && round % 2 == 0));
        } while (snapshot.state != FERRY_JOB_FINISHED);
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- references ---- */

static void dropping_the_last_reference_neither_cancels_nor_stops(void) {
    fy_gate door;
    fy_tracked running = {0}, queued = {0};
    ferry_job *jobs[3] = {0};
    fy_gate_init(&door);
    running.gate = &door;
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&running);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[0]), 0);
    fy_gate_await(&door, 1);
    options = fy_tracked_options(&queued);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[1]), 0);
    ferry_job_unref_all(jobs, 3);
    CHECK(!jobs[0] && !jobs[1] && !jobs[2]);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK(running.ran == 1 && queued.ran == 1);
    CHECK(running.freed == 1 && queued.freed == 1);
    fy_gate_fini(&door);
}

static void null_is_taken_where_the_header_says_so(void) {
    CHECK(ferry_job_ref(NULL) == NULL);
    ferry_job_unref(NULL);
    ferry_job_unref_all(NULL, 0);
    CHECK(!ferry_job_cancel(NULL));
}

static const fy_test tests[] = {
    FY_TEST(states_go_from_pending_to_running_to_finished),
    FY_TEST(job_is_claimed_by_one_only),
    FY_TEST(finishing_twice_leaves_the_first_outcome),
    FY_TEST(finishing_a_cancelled_job_is_refused),
    FY_TEST(cancelled_job_cannot_be_claimed_and_never_runs),
    FY_TEST(cancelled_job_answers_canceled_at_once),
    FY_TEST(running_job_is_asked_to_stop),
    FY_TEST(running_job_may_ignore_the_request),
    FY_TEST(cancel_of_a_finished_job_changes_nothing),
    FY_TEST(call_sleep_ends_when_the_time_has_passed_and_not_before),
    FY_TEST(call_sleep_is_ended_by_cancel),
    FY_TEST(timeout_of_a_wait_leaves_the_job_running),
    FY_TEST(completion_wakes_every_thread_that_waits),
    FY_TEST(cancel_wakes_every_thread_that_waits),
    FY_TEST(dropped_job_wakes_every_thread_that_waits),
    FY_TEST(snapshot_tells_state_outcome_and_request),
    FY_TEST(snapshot_of_a_cancelled_job_says_so),
    FY_TEST(snapshot_taken_while_others_complete_is_consistent),
    FY_TEST(dropping_the_last_reference_neither_cancels_nor_stops),
    FY_TEST(null_is_taken_where_the_header_says_so),
};

FY_TEST_MAIN("job", tests)
