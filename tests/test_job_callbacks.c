/* SPDX-License-Identifier: Apache-2.0 */
/* Done callbacks of jobs: when they run, on which thread, in which order, and what one that fails may disturb. */
#include "support/manual.h"
#include "support/reports.h"

enum { NOTES = 8 };

/* What the callbacks of one job noted down, in the order in which they ran. */
typedef struct notebook {
    ferry_job *expected;
    int ran[NOTES];
    size_t count;
    void *thread;
    ferry_status seen;
} notebook;

typedef struct note {
    notebook *book;
    int number;
    ferry_status answer;
} note;

static ferry_status write_down(ferry_job *job, void *arg) {
    note *self = arg;
    notebook *book = self->book;
    CHECK(!book->expected || job == book->expected);
    CHECK(ferry_job_done(job));
    CHECK(book->count < NOTES);
    book->ran[book->count++] = self->number;
    book->thread = fy_this_thread();
    book->seen = ferry_job_status(job);
    return self->answer;
}

static ferry_job *submit_by_hand(fy_manual *manual, notebook *book) {
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit(manual->executor, fy_nothing, NULL, &job), 0);
    book->expected = job;
    return job;
}

/* CF-002 */
static void callback_of_a_done_job_runs_at_once_in_the_calling_thread(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    fy_manual_run_all(&manual, NULL);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    CHECK_INT(book.count, 1);
    CHECK(book.thread == fy_this_thread());
    CHECK_STATUS(book.seen, 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-002 */
static void callback_of_a_cancelled_job_runs_at_once(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK(ferry_job_cancel(job));
    fy_manual_acknowledge(&manual);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    CHECK_INT(book.count, 1);
    CHECK_STATUS(book.seen, FERRY_ECANCELED);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void callbacks_run_in_the_order_of_adding_and_once(void) {
    fy_manual manual;
    notebook book = {0};
    note notes[5];
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    for (int i = 0; i < 5; i++) {
        notes[i] = (note){&book, i, 0};
        CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &notes[i]), 0);
    }
    CHECK_INT(book.count, 0);
    fy_manual_run_all(&manual, NULL);
    CHECK_INT(book.count, 5);
    for (int i = 0; i < 5; i++)
        CHECK_INT(book.ran[i], i);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(book.count, 5);
}

static void same_callback_added_twice_runs_twice(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK_INT(book.count, 2);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void callbacks_of_a_cancelled_job_run_exactly_once(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    CHECK(ferry_job_cancel(job));
    CHECK_INT(book.count, 1);
    CHECK(ferry_job_cancel(job));
    fy_manual_acknowledge(&manual);
    CHECK_INT(book.count, 1);
    CHECK_STATUS(book.seen, FERRY_ECANCELED);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(book.count, 1);
}

static void callbacks_of_a_dropped_job_run_exactly_once(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_INT(book.count, 1);
    CHECK_STATUS(book.seen, FERRY_ECANCELED);
    CHECK(ferry_job_cancelled(job));
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void callback_runs_in_the_thread_that_completes_the_job(void) {
    fy_gate door;
    fy_tracked tracked = {.gate = &door};
    notebook book = {0};
    note first = {&book, 1, 0};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    fy_gate_await(&door, 1);
    book.expected = job;
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &first), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(book.count, 1);
    CHECK(book.thread == tracked.ran_by);
    CHECK(book.thread != fy_this_thread());
    ferry_job_unref(job);
    fy_gate_fini(&door);
}

/* ---- callbacks that do things ---- */

static ferry_status add_another(ferry_job *job, void *arg) {
    note *self = arg;
    size_t before = self->book->count;
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, self), 0);
    CHECK_INT(self->book->count, before + 1);
    return 0;
}

/* CF-002 */
static void callback_added_by_a_callback_runs_at_once(void) {
    fy_manual manual;
    notebook book = {0};
    note first = {&book, 1, 0}, second = {&book, 2, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK_STATUS(ferry_job_add_done_callback(job, add_another, &first), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &second), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK_INT(book.count, 2);
    CHECK_INT(book.ran[0], 1);
    CHECK_INT(book.ran[1], 2);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static ferry_status wait_and_read(ferry_job *job, void *arg) {
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    *(int64_t *)arg = ferry_job_integer(job);
    return 0;
}

static void callback_may_wait_for_its_own_job(void) {
    int64_t value = 0;
    ferry_job *job;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)(intptr_t)9, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, wait_and_read, &value), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(value, 9);
    ferry_job_unref(job);
    fy_gate_fini(&door);
}

static ferry_status give_up_last_reference(ferry_job *job, void *arg) {
    ferry_job **mine = arg;
    CHECK(*mine == job);
    ferry_job_unref(*mine);
    *mine = NULL;
    return 0;
}

static void callback_may_drop_the_last_reference(void) {
    fy_manual manual;
    ferry_job *job;
    notebook book = {0};
    note after = {&book, 2, 0};
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, give_up_last_reference, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &after), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK(job == NULL);
    CHECK_INT(book.count, 1);
    fy_manual_close(&manual);
}

typedef struct resubmission {
    ferry_executor *pool;
    atomic_int left;
} resubmission;

static ferry_status submit_again(ferry_job *job, void *arg) {
    resubmission *self = arg;
    ferry_job *next;
    (void)job;
    if (atomic_fetch_sub(&self->left, 1) <= 1)
        return 0;
    CHECK_STATUS(ferry_executor_submit(self->pool, fy_nothing, NULL, &next), 0);
    CHECK_STATUS(ferry_job_add_done_callback(next, submit_again, self), 0);
    ferry_job_unref(next);
    return 0;
}

static void callback_may_submit_to_its_own_pool(void) {
    resubmission self = {.pool = fy_pool_of(2), .left = 500};
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, submit_again, &self), 0);
    ferry_job_unref(job);
    FY_AWAIT(atomic_load(&self.left) <= 0);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    CHECK_INT(self.left, 0);
}

/* ---- callbacks that fail ---- */

/* CF-003 */
static void failing_callback_is_logged_and_hinders_nobody(void) {
    fy_manual manual;
    stderr_capture capture;
    notebook book = {0};
    note before = {&book, 1, 0}, failing = {&book, 2, APR_EGENERAL}, after = {&book, 3, 0};
    fy_manual_open(&manual);
    ferry_job *job = submit_by_hand(&manual, &book);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &before), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &failing), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &after), 0);
    stderr_divert(&capture);
    fy_manual_run_all(&manual, NULL);
    stderr_restore(&capture);
    CHECK_INT(book.count, 3);
    CHECK_INT(book.ran[2], 3);
    CHECK_INT(count_lines(capture.text), 1);
    CHECK(strstr(capture.text, ferry_job_origin(job)) != NULL);
    CHECK_STATUS(ferry_job_status(job), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* CF-003 */
static void failing_callback_leaves_its_worker_working(void) {
    fy_gate door;
    notebook book = {0};
    note failing = {&book, 1, APR_EGENERAL};
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, write_down, &failing), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_submit(pool, fy_echo, (void *)(intptr_t)3, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 3);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(book.count, 1);
    fy_gate_fini(&door);
}

/* ---- adding while another thread completes ---- */

static ferry_status count_callback(ferry_job *job, void *arg) {
    CHECK(ferry_job_done(job));
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void callback_added_while_the_job_completes_runs_exactly_once(void) {
    enum { ROUNDS = 3000 };
    atomic_int count = 0;
    ferry_executor *pool = fy_pool_of(1);
    for (int round = 0; round < ROUNDS; round++) {
        ferry_job *job;
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
        CHECK_STATUS(ferry_job_add_done_callback(job, count_callback, &count), 0);
        CHECK_STATUS(ferry_job_add_done_callback(job, count_callback, &count), 0);
        ferry_job_unref(job);
    }
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(count, 2 * ROUNDS);
}

static const fy_test tests[] = {
    FY_TEST(callback_of_a_done_job_runs_at_once_in_the_calling_thread),
    FY_TEST(callback_of_a_cancelled_job_runs_at_once),
    FY_TEST(callbacks_run_in_the_order_of_adding_and_once),
    FY_TEST(same_callback_added_twice_runs_twice),
    FY_TEST(callbacks_of_a_cancelled_job_run_exactly_once),
    FY_TEST(callbacks_of_a_dropped_job_run_exactly_once),
    FY_TEST(callback_runs_in_the_thread_that_completes_the_job),
    FY_TEST(callback_added_by_a_callback_runs_at_once),
    FY_TEST(callback_may_wait_for_its_own_job),
    FY_TEST(callback_may_drop_the_last_reference),
    FY_TEST(callback_may_submit_to_its_own_pool),
    FY_TEST(failing_callback_is_logged_and_hinders_nobody),
    FY_TEST(failing_callback_leaves_its_worker_working),
    FY_TEST(callback_added_while_the_job_completes_runs_exactly_once),
};

FY_TEST_MAIN("job_callbacks", tests)
