/* SPDX-License-Identifier: Apache-2.0 */
/* The thread pool's making and ending as an object, and how a job gets into its queue. */
#include "executor/threadpool.h"

#include <apr_errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "executor/lot.h"

enum { WORKERS_DEFAULT_MAX = 32, WORKERS_BEYOND_CPUS = 4, IDLE_TIMEOUT_DEFAULT_US = 10000000, WORKERS_LIMIT = 1 << 16 };

/* ---- making ---- */

void ferry_thread_pool_options_init(ferry_thread_pool_options *options) {
    if (options)
        *options = (ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS};
}

static ferry_status check_options(const ferry_thread_pool_options *options) {
    bool sane = options->size == sizeof *options && options->max_workers <= WORKERS_LIMIT &&
                options->idle_timeout_us >= 0 && options->queue_policy >= FERRY_QUEUE_REJECT &&
                options->queue_policy <= FERRY_QUEUE_WAIT;
    return sane ? 0 : APR_EINVAL;
}

/* Asked once: it reads files, and does not change in the life of most processes. */
static size_t usable_cpus(void) {
    static _Atomic unsigned known;
    unsigned cpus = atomic_load_explicit(&known, memory_order_relaxed);
    if (!cpus) {
        cpus = fy_cpu_usable();
        atomic_store_explicit(&known, cpus, memory_order_relaxed);
    }
    return cpus;
}

static size_t default_max_workers(void) {
    size_t workers = usable_cpus() + WORKERS_BEYOND_CPUS;
    return workers < WORKERS_DEFAULT_MAX ? workers : WORKERS_DEFAULT_MAX;
}

static void set_prefix(fy_pool *pool, const char *prefix) {
    static _Atomic unsigned pools_named;
    if (prefix)
        snprintf(pool->prefix, sizeof pool->prefix, "%s", prefix);
    else
        snprintf(pool->prefix, sizeof pool->prefix, "ferry-%u", atomic_fetch_add(&pools_named, 1));
}

static void set_options(fy_pool *pool, const ferry_thread_pool_options *options) {
    set_prefix(pool, options->thread_name_prefix);
    pool->max_workers = options->max_workers ? options->max_workers : default_max_workers();
    pool->initializer = options->initializer;
    pool->initializer_arg = options->initializer_arg;
    pool->max_queue = options->max_queue;
    pool->queue_policy = options->queue_policy;
    pool->idle_timeout_us = options->idle_timeout_us ? options->idle_timeout_us : IDLE_TIMEOUT_DEFAULT_US;
    pool->ticks_per_us = fy_clock_ticks_per_us();
    pool->us_per_tick_q32 = (UINT64_C(1) << 32) / pool->ticks_per_us;
    pool->cpus = fy_cpu_affinity();
}

static ferry_status init_locks(fy_pool *pool) {
    ferry_status status = fy_mutex_init(&pool->lock);
    if (status)
        return status;
    status = fy_cond_init(&pool->gone);
    if (status)
        goto fail_gone;
    status = fy_cond_init(&pool->space);
    if (status)
        goto fail_space;
    return 0;

fail_space:
    fy_cond_fini(&pool->gone);
fail_gone:
    fy_mutex_fini(&pool->lock);
    return status;
}

static void fini_locks(fy_pool *pool) {
    fy_cond_fini(&pool->space);
    fy_cond_fini(&pool->gone);
    fy_mutex_fini(&pool->lock);
}

static void flush_stage(fy_turn_hook *hook);

ferry_status ferry_thread_pool_create(const ferry_thread_pool_options *options, ferry_executor **ret_executor) {
    ferry_thread_pool_options defaults = {FERRY_THREAD_POOL_OPTIONS};
    if (!options)
        options = &defaults;
    if (!ret_executor || check_options(options))
        return APR_EINVAL;
    fy_pool *pool = fy_calloc(sizeof *pool);
    if (!pool)
        return APR_ENOMEM;
    ferry_status status = fy_executor_init(&pool->base, &fy_thread_pool_ops);
    if (status)
        goto fail_base;
    status = init_locks(pool);
    if (status)
        goto fail_base;
    pool->exit_link.class = &fy_pool_exit_class;
    status = fy_exit_register(&pool->exit_link);
    if (status)
        goto fail_register;
    set_options(pool, options);
    fy_queue_init(&pool->queue);
    pool->stage_hook.run = flush_stage;
    atomic_init(&pool->holders, 1);
    atomic_init(&pool->hungry, true);
    atomic_init(&pool->accepting, true);
    *ret_executor = &pool->base;
    return 0;

fail_register:
    fini_locks(pool);
fail_base:
    fy_free(pool);
    return status;
}

ferry_status fy_pool_create_default(ferry_executor **ret_executor) {
    ferry_status status = ferry_thread_pool_create(NULL, ret_executor);
    if (!status)
        fy_pool_of(*ret_executor)->shares_threads = true;
    return status;
}

/* ---- ending as an object ---- */

static void free_workers(fy_worker *worker) {
    while (worker) {
        fy_worker *next = worker->next;
        fy_parker_fini(&worker->parker);
        fy_free(worker);
        worker = next;
    }
}

void fy_pool_release(fy_pool *pool) {
    if (atomic_fetch_sub_explicit(&pool->holders, 1, memory_order_acq_rel) != 1)
        return;
    /* In a child made by fork some lock may be one that a thread of the parent's has held. */
    if (fy_is_fork_generation(pool->base.fork_generation)) {
        fy_exit_unregister(&pool->exit_link);
        fy_executor_settle_cancels();
        fini_locks(pool);
    }
    free_workers(pool->spare);
    fy_queue_fini(&pool->queue);
    fy_free(pool);
}

/* The users' last reference: what is queued is done, then the workers end, and with them the pool. */
static void destroy(ferry_executor *executor) {
    fy_pool *pool = fy_pool_of(executor);
    if (!fy_executor_check(executor))
        fy_pool_close(pool, false);
    fy_pool_release(pool);
}

/* ---- submitting ---- */

FY_NOINLINE static void flush(fy_pool *pool) {
    fy_mutex_lock(&pool->lock);
    fy_pool_move_stage(pool);
    fy_wake wake = fy_pool_choose_wake(pool);
    fy_mutex_unlock(&pool->lock);
    (void)fy_pool_wake(pool, wake); /* if there is no worker at all, the jobs end with that status */
}

static void flush_stage(fy_turn_hook *hook) {
    fy_pool *pool = FY_CONTAINER(hook, fy_pool, stage_hook);
    flush(pool);
    fy_pool_release(pool);
}

/* In a turn nothing more is to be done, for its end will flush the stage. */
FY_NOINLINE static void flush_at_turn_end(fy_pool *pool, ferry_loop *loop) {
    fy_pool_hold(pool);
    fy_loop_at_turn_end(loop, &pool->stage_hook);
}

/* The quick way of a loop that submits while all workers are busy: no lock. */
static bool try_stage(fy_pool *pool, ferry_job *job, ferry_loop *loop) {
    if (atomic_load_explicit(&pool->stage_loop, memory_order_relaxed) != loop ||
        atomic_load_explicit(&pool->hungry, memory_order_relaxed) ||
        !atomic_load_explicit(&pool->stage_open, memory_order_relaxed) ||
        !fy_pool_accepts(pool) || fy_job_priority(job))
        return false;
    uint32_t tail = atomic_load_explicit(&pool->stage_tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&pool->stage_head, memory_order_acquire);
    if (tail - head == FY_STAGE)
        return false;
    if (tail == head)
        pool->stage_ticks = fy_clock_ticks();
    job->submitted_ticks = pool->stage_ticks;
    pool->stage[tail % FY_STAGE] = job;
    if (loop->in_turn) {
        atomic_store_explicit(&pool->stage_tail, tail + 1, memory_order_release);
        if (FY_UNLIKELY(!pool->stage_hook.linked))
            flush_at_turn_end(pool, loop);
    } else {
        /* Either a worker that is about to sleep sees the job, or this thread sees that it is needed: both first write,
         * then look, in the one order of all such steps. */
        atomic_store(&pool->stage_tail, tail + 1);
        if (atomic_load(&pool->hungry))
            flush(pool);
    }
    return true;
}

/* Waits for room in a bounded queue, or says why not. Under the lock. */
static ferry_status wait_for_space(fy_pool *pool, bool may_block) {
    ferry_status status = 0;
    fy_worker_view *worker = fy_frame_worker_view();
    may_block = may_block && pool->queue_policy == FERRY_QUEUE_WAIT && !fy_thread_must_not_block() &&
                !(worker && worker->executor == &pool->base);
    atomic_fetch_add(&pool->space_waiters, 1);
    while (!status && fy_pool_queued(pool) >= pool->max_queue) {
        if (!may_block)
            status = FERRY_EFULL;
        else
            fy_cond_wait(&pool->space, &pool->lock);
        if (pool->closed || pool->broken)
            status = pool->broken ? FERRY_EBROKEN : FERRY_ESHUTDOWN;
    }
    atomic_fetch_sub(&pool->space_waiters, 1);
    return status;
}

/* The stage's room is kept whoever submits. Under the lock. */
static ferry_status make_room(fy_pool *pool, ferry_job *job) {
    fy_pool_move_stage(pool);
    return fy_queue_reserve(&pool->queue, fy_job_priority(job), FY_STAGE + 1);
}

/* Whether a job can be put in now. Under the lock. */
static ferry_status admit(fy_pool *pool, ferry_job *job, ferry_loop *loop) {
    if (pool->broken)
        return FERRY_EBROKEN;
    if (pool->closed || fy_process_is_exiting())
        return FERRY_ESHUTDOWN;
    ferry_status status = pool->max_queue ? wait_for_space(pool, !loop) : 0;
    return status ? status : make_room(pool, job);
}

/* With no worker at all the job depends on one that can be started: that comes first, so that it can be refused. The
 * lock is given up meanwhile. */
static ferry_status start_first_worker(fy_pool *pool, fy_wake *ret_wake) {
    pool->searching = true;
    pool->workers_alive++;
    pool->threads_alive++;
    fy_mutex_unlock(&pool->lock);
    ferry_status status = fy_pool_start_worker(pool, ret_wake);
    fy_mutex_lock(&pool->lock);
    return status;
}

/* What was found before the lock was given up need not be so any more. Only a worker that was started for this job, and
 * has broken the pool since, does not undo it: the job was accepted then, and fails. Under the lock. */
static ferry_status admit_to_worker(fy_pool *pool, ferry_job *job, ferry_loop *loop, fy_wake *ret_wake) {
    ferry_status status = admit(pool, job, loop);
    while (!status && !pool->workers_alive && !pool->broken) {
        status = start_first_worker(pool, ret_wake);
        if (!status)
            status = pool->broken && !pool->closed ? make_room(pool, job) : admit(pool, job, loop);
    }
    return status;
}

static void claim_stage(fy_pool *pool, ferry_loop *loop) {
    if (!loop || pool->max_queue)
        return;
    ferry_loop *nobody = NULL;
    atomic_compare_exchange_strong_explicit(&pool->stage_loop, &nobody, loop, memory_order_relaxed,
                                            memory_order_relaxed);
    if (!atomic_load_explicit(&pool->stage_open, memory_order_relaxed))
        fy_pool_reserve_stage(pool);
}

/* Through the lock. Keeps its registers off the quick way. */
FY_NOINLINE static ferry_status submit_now(fy_pool *pool, ferry_job *job, ferry_loop *loop) {
    job->submitted_ticks = fy_clock_ticks();
    fy_wake wake = {.start = false};
    fy_mutex_lock(&pool->lock);
    ferry_status status = admit_to_worker(pool, job, loop, &wake);
    bool broken = pool->broken;
    if (!status)
        fy_queue_put(&pool->queue, fy_job_priority(job), &job, 1);
    if (!status && !broken) {
        claim_stage(pool, loop);
        if (!wake.held)
            wake = fy_pool_choose_wake(pool);
    }
    fy_mutex_unlock(&pool->lock);
    if (!status && broken)
        fy_pool_fail_broken(pool);
    (void)fy_pool_wake(pool, wake); /* other workers have it if a new one cannot come */
    return status;
}

static ferry_status submit(ferry_executor *executor, ferry_job *job, ferry_loop *loop) {
    fy_pool *pool = fy_pool_of(executor);
    return FY_LIKELY(loop && try_stage(pool, job, loop)) ? 0 : submit_now(pool, job, loop);
}

/* ---- being waited for ---- */

static void note_cancelled(ferry_executor *executor) {
    fy_pool *pool = fy_pool_of(executor);
    atomic_fetch_add_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
    if (pool->max_queue)
        fy_pool_note_space(pool);
}

/* Whether all workers there may be are waiting for jobs, so that none will take another one. */
static bool is_blocked(fy_pool *pool) {
    fy_mutex_lock(&pool->lock);
    bool blocked = pool->workers_alive == pool->max_workers &&
                   atomic_load_explicit(&pool->workers_waiting, memory_order_relaxed) >= pool->workers_alive;
    fy_mutex_unlock(&pool->lock);
    return blocked;
}

/* The job's place in the queue stays, and is skipped. A worker of this pool may always run what it waits for. */
static bool claim_elsewhere(ferry_executor *executor, ferry_job *job, bool to_run) {
    fy_pool *pool = fy_pool_of(executor);
    fy_worker_view *worker = fy_frame_worker_view();
    bool is_own = worker && worker->executor == executor;
    if ((to_run && !is_own && !is_blocked(pool)) || !fy_job_try_claim(job))
        return false;
    atomic_fetch_add_explicit(&pool->gone_helped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(to_run ? &pool->retired.done : &pool->retired.cancelled, 1, memory_order_relaxed);
    if (pool->max_queue)
        fy_pool_note_space(pool);
    return true;
}

static void note_waiting(ferry_executor *executor, int change) {
    atomic_fetch_add_explicit(&fy_pool_of(executor)->workers_waiting, (size_t)change, memory_order_relaxed);
}

const fy_executor_ops fy_thread_pool_ops = {
    .name = "thread pool",
    .submit = submit,
    .note_cancelled = note_cancelled,
    .shutdown = fy_pool_shutdown,
    .claim_elsewhere = claim_elsewhere,
    .note_waiting = note_waiting,
    .check_default = fy_pool_check_default,
    .end_default = fy_pool_end_default,
    .stats = fy_pool_stats,
    .describe = fy_pool_describe,
    .cancel_running = fy_pool_cancel_running,
    .destroy = destroy,
};
