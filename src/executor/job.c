/* SPDX-License-Identifier: Apache-2.0 */
/* A job's life: made, claimed, run, finished or dropped, cancelled. Who waits for it is in lot.c and job_wait.c, what
 * may be read from it in job_result.c, and how one of a loop gets home in bridge.c. */
#include "executor/job.h"

#include <apr_errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/lot.h"

enum { ARGUMENT_ALIGNMENT = 16 };

/* ---- making ---- */

void ferry_job_options_init(ferry_job_options *options) {
    if (options)
        *options = (ferry_job_options){FERRY_JOB_OPTIONS};
}

ferry_status fy_job_options_check(const ferry_job_options *options) {
    bool sane = options && options->size == sizeof *options && options->function && options->timeout_us >= 0 &&
                options->priority >= FERRY_PRIORITY_LOW && options->priority <= FERRY_PRIORITY_HIGH &&
                !(options->arg_size && !options->arg) && options->arg_size < SIZE_MAX / 2;
    return sane ? 0 : APR_EINVAL;
}

static ferry_status create_extra(ferry_job *job, const ferry_job_options *options, struct fy_values *values) {
    size_t size = (sizeof(fy_job_extra) + ARGUMENT_ALIGNMENT - 1) / ARGUMENT_ALIGNMENT * ARGUMENT_ALIGNMENT;
    fy_job_extra *extra = fy_malloc(size + options->arg_size);
    if (!extra)
        return APR_ENOMEM;
    *extra = (fy_job_extra){.arg_free = options->arg_free, .name = options->name,
                            .arg_size = options->arg_size, .priority = options->priority, .values = values};
    if (options->timeout_us) {
        int64_t now_us = fy_clock_now();
        extra->timeout_us = options->timeout_us;
        extra->deadline_us = options->timeout_us < FERRY_FOREVER - now_us ? now_us + options->timeout_us : 0;
    }
    if (options->arg_size)
        job->arg = memcpy((char *)extra + size, options->arg, options->arg_size);
    job->extra = extra;
    return 0;
}

ferry_status fy_job_add_options(ferry_job *job, const ferry_job_options *options, struct fy_values *values) {
    bool is_simple = !options->arg_size && !options->arg_free && !options->priority && !options->timeout_us &&
                     !options->name && !values;
    return is_simple ? 0 : create_extra(job, options, values);
}

void fy_job_fini_options(ferry_job *job) {
    fy_free(job->extra);
}

ferry_status fy_job_create_plain(const char *origin, ferry_executor *executor, const ferry_job_options *options,
                                 ferry_job **ret_job) {
    fy_plain_job *plain = fy_malloc(sizeof *plain);
    if (!plain)
        return APR_ENOMEM;
    plain->outcome = (fy_outcome){.kind = FY_VALUE_NONE};
    fy_job_init(&plain->job, origin, executor, options->function, options->arg, FY_JOB_PENDING);
    plain->job.watchers = NULL;
    atomic_init(&plain->job.refs, 2);
    ferry_status status = fy_job_add_options(&plain->job, options, NULL);
    if (status) {
        fy_free(plain);
        return status;
    }
    *ret_job = &plain->job;
    return 0;
}

/* ---- references ---- */

ferry_job *ferry_job_ref(ferry_job *job) {
    if (job) {
        FY_ASSERT(!fy_job_is_async(job));
        atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
    }
    return job;
}

static void release_values(ferry_job *job) {
    struct fy_values *values = job->extra->values;
    job->extra->values = NULL;
    if (values)
        fy_job_as_async(job)->future.loop->tasks.hooks->unref_values(values);
}

void fy_job_release_arg(ferry_job *job) {
    if (!job->extra)
        return;
    release_values(job);
    ferry_free *arg_free = job->extra->arg_free;
    job->extra->arg_free = NULL;
    if (arg_free)
        arg_free(job->arg);
}

void ferry_job_unref(ferry_job *job) {
    if (!job || atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1)
        return;
    fy_outcome_clear(fy_job_outcome(job));
    fy_free(job->extra);
    fy_free(FY_CONTAINER(job, fy_plain_job, job));
}

void ferry_job_unref_all(ferry_job **jobs, size_t count) {
    for (size_t i = 0; jobs && i < count; i++) {
        ferry_job_unref(jobs[i]);
        jobs[i] = NULL;
    }
}

/* ---- what a function returns ---- */

FY_NOINLINE static void settle(fy_outcome *outcome, ferry_status status) {
    if (status == 0) {
        fy_outcome_clear(outcome);
    } else if (outcome->kind == FY_VALUE_ERROR) {
        outcome->status = status;
    } else {
        fy_outcome_set_error(outcome, status, fy_error_create(fy_frame_worker(), NULL));
    }
}

void fy_job_settle(ferry_job *job, ferry_status status) {
    fy_outcome *outcome = fy_job_outcome(job);
    if (FY_UNLIKELY(status || outcome->kind == FY_VALUE_ERROR))
        settle(outcome, status);
}

ferry_call *ferry_job_call(ferry_job *job) {
    return (ferry_call *)job;
}

/* The call that a function is given is its job. */
static ferry_job *job_of(const ferry_call *call) {
    return (ferry_job *)(uintptr_t)call;
}

ferry_status ferry_return_integer(ferry_call *call, int64_t value) {
    fy_outcome_set_integer(fy_job_outcome(job_of(call)), value);
    return 0;
}

ferry_status ferry_return_real(ferry_call *call, double value) {
    fy_outcome_set_real(fy_job_outcome(job_of(call)), value);
    return 0;
}

ferry_status ferry_return_pointer(ferry_call *call, void *pointer, ferry_free *free) {
    fy_outcome_set_pointer(fy_job_outcome(job_of(call)), pointer, free);
    return 0;
}

ferry_status ferry_return_bytes(ferry_call *call, void *bytes, size_t size, ferry_free *free) {
    fy_outcome_set_bytes(fy_job_outcome(job_of(call)), bytes, size, free);
    return 0;
}

ferry_status ferry_return_arg(ferry_call *call, size_t size) {
    ferry_job *job = job_of(call);
    if (!ferry_call_arg_size(call) || size > ferry_call_arg_size(call))
        return APR_EINVAL;
    fy_outcome_set_bytes(fy_job_outcome(job), job->arg, size, NULL);
    fy_job_outcome(job)->is_borrowed = true;
    return 0;
}

ferry_status ferry_return_error(ferry_call *call, ferry_status status, const char *format, ...) {
    if (!status)
        status = APR_EGENERAL;
    va_list args;
    va_start(args, format);
    fy_error *error = fy_error_create_formatted(fy_frame_worker(), format, args);
    va_end(args);
    fy_outcome_set_error(fy_job_outcome(job_of(call)), status, error);
    return status;
}

/* Of the job that this thread runs. */
static bool is_cancel_requested(uint32_t state) {
    return (state & FY_JOB_CANCEL_REQUESTED) || fy_frame_is_cancelled();
}

bool ferry_call_is_cancelled(const ferry_call *call) {
    const ferry_job *job = job_of(call);
    if (is_cancel_requested(atomic_load_explicit(&job->state, memory_order_relaxed)))
        return true;
    return fy_job_is_late(job);
}

ferry_status ferry_call_sleep(ferry_call *call, int64_t duration_us) {
    ferry_job *job = job_of(call);
    if (atomic_load_explicit(&job->state, memory_order_relaxed) & FY_JOB_TASK)
        return fy_job_as_async(job)->future.loop->tasks.hooks->call_sleep(job->origin, duration_us);
    fy_worker_view *worker = fy_frame_worker_view();
    if (worker && worker->sleep) {
        worker->sleep(worker, duration_us);
        return ferry_call_is_cancelled(call) ? FERRY_ECANCELED : 0;
    }
    int64_t deadline_us = fy_deadline_after(duration_us);
    int64_t limit_us = job->extra && job->extra->deadline_us ? job->extra->deadline_us : FERRY_FOREVER;
    if (ferry_call_is_cancelled(call))
        return FERRY_ECANCELED;
    bool cancelled = fy_lot_wait(job, is_cancel_requested, deadline_us < limit_us ? deadline_us : limit_us);
    return cancelled || ferry_call_is_cancelled(call) ? FERRY_ECANCELED : 0;
}

size_t ferry_call_arg_size(const ferry_call *call) {
    const ferry_job *job = job_of(call);
    return job->extra ? job->extra->arg_size : 0;
}

const char *ferry_call_worker(const ferry_call *call) {
    (void)call;
    const char *worker = fy_frame_worker();
    return worker ? worker : "";
}

/* ---- running and ending ---- */

/* The state changes in one step; whoever watches is told after it. */
static void enter_state(ferry_job *job, uint32_t from, uint32_t to) {
    uint32_t old = atomic_fetch_add_explicit(&job->state, to - from, memory_order_acq_rel);
    if (old & FY_JOB_WATCHED)
        fy_lot_notify(job);
}

FY_NOINLINE static void finish_plain(ferry_job *job) {
    fy_job_release_arg(job);
    enter_state(job, FY_JOB_RUNNING, FY_JOB_FINISHED);
}

void fy_job_finish_claimed(ferry_job *job, ferry_status status) {
    fy_job_settle(job, status);
    if (fy_job_is_async(job))
        fy_async_send(job);
    else
        finish_plain(job);
}

ferry_status fy_job_call_function(ferry_job *job) {
    fy_frame frame;
    fy_frame_push(&frame, job);
    ferry_status status = job->function(job->arg, ferry_job_call(job));
    fy_frame_pop(&frame);
    return status;
}

bool fy_job_run_claimed(ferry_job *job) {
    ferry_status status = fy_job_call_function(job);
    fy_job_finish_claimed(job, status);
    return status == 0;
}

void fy_job_fail_claimed(ferry_job *job, ferry_status status, const char *message) {
    fy_outcome_set_error(fy_job_outcome(job), status, fy_error_create(NULL, message));
    fy_job_finish_claimed(job, status);
}

bool ferry_job_claim(ferry_job *job) {
    return job && !fy_job_is_late(job) && fy_job_try_claim(job);
}

ferry_status ferry_job_finish(ferry_job *job, ferry_status status) {
    if (!job)
        return APR_EINVAL;
    /* Of several that try, the first one goes on. */
    uint32_t state = fy_job_load_state(job);
    do {
        if ((state & (FY_JOB_STATE | FY_JOB_FINISHING)) != FY_JOB_RUNNING)
            return FERRY_EINVALIDSTATE;
    } while (!atomic_compare_exchange_weak(&job->state, &state, state | FY_JOB_FINISHING));
    bool async = fy_job_is_async(job);
    fy_job_finish_claimed(job, status);
    if (!async)
        ferry_job_unref(job);
    return 0;
}

void ferry_job_run(ferry_job *job, const char *worker) {
    if (!job)
        return;
    if (!ferry_job_claim(job)) {
        ferry_job_drop(job);
        return;
    }
    bool async = fy_job_is_async(job);
    const char *outer = fy_frame_set_worker(worker);
    fy_job_run_claimed(job);
    fy_frame_set_worker(outer);
    if (!async)
        ferry_job_unref(job);
}

uint32_t fy_job_request(ferry_job *job, uint32_t of_running) {
    uint32_t state = atomic_load_explicit(&job->state, memory_order_acquire);
    for (;;) {
        uint32_t wanted = state;
        if ((state & FY_JOB_STATE) == FY_JOB_PENDING)
            wanted = state + FY_JOB_CANCELLED;
        else if ((state & FY_JOB_STATE) == FY_JOB_RUNNING)
            wanted = state | of_running;
        if (wanted == state ||
            atomic_compare_exchange_weak_explicit(&job->state, &state, wanted, memory_order_acq_rel,
                                                  memory_order_acquire))
            return state;
    }
}

uint32_t fy_job_request_cancel(ferry_job *job) {
    return fy_job_request(job, FY_JOB_CANCEL_REQUESTED);
}

/* The job ends for want of time, if it has not ended yet. */
static bool drop_late(ferry_job *job) {
    if (!fy_job_is_late(job) || !fy_job_try_claim(job))
        return false;
    bool async = fy_job_is_async(job);
    fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
    if (!async)
        ferry_job_unref(job);
    return true;
}

void ferry_job_drop(ferry_job *job) {
    if (!job || drop_late(job))
        return;
    uint32_t state = fy_job_request_cancel(job) & FY_JOB_STATE;
    if (fy_job_is_async(job)) {
        fy_async_send(job);
        return;
    }
    if (state == FY_JOB_PENDING || state == FY_JOB_CANCELLED) {
        fy_job_release_arg(job);
        enter_state(job, FY_JOB_CANCELLED, FY_JOB_CANCELLED_NOTIFIED);
    }
    ferry_job_unref(job);
}

void fy_job_withdraw(ferry_job *job) {
    bool is_remote = fy_job_load_state(job) & FY_JOB_REMOTE;
    if (fy_executor_cancel(job, is_remote ? FY_JOB_UNWANTED : FY_JOB_CANCEL_REQUESTED) & FY_JOB_WATCHED)
        fy_lot_notify(job);
}

bool ferry_job_cancel(ferry_job *job) {
    if (!job)
        return false;
    uint32_t state = fy_executor_cancel(job, FY_JOB_CANCEL_REQUESTED);
    if (state & FY_JOB_WATCHED)
        fy_lot_notify(job);
    switch (state & FY_JOB_STATE) {
    case FY_JOB_PENDING:
    case FY_JOB_CANCELLED:
    case FY_JOB_CANCELLED_NOTIFIED:
        return true;
    default:
        return false;
    }
}
