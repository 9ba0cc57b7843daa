/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker is given: choosing the worker, filling cells, taking offers back. A worker that is idle gets the next
 * job, whatever it is; one that is busy gets further ones in advance only if they are known to be short, so that it
 * need not sleep between them. What was given in advance is taken back for a worker that is idle. */
#include <apr_errno.h>
#include <string.h>

#include "process/process_pool.h"

enum { SMALLEST_SEGMENT = 1 << 16, LARGE_SEGMENT = 1 << 20 };

/* ---- cells ---- */

/* A worker that cannot be reached is dead already, or else has stopped reading. */
static void tell(fy_process_worker *worker, fy_note note, const fy_shared *shared) {
    if (fy_child_send(&worker->child, &note, shared))
        fy_process_worker_kill(worker);
}

void fy_cell_publish(fy_process_worker *worker, fy_cell *cell, uint32_t state) {
    atomic_store(&cell->state, state);
    if (atomic_load(&worker->arena->worker_sleeps) && atomic_exchange(&worker->arena->worker_sleeps, 0))
        tell(worker, fy_note_make(FY_NOTE_BELL, 0, 0), NULL);
}

ferry_status fy_segment_enlarge(fy_process_worker *worker, uint32_t number, size_t size) {
    fy_shared *segment = &worker->segments[number];
    if (segment->size >= size)
        return 0;
    fy_shared larger;
    size_t by_half = segment->size + segment->size / 2; /* so that sizes that rise slowly do not make one each */
    size = size > by_half ? size : by_half;
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

static bool is_kept_in_vain(const fy_process_worker *worker, uint32_t number) {
    return worker->segments[number].size > LARGE_SEGMENT && !worker->is_segment_used[number];
}

bool fy_segments_are_large(const fy_process_worker *worker) {
    bool are_large = false;
    for (uint32_t i = 0; i < FY_SEGMENTS; i++)
        are_large |= is_kept_in_vain(worker, i);
    return are_large;
}

void fy_segments_give_back(fy_process_worker *worker) {
    for (uint32_t i = 0; i < FY_SEGMENTS; i++)
        if (is_kept_in_vain(worker, i)) {
            fy_shared_close(&worker->segments[i]);
            tell(worker, fy_note_make(FY_NOTE_FORGET, 0, FY_NOTE_SEGMENT_OF(i, ++worker->serials[i])), NULL);
        }
}

/* FY_IN_CELL: none is free. */
static uint32_t free_segment(const fy_process_worker *worker) {
    for (uint32_t i = 0; i < FY_ARGUMENT_SEGMENTS; i++)
        if (!worker->is_segment_used[i])
            return i;
    return FY_IN_CELL;
}

/* Puts the argument where the worker will find it. Nothing of the cell is read again: the worker can write there, too.
 * Under the lock. */
static ferry_status place_argument(fy_process_worker *worker, fy_cell *cell, const void *argument, size_t size,
                                   uint32_t *ret_segment) {
    void *place = cell->room;
    *ret_segment = FY_IN_CELL;
    if (size > FY_CELL_ROOM) {
        uint32_t number = free_segment(worker);
        ferry_status status = number == FY_IN_CELL ? APR_ENOMEM : fy_segment_enlarge(worker, number, size);
        if (status)
            return status;
        worker->is_segment_used[number] = true;
        cell->head.integer = (int64_t)worker->serials[number];
        place = worker->segments[number].address;
        *ret_segment = number;
    }
    cell->head.segment = *ret_segment;
    cell->head.size = size;
    if (size)
        memcpy(place, argument, size);
    return 0;
}

static ferry_status offer(fy_process_worker *worker, fy_offer what, const void *argument, size_t size) {
    fy_cell *cell = fy_cell_at(worker, worker->filled);
    ferry_status status = place_argument(worker, cell, argument, size, &what.segment);
    if (status)
        return status;
    cell->head.function = what.function;
    *fy_offer_at(worker, worker->filled++) = what;
    fy_cell_publish(worker, cell, FY_CELL_OFFERED);
    return 0;
}

ferry_status fy_offer_initializer(fy_process_worker *worker) {
    const fy_process_pool *pool = worker->pool;
    return offer(worker, (fy_offer){.function = pool->initializer}, pool->initializer_arg, pool->initializer_arg_size);
}

void fy_offer_quit(fy_process_worker *worker) {
    worker->stage = FY_WORKER_LEAVING;
    worker->idle_since_us = fy_clock_now();
    (void)offer(worker, (fy_offer){.function = FY_CELL_QUIT}, NULL, 0);
}

/* What the manager is just collecting is not touched, whatever its state says: the worker may have written that. */
bool fy_offer_retract(fy_process_worker *worker, uint64_t index) {
    uint32_t state = FY_CELL_OFFERED;
    fy_offer *what = fy_offer_at(worker, index);
    if (index < worker->collecting || !what->job ||
        !atomic_compare_exchange_strong(&fy_cell_at(worker, index)->state, &state, FY_CELL_RETRACTED))
        return false;
    if (!--worker->jobs)
        worker->idle_since_us = fy_clock_now();
    worker->cost_us -= what->cost_us;
    worker->given--;
    what->job = NULL;
    what->was_taken_back = true;
    return true;
}

/* Newest first, so that they keep their order. */
void fy_offers_take_back(fy_process_worker *worker, uint64_t index) {
    for (uint64_t i = worker->filled; i-- > index + 1;) {
        fy_offer what = *fy_offer_at(worker, i);
        if (fy_offer_retract(worker, i))
            fy_process_pool_return(worker->pool, what.job, what.retries);
    }
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
        if (worker->is_stalled)
            continue;
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

static uint64_t us_since(const fy_process_pool *pool, uint64_t ticks) {
    int64_t passed = (int64_t)(fy_clock_ticks() - ticks);
    return passed > 0 ? (uint64_t)passed / pool->ticks_per_us : 0;
}

uint64_t fy_process_worker_busy_us(const fy_process_worker *worker) {
    return worker->jobs ? us_since(worker->pool, worker->busy_since_ticks) : 0;
}

/* Hands over a job that was claimed. False: there is no memory for that, and the manager shall try, and see to it. */
static bool give(fy_process_worker *worker, ferry_job *job, uint32_t retries, fy_endings *endings) {
    fy_process_pool *pool = worker->pool;
    uint32_t function = function_of(job);
    uint32_t cost_us = pool->costs_us[function] == FY_COST_UNKNOWN ? FY_WORKER_BUDGET_US : pool->costs_us[function];
    fy_offer what = {.job = job, .function = function, .cost_us = cost_us, .retries = retries,
                     .ticks = fy_clock_ticks()};
    ferry_status status = offer(worker, what, job->arg, argument_size(job));
    if (status && !endings) {
        fy_process_pool_return(pool, job, retries);
        fy_manager_wake(pool);
        return false;
    }
    if (status) {
        pool->cancelled++;
        fy_endings_add_failure(endings, job, status, NULL, "there is no memory to carry its argument over");
        return true;
    }
    if (!worker->jobs++)
        worker->busy_since_ticks = what.ticks;
    if (worker->jobs == 2 && pool->manager_sleeps)
        fy_manager_wake(pool); /* to see whether the first one stalls */
    worker->given++;
    worker->cost_us += cost_us;
    if (job->extra && job->extra->deadline_us && job->extra->deadline_us < worker->deadline_us)
        worker->deadline_us = job->extra->deadline_us;
    return true;
}

/* ---- which job is next ---- */

void fy_process_pool_return(fy_process_pool *pool, ferry_job *job, uint32_t retries) {
    pool->returned_first = (pool->returned_first + pool->returned_room - 1) % pool->returned_room;
    pool->returned[pool->returned_first] = (fy_returned){job, retries};
    pool->returned_count++;
    if (fy_job_load_state(job) & (FY_JOB_CANCEL_REQUESTED | FY_JOB_UNWANTED))
        pool->wants_kills = true; /* whoever is given it before the manager looks */
}

fy_returned fy_process_pool_take_returned(fy_process_pool *pool) {
    fy_returned first = pool->returned[pool->returned_first];
    pool->returned_first = (pool->returned_first + 1) % pool->returned_room;
    pool->returned_count--;
    return first;
}

void fy_process_pool_append_returned(fy_process_pool *pool, fy_returned last) {
    pool->returned[(pool->returned_first + pool->returned_count++) % pool->returned_room] = last;
}

/* Without a list there is always room for no ending. */
static bool is_full(const fy_endings *endings) {
    return endings && fy_endings_are_full(endings);
}

/* A job that waits is at the queue's head and stays there, for one of a higher priority may come before it is handed
 * out; those that are not to be run any more are taken and noted. */
static ferry_job *find_head(fy_process_pool *pool, fy_endings *endings) {
    ferry_job *job;
    while ((job = fy_queue_peek(&pool->queue, pool->turn)) && !is_full(endings)) {
        bool is_pending = (fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_PENDING;
        if (is_pending && !fy_job_is_late(job))
            return job;
        if (!endings) {
            fy_manager_wake(pool);
            return NULL;
        }
        if (is_pending && !fy_job_try_claim(job))
            continue;
        (void)fy_queue_take(&pool->queue, pool->turn++, false);
        if (is_pending) {
            pool->cancelled++;
            fy_endings_add_failure(endings, job, FERRY_ETIMEDOUT, NULL, FY_JOB_LATE);
        } else {
            pool->cancelled += (fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_CANCELLED;
            atomic_fetch_sub_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
            fy_endings_add(endings, job, 0, true);
        }
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
        fy_offer what = *fy_offer_at(busiest, index);
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
        (void)fy_process_pool_take_returned(pool);
    } else {
        if (!fy_job_try_claim(next.job))
            return true; /* find_head will see why */
        (void)fy_queue_take(&pool->queue, pool->turn++, false);
        fy_histogram_add(pool->queue_wait, us_since(pool, next.job->submitted_ticks));
    }
    return give(worker, next.job, next.retries, endings);
}

void fy_process_pool_dispatch(fy_process_pool *pool, fy_endings *endings) {
    if (pool->broken || pool->terminating)
        return;
    while (!is_full(endings)) {
        if (hand_out_one(pool, endings))
            continue;
        bool is_empty = !pool->returned_count && fy_queue_is_empty(&pool->queue);
        if (!is_empty || !has_idle(pool) || !take_back_some(pool))
            return;
    }
}
