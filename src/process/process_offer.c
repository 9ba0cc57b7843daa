/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker is given and what it answers: choosing the worker, filling cells, taking offers back, and reading the
 * results. A worker that is idle gets the next job, whatever it is; one that is busy gets further ones in advance only
 * if they are known to be short, so that it need not sleep between them. What was given in advance is taken back for a
 * worker that is idle. */
#include <apr_errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "process/process_pool.h"

enum { SMALLEST_SEGMENT = 1 << 16, RUN_US_MAX = 1 << 30, COST_MEMORY = 8 };

/* ---- cells ---- */

static fy_cell *cell_at(const fy_process_worker *worker, uint64_t index) {
    return &worker->arena->cells[index % FY_CELLS];
}

static fy_offer *offer_at(fy_process_worker *worker, uint64_t index) {
    return &worker->offers[index % FY_CELLS];
}

/* A worker that cannot be reached will be found dead, or else has stopped reading. */
static void tell(fy_process_worker *worker, fy_note note, const fy_shared *shared) {
    if (fy_child_send(&worker->child, &note, shared))
        fy_process_worker_condemn(worker);
}

/* The cell is changed: whoever sleeps is woken. */
static void publish(fy_process_worker *worker, fy_cell *cell, uint32_t state) {
    atomic_store(&cell->state, state);
    if (atomic_load(&worker->arena->worker_sleeps) && atomic_exchange(&worker->arena->worker_sleeps, 0))
        tell(worker, fy_note_make(FY_NOTE_BELL, 0, 0), NULL);
}

/* Under the lock. The segment is large enough from here on, with what it held gone. */
static ferry_status enlarge_segment(fy_process_worker *worker, uint32_t number, size_t size) {
    fy_shared *segment = &worker->segments[number];
    if (segment->size >= size)
        return 0;
    fy_shared larger;
    ferry_status status = fy_shared_create(size < SMALLEST_SEGMENT ? SMALLEST_SEGMENT : size, &larger);
    if (status)
        return status;
    fy_shared_close(segment);
    *segment = larger;
    worker->serials[number]++;
    tell(worker, fy_note_make(FY_NOTE_SEGMENT, segment->size, FY_NOTE_SEGMENT_OF(number, worker->serials[number])),
         segment);
    return 0;
}

/* FY_IN_CELL: none is free. */
static uint32_t free_segment(const fy_process_worker *worker) {
    for (uint32_t i = 0; i < FY_ARGUMENT_SEGMENTS; i++)
        if (!worker->is_segment_used[i])
            return i;
    return FY_IN_CELL;
}

/* Puts the argument where the worker will find it. Under the lock. */
static ferry_status place_argument(fy_process_worker *worker, fy_cell *cell, const void *argument, size_t size) {
    cell->head.segment = FY_IN_CELL;
    cell->head.size = size;
    void *place = cell->room;
    if (size > FY_CELL_ROOM) {
        uint32_t number = free_segment(worker);
        ferry_status status = number == FY_IN_CELL ? APR_ENOMEM : enlarge_segment(worker, number, size);
        if (status)
            return status;
        worker->is_segment_used[number] = true;
        cell->head.segment = number;
        cell->head.integer = (int64_t)worker->serials[number];
        place = worker->segments[number].address;
    }
    if (size)
        memcpy(place, argument, size);
    return 0;
}

static ferry_status offer(fy_process_worker *worker, fy_offer what, const void *argument, size_t size) {
    fy_cell *cell = cell_at(worker, worker->filled);
    ferry_status status = place_argument(worker, cell, argument, size);
    if (status)
        return status;
    cell->head.function = what.function;
    what.segment = cell->head.segment;
    *offer_at(worker, worker->filled++) = what;
    publish(worker, cell, FY_CELL_OFFERED);
    return 0;
}

ferry_status fy_offer_initializer(fy_process_worker *worker) {
    const fy_process_pool *pool = worker->pool;
    return offer(worker, (fy_offer){.function = pool->initializer}, pool->initializer_arg, pool->initializer_arg_size);
}

void fy_offer_quit(fy_process_worker *worker) {
    worker->stage = FY_WORKER_LEAVING;
    (void)offer(worker, (fy_offer){.function = FY_CELL_QUIT}, NULL, 0);
}

bool fy_offer_retract(fy_process_worker *worker, uint64_t index) {
    uint32_t state = FY_CELL_OFFERED;
    fy_offer *what = offer_at(worker, index);
    if (!what->job || !atomic_compare_exchange_strong(&cell_at(worker, index)->state, &state, FY_CELL_RETRACTED))
        return false;
    worker->jobs--;
    worker->cost_us -= what->cost_us;
    worker->given--;
    what->job = NULL;
    return true;
}

/* ---- choosing ---- */

static bool can_take(const fy_process_worker *worker, bool is_large) {
    return worker->stage == FY_WORKER_READY && worker->is_initialized &&
           worker->given < worker->pool->max_tasks_per_child && worker->filled - worker->reaped < FY_CELLS &&
           (!is_large || free_segment(worker) != FY_IN_CELL);
}

/* An idle one, else the one with the least to do, if it has so little that the job may wait there. */
static fy_process_worker *choose_worker(const fy_process_pool *pool, uint32_t cost_us, bool is_large) {
    fy_process_worker *chosen = NULL;
    uint64_t least = FY_WORKER_BUDGET_US;
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next) {
        if (!can_take(worker, is_large))
            continue;
        if (!worker->jobs)
            return worker;
        uint64_t cost = cost_us == FY_COST_UNKNOWN ? UINT64_MAX : worker->cost_us + cost_us;
        if (cost <= least) {
            chosen = worker;
            least = cost;
        }
    }
    return chosen;
}

static uint32_t function_of(const ferry_job *job) {
    uint32_t number = 0;
    (void)fy_portable_find(job->function, &number);
    return number;
}

static size_t argument_size(const ferry_job *job) {
    return job->extra ? job->extra->arg_size : 0;
}

static void add_to_histogram(uint64_t *buckets, uint64_t us) {
    unsigned bucket = fy_bit_length(us);
    buckets[bucket < FERRY_HISTOGRAM_BUCKETS ? bucket : FERRY_HISTOGRAM_BUCKETS - 1]++;
}

static uint64_t us_since(const fy_process_pool *pool, uint64_t ticks) {
    int64_t passed = (int64_t)(fy_clock_ticks() - ticks);
    return passed > 0 ? (uint64_t)passed / pool->ticks_per_us : 0;
}

/* Hands over a job that was claimed. */
static void give(fy_process_worker *worker, ferry_job *job, uint32_t retries, fy_endings *endings) {
    fy_process_pool *pool = worker->pool;
    uint32_t function = function_of(job);
    uint32_t cost_us = pool->costs_us[function] == FY_COST_UNKNOWN ? FY_WORKER_BUDGET_US : pool->costs_us[function];
    fy_offer what = {.job = job, .function = function, .cost_us = cost_us, .retries = retries,
                     .ticks = fy_clock_ticks()};
    ferry_status status = offer(worker, what, job->arg, argument_size(job));
    if (status) {
        pool->failed++;
        pool->done++;
        fy_endings_add_failure(endings, job, status, NULL, "there is no memory to carry its argument over");
        return;
    }
    worker->jobs++;
    worker->given++;
    worker->cost_us += cost_us;
    if (job->extra && job->extra->deadline_us && job->extra->deadline_us < worker->deadline_us)
        worker->deadline_us = job->extra->deadline_us;
}

/* ---- which job is next ---- */

void fy_process_pool_return(fy_process_pool *pool, ferry_job *job, uint32_t retries) {
    pool->returned_first = (pool->returned_first + pool->returned_room - 1) % pool->returned_room;
    pool->returned[pool->returned_first] = (fy_returned){job, retries};
    pool->returned_count++;
}

/* A job that waits is at the queue's head; those that are not to be run any more are noted and skipped. */
static ferry_job *find_head(fy_process_pool *pool, fy_endings *endings) {
    while (!fy_endings_are_full(endings)) {
        if (!pool->head)
            pool->head = fy_queue_take(&pool->queue, pool->turn++, false);
        ferry_job *job = pool->head;
        if (!job || ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_PENDING && !fy_job_is_late(job)))
            return job;
        uint32_t state = fy_job_load_state(job) & FY_JOB_STATE;
        pool->cancelled += state == FY_JOB_CANCELLED || state == FY_JOB_PENDING;
        if (state != FY_JOB_PENDING)
            atomic_fetch_sub_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
        fy_endings_add(endings, job, 0, true);
        pool->head = NULL;
    }
    return NULL;
}

/* Gives the newest half of what the busiest worker has not begun to whoever is idle. Whether there is something. */
static bool take_back_some(fy_process_pool *pool) {
    fy_process_worker *busiest = NULL;
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (worker->jobs > 1 && (!busiest || worker->jobs > busiest->jobs))
            busiest = worker;
    size_t wanted = busiest ? busiest->jobs / 2 : 0;
    size_t taken = 0;
    for (uint64_t index = busiest ? busiest->filled : 0; taken < wanted && index-- > busiest->reaped;) {
        fy_offer what = *offer_at(busiest, index);
        if (!what.job)
            continue;
        if (!fy_offer_retract(busiest, index))
            break;
        fy_process_pool_return(pool, what.job, what.retries);
        taken++;
    }
    return taken != 0;
}

static bool has_idle(const fy_process_pool *pool) {
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (!worker->jobs && can_take(worker, true))
            return true;
    return false;
}

/* One job, if there is one and a worker for it. */
static bool hand_out_one(fy_process_pool *pool, fy_endings *endings) {
    bool is_return = pool->returned_count != 0;
    fy_returned next = {NULL, 0};
    if (is_return)
        next = pool->returned[pool->returned_first];
    else
        next.job = find_head(pool, endings);
    if (!next.job)
        return false;
    uint32_t cost_us = pool->costs_us[function_of(next.job)];
    fy_process_worker *worker = choose_worker(pool, cost_us, argument_size(next.job) > FY_CELL_ROOM);
    if (!worker)
        return false;
    if (is_return) {
        pool->returned_first = (pool->returned_first + 1) % pool->returned_room;
        pool->returned_count--;
    } else {
        if (!fy_job_try_claim(next.job))
            return true; /* find_head will see why */
        pool->head = NULL;
        add_to_histogram(pool->queue_wait, us_since(pool, next.job->submitted_ticks));
    }
    give(worker, next.job, next.retries, endings);
    return true;
}

void fy_process_pool_dispatch(fy_process_pool *pool, fy_endings *endings) {
    if (pool->broken || pool->terminating)
        return;
    while (!fy_endings_are_full(endings)) {
        if (hand_out_one(pool, endings))
            continue;
        bool is_empty = !pool->returned_count && !pool->head;
        if (!is_empty || !has_idle(pool) || !take_back_some(pool))
            return;
    }
}

/* ---- answers ---- */

static bool is_answer(uint32_t state) {
    return state == FY_CELL_DONE || state == FY_CELL_PASSED || state == FY_CELL_NEEDS_ROOM;
}

bool fy_process_worker_has_answered(const fy_process_worker *worker) {
    return worker->arena && worker->reaped != atomic_load_explicit(&worker->filled, memory_order_relaxed) &&
           is_answer(atomic_load_explicit(&cell_at(worker, worker->reaped)->state, memory_order_acquire));
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
    char message[FY_CELL_ROOM + 1];
    size_t size = reply->head.size < FY_CELL_ROOM ? (size_t)reply->head.size : FY_CELL_ROOM;
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
    if (!job) {
        fy_mutex_lock(&worker->pool->lock);
        fy_process_pool_break(worker->pool, "the initializer failed in %s: %s", worker->name, message);
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
    return fy_reply_read(cell_at(worker, index), places, sizes, ret_reply);
}

static void take_answer(fy_process_worker *worker, uint64_t index, fy_endings *endings) {
    const fy_offer *what = offer_at(worker, index);
    ferry_job *job = what->job;
    fy_reply reply;
    worker->ran_ns[index % FY_CELLS] = 0;
    worker->has_failed[index % FY_CELLS] = false;
    if (read_reply(worker, index, what->segment, &reply)) {
        fy_mutex_lock(&worker->pool->lock);
        fy_process_worker_condemn(worker);
        fy_mutex_unlock(&worker->pool->lock);
        answer_fails(worker, index, job, FERRY_EBROKEN, "its worker process answered what cannot be", endings);
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
    fy_cell *cell = cell_at(worker, index);
    uint64_t size = cell->head.size;
    fy_mutex_lock(&worker->pool->lock);
    bool has_room = size <= SIZE_MAX / 2 && !enlarge_segment(worker, FY_RESULT_SEGMENT, (size_t)size);
    if (has_room) {
        worker->is_segment_used[FY_RESULT_SEGMENT] = true;
        cell->head.segment = FY_RESULT_SEGMENT;
        cell->head.integer = (int64_t)worker->serials[FY_RESULT_SEGMENT];
    }
    publish(worker, cell, has_room ? FY_CELL_ROOM_GIVEN : FY_CELL_ROOM_REFUSED);
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
    add_to_histogram(pool->run_time, run_us);
    learn_cost(pool, what->function, run_us);
}

/* Under the lock. */
static void free_cell(fy_process_worker *worker, uint64_t index) {
    fy_offer *what = offer_at(worker, index);
    fy_cell *cell = cell_at(worker, index);
    if (what->job)
        account(worker, index, what);
    else if (atomic_load(&cell->state) == FY_CELL_DONE && !worker->has_failed[index % FY_CELLS])
        worker->is_initialized = true;
    if (what->segment != FY_IN_CELL)
        worker->is_segment_used[what->segment] = false;
    *what = (fy_offer){.segment = FY_IN_CELL};
    atomic_store(&cell->state, FY_CELL_FREE);
}

bool fy_process_worker_collect(fy_process_worker *worker, fy_endings *endings) {
    fy_process_pool *pool = worker->pool;
    if (!fy_process_worker_has_answered(worker))
        return false;
    fy_mutex_lock(&pool->lock);
    uint64_t filled = worker->filled;
    fy_mutex_unlock(&pool->lock);
    uint64_t index = worker->reaped;
    for (; index < filled && !fy_endings_are_full(endings); index++) {
        uint32_t state = atomic_load_explicit(&cell_at(worker, index)->state, memory_order_acquire);
        if (state == FY_CELL_DONE)
            take_answer(worker, index, endings);
        else if (state == FY_CELL_NEEDS_ROOM && index == worker->reaped)
            give_room(worker, index);
        if (state != FY_CELL_DONE && state != FY_CELL_PASSED)
            break;
    }
    if (index == worker->reaped)
        return false;
    fy_mutex_lock(&pool->lock);
    worker->is_segment_used[FY_RESULT_SEGMENT] = false;
    while (worker->reaped < index)
        free_cell(worker, worker->reaped++);
    if (worker->reaped == worker->filled)
        worker->deadline_us = FERRY_FOREVER;
    worker->idle_since_us = fy_clock_now();
    fy_mutex_unlock(&pool->lock);
    return true;
}
