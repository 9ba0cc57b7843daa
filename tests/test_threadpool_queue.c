/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool's queue: jobs start in the order of submission, priorities go before it without starving anybody, and
 * a bound refuses or makes the caller wait. One worker stands at a gate while it is filled: the order is exact. */
#include "support/jobs.h"
#include "support/loops.h"
#include "support/threads.h"

/* ---- order ---- */

enum { ENTRIES = 4000 };

/* Which jobs ran, in the order of their starts. Only the pool's single worker writes. */
typedef struct journal {
    int entries[ENTRIES];
    size_t count;
} journal;

typedef struct entry {
    journal *journal;
    int number;
} entry;

static ferry_status enter(void *arg, ferry_call *call) {
    entry *self = arg;
    (void)call;
    CHECK(self->journal->count < ENTRIES);
    self->journal->entries[self->journal->count++] = self->number;
    return 0;
}

static void submit_entry(ferry_executor *pool, journal *book, int number, int priority) {
    entry self = {book, number};
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = enter, .arg = &self, .arg_size = sizeof self,
                                 .priority = priority};
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, NULL), 0);
}

static void check_entries(const journal *book, const int *expected, size_t count) {
    CHECK_INT(book->count, count);
    for (size_t i = 0; i < count; i++)
        CHECK_INT(book->entries[i], expected[i]);
}

static void jobs_start_in_the_order_of_submission(void) {
    static journal book;
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < ENTRIES; i++)
        submit_entry(pool, &book, i, FERRY_PRIORITY_NORMAL);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(book.count, ENTRIES);
    for (int i = 0; i < ENTRIES; i++)
        CHECK_INT(book.entries[i], i);
    fy_gate_fini(&door);
}

static void cancelled_jobs_leave_the_order_of_the_others(void) {
    static const int expected[] = {0, 2, 4};
    journal book = {.count = 0};
    fy_gate door;
    ferry_job *jobs[5];
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < 5; i++) {
        entry self = {&book, i};
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = enter, .arg = &self, .arg_size = sizeof self};
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &jobs[i]), 0);
    }
    CHECK(ferry_job_cancel(jobs[1]) && ferry_job_cancel(jobs[3]));
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_entries(&book, expected, 3);
    ferry_job_unref_all(jobs, 5);
    fy_gate_fini(&door);
}

enum { SUBMITTERS = 4, EACH = ENTRIES / SUBMITTERS };

typedef struct submitter {
    ferry_executor *pool;
    journal *book;
    int first;
} submitter;

static void submit_a_range(void *arg) {
    submitter *self = arg;
    for (int i = 0; i < EACH; i++)
        submit_entry(self->pool, self->book, self->first + i, FERRY_PRIORITY_NORMAL);
}

static void each_threads_submissions_keep_their_order(void) {
    static journal book;
    submitter submitters[SUBMITTERS];
    helper_thread threads[SUBMITTERS];
    int expected[SUBMITTERS] = {0};
    ferry_executor *pool = fy_pool_of(1);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){pool, &book, i * EACH};
        thread_start(&threads[i], submit_a_range, &submitters[i]);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        thread_join(&threads[i]);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    CHECK_INT(book.count, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        int who = book.entries[i] / EACH;
        CHECK_INT(book.entries[i] % EACH, expected[who]);
        expected[who]++;
    }
}

/* A submission from the loop must not be overtaken by one made later from elsewhere, nor the other way round. */
typedef struct mixed {
    ferry_loop *loop;
    ferry_executor *pool;
    journal book;
} mixed;

static void submit_elsewhere(void *arg) {
    mixed *self = arg;
    submit_entry(self->pool, &self->book, 3, FERRY_PRIORITY_NORMAL);
}

/* Several from the loop first, since only from the second on they may travel together. */
static ferry_status submit_in_turns(void *arg) {
    mixed *self = arg;
    for (int number = 0; number < 7; number++) {
        if (number == 3) {
            on_another_thread(submit_elsewhere, self);
            continue;
        }
        entry mine = {&self->book, number};
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = enter, .arg = &mine, .arg_size = sizeof mine};
        CHECK_STATUS(ferry_run_in_executor_with(self->loop, self->pool, &options, NULL), 0);
    }
    return stop_loop(self->loop);
}

static void loop_and_thread_submissions_keep_their_order(void) {
    static const int expected[] = {0, 1, 2, 3, 4, 5, 6};
    mixed self = {.loop = new_loop(), .pool = fy_pool_of(1)};
    fy_gate door;
    fy_gate_init(&door);
    fy_occupy(self.pool, &door, 1);
    post(self.loop, submit_in_turns, &self);
    run_forever(self.loop);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    check_entries(&self.book, expected, 7);
    end_loop(self.loop);
    fy_gate_fini(&door);
}

/* ---- priorities ---- */

static void higher_priorities_start_first_each_in_order(void) {
    static const int expected[] = {2, 5, 1, 4, 0, 3};
    journal book = {.count = 0};
    fy_gate door;
    fy_gate_init(&door);
    ferry_executor *pool = fy_pool_of(1);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < 6; i++)
        submit_entry(pool, &book, i, i % 3 - 1);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    check_entries(&book, expected, 6);
    fy_gate_fini(&door);
}

typedef struct feeder {
    ferry_executor *pool;
    int priority;
    atomic_bool over;
} feeder;

/* Submits itself again before it ends: there is always one of its kind that waits. */
static ferry_status feed(void *arg, ferry_call *call) {
    feeder *self = arg;
    (void)call;
    if (atomic_load(&self->over))
        return 0;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = feed, .arg = self, .priority = self->priority};
    ferry_status status = ferry_executor_submit_with(self->pool, &options, NULL);
    CHECK(status == 0 || (status == FERRY_ESHUTDOWN && atomic_load(&self->over)));
    return 0;
}

static void check_not_starved(int low, int high) {
    feeder self = {.pool = fy_pool_of(1), .priority = high};
    fy_gate door;
    ferry_job *starving;
    fy_gate_init(&door);
    fy_occupy(self.pool, &door, 1);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_nothing, .priority = low};
    CHECK_STATUS(ferry_executor_submit_with(self.pool, &options, &starving), 0);
    options = (ferry_job_options){FERRY_JOB_OPTIONS, .function = feed, .arg = &self, .priority = high};
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(ferry_executor_submit_with(self.pool, &options, NULL), 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_job_result(starving, FERRY_FOREVER), 0);
    atomic_store(&self.over, true);
    ferry_job_unref(starving);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&door);
}

static void job_that_waits_ages(void) {
    check_not_starved(FERRY_PRIORITY_LOW, FERRY_PRIORITY_HIGH);
    check_not_starved(FERRY_PRIORITY_NORMAL, FERRY_PRIORITY_HIGH);
    check_not_starved(FERRY_PRIORITY_LOW, FERRY_PRIORITY_NORMAL);
}

/* ---- a bound that refuses ---- */

static ferry_executor *bounded_pool(size_t max_queue, ferry_queue_policy policy) {
    return fy_pool_with(&(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = 1,
                                                     .max_queue = max_queue, .queue_policy = policy});
}

static void full_queue_refuses_and_leaves_the_argument(void) {
    fy_gate door;
    fy_tracked tracked[4] = {{0}};
    ferry_job *untouched = NULL;
    fy_gate_init(&door);
    ferry_executor *pool = bounded_pool(2, FERRY_QUEUE_REJECT);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < 4; i++) {
        ferry_job_options options = fy_tracked_options(&tracked[i]);
        CHECK_STATUS(ferry_executor_submit_with(pool, &options, &untouched), i < 2 ? 0 : FERRY_EFULL);
        if (i < 2)
            ferry_job_unref(untouched);
        untouched = NULL;
    }
    CHECK_INT(fy_stats(pool).queued, 2);
    CHECK_INT(fy_stats(pool).rejected, 2);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(tracked[i].ran, i < 2);
        CHECK_INT(tracked[i].freed, i < 2);
    }
    fy_gate_fini(&door);
}

static void cancelled_job_makes_room(void) {
    fy_gate door;
    ferry_job *job;
    fy_gate_init(&door);
    ferry_executor *pool = bounded_pool(1, FERRY_QUEUE_REJECT);
    fy_occupy(pool, &door, 1);
    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, &job), 0);
        CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), FERRY_EFULL);
        CHECK(ferry_job_cancel(job));
        ferry_job_unref(job);
    }
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    fy_gate_fini(&door);
}

/* ---- a bound that makes the caller wait ---- */

typedef struct patient {
    ferry_executor *pool;
    fy_gate about_to_submit;
    fy_tracked tracked[3];
    atomic_int accepted;
    ferry_status last;
} patient;

static void submit_patiently(void *arg) {
    patient *self = arg;
    fy_gate_arrive(&self->about_to_submit);
    for (int i = 0; i < 3; i++) {
        ferry_job_options options = fy_tracked_options(&self->tracked[i]);
        self->last = ferry_executor_submit_with(self->pool, &options, NULL);
        if (self->last)
            return;
        atomic_fetch_add(&self->accepted, 1);
    }
}

static void full_queue_makes_a_thread_wait_for_room(void) {
    patient self = {.pool = bounded_pool(1, FERRY_QUEUE_WAIT)};
    helper_thread thread;
    fy_gate door;
    fy_gate_init(&door);
    fy_gate_init(&self.about_to_submit);
    fy_occupy(self.pool, &door, 1);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, NULL), 0);
    thread_start(&thread, submit_patiently, &self);
    fy_gate_await(&self.about_to_submit, 1);
    CHECK_INT(self.accepted, 0);
    CHECK_INT(fy_stats(self.pool).queued, 1);
    fy_gate_open(&door);
    thread_join(&thread);
    CHECK_STATUS(self.last, 0);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    for (int i = 0; i < 3; i++)
        CHECK(self.tracked[i].ran == 1 && self.tracked[i].freed == 1);
    fy_gate_fini(&self.about_to_submit);
    fy_gate_fini(&door);
}

static void shutdown_ends_the_wait_for_room(void) {
    patient self = {.pool = bounded_pool(1, FERRY_QUEUE_WAIT)};
    helper_thread thread;
    fy_gate door;
    fy_gate_init(&door);
    fy_gate_init(&self.about_to_submit);
    fy_occupy(self.pool, &door, 1);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, NULL), 0);
    thread_start(&thread, submit_patiently, &self);
    fy_gate_await(&self.about_to_submit, 1);
    CHECK_STATUS(ferry_executor_shutdown(self.pool, false, false, 0), 0);
    thread_join(&thread);
    CHECK_STATUS(self.last, FERRY_ESHUTDOWN);
    CHECK_INT(self.tracked[0].freed, 0);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    fy_gate_fini(&self.about_to_submit);
    fy_gate_fini(&door);
}

static ferry_status submit_to_own_full_pool(void *arg, ferry_call *call) {
    ferry_executor *pool = arg;
    (void)call;
    CHECK_STATUS(ferry_executor_submit(pool, fy_nothing, NULL, NULL), 0);
    return ferry_executor_submit(pool, fy_nothing, NULL, NULL);
}

static void worker_is_refused_where_it_would_wait_for_itself(void) {
    ferry_job *job;
    ferry_executor *pool = bounded_pool(1, FERRY_QUEUE_WAIT);
    CHECK_STATUS(ferry_executor_submit(pool, submit_to_own_full_pool, pool, &job), 0);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_EFULL);
    ferry_job_unref(job);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

typedef struct on_loop {
    ferry_loop *loop;
    ferry_executor *pool;
} on_loop;

static ferry_status submit_to_a_full_pool(void *arg) {
    on_loop *self = arg;
    CHECK_STATUS(ferry_executor_submit(self->pool, fy_nothing, NULL, NULL), FERRY_EFULL);
    CHECK_STATUS(ferry_run_in_executor(self->loop, self->pool, fy_nothing, NULL, NULL), FERRY_EFULL);
    return stop_loop(self->loop);
}

static void loop_is_refused_whatever_the_policy(void) {
    on_loop self = {.loop = new_loop(), .pool = bounded_pool(1, FERRY_QUEUE_WAIT)};
    fy_gate door;
    fy_gate_init(&door);
    fy_occupy(self.pool, &door, 1);
    CHECK_STATUS(ferry_executor_submit(self.pool, fy_nothing, NULL, NULL), 0);
    post(self.loop, submit_to_a_full_pool, &self);
    run_forever(self.loop);
    CHECK_STATUS(ferry_run_in_executor(self.loop, self.pool, fy_nothing, NULL, NULL), FERRY_EFULL);
    fy_gate_open(&door);
    CHECK_STATUS(ferry_executor_close(self.pool), 0);
    end_loop(self.loop);
    fy_gate_fini(&door);
}

static const fy_test tests[] = {
    FY_TEST(jobs_start_in_the_order_of_submission),
    FY_TEST(cancelled_jobs_leave_the_order_of_the_others),
    FY_TEST(each_threads_submissions_keep_their_order),
    FY_TEST(loop_and_thread_submissions_keep_their_order),
    FY_TEST(higher_priorities_start_first_each_in_order),
    FY_TEST(job_that_waits_ages),
    FY_TEST(full_queue_refuses_and_leaves_the_argument),
    FY_TEST(cancelled_job_makes_room),
    FY_TEST(full_queue_makes_a_thread_wait_for_room),
    FY_TEST(shutdown_ends_the_wait_for_room),
    FY_TEST(worker_is_refused_where_it_would_wait_for_itself),
    FY_TEST(loop_is_refused_whatever_the_policy),
};

FY_TEST_MAIN("threadpool_queue", tests)
