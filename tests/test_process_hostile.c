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

static void be_hostile(uint32_t seed) {
    hostile self = {.seed = seed};
    fy_shared memory;
    fy_note note;
    fy_handle handle = {0};
    if (fy_portable_set(functions))
        fy_process_end(4);
    fy_hello hello = fy_portable_hello();
    if (fy_parent_open(&self.parent) || fy_parent_send(&self.parent, &hello, sizeof hello) ||
        fy_parent_receive(&self.parent, &note, &handle) || fy_shared_map(handle, (size_t)note.size, &memory))
        fy_process_end(5);
    self.arena = memory.address;
    for (uint32_t steps = draw(&self, STEPS_MAX); steps; steps--)
        step(&self);
    if (draw(&self, 2))
        fy_process_end(6);
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

static const fy_test tests[] = {
    FY_TEST(pool_survives_what_its_workers_say),
};

int main(int argc, char **argv) {
    const char *seed = getenv(HOSTILE_SEED);
    if (argc == 2 && !strcmp(argv[1], FY_WORKER_ARGUMENT) && seed)
        be_hostile((uint32_t)strtoul(seed, NULL, 10));
    if (ferry_worker_init(argc, argv, functions))
        return 1;
    return fy_test_main("process_hostile", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
}
