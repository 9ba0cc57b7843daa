/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process from the top of main to its end: it serves the cells one after the other, as wire.h tells. It trusts
 * its parent, and ends at once, whatever it is doing, when the parent is gone: a thread of its own waits for that. */
#include <apr_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spin.h"
#include "executor/frame.h"
#include "executor/host.h"
#include "executor/job.h"
#include "executor/lot.h"
#include "process/portable.h"
#include "process/wire.h"
#include "process/worker_main.h"
#include "seam/process.h"

enum { EXIT_NO_PARENT = 70, EXIT_NO_START = 71, SPINS_BETWEEN_CLOCKS = 64 };

typedef struct job_server {
    fy_parent parent;
    fy_drain watch;
    fy_shared memory;
    fy_arena *arena;
    fy_shared segments[FY_SEGMENTS];
    uint64_t serials[FY_SEGMENTS]; /* which memory of that number it is */
    fy_spin spin;
    uint64_t ticks_per_us;
    unsigned cpus; /* that it may run on */
} job_server;

static job_server server;
static bool is_worker;

/* ---- the channel ---- */

/* Another one in its place, or none. */
static void take_segment(job_server *self, const fy_note *note, fy_handle handle) {
    uint64_t number = FY_NOTE_SEGMENT_NUMBER(note->number);
    if (number >= FY_SEGMENTS)
        fy_process_end(EXIT_NO_PARENT);
    fy_shared_close(&self->segments[number]);
    if (note->kind == FY_NOTE_SEGMENT && fy_shared_map(handle, (size_t)note->size, &self->segments[number]))
        fy_process_end(EXIT_NO_PARENT);
    self->serials[number] = FY_NOTE_SEGMENT_SERIAL(note->number);
}

static void receive(job_server *self) {
    fy_note note;
    fy_handle handle = {0};
    if (fy_parent_receive(&self->parent, &note, &handle) || !fy_note_is_sane(&note))
        fy_process_end(EXIT_NO_PARENT);
    if (note.kind == FY_NOTE_SEGMENT || note.kind == FY_NOTE_FORGET)
        take_segment(self, &note, handle);
}

/* The pool may sleep: then it must hear of the cell that was changed just now. */
static void ring(job_server *self) {
    static const char bell = FY_BELL;
    if (atomic_load(&self->arena->pool_sleeps) && atomic_exchange(&self->arena->pool_sleeps, 0) &&
        fy_parent_send(&self->parent, &bell, 1))
        fy_process_end(EXIT_NO_PARENT);
}

/* ---- waiting for a cell ---- */

static bool is_to_be_taken(uint32_t state) {
    return state == FY_CELL_OFFERED || state == FY_CELL_RETRACTED;
}

static bool has_answer(uint32_t state) {
    return state == FY_CELL_ROOM_GIVEN || state == FY_CELL_ROOM_REFUSED;
}

static bool spin(job_server *self, const fy_cell *cell, bool (*is_ready)(uint32_t state), uint32_t limit_us) {
    uint64_t end = fy_clock_ticks() + limit_us * self->ticks_per_us;
    bool seen = false;
    do {
        for (int i = 0; i < SPINS_BETWEEN_CLOCKS && !seen; i++) {
            fy_cpu_relax();
            seen = is_ready(atomic_load_explicit(&cell->state, memory_order_acquire));
        }
    } while (!seen && (int64_t)(end - fy_clock_ticks()) > 0);
    fy_spin_end(&self->spin, seen);
    return seen;
}

/* What its jobs have printed is not held back while it sleeps. */
static void sleep_until(job_server *self, const fy_cell *cell, bool (*is_ready)(uint32_t state)) {
    fflush(stdout);
    for (;;) {
        atomic_store(&self->arena->worker_sleeps, 1);
        if (is_ready(atomic_load(&cell->state)))
            break;
        receive(self);
    }
    atomic_store(&self->arena->worker_sleeps, 0);
}

static void wait_until(job_server *self, const fy_cell *cell, bool (*is_ready)(uint32_t state)) {
    if (is_ready(atomic_load_explicit(&cell->state, memory_order_acquire)))
        return;
    uint64_t began = fy_clock_ticks();
    uint32_t limit_us = self->cpus > 1 ? fy_spin_begin(&self->spin) : 0;
    if (!limit_us || !spin(self, cell, is_ready, limit_us))
        sleep_until(self, cell, is_ready);
    self->spin.last_gap_us = (int64_t)((fy_clock_ticks() - began) / self->ticks_per_us);
}

/* The next cell is this worker's now; false: it was taken back. */
static bool take(job_server *self, fy_cell *cell) {
    wait_until(self, cell, is_to_be_taken);
    uint32_t state = FY_CELL_OFFERED;
    if (atomic_compare_exchange_strong(&cell->state, &state, FY_CELL_TAKEN))
        return true;
    atomic_store(&cell->state, FY_CELL_PASSED);
    ring(self);
    return false;
}

/* ---- answering ---- */

static void *place_of(job_server *self, const fy_cell_head *head, fy_cell *cell) {
    if (head->segment == FY_IN_CELL)
        return cell->room;
    while (self->serials[head->segment] != (uint64_t)head->integer)
        receive(self);
    return self->segments[head->segment].address;
}

static size_t room_of(const job_server *self, uint32_t segment) {
    return segment == FY_IN_CELL ? FY_CELL_ROOM : self->segments[segment].size;
}

static void answer_error(fy_cell *cell, ferry_status status, const char *message) {
    size_t size = message ? strlen(message) : 0;
    cell->head.kind = FY_REPLY_ERROR;
    cell->head.status = status;
    cell->head.segment = FY_IN_CELL;
    cell->head.size = size < FY_CELL_ROOM ? size : FY_CELL_ROOM;
    memcpy(cell->room, message ? message : "", cell->head.size);
}

/* Room for that many bytes, in the pool's result segment. */
static bool ask_for_room(job_server *self, fy_cell *cell, size_t size) {
    cell->head.size = size;
    atomic_store(&cell->state, FY_CELL_NEEDS_ROOM);
    ring(self);
    wait_until(self, cell, has_answer);
    return atomic_load(&cell->state) == FY_CELL_ROOM_GIVEN;
}

/* The bytes may be the argument, and then lie where the answer goes, wholly or in part. */
static void answer_bytes(job_server *self, fy_cell *cell, uint32_t argument_segment, const fy_outcome *outcome) {
    cell->head.segment = outcome->size <= FY_CELL_ROOM ? (uint32_t)FY_IN_CELL : argument_segment;
    if (outcome->size > room_of(self, cell->head.segment) && !ask_for_room(self, cell, outcome->size)) {
        answer_error(cell, APR_ENOMEM, "there is no memory to carry its result over");
        return;
    }
    void *place = outcome->size ? place_of(self, &cell->head, cell) : outcome->pointer;
    if (place != outcome->pointer)
        memmove(place, outcome->pointer, outcome->size);
    cell->head.size = outcome->size;
    cell->head.kind = FY_REPLY_BYTES;
}

static void answer(job_server *self, fy_cell *cell, const fy_outcome *outcome) {
    uint32_t argument_segment = cell->head.segment;
    switch (outcome->kind) {
    case FY_VALUE_INTEGER:
        cell->head.integer = outcome->integer;
        cell->head.kind = FY_REPLY_INTEGER;
        break;
    case FY_VALUE_REAL:
        cell->head.real = outcome->real;
        cell->head.kind = FY_REPLY_REAL;
        break;
    case FY_VALUE_BYTES:
        answer_bytes(self, cell, argument_segment, outcome);
        break;
    case FY_VALUE_POINTER:
        answer_error(cell, FERRY_ENOTPORTABLE, "its result is a pointer, which means nothing in another process");
        break;
    case FY_VALUE_ERROR:
        answer_error(cell, outcome->status, fy_outcome_message(outcome));
        break;
    default:
        cell->head.kind = FY_REPLY_NONE;
    }
}

/* ---- serving ---- */

static void run(job_server *self, fy_cell *cell) {
    const ferry_portable *portable = fy_portable_at(cell->head.function);
    fy_plain_job plain = {.outcome = {.kind = FY_VALUE_NONE}};
    fy_job_extra extra = {.arg_size = (size_t)cell->head.size};
    void *argument = cell->head.size ? place_of(self, &cell->head, cell) : NULL;
    fy_job_init(&plain.job, portable->name, NULL, portable->function, argument, FY_JOB_RUNNING);
    plain.job.extra = &extra;
    uint64_t began = fy_clock_ticks();
    ferry_status status = fy_job_call_function(&plain.job);
    cell->head.run_ns = (fy_clock_ticks() - began) * 1000 / self->ticks_per_us;
    fy_job_settle(&plain.job, status);
    answer(self, cell, &plain.outcome);
    fy_outcome_clear(&plain.outcome);
}

_Noreturn static void serve(job_server *self) {
    for (uint64_t next = 0;; next++) {
        fy_cell *cell = &self->arena->cells[next % FY_CELLS];
        if (!take(self, cell))
            continue;
        bool is_last = cell->head.function == FY_CELL_QUIT;
        if (is_last)
            cell->head.kind = FY_REPLY_NONE;
        else
            run(self, cell);
        atomic_store(&cell->state, FY_CELL_DONE);
        ring(self);
        if (is_last)
            exit(0);
    }
}

/* ---- starting ---- */

static void watch_parent(fy_drain *drain) {
    (void)drain;
    fy_parent_wait_gone(&server.parent);
    fy_process_end(EXIT_NO_PARENT);
}

static void forget_watch(fy_drain *drain) {
    (void)drain;
}

/* The hello goes first, so that a pool of another build can say what is wrong. */
static bool open_arena(job_server *self) {
    fy_hello hello = fy_portable_hello();
    fy_note note;
    fy_handle handle = {0};
    if (fy_parent_open(&self->parent) || fy_parent_send(&self->parent, &hello, sizeof hello) ||
        fy_parent_receive(&self->parent, &note, &handle) || !fy_note_is_sane(&note) || note.kind != FY_NOTE_OPEN ||
        note.size < sizeof(fy_arena) || fy_shared_map(handle, (size_t)note.size, &self->memory))
        return false;
    self->arena = self->memory.address;
    return true;
}

_Noreturn static void be_worker(void) {
    job_server *self = &server;
    is_worker = true;
    self->watch = (fy_drain){.run = watch_parent, .gone = forget_watch};
    if (fy_lots_open() || !open_arena(self) || fy_host_start(&self->watch))
        fy_process_end(EXIT_NO_START);
    fy_environment_unset(FY_WORKER_VARIABLE); /* programs that a job starts are no workers */
    self->ticks_per_us = fy_clock_ticks_per_us();
    self->cpus = fy_cpu_affinity();
    fy_spin_init(&self->spin);
    fy_frame_set_worker(self->arena->name);
    serve(self);
}

static bool is_called_as_worker(int argc, char **argv) {
    char buffer[FY_ENVIRONMENT_SIZE];
    return argc == 2 && argv && argv[1] && !strcmp(argv[1], FY_WORKER_ARGUMENT) &&
           fy_environment(FY_WORKER_VARIABLE, buffer);
}

ferry_status ferry_worker_init(int argc, char **argv, const ferry_portable *functions) {
    ferry_status status = fy_portable_set(functions);
    if (!is_called_as_worker(argc, argv))
        return status;
    if (status)
        fy_process_end(EXIT_NO_START);
    be_worker();
}

bool ferry_is_worker(void) {
    return is_worker;
}

bool fy_is_started_as_worker(void) {
    char buffer[FY_ENVIRONMENT_SIZE];
    return is_worker || fy_environment(FY_WORKER_VARIABLE, buffer);
}
