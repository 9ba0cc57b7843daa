/* SPDX-License-Identifier: Apache-2.0 */
/* A limited view of another executor: at most so many of its own jobs at once, in order, with an end of its own. */
#include "support/loops.h"
#include "support/manual.h"

#define A_MINUTE_US INT64_C(60000000)

static ferry_executor *view_of(ferry_executor *inner, size_t limit) {
    ferry_executor *view = NULL;
    CHECK_STATUS(ferry_executor_limited(inner, limit, &view), 0);
    CHECK(view != NULL);
    return view;
}

/* ---- the limit ---- */

typedef struct visitor {
    fy_gauge inside;
    fy_gate door;
} visitor;

static ferry_status visit(void *arg, ferry_call *call) {
    visitor *self = arg;
    (void)call;
    fy_gauge_enter(&self->inside);
    fy_gate_pass(&self->door);
    fy_gauge_leave(&self->inside);
    return 0;
}

static void at_most_so_many_run_at_once(void) {
    enum { LIMIT = 3, JOBS = 200 };
    visitor self = {.inside = {0}};
    fy_gate_init(&self.door);
    ferry_executor *pool = fy_pool_of(8), *view = view_of(pool, LIMIT);
    for (int i = 0; i < JOBS; i++)
        CHECK_STATUS(ferry_executor_submit(view, visit, &self, NULL), 0);
    fy_gate_await(&self.door, LIMIT);
    CHECK_INT(fy_stats(pool).running, LIMIT);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_INT(fy_gate_arrived(&self.door), JOBS);
    CHECK_INT(self.inside.peak, LIMIT);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&self.door);
}

static void others_use_the_pool_beside_a_full_view(void) {
    fy_gate door;
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(3), *one = view_of(pool, 1), *other = view_of(pool, 1);
    fy_occupy(one, &door, 1);
    CHECK_STATUS(ferry_executor_submit(one, fy_gate_job, &door, NULL), 0);
    fy_occupy(other, &door, 2);
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(fy_gate_arrived(&door), 2);
    ferry_job_unref(job);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(one), 0);
    CHECK_STATUS(ferry_executor_close(other), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

enum { ENTRIES = 3000 };

/* Written by one job at a time: with a limit of 1 that is all of them. */
typedef struct journal {
    int entries[ENTRIES];
    int count;
    fy_gauge inside;
} journal;

typedef struct entry {
    journal *book;
    int number;
} entry;

static ferry_status enter(void *arg, ferry_call *call) {
    entry *self = arg;
    (void)call;
    fy_gauge_enter(&self->book->inside);
    self->book->entries[self->book->count++] = self->number;
    fy_gauge_leave(&self->book->inside);
    return 0;
}

static void limit_of_one_is_a_serial_queue(void) {
    static journal book;
    ferry_executor *pool = fy_pool_of(4), *view = view_of(pool, 1);
    for (int i = 0; i < ENTRIES; i++) {
        entry self = {&book, i};
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = enter, .arg = &self, .arg_size = sizeof self};
        CHECK_STATUS(ferry_executor_submit_with(view, &options, NULL), 0);
    }
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_INT(book.count, ENTRIES);
    CHECK_INT(book.inside.peak, 1);
    for (int i = 0; i < ENTRIES; i++)
        CHECK_INT(book.entries[i], i);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void view_of_a_view_has_both_limits(void) {
    visitor self = {.inside = {0}};
    fy_gate_init(&self.door);
    ferry_executor *pool = fy_pool_of(8), *wide = view_of(pool, 3), *narrow = view_of(wide, 2);
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(ferry_executor_submit(narrow, visit, &self, NULL), 0);
    fy_gate_await(&self.door, 2);
    CHECK_INT(fy_stats(pool).running, 2);
    fy_gate_open(&self.door);
    CHECK_STATUS(ferry_executor_close(narrow), 0);
    CHECK_INT(self.inside.peak, 2);
    CHECK_STATUS(ferry_executor_close(wide), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&self.door);
}

/* ---- jobs of a view ---- */

static void jobs_have_values_errors_and_arguments(void) {
    fy_tracked tracked = {.answer = APR_EGENERAL};
    ferry_job *good, *bad, *kept;
    ferry_executor *pool = fy_pool_of(2), *view = view_of(pool, 1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit(view, fy_echo, (void *)(intptr_t)5, &good), 0);
    CHECK_STATUS(ferry_executor_submit(view, fy_unlucky, (void *)(intptr_t)13, &bad), 0);
    CHECK_STATUS(ferry_executor_submit_with(view, &options, &kept), 0);
    CHECK_STATUS(ferry_job_result(good, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(good), 5);
    CHECK_STATUS(ferry_job_result(bad, FERRY_FOREVER), APR_EGENERAL);
    CHECK_STRING(ferry_job_message(bad), "unlucky number 13");
    CHECK(ferry_job_worker(bad) != NULL);
    CHECK_STATUS(ferry_job_result(kept, FERRY_FOREVER), APR_EGENERAL);
    ferry_job_unref(good);
    ferry_job_unref(bad);
    ferry_job_unref(kept);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_INT(tracked.freed, 1);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void queued_job_can_be_cancelled(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *job, *after;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(2), *view = view_of(pool, 1);
    fy_occupy(view, &door, 1);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(view, &options, &job), 0);
    CHECK_STATUS(ferry_executor_submit(view, fy_nothing, NULL, &after), 0);
    CHECK(ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(after, FERRY_FOREVER), 0);
    ferry_job_unref(job);
    ferry_job_unref(after);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK(tracked.ran == 0 && tracked.freed == 1);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

static void futures_come_through_a_view(void) {
    ferry_future *futures[20];
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(2), *view = view_of(pool, 1);
    for (intptr_t i = 0; i < 20; i++)
        CHECK_STATUS(ferry_run_in_executor(loop, view, fy_echo, (void *)i, &futures[i]), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_STATUS(ferry_loop_run_until_complete(loop, futures[i]), 0);
        CHECK_INT(ferry_future_integer(futures[i]), i);
    }
    ferry_future_unref_all(futures, 20);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static ferry_status submit_inside_and_wait(void *arg, ferry_call *call) {
    ferry_job *job;
    CHECK_STATUS(ferry_executor_submit((ferry_executor *)arg, fy_echo, (void *)(intptr_t)3, &job), 0);
    ferry_status status = ferry_job_result(job, FERRY_FOREVER);
    int64_t value = ferry_job_integer(job);
    ferry_job_unref(job);
    return status ? status : ferry_return_integer(call, value);
}

/* The waiting job holds the only place, so its worker helps, or is told that this could never end. */
static void waiting_inside_a_serial_view_ends(void) {
    ferry_job *job;
    ferry_executor *pool = fy_pool_of(1), *view = view_of(pool, 1);
    CHECK_STATUS(ferry_executor_submit(view, submit_inside_and_wait, view, &job), 0);
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    ferry_status status = ferry_job_status(job);
    CHECK(status == FERRY_EDEADLK || (status == 0 && ferry_job_integer(job) == 3));
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

/* ---- ending ---- */

static void shutting_a_view_down_leaves_the_pool(void) {
    atomic_int count = 0;
    ferry_executor *pool = fy_pool_of(2), *view = view_of(pool, 1);
    for (int i = 0; i < 100; i++)
        CHECK_STATUS(ferry_executor_submit(view, fy_count_up, &count, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(view, true, false, FERRY_FOREVER), 0);
    CHECK_INT(count, 100);
    CHECK_STATUS(ferry_executor_submit(view, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_executor_submit(pool, fy_count_up, &count, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(view, true, true, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(count, 101);
}

static void shutdown_that_cancels_drops_the_views_jobs_only(void) {
    fy_gate door;
    fy_tracked mine = {0}, theirs = {0};
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1), *view = view_of(pool, 1);
    fy_occupy(view, &door, 1);
    ferry_job_options options = fy_tracked_options(&mine);
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(ferry_executor_submit_with(view, &options, NULL), 0);
    options = fy_tracked_options(&theirs);
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
    CHECK_STATUS(ferry_executor_shutdown(view, true, true, 1000), FERRY_ETIMEDOUT);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK(mine.ran == 0 && mine.freed == 10);
    CHECK(theirs.ran == 1 && theirs.freed == 1);
    fy_gate_fini(&door);
}

static void view_keeps_its_pool_alive(void) {
    atomic_int count = 0;
    ferry_executor *pool = fy_pool_of(1), *view = view_of(pool, 1);
    ferry_executor_unref(pool);
    for (int i = 0; i < 50; i++)
        CHECK_STATUS(ferry_executor_submit(view, fy_count_up, &count, NULL), 0);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_INT(count, 50);
}

static void view_let_go_finishes_its_jobs(void) {
    atomic_int count = 0;
    ferry_executor *pool = fy_pool_of(2), *view = view_of(pool, 1);
    for (int i = 0; i < 50; i++)
        CHECK_STATUS(ferry_executor_submit(view, fy_count_up, &count, NULL), 0);
    ferry_executor_unref(view);
    FY_AWAIT(atomic_load(&count) == 50);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static void pool_shut_down_below_a_view_strands_no_job(void) {
    fy_gate door;
    fy_tracked tracked = {0};
    ferry_job *jobs[5];
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1), *view = view_of(pool, 1);
    fy_occupy(view, &door, 1);
    ferry_job_options options = fy_tracked_options(&tracked);
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(ferry_executor_submit_with(view, &options, &jobs[i]), 0);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    fy_gate_open(&door);
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(ferry_job_wait(jobs[i], A_MINUTE_US), 0);
    CHECK_STATUS(ferry_executor_submit(view, fy_nothing, NULL, NULL), FERRY_ESHUTDOWN);
    ferry_job_unref_all(jobs, 5);
    CHECK_STATUS(ferry_executor_close(view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(tracked.freed, 5);
    fy_gate_fini(&door);
}

/* ---- what a job's end calls ---- */

typedef struct at_the_end {
    ferry_executor *view;
    fy_gate over;
    ferry_status status;
} at_the_end;

static void shut_down_and_wait(void *arg) {
    at_the_end *self = arg;
    self->status = ferry_executor_shutdown(self->view, true, false, A_MINUTE_US);
    fy_gate_arrive(&self->over);
}

static ferry_status shut_down_in_callback(ferry_job *job, void *arg) {
    (void)job;
    shut_down_and_wait(arg);
    return 0;
}

/* The place is taken until the callback, or the argument's destructor, has returned. */
static void waiting_for_the_view_at_a_jobs_end_is_told(void) {
    for (int in_callback = 0; in_callback < 2; in_callback++) {
        fy_gate door;
        at_the_end self = {.view = NULL};
        ferry_job *job = NULL;
        fy_gate_init(&door);
        fy_gate_init(&self.over);
        ferry_executor *pool = fy_pool_of(1);
        self.view = view_of(pool, 1);
        fy_occupy(pool, &door, 1);
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_nothing, .arg = &self};
        options.arg_free = in_callback ? NULL : shut_down_and_wait;
        CHECK_STATUS(ferry_executor_submit_with(self.view, &options, &job), 0);
        if (in_callback)
            CHECK_STATUS(ferry_job_add_done_callback(job, shut_down_in_callback, &self), 0);
        fy_gate_open(&door);
        fy_gate_await(&self.over, 1);
        ferry_job_unref(job);
        CHECK_STATUS(ferry_executor_close(self.view), 0);
        CHECK_STATUS(ferry_executor_close(pool), 0);
        CHECK_STATUS(self.status, FERRY_EDEADLK);
        fy_gate_fini(&self.over);
        fy_gate_fini(&door);
    }
}

/* The pool's only worker runs the callback, and the view's job waits for that worker. */
static void callback_of_a_job_below_may_wait_for_the_view(void) {
    fy_gate door;
    at_the_end self = {.view = NULL};
    ferry_job *job = NULL;
    fy_gate_init(&door);
    fy_gate_init(&self.over);
    ferry_executor *pool = fy_pool_of(1);
    self.view = view_of(pool, 1);
    CHECK_STATUS(ferry_executor_submit(pool, fy_gate_job, &door, &job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(job, shut_down_in_callback, &self), 0);
    CHECK_STATUS(ferry_executor_submit(self.view, fy_nothing, NULL, NULL), 0);
    fy_gate_open(&door);
    fy_gate_await(&self.over, 1);
    CHECK_STATUS(self.status, 0);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(self.view), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&self.over);
    fy_gate_fini(&door);
}

/* ---- on other executors ---- */

static void view_of_an_executor_of_ones_own(void) {
    fy_manual manual;
    ferry_job *jobs[4];
    fy_manual_open(&manual);
    ferry_executor *view = view_of(manual.executor, 2);
    for (intptr_t i = 0; i < 4; i++)
        CHECK_STATUS(ferry_executor_submit(view, fy_echo, (void *)i, &jobs[i]), 0);
    CHECK_INT(manual.count, 2);
    fy_manual_run_all(&manual, "hand_0");
    for (int i = 0; i < 4; i++) {
        CHECK_STATUS(ferry_job_status(jobs[i]), 0);
        CHECK_INT(ferry_job_integer(jobs[i]), i);
    }
    ferry_job_unref_all(jobs, 4);
    CHECK_STATUS(ferry_executor_close(view), 0);
    fy_manual_close(&manual);
}

static void refusal_below_is_the_views_refusal(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *none = NULL;
    fy_manual_open(&manual);
    manual.refusal = FERRY_EFULL;
    ferry_executor *view = view_of(manual.executor, 2);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(view, &options, &none), FERRY_EFULL);
    CHECK(none == NULL);
    manual.refusal = 0;
    CHECK_STATUS(ferry_executor_submit_with(view, &options, NULL), 0);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    CHECK_STATUS(ferry_executor_close(view), 0);
    fy_manual_close(&manual);
    CHECK(tracked.ran == 1 && tracked.freed == 1);
}

static const fy_test tests[] = {
    FY_TEST(at_most_so_many_run_at_once),
    FY_TEST(others_use_the_pool_beside_a_full_view),
    FY_TEST(limit_of_one_is_a_serial_queue),
    FY_TEST(view_of_a_view_has_both_limits),
    FY_TEST(jobs_have_values_errors_and_arguments),
    FY_TEST(queued_job_can_be_cancelled),
    FY_TEST(futures_come_through_a_view),
    FY_TEST(waiting_inside_a_serial_view_ends),
    FY_TEST(shutting_a_view_down_leaves_the_pool),
    FY_TEST(shutdown_that_cancels_drops_the_views_jobs_only),
    FY_TEST(view_keeps_its_pool_alive),
    FY_TEST(view_let_go_finishes_its_jobs),
    FY_TEST(pool_shut_down_below_a_view_strands_no_job),
    FY_TEST(waiting_for_the_view_at_a_jobs_end_is_told),
    FY_TEST(callback_of_a_job_below_may_wait_for_the_view),
    FY_TEST(view_of_an_executor_of_ones_own),
    FY_TEST(refusal_below_is_the_views_refusal),
};

FY_TEST_MAIN("limited", tests)
