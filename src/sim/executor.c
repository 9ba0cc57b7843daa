/* SPDX-License-Identifier: Apache-2.0 */
/* An executor without threads: its workers are models that take jobs from one queue, and all they do is done by timers
 * of the loop, at moments that the seed decides. A job makes three steps: it is claimed, some time after a worker was
 * free for it; its function is called, at some moment of the time it takes; it ends, when that time is over. Where no
 * timer can be had for a step it is made at once. */
#include "sim/executor.h"

#include <apr_errno.h>
#include <stdio.h>

#include "base/alloc.h"

enum { WORKERS = 4, WORKERS_MAX = 4096, START_DELAY_US = 100, RUN_TIME_US = 1000, PER_MILLE = 1000 };

void ferry_sim_executor_options_init(ferry_sim_executor_options *options) {
    if (options)
        *options = (ferry_sim_executor_options){FERRY_SIM_EXECUTOR_OPTIONS};
}

/* ---- the queue ---- */

ferry_job *fy_sim_queue_pop(fy_sim_executor *self, int64_t *ret_deadline_us) {
    fy_node *node = fy_list_pop(&self->queue);
    if (!node)
        return NULL;
    fy_sim_task *task = FY_CONTAINER(node, fy_sim_task, node);
    ferry_job *job = task->job;
    *ret_deadline_us = task->deadline_us;
    fy_free(task);
    return job;
}

void fy_sim_executor_forget_job(fy_sim_executor *self) {
    fy_sim_of_executor(self)->jobs--;
    if (--self->jobs == 0)
        fy_sim_executor_tell_end(self);
    ferry_executor_unref(&self->base);
}

/* ---- steps ---- */

static void dispatch(fy_sim_executor *self);

static void forget_timer(fy_sim_worker *worker) {
    ferry_handle_cancel(worker->timer);
    ferry_handle_unref(worker->timer);
    worker->timer = NULL;
}

static void next(fy_sim_worker *worker, int64_t delay_us, ferry_callback *step) {
    fy_sim_executor *self = worker->executor;
    worker->step = step;
    if (self->is_hurrying ||
        ferry_call_later_from(worker->job->origin, self->loop, delay_us, step, worker, &worker->timer))
        step(worker);
}

void fy_sim_worker_release(fy_sim_worker *worker) {
    fy_sim_executor *self = worker->executor;
    worker->job = NULL;
    dispatch(self);
    fy_sim_executor_forget_job(self);
}

void fy_sim_worker_drop(fy_sim_worker *worker) {
    ferry_job *job = worker->job;
    forget_timer(worker);
    worker->executor->cancelled++;
    ferry_job_drop(job);
    fy_sim_worker_release(worker);
}

static ferry_status end(void *arg) {
    fy_sim_worker *worker = arg;
    fy_sim_executor *self = worker->executor;
    ferry_job *job = worker->job;
    bool is_async = fy_job_is_async(job);
    forget_timer(worker);
    self->done++;
    self->failed += worker->death || worker->status;
    fy_sim_note(fy_sim_of_executor(self), worker->death ? "job-dies" : "job-ends", worker - self->workers,
                worker->status);
    if (worker->death == FY_SIM_TOO_LATE)
        fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
    else if (worker->death)
        fy_job_fail_claimed(job, FERRY_EBROKEN, "the job's worker died");
    else
        fy_job_finish_claimed(job, worker->status);
    if (!is_async)
        ferry_job_unref(job);
    fy_sim_worker_release(worker);
    return 0;
}

static ferry_status call_function(void *arg) {
    fy_sim_worker *worker = arg;
    forget_timer(worker);
    if (worker->death != FY_SIM_DIES_BEFORE) {
        fy_worker_view *outer = fy_frame_worker_view();
        worker->is_inside = true;
        fy_frame_set_worker_view(&worker->view);
        worker->status = fy_job_call_function(worker->job);
        fy_frame_set_worker_view(outer);
        worker->is_inside = false;
    }
    next(worker, worker->rest_us, end);
    return 0;
}

static bool is_late(const fy_sim_worker *worker) {
    return fy_sim_of_executor(worker->executor)->now_us >= worker->deadline_us;
}

static fy_sim_death draw_death(fy_sim_executor *self) {
    fy_sim *sim = fy_sim_of_executor(self);
    if (!fy_sim_fails(sim, self->options.death_rate))
        return FY_SIM_LIVES;
    self->deaths++;
    return fy_sim_below(sim, 2) ? FY_SIM_DIES_BEFORE : FY_SIM_DIES_AFTER;
}

static ferry_status begin(void *arg) {
    fy_sim_worker *worker = arg;
    fy_sim_executor *self = worker->executor;
    fy_sim *sim = fy_sim_of_executor(self);
    forget_timer(worker);
    if (!fy_job_try_claim(worker->job)) {
        fy_sim_worker_drop(worker);
        return 0;
    }
    worker->is_claimed = true;
    worker->is_asked_to_stop = false;
    worker->status = 0;
    if (is_late(worker)) {
        worker->death = FY_SIM_TOO_LATE;
        return end(worker);
    }
    int64_t took_us = fy_sim_duration(sim, self->options.run_time_us_min, self->options.run_time_us_max);
    int64_t moment_us = fy_sim_duration(sim, 0, took_us);
    worker->rest_us = took_us - moment_us;
    worker->death = draw_death(self);
    fy_sim_note(sim, "job-starts", worker - self->workers, took_us);
    next(worker, moment_us, call_function);
    return 0;
}

/* Any free worker, by the seed. */
static fy_sim_worker *choose_free(fy_sim_executor *self) {
    fy_sim_worker *chosen = NULL;
    uint64_t candidates = 0;
    for (size_t i = 0; i < self->options.workers; i++)
        if (!self->workers[i].job &&
            (++candidates == 1 || fy_sim_below(fy_sim_of_executor(self), candidates) == 0))
            chosen = &self->workers[i];
    return chosen;
}

/* A job that ends at once frees its worker inside of this: the loop here goes on with it. */
static void dispatch(fy_sim_executor *self) {
    if (self->is_dispatching)
        return;
    self->is_dispatching = true;
    ferry_executor_ref(&self->base);
    for (fy_sim_worker *worker; !fy_list_is_empty(&self->queue) && (worker = choose_free(self));) {
        worker->job = fy_sim_queue_pop(self, &worker->deadline_us);
        worker->is_claimed = false;
        next(worker, fy_sim_duration(fy_sim_of_executor(self), 0, self->options.start_delay_us_max), begin);
    }
    self->is_dispatching = false;
    ferry_executor_unref(&self->base);
}

void fy_sim_executor_hurry(fy_sim_executor *self) {
    self->is_hurrying = true;
    dispatch(self);
    for (size_t i = 0; i < self->options.workers; i++) {
        fy_sim_worker *worker = &self->workers[i];
        if (worker->job) {
            ferry_handle_cancel(worker->timer);
            worker->step(worker);
        }
    }
    self->is_hurrying = false;
}

/* ---- what is asked of it ---- */

/* The job's own is on the clock of threads. */
static int64_t take_deadline(fy_sim_executor *self, ferry_job *job) {
    if (!job->extra || !job->extra->deadline_us)
        return FERRY_FOREVER;
    job->extra->deadline_us = 0;
    return fy_sim_of_executor(self)->now_us + job->extra->timeout_us;
}

static ferry_status submit(ferry_executor *executor, ferry_job *job, ferry_loop *loop_or_null) {
    fy_sim_executor *self = fy_sim_executor_of(executor);
    (void)loop_or_null;
    ferry_status status = fy_loop_check(self->loop);
    if (!status && self->is_closed)
        status = FERRY_ESHUTDOWN;
    if (status)
        return status == FERRY_ECLOSED ? FERRY_ESHUTDOWN : status;
    fy_sim_task *task = fy_malloc(sizeof *task);
    if (!task)
        return APR_ENOMEM;
    *task = (fy_sim_task){.job = job, .deadline_us = take_deadline(self, job)};
    fy_list_push(&self->queue, &task->node);
    self->jobs++;
    fy_sim_of_executor(self)->jobs++;
    ferry_executor_ref(executor);
    dispatch(self);
    return 0;
}

static size_t count_queued(const fy_sim_executor *self) {
    size_t count = 0;
    for (const fy_node *node = self->queue.head; node; node = node->next)
        count++;
    return count;
}

static void stats(ferry_executor *executor, ferry_executor_stats *ret_stats) {
    const fy_sim_executor *self = fy_sim_executor_of(executor);
    for (size_t i = 0; i < self->options.workers; i++) {
        ret_stats->workers_idle += !self->workers[i].job;
        ret_stats->running += self->workers[i].job && self->workers[i].is_claimed;
        ret_stats->queued += self->workers[i].job && !self->workers[i].is_claimed;
    }
    ret_stats->queued += count_queued(self);
    ret_stats->workers = self->options.workers;
    ret_stats->workers_started = self->options.workers + self->deaths;
    ret_stats->workers_retired = self->deaths;
    ret_stats->done = self->done;
    ret_stats->failed = self->failed;
    ret_stats->cancelled = self->cancelled;
}

static void cancel_running(ferry_executor *executor) {
    fy_sim_executor *self = fy_sim_executor_of(executor);
    for (size_t i = 0; i < self->options.workers; i++)
        self->workers[i].is_asked_to_stop = true;
}

static void destroy(ferry_executor *executor) {
    fy_sim_executor *self = fy_sim_executor_of(executor);
    fy_loop_not_at_close(&self->close_hook);
    fy_executor_settle_cancels();
    fy_loop_release(self->loop);
    fy_free(self);
}

static const fy_executor_ops sim_ops = {
    .name = "simulated",
    .submit = submit,
    .shutdown = fy_sim_executor_shutdown,
    .check_default = fy_sim_executor_check_default,
    .end_default = fy_sim_executor_end_default,
    .stats = stats,
    .cancel_running = cancel_running,
    .destroy = destroy,
};

/* ---- making ---- */

static bool is_asked_to_stop(fy_worker_view *view) {
    const fy_sim_worker *worker = FY_CONTAINER(view, fy_sim_worker, view);
    return worker->is_asked_to_stop || is_late(worker);
}

static void sleep_in_job(fy_worker_view *view, int64_t duration_us) {
    fy_sim_worker *worker = FY_CONTAINER(view, fy_sim_worker, view);
    if (duration_us > 0)
        worker->rest_us = duration_us < FERRY_FOREVER / 2 - worker->rest_us ? worker->rest_us + duration_us
                                                                            : FERRY_FOREVER / 2;
}

/* Returns: 0, APR_EINVAL. */
static ferry_status complete(ferry_sim_executor_options *options) {
    if (options->size != sizeof *options || options->workers > WORKERS_MAX || options->run_time_us_min < 0 ||
        options->run_time_us_max < 0 || options->death_rate < 0 || options->death_rate > PER_MILLE ||
        (options->run_time_us_max && options->run_time_us_max < options->run_time_us_min))
        return APR_EINVAL;
    if (!options->workers)
        options->workers = WORKERS;
    if (!options->start_delay_us_max)
        options->start_delay_us_max = START_DELAY_US;
    if (!options->run_time_us_max)
        options->run_time_us_max = options->run_time_us_min > RUN_TIME_US ? options->run_time_us_min : RUN_TIME_US;
    return 0;
}

static void init_worker(fy_sim_executor *self, size_t index) {
    fy_sim_worker *worker = &self->workers[index];
    snprintf(worker->name, sizeof worker->name, "sim_%u", (unsigned)index);
    worker->executor = self;
    worker->view = (fy_worker_view){
        .name = worker->name, .executor = &self->base, .is_cancelled = is_asked_to_stop, .sleep = sleep_in_job};
}

static ferry_status create(ferry_loop *loop, const ferry_sim_executor_options *options,
                           ferry_executor **ret_executor) {
    fy_sim_executor *self = fy_calloc(sizeof *self + options->workers * sizeof self->workers[0]);
    if (!self)
        return APR_ENOMEM;
    ferry_status status = fy_executor_init(&self->base, &sim_ops);
    if (status) {
        fy_free(self);
        return status;
    }
    self->options = *options;
    for (size_t i = 0; i < options->workers; i++)
        init_worker(self, i);
    self->loop = loop;
    fy_loop_hold(loop);
    self->close_hook.run = fy_sim_executor_loop_closes;
    fy_loop_at_close(loop, &self->close_hook);
    *ret_executor = &self->base;
    return 0;
}

ferry_status ferry_sim_executor_create(ferry_loop *loop, const ferry_sim_executor_options *options,
                                       ferry_executor **ret_executor) {
    ferry_sim_executor_options wanted = {FERRY_SIM_EXECUTOR_OPTIONS};
    if (options)
        wanted = *options;
    if (!ret_executor || !ferry_sim_is_simulated(loop) || complete(&wanted))
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    return status ? status : create(loop, &wanted, ret_executor);
}
