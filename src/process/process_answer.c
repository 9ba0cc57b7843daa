/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker answers: the manager reads the cells that are done with, in their order, and notes how their jobs end.
 * Nothing that the worker has written is believed: a reply is copied and checked, a state is read once. */
#include <apr_errno.h>
#include <string.h>

#include "base/alloc.h"
#include "process/process_pool.h"

enum { RUN_US_MAX = 1 << 30, COST_MEMORY = 8, MESSAGE_MAX = 4096 };

static bool is_answer(uint32_t state) {
    return state == FY_CELL_DONE || state == FY_CELL_PASSED || state == FY_CELL_NEEDS_ROOM;
}

bool fy_process_worker_has_answered(const fy_process_worker *worker) {
    return worker->arena && worker->reaped != atomic_load_explicit(&worker->filled, memory_order_relaxed) &&
           is_answer(atomic_load_explicit(&fy_cell_at(worker, worker->reaped)->state, memory_order_seq_cst));
}

static void answer_fails(fy_process_worker *worker, uint64_t index, ferry_job *job, ferry_status status,
                         const char *message, fy_endings *endings) {
    worker->has_failed[index % FY_CELLS] = true;
    if (job)
        fy_endings_add_failure(endings, job, status, worker->name, "%s", message);
}

/* The worker's words end where they end. */
static void take_error(fy_process_worker *worker, uint64_t index, ferry_job *job, const fy_reply *reply,
                       fy_endings *endings) {
    char message[MESSAGE_MAX + 1], words[128];
    size_t size = reply->head.size < MESSAGE_MAX ? (size_t)reply->head.size : MESSAGE_MAX;
    memcpy(message, reply->bytes, size);
    message[size] = '\0';
    ferry_status status = reply->head.status ? reply->head.status : APR_EGENERAL;
    if (message[0] || !job) {
        answer_fails(worker, index, job, status, message, endings);
    } else {
        worker->has_failed[index % FY_CELLS] = true;
        fy_outcome_set_error(fy_job_outcome(job), status, fy_error_create(worker->name, NULL));
        fy_endings_add(endings, job, status, false);
    }
    if (!job && !worker->is_initialized) {
        fy_mutex_lock(&worker->pool->lock);
        fy_process_pool_break(worker->pool, "the initializer failed in %s: %s", worker->name,
                              message[0] ? message : ferry_strerror(status, words, sizeof words));
        fy_mutex_unlock(&worker->pool->lock);
    }
}

static void take_bytes(fy_process_worker *worker, uint64_t index, ferry_job *job, const fy_reply *reply,
                       fy_endings *endings) {
    size_t size = (size_t)reply->head.size;
    void *copy = size ? fy_malloc(size) : NULL;
    if (size && !copy) {
        answer_fails(worker, index, job, APR_ENOMEM, "there is no memory for its result", endings);
        return;
    }
    if (size)
        memcpy(copy, reply->bytes, size);
    fy_outcome_set_bytes(fy_job_outcome(job), copy, size, fy_free);
    fy_endings_add(endings, job, 0, false);
}

static void take_value(fy_process_worker *worker, uint64_t index, ferry_job *job, const fy_reply *reply,
                       fy_endings *endings) {
    switch (reply->head.kind) {
    case FY_REPLY_BYTES:
        take_bytes(worker, index, job, reply, endings);
        return;
    case FY_REPLY_INTEGER:
        fy_outcome_set_integer(fy_job_outcome(job), reply->head.integer);
        break;
    case FY_REPLY_REAL:
        fy_outcome_set_real(fy_job_outcome(job), reply->head.real);
        break;
    default:
        break;
    }
    fy_endings_add(endings, job, 0, false);
}

/* Where the worker may have put a result: where the argument was, and in the result segment if it was given room. */
static ferry_status read_reply(const fy_process_worker *worker, uint64_t index, uint32_t argument_segment,
                               fy_reply *ret_reply) {
    void *places[FY_SEGMENTS] = {NULL};
    size_t sizes[FY_SEGMENTS] = {0};
    for (uint32_t i = 0; i < FY_SEGMENTS; i++)
        if (i == argument_segment || (i == FY_RESULT_SEGMENT && worker->is_segment_used[i])) {
            places[i] = worker->segments[i].address;
            sizes[i] = worker->segments[i].size;
        }
    return fy_reply_read(fy_cell_at(worker, index), places, sizes, ret_reply);
}

static void refuse_answer(fy_process_worker *worker, uint64_t index, fy_endings *endings) {
    ferry_job *job = fy_offer_at(worker, index)->job;
    fy_mutex_lock(&worker->pool->lock);
    fy_process_worker_condemn(worker);
    fy_mutex_unlock(&worker->pool->lock);
    answer_fails(worker, index, job, FERRY_EBROKEN, "its worker process answered what cannot be", endings);
}

static void take_answer(fy_process_worker *worker, uint64_t index, fy_endings *endings) {
    const fy_offer *what = fy_offer_at(worker, index);
    ferry_job *job = what->job;
    fy_reply reply;
    if (what->was_taken_back || read_reply(worker, index, what->segment, &reply)) {
        refuse_answer(worker, index, endings);
        return;
    }
    worker->ran_ns[index % FY_CELLS] = reply.head.run_ns;
    if (reply.head.kind == FY_REPLY_ERROR)
        take_error(worker, index, job, &reply, endings);
    else if (job)
        take_value(worker, index, job, &reply, endings);
}

/* A result that is too large for the cell's places. */
static void give_room(fy_process_worker *worker, uint64_t index) {
    fy_cell *cell = fy_cell_at(worker, index);
    uint64_t size = cell->head.size;
    fy_mutex_lock(&worker->pool->lock);
    bool has_room = size <= SIZE_MAX / 2 && !fy_segment_enlarge(worker, FY_RESULT_SEGMENT, (size_t)size);
    if (has_room) {
        worker->is_segment_used[FY_RESULT_SEGMENT] = true;
        cell->head.segment = FY_RESULT_SEGMENT;
        cell->head.integer = (int64_t)worker->serials[FY_RESULT_SEGMENT];
    }
    fy_cell_publish(worker, cell, has_room ? FY_CELL_ROOM_GIVEN : FY_CELL_ROOM_REFUSED);
    fy_mutex_unlock(&worker->pool->lock);
}

/* What a function takes is forgotten slowly. */
static void learn_cost(fy_process_pool *pool, uint32_t function, uint64_t run_us) {
    uint32_t us = (uint32_t)(run_us < RUN_US_MAX ? run_us : RUN_US_MAX);
    uint32_t *cost_us = &pool->costs_us[function];
    *cost_us = *cost_us == FY_COST_UNKNOWN ? us
                                           : (uint32_t)(((uint64_t)*cost_us * (COST_MEMORY - 1) + us) / COST_MEMORY);
}

static void account(fy_process_worker *worker, uint64_t index, const fy_offer *what) {
    fy_process_pool *pool = worker->pool;
    uint64_t run_us = worker->ran_ns[index % FY_CELLS] / 1000;
    bool has_failed = worker->has_failed[index % FY_CELLS];
    worker->jobs--;
    worker->cost_us -= what->cost_us;
    worker->done++;
    worker->failed += has_failed;
    worker->run_ns += worker->ran_ns[index % FY_CELLS];
    pool->done++;
    pool->failed += has_failed;
    fy_histogram_add(pool->run_time, run_us);
    learn_cost(pool, what->function, run_us);
}

/* Under the lock. */
static void free_cell(fy_process_worker *worker, uint64_t index) {
    fy_offer *what = fy_offer_at(worker, index);
    fy_cell *cell = fy_cell_at(worker, index);
    if (what->job)
        account(worker, index, what);
    else if (what->function == worker->pool->initializer && !worker->has_failed[index % FY_CELLS])
        worker->is_initialized = true;
    if (what->segment != FY_IN_CELL)
        worker->is_segment_used[what->segment] = false;
    *what = (fy_offer){.segment = FY_IN_CELL};
    atomic_store(&cell->state, FY_CELL_FREE);
}

/* Whether the cell is done with. */
static bool collect_one(fy_process_worker *worker, uint64_t index, fy_endings *endings) {
    worker->ran_ns[index % FY_CELLS] = 0;
    worker->has_failed[index % FY_CELLS] = false;
    switch (atomic_load_explicit(&fy_cell_at(worker, index)->state, memory_order_acquire)) {
    case FY_CELL_DONE:
        take_answer(worker, index, endings);
        return true;
    case FY_CELL_PASSED:
        if (!fy_offer_at(worker, index)->was_taken_back)
            refuse_answer(worker, index, endings);
        return true;
    case FY_CELL_NEEDS_ROOM:
        if (index == worker->reaped)
            give_room(worker, index);
        return false;
    default:
        return false;
    }
}

/* While it collects, without the lock, nobody takes back what is offered there. */
static uint64_t begin_collecting(fy_process_worker *worker) {
    fy_mutex_lock(&worker->pool->lock);
    uint64_t filled = worker->filled;
    worker->collecting = filled;
    fy_mutex_unlock(&worker->pool->lock);
    return filled;
}

static void end_collecting(fy_process_worker *worker, uint64_t collected) {
    fy_mutex_lock(&worker->pool->lock);
    if (worker->reaped < collected) {
        worker->pool->failed_starts = 0;
        worker->pool->start_again_us = 0;
        worker->is_segment_used[FY_RESULT_SEGMENT] = false;
        worker->idle_since_us = fy_clock_now();
        worker->busy_since_ticks = fy_clock_ticks();
        worker->is_stalled = false;
    }
    while (worker->reaped < collected)
        free_cell(worker, worker->reaped++);
    if (worker->reaped == worker->filled)
        worker->deadline_us = FERRY_FOREVER;
    worker->collecting = 0;
    fy_mutex_unlock(&worker->pool->lock);
}

bool fy_process_worker_collect(fy_process_worker *worker, fy_endings *endings) {
    if (!fy_process_worker_has_answered(worker))
        return false;
    uint64_t filled = begin_collecting(worker);
    uint64_t index = worker->reaped;
    while (index < filled && !fy_endings_are_full(endings) && collect_one(worker, index, endings))
        index++;
    bool has_collected = index != worker->reaped;
    end_collecting(worker, index);
    return has_collected;
}
