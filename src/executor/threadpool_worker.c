/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does: take a job, run it, and when there is none look for a moment, sleep, and in the end retire. */
#include "base/alloc.h"
#include "base/bits.h"
#include "executor/lot.h"
#include "executor/threadpool.h"

enum { SPIN_LOOKS = 64 };

/* ---- counting; each counter has one writer ---- */

static void add_one(_Atomic uint64_t *counter) {
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

/* A division costs more than all the rest of counting a job; where the product fits, it does as well. */
static uint64_t ticks_to_us(const fy_pool *pool, uint64_t ticks) {
    return FY_LIKELY(!(ticks >> 32)) ? ticks * pool->us_per_tick_q32 >> 32 : ticks / pool->ticks_per_us;
}

static void add_to_histogram(const fy_pool *pool, _Atomic uint64_t *buckets, uint64_t from, uint64_t to) {
    int64_t ticks = (int64_t)(to - from);
    unsigned bucket = ticks > 0 ? fy_bit_length(ticks_to_us(pool, (uint64_t)ticks)) : 0;
    add_one(&buckets[bucket < FERRY_HISTOGRAM_BUCKETS ? bucket : FERRY_HISTOGRAM_BUCKETS - 1]);
}

/* ---- running ---- */

static bool is_asked_to_stop(fy_worker_view *view) {
    const fy_worker *worker = FY_CONTAINER(view, fy_worker, view);
    return atomic_load_explicit(&worker->cancel_sequence, memory_order_relaxed) ==
           atomic_load_explicit(&worker->sequence, memory_order_relaxed);
}

static void begin(fy_worker *worker, const ferry_job *job) {
    add_to_histogram(worker->pool, worker->queue_wait, job->submitted_ticks, worker->ticks);
    add_one(&worker->sequence);
    atomic_store_explicit(&worker->running_since, worker->ticks, memory_order_relaxed);
    atomic_store_explicit(&worker->running, fy_job_label(job), memory_order_relaxed);
}

static void end(fy_worker *worker, bool succeeded) {
    uint64_t began = worker->ticks;
    worker->ticks = fy_clock_ticks();
    add_to_histogram(worker->pool, worker->run_time, began, worker->ticks);
    atomic_store_explicit(&worker->running, NULL, memory_order_relaxed);
    if (!succeeded)
        add_one(&worker->failed);
    add_one(&worker->done);
}

/* The counts are right before anyone can know that the job has ended, and the worker counts as free: whoever then
 * submits another job at once gets this worker, not a new one. */
static void run_claimed(fy_worker *worker, ferry_job *job) {
    bool async = fy_job_is_async(job);
    begin(worker, job);
    ferry_status status = fy_job_call_function(job);
    if (!async)
        fy_job_release_arg(job);
    end(worker, status == 0);
    atomic_store_explicit(&worker->is_between, true, memory_order_relaxed);
    fy_job_finish_claimed(job, status);
    if (!async)
        ferry_job_unref(job);
}

/* A done callback may take long: it is not "at once" any more. */
static void will_call_back(fy_worker_view *view) {
    fy_worker *worker = FY_CONTAINER(view, fy_worker, view);
    fy_pool *pool = worker->pool;
    if (!atomic_load_explicit(&worker->is_between, memory_order_relaxed))
        return;
    fy_mutex_lock(&pool->lock);
    atomic_store_explicit(&worker->is_between, false, memory_order_relaxed);
    fy_wake wake = fy_pool_choose_wake(pool);
    fy_mutex_unlock(&pool->lock);
    (void)fy_pool_wake(pool, wake);
}

static void run(fy_worker *worker, ferry_job *job) {
    worker->turn++;
    if (FY_UNLIKELY(!fy_job_try_claim(job))) {
        fy_pool_drop_stale(worker->pool, job, worker);
    } else if (FY_UNLIKELY(fy_job_is_late(job))) {
        bool async = fy_job_is_async(job);
        add_one(&worker->cancelled);
        fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
        if (!async)
            ferry_job_unref(job);
    } else {
        run_claimed(worker, job);
    }
}

/* ---- looking for work ---- */

/* The searcher has found a job: the next one may be woken now. */
static void end_search(fy_worker *worker) {
    fy_pool *pool = worker->pool;
    worker->is_searching = false;
    fy_mutex_lock(&pool->lock);
    pool->searching = false;
    fy_wake wake = fy_pool_choose_wake(pool);
    fy_mutex_unlock(&pool->lock);
    (void)fy_pool_wake(pool, wake); /* nobody is refused: this worker goes on with what is queued */
}

static bool has_work(const fy_pool *pool) {
    return !fy_queue_is_empty(&pool->queue) || atomic_load_explicit(&pool->stage_head, memory_order_relaxed) !=
                                                   atomic_load_explicit(&pool->stage_tail, memory_order_relaxed);
}

static bool has_reason_to_look(const fy_pool *pool) {
    return has_work(pool) || !atomic_load_explicit(&pool->accepting, memory_order_relaxed);
}

/* It gives way now and then, for the kernel may have put whoever brings work behind this thread. */
static void spin(fy_worker *worker, uint32_t limit_us) {
    const fy_pool *pool = worker->pool;
    uint64_t began = fy_clock_ticks();
    do {
        for (int i = 0; i < SPIN_LOOKS && !has_reason_to_look(pool); i++)
            fy_cpu_relax();
        fy_thread_yield();
    } while (!has_reason_to_look(pool) && fy_clock_ticks() - began < limit_us * pool->ticks_per_us);
    fy_spin_end(&worker->spin, has_work(pool));
}

/* How long to spin now; 0: not at all. Under the lock. */
static uint32_t spin_limit(fy_worker *worker) {
    const fy_pool *pool = worker->pool;
    /* Spinning pays only on a processor that nobody else needs: the other workers, and the one who submits. */
    bool has_cpu = pool->workers_alive - pool->idle_count < pool->cpus;
    return has_cpu && !pool->searching && !pool->closed ? fy_spin_begin(&worker->spin) : 0;
}

/* Takes the worker off the books; its thread ends soon. Under the lock. */
static void retire(fy_worker *worker) {
    fy_pool *pool = worker->pool;
    fy_pool_unlink_worker(pool, worker);
    fy_pool_add_retired(pool, worker);
    pool->workers_alive--;
    pool->workers_retired++;
    fy_pool_publish(pool);
}

/* Sleeps until woken or for the idle timeout. Under the lock, which it gives up meanwhile. false: the time is up. */
static bool sleep_idle(fy_worker *worker) {
    fy_pool *pool = worker->pool;
    worker->given_search = false;
    worker->is_idle = true;
    worker->next_idle = pool->idle;
    pool->idle = worker;
    pool->idle_count++;
    if (pool->idle_count == pool->workers_alive) {
        fy_queue_trim(&pool->queue);
        fy_pool_reserve_stage(pool);
    }
    fy_pool_publish(pool);
    int64_t deadline_us = fy_deadline_after(pool->idle_timeout_us);
    bool in_time = true;
    /* Who stages a job now sees that this worker is idle, or the job was staged before and is seen here. */
    if (atomic_load(&pool->stage_tail) != atomic_load_explicit(&pool->stage_head, memory_order_relaxed)) {
        fy_pool_unlink_idle(pool, worker);
        fy_pool_publish(pool);
        return true;
    }
    while (worker->is_idle && in_time) {
        fy_mutex_unlock(&pool->lock);
        in_time = fy_park(&worker->parker, deadline_us) || fy_clock_left(deadline_us) > 0;
        fy_mutex_lock(&pool->lock);
    }
    if (worker->is_idle)
        fy_pool_unlink_idle(pool, worker);
    else
        in_time = true;
    worker->is_searching = worker->given_search;
    return in_time;
}

/* Under the lock: the next job, or NULL if there is none now. */
static ferry_job *take_under_lock(fy_worker *worker) {
    fy_pool_move_stage(worker->pool);
    return fy_queue_take(&worker->pool->queue, worker->turn, false);
}

/* Blocks until there is a job; NULL: this worker has retired. */
static ferry_job *find_job(fy_worker *worker) {
    fy_pool *pool = worker->pool;
    bool has_spun = false;
    bool in_time = true;
    ferry_job *job;
    fy_mutex_lock(&pool->lock);
    atomic_store_explicit(&worker->is_between, false, memory_order_relaxed);
    while (!(job = take_under_lock(worker))) {
        if (worker->is_searching)
            pool->searching = worker->is_searching = false;
        if (pool->closed || pool->broken || !in_time) {
            retire(worker);
            break;
        }
        uint32_t limit_us = has_spun ? 0 : spin_limit(worker);
        if (limit_us) {
            pool->searching = worker->is_searching = has_spun = true;
            fy_pool_publish(pool);
            fy_mutex_unlock(&pool->lock);
            spin(worker, limit_us);
            fy_mutex_lock(&pool->lock);
        } else {
            in_time = sleep_idle(worker);
        }
    }
    fy_mutex_unlock(&pool->lock);
    return job;
}

/* The quick way, without the lock. The worker counts as free until it takes a job, and not a moment longer: whoever
 * sees the queue shorter sees that it is not. */
static ferry_job *take_queued(fy_worker *worker) {
    fy_queue *queue = &worker->pool->queue;
    if (fy_queue_is_empty(queue))
        return NULL;
    atomic_store_explicit(&worker->is_between, false, memory_order_relaxed);
    return fy_queue_take(queue, worker->turn, true);
}

/* Where there is none the worker counts as free until it has the lock, for then it looks once more. */
static ferry_job *next_job(fy_worker *worker) {
    ferry_job *job = take_queued(worker);
    if (!job) {
        uint64_t began = fy_clock_ticks();
        atomic_store_explicit(&worker->is_between, true, memory_order_relaxed);
        job = find_job(worker);
        worker->ticks = fy_clock_ticks();
        worker->spin.last_gap_us = (int64_t)((worker->ticks - began) / worker->pool->ticks_per_us);
    }
    return job;
}

/* ---- life ---- */

/* false: it failed, and has broken the pool. */
static bool initialize(fy_worker *worker) {
    fy_pool *pool = worker->pool;
    if (!pool->initializer || pool->initializer(pool->initializer_arg) == 0)
        return true;
    fy_mutex_lock(&pool->lock);
    pool->broken = true;
    pool->searching = false;
    atomic_store_explicit(&pool->accepting, false, memory_order_relaxed);
    fy_worker *idle = fy_pool_take_idle(pool);
    retire(worker);
    fy_cond_broadcast(&pool->space);
    fy_mutex_unlock(&pool->lock);
    fy_pool_wake_taken(idle);
    fy_pool_fail_broken(pool);
    return false;
}

void fy_worker_run(fy_drain *drain) {
    fy_worker *worker = FY_CONTAINER(drain, fy_worker, drain);
    worker->view = (fy_worker_view){.name = worker->name, .executor = &worker->pool->base,
                                    .is_cancelled = is_asked_to_stop, .will_call_back = will_call_back};
    worker->ticks = fy_clock_ticks();
    fy_thread_set_name(worker->name);
    fy_frame_set_worker_view(&worker->view);
    if (initialize(worker))
        for (ferry_job *job; (job = next_job(worker));) {
            if (worker->is_searching)
                end_search(worker);
            if (worker->pool->max_queue)
                fy_pool_note_space(worker->pool);
            run(worker, job);
        }
    fy_frame_set_worker_view(NULL);
}

void fy_worker_gone(fy_drain *drain) {
    fy_worker *worker = FY_CONTAINER(drain, fy_worker, drain);
    fy_pool *pool = worker->pool;
    fy_mutex_lock(&pool->lock);
    worker->next = pool->spare;
    pool->spare = worker;
    fy_wish *wishes = fy_pool_thread_gone(pool);
    fy_mutex_unlock(&pool->lock);
    fy_wishes_grant(wishes);
    fy_pool_release(pool);
}
