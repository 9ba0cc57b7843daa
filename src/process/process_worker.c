/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process as the pool sees it: started, greeted, killed, found dead, buried. Everything here is the manager's;
 * what the pool's lock guards is touched under it. */
#include <apr_errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "process/process_pool.h"
#include "process/worker_main.h"

/* So many starts may fail in a row: while no worker has ever said hello, and afterwards, when the system is more likely
 * to be short of something, or somebody to be killing them. Each time the next one is put off a little longer. */
enum { FAILED_FIRST_STARTS_MAX = 3, FAILED_STARTS_MAX = 20, START_AGAIN_AFTER_US = 10000, LOST_FOR_US = 2000000 };

/* ---- breaking ---- */

/* The first reason stays. */
void fy_process_pool_break(fy_process_pool *pool, const char *format, ...) {
    if (pool->broken)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(pool->reason, sizeof pool->reason, format, args);
    va_end(args);
    pool->broken = true;
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        fy_process_worker_kill(worker);
}

void fy_process_worker_kill(fy_process_worker *worker) {
    if (worker->has_exited)
        return;
    worker->stage = FY_WORKER_KILLED;
    worker->kill_at_us = FERRY_FOREVER;
    fy_child_kill(&worker->child, true);
}

void fy_process_worker_condemn(fy_process_worker *worker) {
    if (worker->stage == FY_WORKER_KILLED || worker->has_exited)
        return;
    worker->is_unwanted = true;
    fy_process_worker_kill(worker);
}

/* ---- starting ---- */

static bool has_greeted_worker(const fy_process_pool *pool) {
    const fy_process_worker *worker = pool->workers;
    while (worker && worker->stage != FY_WORKER_READY && worker->stage != FY_WORKER_LEAVING)
        worker = worker->next;
    return worker;
}

/* Whether the pool must give up: none can be had, and there is no other to hope for. Under the lock. */
static bool has_failed_to_start(fy_process_pool *pool, bool is_hopeful) {
    unsigned limit = pool->was_greeted ? FAILED_STARTS_MAX : FAILED_FIRST_STARTS_MAX;
    pool->failed_starts++;
    pool->start_again_us = fy_clock_now() + (int64_t)pool->failed_starts * START_AGAIN_AFTER_US;
    return pool->failed_starts >= limit && !is_hopeful;
}

static void start_failed(fy_process_pool *pool, ferry_status status) {
    char words[256];
    fy_mutex_lock(&pool->lock);
    if (has_failed_to_start(pool, pool->workers))
        fy_process_pool_break(pool, "a worker process could not be started: %s",
                              ferry_strerror(status, words, sizeof words));
    fy_mutex_unlock(&pool->lock);
}

static void name_worker(fy_process_worker *worker) {
    const fy_process_pool *pool = worker->pool;
    snprintf(worker->arena->name, sizeof worker->arena->name, "%s_%" PRIu64, pool->prefix, worker->number);
    snprintf(worker->name, sizeof worker->name, "%.32s (pid %" PRIu64 ")", worker->arena->name, worker->child.pid);
}

/* Returns: 0, or an OS code; then there is no process, and nothing to undo but the memory. */
static ferry_status start_process(fy_process_worker *worker) {
    fy_process_pool *pool = worker->pool;
    const char *argv[] = {pool->program, FY_WORKER_ARGUMENT, NULL};
    ferry_status status = fy_child_start(pool->program, argv, pool->environment, &worker->child);
    if (status)
        return status;
    worker->process = (fy_file){.use = FY_FILE_PROCESS, .process = worker->child.process};
    worker->channel = (fy_file){.use = FY_FILE_OWNED, .handle = worker->child.channel};
    fy_backend *backend = pool->backend;
    status = backend->class->attach(backend, &worker->channel);
    if (status)
        goto fail_channel;
    status = backend->class->attach(backend, &worker->process);
    if (status)
        goto fail_process;
    worker->read = fy_op_read(&worker->channel, worker->bytes, sizeof worker->bytes);
    backend->class->submit(backend, &worker->read);
    worker->exit = (fy_op){.kind = FY_OP_CHILD, .file = &worker->process};
    backend->class->submit(backend, &worker->exit);
    return 0;

fail_process:
    backend->class->detach(backend, &worker->channel);
    worker->child.channel = (fy_handle)-1;
fail_channel:
    fy_child_abandon(&worker->child);
    return status;
}

/* From here on it is in the list, dead or alive. */
static void enter(fy_process_worker *worker) {
    fy_process_pool *pool = worker->pool;
    name_worker(worker);
    fy_note note = fy_note_make(FY_NOTE_OPEN, worker->memory.size, 0);
    fy_mutex_lock(&pool->lock);
    fy_process_worker **end = &pool->workers;
    while (*end)
        end = &(*end)->next;
    *end = worker;
    pool->workers_alive++;
    pool->workers_started++;
    if (pool->terminating || fy_child_send(&worker->child, &note, &worker->memory))
        fy_process_worker_kill(worker);
    fy_mutex_unlock(&pool->lock);
}

void fy_process_worker_start(fy_process_pool *pool) {
    fy_process_worker *worker = fy_calloc(sizeof *worker);
    if (!worker) {
        start_failed(pool, APR_ENOMEM);
        return;
    }
    worker->pool = pool;
    worker->number = pool->workers_started;
    worker->deadline_us = FERRY_FOREVER;
    worker->kill_at_us = FERRY_FOREVER;
    worker->started_us = fy_clock_now();
    for (size_t i = 0; i < FY_CELLS; i++)
        worker->offers[i].segment = FY_IN_CELL;
    ferry_status status = fy_shared_create(sizeof(fy_arena), &worker->memory);
    if (!status) {
        worker->arena = worker->memory.address;
        status = start_process(worker);
    }
    if (!status) {
        enter(worker);
        return;
    }
    fy_shared_close(&worker->memory);
    fy_free(worker);
    start_failed(pool, status);
}

/* ---- what it says ---- */

/* Under the lock. */
static void greet(fy_process_worker *worker) {
    fy_process_pool *pool = worker->pool;
    fy_hello ours = fy_portable_hello();
    char reason[256];
    if (!fy_hello_matches(&worker->hello.hello, &ours, reason, sizeof reason)) {
        fy_process_pool_break(pool, "%s cannot be used: %s", worker->name, reason);
        return;
    }
    pool->was_greeted = true;
    pool->idle_check_us = 0;
    worker->stage = FY_WORKER_READY;
    worker->idle_since_us = fy_clock_now();
    worker->is_initialized = !pool->has_initializer;
    if (pool->has_initializer && fy_offer_initializer(worker))
        fy_process_worker_kill(worker);
}

static void read_bytes(fy_process_worker *worker, size_t count) {
    fy_process_pool *pool = worker->pool;
    fy_mutex_lock(&pool->lock);
    if (fy_hello_read(&worker->hello, worker->bytes, count))
        fy_process_worker_condemn(worker);
    else if (worker->stage == FY_WORKER_STARTING && fy_hello_is_complete(&worker->hello))
        greet(worker);
    fy_mutex_unlock(&pool->lock);
}

/* Its process ends, or it has closed the channel and cannot go on. */
static void read_ended(fy_process_worker *worker) {
    fy_mutex_lock(&worker->pool->lock);
    if (!worker->has_exited && worker->stage < FY_WORKER_LEAVING) {
        worker->stage = FY_WORKER_LOST;
        int64_t kill_at_us = fy_time_after(fy_clock_now(), LOST_FOR_US);
        worker->kill_at_us = kill_at_us < worker->kill_at_us ? kill_at_us : worker->kill_at_us;
    }
    fy_mutex_unlock(&worker->pool->lock);
}

static void read_delivered(fy_process_worker *worker) {
    fy_backend *backend = worker->pool->backend;
    if (worker->read.status == FERRY_ECANCELED)
        return;
    if (worker->read.status) {
        read_ended(worker);
        return;
    }
    read_bytes(worker, worker->read.count);
    if (worker->has_exited)
        return; /* what it has left behind there, or its children go on writing, says nothing more */
    worker->read = fy_op_read(&worker->channel, worker->bytes, sizeof worker->bytes);
    backend->class->submit(backend, &worker->read);
}

static void exit_delivered(fy_process_worker *worker) {
    fy_backend *backend = worker->pool->backend;
    fy_mutex_lock(&worker->pool->lock);
    worker->has_exited = true;
    fy_mutex_unlock(&worker->pool->lock);
    if (worker->channel.in_flight[FY_IN])
        backend->class->cancel(backend, &worker->read);
}

void fy_process_worker_delivered(fy_op *op) {
    if (op->kind == FY_OP_READ)
        read_delivered(FY_CONTAINER(op, fy_process_worker, read));
    else
        exit_delivered(FY_CONTAINER(op, fy_process_worker, exit));
}

/* ---- its end ---- */

static void describe_death(const fy_process_worker *worker, char *buffer, size_t size) {
    if (worker->is_unwanted)
        snprintf(buffer, size, "its worker process broke the protocol and was killed");
    else if (worker->exit.status)
        snprintf(buffer, size, "its worker process has ended; how is not known");
    else if (worker->exit.exit.signal)
        snprintf(buffer, size, "its worker process was ended by signal %" PRId32, worker->exit.exit.signal);
    else
        snprintf(buffer, size, "its worker process ended with exit code %" PRId32, worker->exit.exit.code);
}

static bool may_retry(const fy_process_pool *pool, const fy_offer *what) {
    return (fy_portable_at(what->function)->flags & FERRY_IDEMPOTENT) && what->retries < pool->max_retries &&
           !pool->terminating && !pool->broken && !fy_job_is_late(what->job) &&
           !(fy_job_load_state(what->job) & FY_JOB_UNWANTED);
}

/* The job that it ran when it died. */
static void end_running(fy_process_worker *worker, const fy_offer *what, fy_endings *endings) {
    fy_process_pool *pool = worker->pool;
    bool was_cancelled = fy_job_load_state(what->job) & FY_JOB_CANCEL_REQUESTED;
    char how[128];
    if (!was_cancelled && may_retry(pool, what)) {
        fy_process_pool_return(pool, what->job, what->retries + 1);
        return;
    }
    describe_death(worker, how, sizeof how);
    pool->done++;
    pool->failed++;
    fy_histogram_add(pool->run_time, fy_process_worker_busy_us(worker));
    if (worker->is_sacrificed && fy_job_is_late(what->job))
        fy_endings_add_failure(endings, what->job, FERRY_ETIMEDOUT, worker->name,
                               "its time was up while it ran, and its worker process was killed");
    else if (worker->is_sacrificed && was_cancelled)
        fy_endings_add_failure(endings, what->job, FERRY_ECANCELED, worker->name,
                               "it was cancelled while it ran, and its worker process was killed");
    else if (pool->terminating)
        fy_endings_add_failure(endings, what->job, FERRY_EBROKEN, worker->name, "its pool was terminated");
    else if (pool->broken)
        fy_endings_add_failure(endings, what->job, FERRY_EBROKEN, worker->name, "%s", pool->reason);
    else
        fy_endings_add_failure(endings, what->job, FERRY_EBROKEN, worker->name, "%s while it ran", how);
}

/* Newest first, so that they come back in their order. All are given back but the one that it was at. Returns whether
 * it has ever begun anything. Under the lock. */
static bool return_offers(fy_process_worker *worker, fy_endings *endings) {
    bool has_begun = worker->reaped != 0;
    while (worker->filled != worker->reaped) {
        uint64_t index = worker->filled - 1;
        fy_offer what = *fy_offer_at(worker, index);
        uint32_t state = atomic_load(&fy_cell_at(worker, index)->state);
        bool is_begun = state != FY_CELL_OFFERED && state != FY_CELL_RETRACTED;
        has_begun |= is_begun;
        worker->filled--;
        if (!what.job)
            continue;
        if (is_begun)
            end_running(worker, &what, endings);
        else
            fy_process_pool_return(worker->pool, what.job, what.retries);
    }
    return has_begun;
}

/* What its death means for the pool. Under the lock. */
static void judge(fy_process_worker *worker, bool has_begun) {
    fy_process_pool *pool = worker->pool;
    char how[128];
    describe_death(worker, how, sizeof how);
    if (pool->terminating || worker->stage == FY_WORKER_LEAVING || worker->is_sacrificed)
        return;
    if (!has_begun) {
        bool has_hello = fy_hello_is_complete(&worker->hello);
        /* Another one that is on its way says nothing: while some overlap there may always be one. */
        if (has_failed_to_start(pool, has_greeted_worker(pool)))
            fy_process_pool_break(pool, "%s did not start: %s before it %s", worker->name, how,
                                  has_hello ? "began anything"
                                            : "said hello (main must call ferry_worker_init first)");
    } else if (!worker->is_initialized) {
        fy_process_pool_break(pool, "the initializer failed in %s: %s", worker->name, how);
    } else if (pool->on_worker_death == FERRY_WORKER_DEATH_BREAK) {
        fy_process_pool_break(pool, "%s died: %s", worker->name, how);
    }
}

static bool is_gone(const fy_process_worker *worker) {
    return worker->has_exited && !worker->channel.in_flight[FY_IN];
}

static void free_worker(fy_process_worker *worker) {
    fy_backend *backend = worker->pool->backend;
    backend->class->detach(backend, &worker->process);
    backend->class->detach(backend, &worker->channel);
    fy_child_fini(&worker->child);
    for (int i = 0; i < FY_SEGMENTS; i++)
        fy_shared_close(&worker->segments[i]);
    fy_shared_close(&worker->memory);
    fy_free(worker);
}

static void bury(fy_process_worker **link, fy_endings *endings) {
    fy_process_worker *worker = *link;
    fy_process_pool *pool = worker->pool;
    while (fy_process_worker_collect(worker, endings))
        fy_endings_carry_out(endings);
    fy_mutex_lock(&pool->lock);
    *link = worker->next;
    pool->workers_alive--;
    pool->workers_retired++;
    judge(worker, return_offers(worker, endings));
    fy_mutex_unlock(&pool->lock);
    free_worker(worker);
    fy_endings_carry_out(endings);
}

void fy_process_workers_bury(fy_process_pool *pool, fy_endings *endings) {
    for (fy_process_worker **link = &pool->workers; *link;)
        if (is_gone(*link))
            bury(link, endings);
        else
            link = &(*link)->next;
}
