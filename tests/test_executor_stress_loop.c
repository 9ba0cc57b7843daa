/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that submit to one pool, cancel some of their futures, and close while workers finish and other threads post:
 * each future ends once, each argument is destroyed once, each post runs once or was refused, and nothing hangs. */
#define FY_TEST_DEADLINE_S 600

#include "support/loops.h"
#include "support/manual.h"
#include "support/threads.h"

#include <stdlib.h>

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- loops that share a pool ---- */

enum { LOOPS = 2, IN_FLIGHT = 256, JOBS_OF_A_LOOP = 60000 };

typedef struct record {
    atomic_uchar freed;
    unsigned char ended;    /* its future, on the loop's thread */
} record;

typedef struct client {
    ferry_executor *pool;
    ferry_loop *loop;
    record *records;
    ferry_future *recent[16];
    uint32_t random;
    int submitted;
    int ended;
    int cancels;
} client;

typedef struct errand {
    client *client;
    record *record;
} errand;

static void submit_one(client *self);

static void free_errand(void *arg) {
    errand *self = arg;
    atomic_fetch_add(&self->record->freed, 1);
}

static ferry_status do_errand(void *arg, ferry_call *call) {
    errand *self = arg;
    return ferry_return_integer(call, self->record - self->client->records);
}

/* Each end makes the next beginning: so many are always in flight. */
static ferry_status end_errand(ferry_future *future, void *arg) {
    client *self = arg;
    CHECK(ferry_future_done(future));
    if (!ferry_future_cancelled(future)) {
        CHECK_STATUS(ferry_future_status(future), 0);
        self->records[ferry_future_integer(future)].ended++;
    }
    self->ended++;
    if (self->submitted < JOBS_OF_A_LOOP)
        submit_one(self);
    else if (self->ended == JOBS_OF_A_LOOP)
        CHECK_STATUS(ferry_loop_stop(self->loop), 0);
    return 0;
}

static void submit_one(client *self) {
    errand arg = {self, &self->records[self->submitted]};
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = do_errand, .arg = &arg, .arg_size = sizeof arg,
                                 .arg_free = free_errand};
    ferry_future *future, **recent = &self->recent[next_random(&self->random) % 16];
    CHECK_STATUS(ferry_run_in_executor_with(self->loop, self->pool, &options, &future), 0);
    CHECK_STATUS(ferry_future_add_done_callback(future, end_errand, self, NULL), 0);
    self->submitted++;
    if (*recent && next_random(&self->random) % 4 == 0)
        self->cancels += ferry_future_cancel(*recent);
    ferry_future_unref(*recent);
    *recent = future;
}

static void run_client(void *arg) {
    client *self = arg;
    for (int i = 0; i < IN_FLIGHT; i++)
        submit_one(self);
    run_forever(self->loop);
    ferry_future_unref_all(self->recent, 16);
}

static void check_client(client *self) {
    int ended = 0;
    CHECK_INT(self->submitted, JOBS_OF_A_LOOP);
    CHECK_INT(self->ended, JOBS_OF_A_LOOP);
    for (int i = 0; i < JOBS_OF_A_LOOP; i++) {
        CHECK_INT(self->records[i].freed, 1);
        CHECK(self->records[i].ended <= 1);
        ended += self->records[i].ended;
    }
    CHECK_INT(ended + self->cancels, JOBS_OF_A_LOOP);
    free(self->records);
}

static void loops_that_share_a_pool_end_every_future_once(void) {
    client clients[LOOPS];
    helper_thread threads[LOOPS];
    ferry_executor *pool = fy_pool_of(2);
    for (uint32_t i = 0; i < LOOPS; i++) {
        clients[i] = (client){.pool = pool, .loop = new_loop(), .random = i + 1,
                              .records = calloc(JOBS_OF_A_LOOP, sizeof(record))};
        CHECK(clients[i].records != NULL);
        thread_start(&threads[i], run_client, &clients[i]);
    }
    for (int i = 0; i < LOOPS; i++)
        thread_join(&threads[i]);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    for (int i = 0; i < LOOPS; i++) {
        end_loop(clients[i].loop);
        check_client(&clients[i]);
    }
}

/* ---- closing while workers finish and threads post ---- */

enum { CLOSINGS = 300, LEFT_OVER = 40, POSTERS = 2, POSTS_AT_ONCE = 64 };

typedef struct closing {
    ferry_loop *loop;
    ferry_executor *pool;
    fy_tracked tracked;
    atomic_int posted;
    int arrived;
} closing;

/* Posts of one round; the loop's thread reads them while it runs and nobody once it is closed. */
static ferry_status take_post(void *arg) {
    closing *self = arg;
    self->arrived++;
    return 0;
}

/* Now and then the poster rests: the loop makes a few turns only, and what it has not taken fills the memory. */
static void post_until_closed(void *arg) {
    closing *self = arg;
    ferry_status status;
    while ((status = ferry_call_soon_threadsafe(self->loop, take_post, self, NULL)) == 0)
        if (atomic_fetch_add(&self->posted, 1) % POSTS_AT_ONCE == 0)
            ferry_thread_sleep(20);
    CHECK_STATUS(status, FERRY_ECLOSED);
}

static void leave_jobs(closing *self, bool keep, ferry_future **futures) {
    for (int i = 0; i < LEFT_OVER; i++) {
        ferry_job_options options = fy_tracked_options(&self->tracked);
        futures[i] = NULL;
        CHECK_STATUS(ferry_run_in_executor_with(self->loop, self->pool, &options, keep ? &futures[i] : NULL), 0);
        if (keep && i % 5 == 0)
            CHECK(ferry_future_cancel(futures[i]));
    }
}

static void close_in_the_middle(int round, ferry_executor *pool) {
    closing self = {.loop = new_loop(), .pool = pool};
    helper_thread posters[POSTERS];
    ferry_future *futures[LEFT_OVER];
    for (int i = 0; i < POSTERS; i++)
        thread_start(&posters[i], post_until_closed, &self);
    leave_jobs(&self, round % 2, futures);
    for (int i = 0; i < round % 4; i++)
        turn(self.loop);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    for (int i = 0; i < POSTERS; i++)
        thread_join(&posters[i]);
    CHECK(self.arrived <= self.posted);
    ferry_future_unref_all(futures, LEFT_OVER);
    ferry_loop_unref(self.loop);
    FY_AWAIT(self.tracked.freed == LEFT_OVER);
    CHECK(self.tracked.ran <= LEFT_OVER);
}

/* ED-011 */
static void loop_closed_while_workers_finish_and_threads_post_loses_nothing(void) {
    ferry_executor *pool = fy_pool_of(2);
    for (int round = 0; round < CLOSINGS; round++)
        close_in_the_middle(round, pool);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static const fy_test tests[] = {
    FY_TEST(loops_that_share_a_pool_end_every_future_once),
    FY_TEST(loop_closed_while_workers_finish_and_threads_post_loses_nothing),
};

FY_TEST_MAIN("executor_stress_loop", tests)
