/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process that says whatever comes to its mind: it greets as it should, and then writes at random what it can
 * write, into the memory that it shares with the pool and into the channel. Each job ends once, the pool neither
 * crashes nor hangs, and with a worker that behaves it would go on. */
#include <apr_env.h>
#include <apr_general.h>
#include <stdlib.h>

#include "process/portable.h"
#include "process/worker_main.h"
#include "seam/process.h"
#include "support/jobs.h"

#define HOSTILE_SEED "FERRY_TEST_HOSTILE_SEED"

enum { SEEDS = 24, JOBS = 40, LARGE = 40000, STEPS_MAX = 4000, LIMIT_US = 400000 };
enum { SEED_CHANGES = 1000, SEED_TOO_EARLY, JOBS_UNDER_WRITING = 2000, LOOKS_FOR_US = 20000000,
       ARGUMENT_THAT_TAKES_LONG = 16000 };

static ferry_status echo(void *arg, ferry_call *call) {
    size_t size = ferry_call_arg_size(call);
    char *copy = malloc(size);
    return copy ? ferry_return_bytes(call, memcpy(copy, arg, size), size, free) : APR_ENOMEM;
}

static const ferry_portable functions[] = {{"echo", echo, 0}, {NULL, NULL, 0}};

/* ---- the worker ---- */

typedef struct hostile {
    uint32_t seed;
    fy_parent parent;
    fy_arena *arena;
    uint32_t looks;
    int64_t over_us;
} hostile;

static uint32_t draw(hostile *self, uint32_t below) {
    self->seed = self->seed * 1664525u + 1013904223u;
    return (self->seed >> 8) % below;
}

static uint64_t draw_size(hostile *self) {
    static const uint64_t sizes[] = {0,        1,    FY_CELL_ROOM,   FY_CELL_ROOM + 1, LARGE,           65536,
                                     1u << 20, 1u << 30, UINT32_MAX, INT64_MAX,        UINT64_MAX - 1, UINT64_MAX};
    return sizes[draw(self, sizeof sizes / sizeof sizes[0])];
}

static void scribble(hostile *self) {
    fy_cell *cell = &self->arena->cells[draw(self, 4) ? draw(self, 6) : draw(self, FY_CELLS)];
    cell->head = (fy_cell_head){.function = draw(self, 3), .segment = draw(self, FY_SEGMENTS + 2),
                                .size = draw_size(self), .integer = (int64_t)draw_size(self),
                                .run_ns = draw_size(self), .status = (int32_t)draw(self, 3),
                                .kind = draw(self, FY_REPLY_ERROR + 2)};
    if (draw(self, 3))
        cell->head.segment = FY_IN_CELL;
    uint32_t state = draw(self, 2) ? FY_CELL_DONE : draw(self, FY_CELL_DONE + 2);
    atomic_store(&cell->state, state);
}

static void ring(hostile *self) {
    char byte = (char)(draw(self, 200) ? FY_BELL : 'x');
    atomic_store(&self->arena->pool_sleeps, draw(self, 2));
    if (fy_parent_send(&self->parent, &byte, 1))
        fy_process_end(3);
}

static void step(hostile *self) {
    switch (draw(self, 8)) {
    case 0:
        ring(self);
        break;
    case 1:
        atomic_store(&self->arena->worker_sleeps, draw(self, 3));
        break;
    case 2:
        memset(self->arena->name, (int)draw(self, 256), sizeof self->arena->name);
        ferry_thread_sleep(draw(self, 50));
        break;
    case 3:
        if (!draw(self, 300))
            fy_process_end((int)draw(self, 3));
        break;
    default:
        scribble(self);
    }
}

/* Greets, and is told where the arena lies. */
static void begin_badly(hostile *self) {
    fy_shared memory;
    fy_note note;
    fy_handle handle = {0};
    if (fy_portable_set(functions))
        fy_process_end(4);
    fy_hello hello = fy_portable_hello();
    if (fy_parent_open(&self->parent) || fy_parent_send(&self->parent, &hello, sizeof hello) ||
        fy_parent_receive(&self->parent, &note, &handle) || fy_shared_map(handle, (size_t)note.size, &memory))
        fy_process_end(5);
    self->arena = memory.address;
}

static void be_hostile(uint32_t seed) {
    hostile self = {.seed = seed};
    begin_badly(&self);
    for (uint32_t steps = draw(&self, STEPS_MAX); steps; steps--)
        step(&self);
    if (draw(&self, 2))
        fy_process_end(6);
    fy_parent_wait_gone(&self.parent);
    fy_process_end(7);
}

static bool is_offered(const fy_cell *cell) {
    return atomic_load(&cell->state) == FY_CELL_OFFERED;
}

/* Whoever looks without an end would do so when its parent is long gone. */
static void look_again(hostile *self) {
    if (!self->over_us)
        self->over_us = ferry_now() + LOOKS_FOR_US;
    if (!(++self->looks % 4096) && ferry_now() > self->over_us)
        fy_process_end(8);
}

static void answer(hostile *self, fy_cell *cell) {
    cell->head = (fy_cell_head){.segment = FY_IN_CELL, .kind = FY_REPLY_INTEGER, .integer = 7};
    atomic_store(&cell->state, FY_CELL_DONE);
    if (atomic_exchange(&self->arena->pool_sleeps, 0))
        (void)fy_parent_send(&self->parent, &(char){FY_BELL}, 1);
}

/* Answers properly, but while a cell is still the pool's it writes into its head, again and again. */
static void change_what_is_being_filled(hostile *self) {
    for (uint64_t next = 0; next < JOBS_UNDER_WRITING; next++) {
        fy_cell *cell = &self->arena->cells[next % FY_CELLS];
        for (; !is_offered(cell); look_again(self))
            *(volatile uint32_t *)&cell->head.segment = draw(self, 2) ? 0x7f000000u : draw(self, FY_SEGMENTS);
        answer(self, cell);
    }
}

static fy_cell *await_offer(hostile *self, uint64_t index) {
    fy_cell *cell = &self->arena->cells[index];
    while (!is_offered(cell))
        look_again(self);
    return cell;
}

/* Is at its second job for ever, and says of the third, which it has not begun, that it is done. */
static void say_done_too_early(hostile *self) {
    answer(self, await_offer(self, 0));
    atomic_store(&await_offer(self, 1)->state, FY_CELL_TAKEN);
    atomic_store(&await_offer(self, 2)->state, FY_CELL_DONE);
}

/* These seeds stand for one deed each. */
static void be_hostile_in_one_way(uint32_t seed) {
    hostile self = {.seed = seed};
    begin_badly(&self);
    if (seed == SEED_CHANGES)
        change_what_is_being_filled(&self);
    else
        say_done_too_early(&self);
    fy_parent_wait_gone(&self.parent);
    fy_process_end(7);
}

static void set_seed(uint32_t seed) {
    char text[16];
    apr_pool_t *memory = NULL;
    CHECK_STATUS(apr_initialize(), 0);
    CHECK_STATUS(apr_pool_create(&memory, NULL), 0);
    snprintf(text, sizeof text, "%u", seed);
    CHECK_STATUS(apr_env_set(HOSTILE_SEED, text, memory), 0);
    apr_pool_destroy(memory);
}

/* ---- the pool ---- */

static void survive(uint32_t seed) {
    char bytes[LARGE];
    ferry_job *jobs[JOBS];
    ferry_executor *pool = NULL;
    memset(bytes, 'a', sizeof bytes);
    set_seed(seed);
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 2};
    CHECK_STATUS(ferry_process_pool_create(&options, &pool), 0);
    for (size_t i = 0; i < JOBS; i++) {
        ferry_job_options job = {FERRY_JOB_OPTIONS, .function = echo, .arg = bytes, .timeout_us = LIMIT_US,
                                 .arg_size = i % 8 == 7 ? LARGE : 1 + i};
        jobs[i] = NULL;
        ferry_status status = ferry_executor_submit_with(pool, &job, &jobs[i]);
        CHECK(status == 0 || status == FERRY_EBROKEN);
    }
    for (size_t i = 0; i < JOBS; i++)
        if (jobs[i])
            CHECK_STATUS(ferry_job_wait(jobs[i], FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_process_pool_terminate(pool, 0), 0); /* it may never say that it has seen what was taken back */
    CHECK_STATUS(ferry_executor_close(pool), 0);
    ferry_job_unref_all(jobs, JOBS);
}

static void pool_survives_what_its_workers_say(void) {
    uint32_t seeds = fy_system_threads_are_dear() ? 4 : SEEDS;
    for (uint32_t seed = 1; seed <= seeds; seed++)
        survive(seed);
}

static ferry_executor *pool_of_one(uint32_t seed) {
    ferry_executor *pool = NULL;
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = 1};
    set_seed(seed);
    CHECK_STATUS(ferry_process_pool_create(&options, &pool), 0);
    return pool;
}

static void end_pool(ferry_executor *pool) {
    CHECK_STATUS(ferry_process_pool_terminate(pool, 0), 0);
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static ferry_job *send_job(ferry_executor *pool, size_t size, int64_t timeout_us) {
    static char bytes[ARGUMENT_THAT_TAKES_LONG];
    ferry_job *job = NULL;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = echo, .arg = bytes, .arg_size = size,
                                 .timeout_us = timeout_us};
    CHECK_STATUS(ferry_executor_submit_with(pool, &options, &job), 0);
    return job;
}

static void worker_that_writes_into_a_cell_being_filled_harms_nothing(void) {
    ferry_executor *pool = pool_of_one(SEED_CHANGES);
    int jobs = FY_SANITIZED ? JOBS_UNDER_WRITING / 10 : JOBS_UNDER_WRITING;
    for (int i = 0; i < jobs; i++) {
        ferry_job *job = send_job(pool, ARGUMENT_THAT_TAKES_LONG, 0);
        CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
        ferry_job_unref(job);
    }
    end_pool(pool);
}

/* Without the limit it would wait for the job in front of it, which never ends. */
static void job_that_is_said_to_be_done_too_early_keeps_its_limit(void) {
    ferry_executor *pool = pool_of_one(SEED_TOO_EARLY);
    ferry_job *first = send_job(pool, 1, 0);
    CHECK_STATUS(ferry_job_wait(first, FERRY_FOREVER), 0);
    ferry_job *second = send_job(pool, 1, 0), *third = send_job(pool, 1, LIMIT_US);
    CHECK_STATUS(ferry_job_wait(third, FERRY_FOREVER), 0);
    ferry_job_unref(first);
    ferry_job_unref(second);
    ferry_job_unref(third);
    end_pool(pool);
}

static const fy_test tests[] = {
    FY_TEST(pool_survives_what_its_workers_say),
    FY_TEST(worker_that_writes_into_a_cell_being_filled_harms_nothing),
    FY_TEST(job_that_is_said_to_be_done_too_early_keeps_its_limit),
};

int main(int argc, char **argv) {
    const char *seed = getenv(HOSTILE_SEED);
    uint32_t number = seed ? (uint32_t)strtoul(seed, NULL, 10) : 0;
    if (argc == 2 && !strcmp(argv[1], FY_WORKER_ARGUMENT) && number)
        (number < SEED_CHANGES ? be_hostile : be_hostile_in_one_way)(number);
    if (ferry_worker_init(argc, argv, functions))
        return 1;
    return fy_test_main("process_hostile", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
}
