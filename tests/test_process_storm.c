/* SPDX-License-Identifier: Apache-2.0 */
/* A process pool whose workers are killed at any moment, by another process: every job ends exactly once, with its
 * result or with its worker's death, nothing stays behind, and the pool goes on. Where starting a process is dear, and
 * under sanitizers, fewer are killed. */
#define FY_TEST_DEADLINE_S 300

#include <stdlib.h>

#include "ferry/process.h"
#include "support/jobs.h"

enum { WORKERS = 4, JOBS_OUT = 400, BYTES_MAX = 40000, JOBS_PER_KILL = 40 };

/* ---- what the workers run ---- */

typedef struct order {
    uint32_t number;
    uint32_t size;    /* of the result */
    uint32_t work_us;
} order;

static char byte_of(uint32_t number, uint32_t at) {
    return (char)(number * 31 + at * 7);
}

static ferry_status make_bytes(void *arg, ferry_call *call) {
    const order *wanted = arg;
    int64_t end_us = ferry_now() + wanted->work_us;
    while (ferry_now() < end_us)
        continue;
    if (!wanted->size)
        return ferry_return_integer(call, (int64_t)wanted->number * 3);
    char *bytes = malloc(wanted->size);
    if (!bytes)
        return APR_ENOMEM;
    for (uint32_t i = 0; i < wanted->size; i++)
        bytes[i] = byte_of(wanted->number, i);
    return ferry_return_bytes(call, bytes, wanted->size, free);
}

static ferry_status kill_process(void *arg, ferry_call *call) {
    uint64_t pid;
    memcpy(&pid, arg, sizeof pid);
    return ferry_return_integer(call, fy_system_kill((long long)pid));
}

static const ferry_portable functions[] = {
    {"make_bytes", make_bytes, 0},
    {"kill_process", kill_process, 0},
    {NULL, NULL, 0},
};

/* ---- the storm ---- */

typedef struct slot {
    ferry_job *job;
    order wanted;
    atomic_int ends;
} slot;

typedef struct storm {
    ferry_executor *pool;
    ferry_executor *killer;
    uint32_t seed;
    unsigned kills;
    unsigned worked;
    unsigned died;
    slot slots[JOBS_OUT];
} storm;

static uint32_t draw(storm *self, uint32_t below) {
    self->seed = self->seed * 1664525u + 1013904223u;
    return (self->seed >> 8) % below;
}

static unsigned kills_wanted(void) {
    if (fy_system_threads_are_dear())
        return 12;
    return FY_SANITIZED ? 60 : 500;
}

static ferry_status count_end(ferry_job *job, void *arg) {
    (void)job;
    atomic_fetch_add(&((slot *)arg)->ends, 1);
    return 0;
}

static void submit(storm *self, slot *place, uint32_t number) {
    place->wanted = (order){.number = number, .work_us = draw(self, 200)};
    if (draw(self, 4) == 0)
        place->wanted.size = 1 + draw(self, BYTES_MAX);
    atomic_store(&place->ends, 0);
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = make_bytes, .arg = &place->wanted,
                                 .arg_size = sizeof place->wanted};
    CHECK_STATUS(ferry_executor_submit_with(self->pool, &options, &place->job), 0);
    CHECK_STATUS(ferry_job_add_done_callback(place->job, count_end, place), 0);
}

static void check_value(const slot *place) {
    size_t size = 0;
    const char *bytes = ferry_job_bytes(place->job, &size);
    CHECK_INT(size, place->wanted.size);
    if (!size)
        CHECK_INT(ferry_job_integer(place->job), (int64_t)place->wanted.number * 3);
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != byte_of(place->wanted.number, i))
            CHECK_INT(i, -1);
}

/* The job's callback runs after its end is seen by who waits for it, and before its reference goes. */
static void take_in(storm *self, slot *place) {
    ferry_status status = ferry_job_result(place->job, FERRY_FOREVER);
    CHECK(status == 0 || status == FERRY_EBROKEN);
    if (status == 0)
        check_value(place);
    else
        CHECK(ferry_job_message(place->job) && ferry_job_worker(place->job));
    *(status ? &self->died : &self->worked) += 1;
    while (!atomic_load(&place->ends))
        ferry_thread_sleep(10);
    CHECK_INT(atomic_load(&place->ends), 1);
    ferry_job_unref(place->job);
    place->job = NULL;
}

/* One of those alive, whatever it is doing. */
static void kill_one(storm *self) {
    ferry_process_worker_stats workers[WORKERS];
    size_t alive = ferry_process_pool_get_workers(self->pool, workers, WORKERS);
    CHECK(alive <= WORKERS);
    if (!alive)
        return;
    uint64_t pid = workers[draw(self, (uint32_t)alive)].pid;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = kill_process, .arg = &pid, .arg_size = sizeof pid};
    CHECK_STATUS(ferry_executor_submit_with(self->killer, &options, NULL), 0);
    self->kills++;
}

static ferry_executor *pool_of(size_t workers) {
    ferry_executor *pool = NULL;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = workers};
    CHECK_STATUS(ferry_process_pool_create(&options, &pool), 0);
    return pool;
}

/* Goes on until so many were killed: now and then none is there to be. Returns how many jobs there were. */
static unsigned rage(storm *self, unsigned kills) {
    uint32_t number = 0;
    for (; self->kills < kills; number++) {
        slot *place = &self->slots[number % JOBS_OUT];
        if (place->job)
            take_in(self, place);
        submit(self, place, number);
        if (number % JOBS_PER_KILL == JOBS_PER_KILL - 1)
            kill_one(self);
    }
    for (size_t i = 0; i < JOBS_OUT; i++)
        if (self->slots[i].job)
            take_in(self, &self->slots[i]);
    return number;
}

static void check_that_it_works(storm *self) {
    for (uint32_t number = 0; number < 50; number++) {
        submit(self, &self->slots[0], number);
        CHECK_STATUS(ferry_job_result(self->slots[0].job, FERRY_FOREVER), 0);
        take_in(self, &self->slots[0]);
    }
}

static void storm_once(storm *self, unsigned kills) {
    self->kills = self->worked = self->died = 0;
    self->pool = pool_of(WORKERS);
    self->killer = pool_of(1);
    unsigned jobs = rage(self, kills);
    CHECK_STATUS(ferry_executor_shutdown(self->killer, true, false, FERRY_FOREVER), 0);
    ferry_executor_stats stats = fy_stats(self->pool);
    CHECK_INT(stats.done, jobs);
    CHECK_INT(stats.failed, self->died);
    CHECK_INT(self->worked + self->died, jobs);
    CHECK(self->died <= kills);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.running, 0);
    check_that_it_works(self);
    CHECK_STATUS(ferry_executor_close(self->killer), 0);
    CHECK_STATUS(ferry_executor_close(self->pool), 0);
}

static void workers_are_killed_at_any_moment(void) {
    static storm self;
    self.seed = 1;
    storm_once(&self, 4); /* what is made once and kept is there from here on */
    unsigned handles = fy_system_handle_count(), memories = fy_system_shared_memory_count();
    unsigned threads = fy_thread_count();
    storm_once(&self, kills_wanted());
    CHECK(!fy_system_has_children());
    FY_AWAIT(fy_thread_count() <= threads); /* threads of the system's own outlive what they were made for */
    CHECK_INT(fy_system_handle_count(), handles);
    CHECK_INT(fy_system_shared_memory_count(), memories);
}

static const fy_test tests[] = {
    FY_TEST(workers_are_killed_at_any_moment),
};

int main(int argc, char **argv) {
    if (ferry_worker_init(argc, argv, functions))
        return 1;
    return fy_test_main("process_storm", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
}
