/* SPDX-License-Identifier: Apache-2.0 */
/* The process pool's making and ending as an object, how a job gets in, and how jobs end. */
#include "process/process_pool.h"

#include <apr_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "executor/lot.h"
#include "process/worker_main.h"

enum {
    WORKERS_LIMIT = 4096,
    IDLE_TIMEOUT_DEFAULT_US = 60000000,
    START_TIMEOUT_DEFAULT_US = 20000000,
    INITIALIZER_ARG_MAX = 1 << 30
};

/* ---- making ---- */

void ferry_process_pool_options_init(ferry_process_pool_options *options) {
    if (options)
        *options = (ferry_process_pool_options){FERRY_PROCESS_POOL_OPTIONS};
}

static ferry_status check_options(const ferry_process_pool_options *options) {
    bool sane = options->size == sizeof *options && options->max_workers <= WORKERS_LIMIT &&
                options->idle_timeout_us >= 0 && options->start_timeout_us >= 0 &&
                options->on_worker_death >= FERRY_WORKER_DEATH_REPLACE &&
                options->on_worker_death <= FERRY_WORKER_DEATH_BREAK &&
                options->initializer_arg_size <= INITIALIZER_ARG_MAX &&
                !(options->initializer_arg_size && !options->initializer_arg);
    if (!sane)
        return APR_EINVAL;
    if (fy_is_started_as_worker() && !options->in_worker)
        return FERRY_ENOTSUP;
    return fy_portable_is_set() ? 0 : FERRY_EINVALIDSTATE;
}

static void set_prefix(fy_process_pool *pool, const char *prefix) {
    static _Atomic unsigned pools_named;
    if (prefix)
        snprintf(pool->prefix, sizeof pool->prefix, "%s", prefix);
    else
        snprintf(pool->prefix, sizeof pool->prefix, "ferry-process-%u", atomic_fetch_add(&pools_named, 1));
}

static ferry_status set_program(fy_process_pool *pool, const char *program) {
    if (!program)
        return fy_program_path(pool->program);
    if (strlen(program) >= sizeof pool->program)
        return APR_EINVAL;
    memcpy(pool->program, program, strlen(program) + 1);
    return 0;
}

static ferry_status set_initializer(fy_process_pool *pool, const ferry_process_pool_options *options) {
    pool->has_initializer = options->initializer != NULL;
    if (!options->initializer)
        return 0;
    if (!fy_portable_find(options->initializer, &pool->initializer))
        return FERRY_ENOTPORTABLE;
    pool->initializer_arg_size = options->initializer_arg_size;
    if (!options->initializer_arg_size)
        return 0;
    pool->initializer_arg = fy_malloc(options->initializer_arg_size);
    if (!pool->initializer_arg)
        return APR_ENOMEM;
    memcpy(pool->initializer_arg, options->initializer_arg, options->initializer_arg_size);
    return 0;
}

static ferry_status set_options(fy_process_pool *pool, const ferry_process_pool_options *options) {
    set_prefix(pool, options->worker_name_prefix);
    pool->max_workers = options->max_workers ? options->max_workers : fy_cpu_usable();
    pool->max_tasks_per_child = options->max_tasks_per_child ? options->max_tasks_per_child : UINT64_MAX;
    pool->idle_timeout_us = options->idle_timeout_us ? options->idle_timeout_us : IDLE_TIMEOUT_DEFAULT_US;
    pool->start_timeout_us = options->start_timeout_us ? options->start_timeout_us : START_TIMEOUT_DEFAULT_US;
    pool->on_worker_death = options->on_worker_death;
    pool->max_retries = options->max_retries;
    pool->ticks_per_us = fy_clock_ticks_per_us();
    pool->cpus = fy_cpu_affinity();
    pool->idle_check_us = FERRY_FOREVER;
    ferry_status status = set_program(pool, options->program);
    if (!status)
        status = fy_child_environment(FY_WORKER_VARIABLE "=1", &pool->environment);
    return status ? status : set_initializer(pool, options);
}

static ferry_status allocate(fy_process_pool *pool) {
    size_t functions = fy_portable_count();
    pool->returned_room = pool->max_workers * FY_CELLS;
    pool->returned = fy_malloc(pool->returned_room * sizeof *pool->returned);
    pool->costs_us = fy_malloc((functions + 1) * sizeof *pool->costs_us);
    if (!pool->returned || !pool->costs_us)
        return APR_ENOMEM;
    for (size_t i = 0; i < functions; i++)
        pool->costs_us[i] = FY_COST_UNKNOWN;
    return 0;
}

static void free_memory(fy_process_pool *pool) {
    fy_free(pool->environment);
    fy_free(pool->initializer_arg);
    fy_free(pool->returned);
    fy_free(pool->costs_us);
    fy_free(pool);
}

static ferry_status open_parts(fy_process_pool *pool) {
    ferry_status status = fy_mutex_init(&pool->lock);
    if (status)
        return status;
    status = fy_cond_init(&pool->gone);
    if (status)
        goto fail_gone;
    status = fy_backends[0]->open(&pool->backend);
    if (status)
        goto fail_backend;
    pool->exit_link.class = &fy_process_pool_exit_class;
    status = fy_exit_register(&pool->exit_link);
    if (status)
        goto fail_register;
    return 0;

fail_register:
    pool->backend->class->close(pool->backend);
fail_backend:
    fy_cond_fini(&pool->gone);
fail_gone:
    fy_mutex_fini(&pool->lock);
    return status;
}

ferry_status ferry_process_pool_create(const ferry_process_pool_options *options, ferry_executor **ret_executor) {
    ferry_process_pool_options defaults = {FERRY_PROCESS_POOL_OPTIONS};
    if (!options)
        options = &defaults;
    ferry_status status = ret_executor ? check_options(options) : APR_EINVAL;
    if (status)
        return status;
    fy_process_pool *pool = fy_calloc(sizeof *pool);
    if (!pool)
        return APR_ENOMEM;
    fy_queue_init(&pool->queue);
    atomic_init(&pool->holders, 1);
    status = fy_executor_init(&pool->base, &fy_process_pool_ops);
    if (!status)
        status = set_options(pool, options);
    if (!status)
        status = allocate(pool);
    if (!status)
        status = open_parts(pool);
    if (status) {
        free_memory(pool);
        return status;
    }
    *ret_executor = &pool->base;
    return 0;
}

/* ---- ending as an object ---- */

void fy_process_pool_hold(fy_process_pool *pool) {
    atomic_fetch_add_explicit(&pool->holders, 1, memory_order_relaxed);
}

void fy_process_pool_release(fy_process_pool *pool) {
    if (atomic_fetch_sub_explicit(&pool->holders, 1, memory_order_acq_rel) != 1)
        return;
    if (!fy_executor_check(&pool->base)) {
        fy_exit_unregister(&pool->exit_link);
        fy_executor_settle_cancels();
    }
    pool->backend->class->close(pool->backend);
    fy_queue_fini(&pool->queue);
    fy_cond_fini(&pool->gone);
    fy_mutex_fini(&pool->lock);
    free_memory(pool);
}

/* In a child made by fork there is no manager; its memory, and what the manager held, stay. */
static void destroy(ferry_executor *executor) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    if (!fy_executor_check(executor))
        fy_process_pool_close(pool, false);
    fy_process_pool_release(pool);
}

/* ---- endings ---- */

void fy_endings_add_failure(fy_endings *endings, ferry_job *job, ferry_status status, const char *worker,
                            const char *format, ...) {
    va_list args;
    va_start(args, format);
    fy_error *error = fy_error_create_formatted(worker, format, args);
    va_end(args);
    fy_outcome_set_error(fy_job_outcome(job), status, error);
    fy_endings_add(endings, job, status, false);
}

void fy_endings_carry_out(fy_endings *endings) {
    for (size_t i = 0; i < endings->count; i++) {
        fy_ending ending = endings->entries[i];
        bool is_async = fy_job_is_async(ending.job);
        if (ending.is_stale) {
            ferry_job_drop(ending.job);
        } else {
            fy_job_end_remote(ending.job);
            fy_job_finish_claimed(ending.job, ending.status);
            if (!is_async)
                ferry_job_unref(ending.job);
        }
    }
    endings->count = 0;
}

/* ---- submitting ---- */

size_t fy_process_pool_queued(const fy_process_pool *pool) {
    int64_t gone = atomic_load_explicit(&pool->gone_cancelled, memory_order_relaxed);
    size_t count = fy_queue_count(&pool->queue) + pool->returned_count;
    return gone > 0 && (size_t)gone <= count ? count - (size_t)gone : count;
}

static ferry_status check_open(const fy_process_pool *pool) {
    if (pool->broken)
        return FERRY_EBROKEN;
    return pool->closed || fy_process_is_exiting() ? FERRY_ESHUTDOWN : 0;
}

/* Much may have happened while the manager was started. */
static ferry_status admit(fy_process_pool *pool, const ferry_job *job) {
    ferry_status status = check_open(pool);
    if (!status && (!pool->manager_alive || pool->manager_is_starting)) {
        status = fy_manager_ensure(pool);
        if (!status)
            status = check_open(pool);
    }
    return status ? status : fy_queue_reserve(&pool->queue, fy_job_priority(job), 1);
}

/* The manager must know of a time limit; and of jobs for which a worker could be started. */
static bool concerns_manager(const fy_process_pool *pool, bool has_deadline) {
    return has_deadline || (pool->workers_alive < pool->max_workers && fy_process_pool_queued(pool));
}

static bool is_portable(const ferry_job *job) {
    uint32_t number;
    bool is_copied = !job->arg || (job->extra && job->extra->arg_size);
    return is_copied && fy_portable_find(job->function, &number);
}

static ferry_status submit(ferry_executor *executor, ferry_job *job, ferry_loop *loop) {
    (void)loop;
    if (!is_portable(job))
        return FERRY_ENOTPORTABLE;
    fy_process_pool *pool = fy_process_pool_of(executor);
    bool has_deadline = job->extra && job->extra->deadline_us;
    job->submitted_ticks = fy_clock_ticks();
    atomic_fetch_or_explicit(&job->state, FY_JOB_REMOTE, memory_order_relaxed);
    fy_mutex_lock(&pool->lock);
    ferry_status status = admit(pool, job);
    if (!status) {
        fy_queue_put(&pool->queue, fy_job_priority(job), &job, 1);
        fy_process_pool_dispatch(pool, NULL);
        if (concerns_manager(pool, has_deadline))
            fy_manager_wake(pool);
    }
    fy_mutex_unlock(&pool->lock);
    return status;
}

/* ---- being cancelled ---- */

static void note_cancelled(ferry_executor *executor) {
    atomic_fetch_add_explicit(&fy_process_pool_of(executor)->gone_cancelled, 1, memory_order_relaxed);
}

static void note_stop_wanted(ferry_executor *executor) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    fy_mutex_lock(&pool->lock);
    pool->wants_kills = true;
    fy_manager_wake(pool);
    fy_mutex_unlock(&pool->lock);
}

/* No thread of this process runs it; but one whose time is up may be ended at once. */
static bool claim_elsewhere(ferry_executor *executor, ferry_job *job, bool to_run) {
    fy_process_pool *pool = fy_process_pool_of(executor);
    if (to_run || !fy_job_try_claim(job))
        return false;
    fy_job_end_remote(job);
    fy_mutex_lock(&pool->lock);
    pool->cancelled++;
    fy_mutex_unlock(&pool->lock);
    atomic_fetch_add_explicit(&pool->gone_cancelled, 1, memory_order_relaxed);
    return true;
}

const fy_executor_ops fy_process_pool_ops = {
    .name = "process pool",
    .runs_elsewhere = true,
    .submit = submit,
    .note_cancelled = note_cancelled,
    .note_stop_wanted = note_stop_wanted,
    .claim_elsewhere = claim_elsewhere,
    .shutdown = fy_process_pool_shutdown,
    .stats = fy_process_pool_stats,
    .describe = fy_process_pool_describe,
    .cancel_running = fy_process_pool_cancel_running,
    .destroy = destroy,
};
