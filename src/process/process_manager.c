/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's one thread. It goes round: collects answers, hands out what waits, sees to time limits, cancels and
 * workers that are due to start or to end, and then waits at its backend, for whose sake it has a deadline: the
 * earliest time at which something would be due. While workers have jobs it looks on for a moment before it sleeps, so
 * that a quick answer costs no system call on either side. */
#include <apr_errno.h>

#include "process/process_pool.h"

enum { TURNS_BETWEEN_LOOKS = 16, SPINS_BETWEEN_CLOCKS = 32, PATIENCE_US = 10000000, LARGE_KEPT_US = 1000000 };

/* ---- being told ---- */

void fy_manager_wake(fy_process_pool *pool) {
    atomic_store_explicit(&pool->has_news, true, memory_order_relaxed);
    if (!pool->manager_sleeps)
        return;
    pool->manager_sleeps = false;
    pool->backend->class->wake(pool->backend);
}

/* ---- what is due; under the lock ---- */

static bool must_end(const ferry_job *job, int64_t now_us) {
    return (fy_job_load_state(job) & FY_JOB_CANCEL_REQUESTED) ||
           (job->extra && job->extra->deadline_us && now_us >= job->extra->deadline_us);
}

static bool is_unwanted(const ferry_job *job) {
    return fy_job_load_state(job) & FY_JOB_UNWANTED;
}

static void end_unbegun(fy_process_pool *pool, ferry_job *job, fy_endings *endings) {
    bool is_late = fy_job_is_late(job);
    pool->cancelled++;
    fy_endings_add_failure(endings, job, is_late ? FERRY_ETIMEDOUT : FERRY_ECANCELED, NULL,
                           is_late ? FY_JOB_LATE : "it was cancelled before it began");
}

static void sacrifice(fy_process_worker *worker) {
    worker->is_sacrificed = true;
    fy_process_worker_kill(worker);
}

/* Its job costs the worker, and no other job: what stands behind it is taken back first. If it could begin one of these
 * just before, it is done with this one, and will be collected; a worker that is at an earlier one still, whatever it
 * says of this one, is not. */
static void kill_for(fy_process_worker *worker, uint64_t index) {
    fy_offers_take_back(worker, index);
    for (uint64_t i = worker->reaped; i <= index; i++) {
        uint32_t state = atomic_load(&fy_cell_at(worker, i)->state);
        if (state != FY_CELL_DONE && state != FY_CELL_PASSED) {
            sacrifice(worker);
            return;
        }
    }
}

/* Jobs that were cancelled, or are late: one that is not begun is taken back, one that runs costs its worker. */
static void enforce(fy_process_worker *worker, int64_t now_us, fy_endings *endings) {
    int64_t next_us = FERRY_FOREVER;
    for (uint64_t index = worker->reaped; index < worker->filled && !fy_endings_are_full(endings); index++) {
        ferry_job *job = fy_offer_at(worker, index)->job;
        if (!job)
            continue;
        bool must = must_end(job, now_us);
        if ((must || is_unwanted(job)) && fy_offer_retract(worker, index))
            end_unbegun(worker->pool, job, endings);
        else if (must)
            kill_for(worker, index);
        else if (job->extra && job->extra->deadline_us && job->extra->deadline_us < next_us)
            next_us = job->extra->deadline_us;
    }
    worker->deadline_us = fy_endings_are_full(endings) ? 0 : next_us;
}

/* Those that were taken back and wait to be handed out again; the others keep their order. */
static void enforce_returned(fy_process_pool *pool, int64_t now_us, fy_endings *endings) {
    for (size_t left = pool->returned_count; left; left--) {
        fy_returned next = fy_process_pool_take_returned(pool);
        if ((must_end(next.job, now_us) || is_unwanted(next.job)) && !fy_endings_are_full(endings))
            end_unbegun(pool, next.job, endings);
        else
            fy_process_pool_append_returned(pool, next);
    }
}

static bool may_stall(const fy_process_worker *worker) {
    return worker->stage == FY_WORKER_READY && worker->jobs > 1 && !worker->is_stalled;
}

/* Its job takes longer than was expected: what stands behind it goes elsewhere. */
static void see_to_busy(fy_process_worker *worker) {
    if (!may_stall(worker) || fy_process_worker_busy_us(worker) < FY_WORKER_STALL_US)
        return;
    worker->is_stalled = true;
    fy_offers_take_back(worker, worker->reaped);
}

static bool has_work(const fy_process_pool *pool) {
    return pool->returned_count || !fy_queue_is_empty(&pool->queue);
}

static bool has_no_jobs(const fy_process_worker *worker) {
    return worker->stage == FY_WORKER_READY && worker->is_initialized && !worker->jobs;
}

static bool is_idle(const fy_process_worker *worker) {
    return has_no_jobs(worker) && worker->filled == worker->reaped;
}

/* When a worker without jobs must have done what it still has to do, or nobody knows what it does: see that an offer
 * was taken back, or that it shall leave; then it may take its time for leaving. */
static int64_t patience_ends_us(const fy_process_worker *worker) {
    bool is_behind = has_no_jobs(worker) && worker->filled != worker->reaped;
    bool is_awaited = is_behind || worker->stage == FY_WORKER_LEAVING;
    return is_awaited ? fy_time_after(worker->idle_since_us, PATIENCE_US) : FERRY_FOREVER;
}

/* An idle worker that has done its share, or that nobody needs. */
static void see_to_idle(fy_process_worker *worker, int64_t now_us) {
    fy_process_pool *pool = worker->pool;
    if (!is_idle(worker))
        return;
    if (fy_time_after(worker->idle_since_us, LARGE_KEPT_US) <= now_us)
        fy_segments_give_back(worker);
    bool is_spent = worker->given >= pool->max_tasks_per_child;
    bool is_old = fy_time_after(worker->idle_since_us, pool->idle_timeout_us) <= now_us;
    if (is_spent || ((pool->closed || is_old) && !has_work(pool)))
        fy_offer_quit(worker);
}

static void see_to_worker(fy_process_worker *worker, int64_t now_us, fy_endings *endings) {
    fy_process_pool *pool = worker->pool;
    if (worker->has_exited)
        return;
    if (worker->stage == FY_WORKER_STARTING && now_us - worker->started_us >= pool->start_timeout_us) {
        fy_process_pool_break(pool, "%s did not say hello in time: main must call ferry_worker_init first",
                              worker->name);
        return;
    }
    if (patience_ends_us(worker) <= now_us)
        sacrifice(worker);
    if (worker->kill_at_us <= now_us)
        fy_process_worker_kill(worker);
    if (worker->stage != FY_WORKER_KILLED && (pool->wants_kills || worker->deadline_us <= now_us))
        enforce(worker, now_us, endings);
    see_to_busy(worker);
    see_to_idle(worker, now_us);
}

static void see_to_all(fy_process_pool *pool, fy_endings *endings) {
    int64_t now_us = fy_clock_now();
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        see_to_worker(worker, now_us, endings);
    enforce_returned(pool, now_us, endings);
    if (!fy_endings_are_full(endings))
        pool->wants_kills = false;
}

static int64_t due_us(const fy_process_worker *worker) {
    const fy_process_pool *pool = worker->pool;
    int64_t due = worker->kill_at_us < worker->deadline_us ? worker->kill_at_us : worker->deadline_us;
    int64_t other;
    if (worker->stage == FY_WORKER_KILLED)
        return FERRY_FOREVER;
    if (worker->stage == FY_WORKER_STARTING)
        other = fy_time_after(worker->started_us, pool->start_timeout_us);
    else if (may_stall(worker))
        other = fy_clock_now() + FY_WORKER_STALL_US - (int64_t)fy_process_worker_busy_us(worker);
    else if (is_idle(worker))
        other = fy_segments_are_large(worker) ? fy_time_after(worker->idle_since_us, LARGE_KEPT_US)
                                              : FERRY_FOREVER; /* see idle_check_us */
    else
        other = patience_ends_us(worker);
    return due < other ? due : other;
}

/* When an idle worker may have grown old: asked anew only when that time has come, so that the deadline, which costs a
 * system call when it changes, stays as it is while workers come and go between work and rest. */
static int64_t idle_check_us(fy_process_pool *pool, int64_t now_us) {
    if (pool->idle_timeout_us == FERRY_FOREVER)
        return FERRY_FOREVER;
    if (pool->idle_check_us > now_us)
        return pool->idle_check_us;
    pool->idle_check_us = FERRY_FOREVER;
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next) {
        int64_t since_us = is_idle(worker) ? worker->idle_since_us : now_us;
        int64_t old_us = fy_time_after(since_us, pool->idle_timeout_us);
        if (worker->stage == FY_WORKER_READY && old_us < pool->idle_check_us)
            pool->idle_check_us = old_us;
    }
    return pool->idle_check_us;
}

static int64_t earliest_due_us(fy_process_pool *pool) {
    int64_t earliest = idle_check_us(pool, fy_clock_now());
    if (pool->start_again_us && pool->start_again_us < earliest)
        earliest = pool->start_again_us;
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (!worker->has_exited && due_us(worker) < earliest)
            earliest = due_us(worker);
    for (size_t i = 0; i < pool->returned_count; i++) {
        const ferry_job *job = pool->returned[(pool->returned_first + i) % pool->returned_room].job;
        if (job->extra && job->extra->deadline_us && job->extra->deadline_us < earliest)
            earliest = job->extra->deadline_us;
    }
    return earliest;
}

/* More jobs wait than there are workers on their way. */
static bool wants_worker(fy_process_pool *pool) {
    size_t coming = 0;
    if (pool->start_again_us && pool->start_again_us > fy_clock_now())
        return false;
    pool->start_again_us = 0;
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        coming += worker->stage <= FY_WORKER_READY && !worker->jobs;
    return !pool->broken && !pool->terminating && pool->workers_alive < pool->max_workers && has_work(pool) &&
           fy_process_pool_queued(pool) > coming;
}

/* ---- waiting ---- */

static bool has_answers(const fy_process_pool *pool) {
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (fy_process_worker_has_answered(worker))
            return true;
    return false;
}

static bool is_busy(const fy_process_pool *pool) {
    for (const fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        if (worker->reaped != atomic_load_explicit(&worker->filled, memory_order_relaxed))
            return true;
    return false;
}

/* Whether there was something to be seen before the time was up. */
static bool look_on(fy_process_pool *pool, fy_spin *spin) {
    uint32_t limit_us = pool->cpus > 1 && is_busy(pool) ? fy_spin_begin(spin) : 0;
    if (!limit_us)
        return false;
    uint64_t end = fy_clock_ticks() + limit_us * pool->ticks_per_us;
    bool seen = false;
    do {
        for (int i = 0; i < SPINS_BETWEEN_CLOCKS && !seen; i++) {
            fy_cpu_relax();
            seen = has_answers(pool) || atomic_load_explicit(&pool->has_news, memory_order_relaxed);
        }
    } while (!seen && (int64_t)(end - fy_clock_ticks()) > 0);
    fy_spin_end(spin, seen);
    return seen;
}

static void announce(fy_process_pool *pool, bool sleeps) {
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        atomic_store(&worker->arena->pool_sleeps, sleeps);
}

static void wait_at_backend(fy_process_pool *pool, int64_t deadline_us) {
    fy_list done = {NULL, NULL};
    pool->backend->class->wait(pool->backend, deadline_us, &done);
    for (fy_op *op; (op = fy_op_take(&done));)
        fy_process_worker_delivered(op);
}

/* Whoever has news after this calls wake, and whoever answers rings. */
static void sleep_until_due(fy_process_pool *pool) {
    announce(pool, true);
    fy_mutex_lock(&pool->lock);
    bool may_sleep = !atomic_load_explicit(&pool->has_news, memory_order_relaxed) && !has_answers(pool);
    int64_t deadline_us = may_sleep ? earliest_due_us(pool) : 0;
    pool->manager_sleeps = may_sleep;
    fy_mutex_unlock(&pool->lock);
    wait_at_backend(pool, deadline_us);
    fy_mutex_lock(&pool->lock);
    pool->manager_sleeps = false;
    fy_mutex_unlock(&pool->lock);
    announce(pool, false);
}

/* ---- going round ---- */

typedef struct turn {
    bool has_progressed;
    bool wants_worker;
    bool is_failed;
    bool is_over;
} turn;

static turn go_round(fy_process_pool *pool, fy_endings *endings) {
    turn now = {false, false, false, false};
    atomic_store_explicit(&pool->has_news, false, memory_order_relaxed);
    for (fy_process_worker *worker = pool->workers; worker; worker = worker->next)
        now.has_progressed |= fy_process_worker_collect(worker, endings);
    fy_mutex_lock(&pool->lock);
    if (!fy_endings_are_full(endings))
        fy_process_pool_dispatch(pool, endings);
    see_to_all(pool, endings);
    now.wants_worker = wants_worker(pool);
    now.is_failed = pool->broken || pool->terminating;
    now.has_progressed |= endings->count != 0;
    now.is_over = pool->closed && !pool->workers && (now.is_failed || !has_work(pool)) && !endings->count;
    fy_mutex_unlock(&pool->lock);
    fy_endings_carry_out(endings);
    return now;
}

static void manage(fy_process_pool *pool, fy_endings *endings) {
    fy_spin spin;
    fy_spin_init(&spin);
    for (unsigned turns = 0;;) {
        turn now = go_round(pool, endings);
        if (now.is_failed)
            fy_process_pool_fail_queued(pool);
        if (now.is_over)
            return;
        if (now.wants_worker)
            fy_process_worker_start(pool);
        if (now.has_progressed && ++turns % TURNS_BETWEEN_LOOKS)
            continue;
        int64_t slept_at_us = now.has_progressed ? 0 : fy_clock_now();
        if (!now.has_progressed && !now.wants_worker && !look_on(pool, &spin))
            sleep_until_due(pool);
        else
            wait_at_backend(pool, 0);
        if (slept_at_us)
            spin.last_gap_us = fy_clock_now() - slept_at_us;
        fy_process_workers_bury(pool, endings);
    }
}

static bool is_never_cancelled(fy_worker_view *view) {
    (void)view;
    return false;
}

/* Done callbacks run here: one that waited for a job of this pool, or called exit, would wait for itself. */
static void run(fy_drain *drain) {
    fy_process_pool *pool = FY_CONTAINER(drain, fy_process_pool, manager);
    fy_endings endings = {.count = 0};
    pool->manager_view = (fy_worker_view){.name = pool->prefix, .executor = &pool->base,
                                          .is_cancelled = is_never_cancelled, .must_not_block = true};
    fy_frame_set_worker_view(&pool->manager_view);
    manage(pool, &endings);
    fy_frame_set_worker_view(NULL);
}

static void is_gone(fy_drain *drain) {
    fy_process_pool *pool = FY_CONTAINER(drain, fy_process_pool, manager);
    fy_mutex_lock(&pool->lock);
    pool->manager_alive = false;
    fy_cond_broadcast(&pool->gone);
    fy_mutex_unlock(&pool->lock);
    fy_process_pool_release(pool);
}

/* Starting a thread may wait for others to end, and these for whatever lock: so this one is given up meanwhile. */
static ferry_status start(fy_process_pool *pool) {
    pool->manager = (fy_drain){.run = run, .gone = is_gone};
    pool->manager_is_starting = pool->manager_alive = true;
    fy_process_pool_hold(pool);
    fy_mutex_unlock(&pool->lock);
    ferry_status status = fy_host_start(&pool->manager);
    if (status)
        fy_process_pool_release(pool);
    fy_mutex_lock(&pool->lock);
    pool->manager_is_starting = false;
    if (status)
        pool->manager_alive = false;
    fy_cond_broadcast(&pool->gone);
    return status;
}

ferry_status fy_manager_ensure(fy_process_pool *pool) {
    while (pool->manager_is_starting)
        (void)fy_cond_wait_until(&pool->gone, &pool->lock, FERRY_FOREVER);
    return pool->manager_alive ? 0 : start(pool);
}
