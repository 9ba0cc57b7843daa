/* SPDX-License-Identifier: Apache-2.0 */
/* A view of another executor that runs at most `limit` of its own jobs at once, in their order. It decides which jobs
 * are accepted, which may be waited for, and when the view has ended; it knows nothing of how the executor below
 * works. How its jobs get there is in limited_carrier.c, the rules for both, and for the lock, at the top of
 * limited.h. */
#include "executor/limited.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "executor/frame.h"
#include "executor/lot.h"

static fy_limited *from_executor(ferry_executor *executor) {
    return FY_CONTAINER(executor, fy_limited, base);
}

/* ---- submitting ---- */

/* Puts the job in the queue, and sends somebody for it. Under the lock. */
static ferry_status admit(fy_limited *view, ferry_job *job, ferry_loop *loop_or_null) {
    const char *origin = job->origin;
    ferry_status status = view->refusal ? view->refusal : fy_job_ring_reserve(&view->waiting);
    if (status)
        return status;
    fy_job_ring_push(&view->waiting, job);
    if (!fy_limited_needs_carrier(view))
        return 0;
    status = fy_limited_launch(view, origin, loop_or_null);
    /* Without a carrier of its own it is refused, unless somebody else comes for it, or has come already. */
    bool is_refused = status && view->carriers <= 0 && fy_job_ring_remove(&view->waiting, job);
    return is_refused ? status : 0;
}

static ferry_status limited_submit(ferry_executor *executor, ferry_job *job, ferry_loop *loop_or_null) {
    fy_limited *view = from_executor(executor);
    fy_mutex_lock(&view->lock);
    ferry_status status = admit(view, job, loop_or_null);
    bool stranded = fy_limited_is_stranded(view);
    fy_mutex_unlock(&view->lock);
    if (stranded)
        fy_limited_end_waiting(view, FY_AS_CANCELLED);
    return status;
}

/* The job's place in the queue stays, and is skipped. */
static void limited_note_cancelled(ferry_executor *executor) {
    fy_limited *view = from_executor(executor);
    atomic_fetch_add_explicit(&view->gone_waiting, 1, memory_order_relaxed);
}

/* Only to be ended: nobody but a carrier runs a job of the view. */
static bool limited_claim_elsewhere(ferry_executor *executor, ferry_job *job, bool to_run) {
    if (to_run || !fy_job_try_claim(job))
        return false;
    limited_note_cancelled(executor);
    return true;
}

/* ---- waiting inside a job ---- */

static const fy_frame *frame_of(const ferry_executor *executor) {
    const fy_frame *frame = fy_frame_current();
    while (frame && frame->job->executor != executor)
        frame = frame->outer;
    return frame;
}

static ferry_job *limited_find_carrier(ferry_executor *executor, size_t *ret_places) {
    fy_limited *view = from_executor(executor);
    *ret_places = view->limit;
    fy_mutex_lock(&view->lock);
    ferry_job *job = view->idle && view->busy < view->limit ? ferry_job_ref(view->idle->job) : NULL;
    fy_mutex_unlock(&view->lock);
    return job;
}

/* Has a carrier run here, if this thread is in a job of the executor below. */
static bool help(fy_limited *view) {
    size_t places = 0;
    ferry_job *job = limited_find_carrier(&view->base, &places);
    if (!job)
        return false;
    fy_wait_record record;
    bool was_run = fy_nested_enter(&record, job) == 0 && fy_job_state_is_done(fy_job_load_state(job));
    fy_nested_leave(&record);
    ferry_job_unref(job);
    return was_run;
}

/* ---- ending ---- */

/* Under the lock. */
static bool has_unfinished(const fy_limited *view) {
    return view->waiting.count || view->busy || view->ending;
}

static bool wait_for_end(fy_limited *view, int64_t deadline_us) {
    bool in_time = true;
    fy_mutex_lock(&view->lock);
    while (has_unfinished(view) && in_time)
        in_time = fy_cond_wait_until(&view->changed, &view->lock, deadline_us);
    bool is_over = !has_unfinished(view);
    fy_mutex_unlock(&view->lock);
    return is_over;
}

static ferry_status limited_shutdown(ferry_executor *executor, bool wait, bool cancel_futures, int64_t timeout_us) {
    fy_limited *view = from_executor(executor);
    int64_t deadline_us = fy_deadline_after(timeout_us);
    fy_mutex_lock(&view->lock);
    view->refusal = FERRY_ESHUTDOWN;
    fy_mutex_unlock(&view->lock);
    if (cancel_futures)
        fy_limited_end_waiting(view, FY_AS_CANCELLED);
    if (!wait)
        return 0;
    if (frame_of(executor))
        return FERRY_EDEADLK;
    /* In a job of the executor below, or at its end: it may be this thread that the carriers wait for. */
    while (fy_nested_concerns_thread() && fy_clock_left(deadline_us) && !wait_for_end(view, 0) && help(view))
        continue;
    return wait_for_end(view, deadline_us) ? 0 : FERRY_ETIMEDOUT;
}

static void limited_destroy(ferry_executor *executor) {
    fy_limited *view = from_executor(executor);
    ferry_executor *inner = view->inner;
    if (!fy_executor_check(executor)) {
        fy_executor_settle_cancels();
        fy_cond_fini(&view->changed);
        fy_mutex_fini(&view->lock);
    }
    fy_job_ring_fini(&view->waiting);
    fy_free(view);
    ferry_executor_unref(inner);
}

/* ---- looking ---- */

static void limited_stats(ferry_executor *executor, ferry_executor_stats *ret_stats) {
    fy_limited *view = from_executor(executor);
    fy_mutex_lock(&view->lock);
    int64_t noted = atomic_load_explicit(&view->gone_waiting, memory_order_relaxed);
    uint64_t gone_waiting = noted > 0 ? (uint64_t)noted : 0;
    uint64_t waiting = view->waiting.count;
    for (const fy_place *here = view->places; here; here = here->next)
        ret_stats->running++;
    ret_stats->queued = waiting > gone_waiting ? waiting - gone_waiting : 0;
    ret_stats->done = view->done;
    ret_stats->failed = view->failed;
    ret_stats->cancelled = view->cancelled + gone_waiting;
    fy_mutex_unlock(&view->lock);
}

static size_t limited_describe(ferry_executor *executor, char *buffer, size_t size) {
    fy_limited *view = from_executor(executor);
    int64_t now_us = fy_clock_now();
    size_t count = 0;
    size_t used = 0;
    fy_mutex_lock(&view->lock);
    for (const fy_place *here = view->places; here; here = here->next, count++) {
        const char *worker = here->worker ? here->worker : "a thread";
        int length = used < size ? snprintf(buffer + used, size - used, "%s runs %s for %" PRId64 " us\n", worker,
                                            fy_job_label(here->job), now_us - here->began_us)
                                 : 0;
        used += length > 0 ? (size_t)length : 0;
    }
    fy_mutex_unlock(&view->lock);
    return count;
}

/* A job that has a place cannot end while the lock is held. */
static void limited_cancel_running(ferry_executor *executor) {
    fy_limited *view = from_executor(executor);
    fy_mutex_lock(&view->lock);
    for (const fy_place *here = view->places; here; here = here->next)
        if (fy_job_request_cancel(here->job) & FY_JOB_WATCHED)
            fy_lot_notify(here->job);
    fy_mutex_unlock(&view->lock);
}

/* ---- making ---- */

static const fy_executor_ops limited_ops = {
    .name = "limited",
    .submit = limited_submit,
    .note_cancelled = limited_note_cancelled,
    .claim_elsewhere = limited_claim_elsewhere,
    .shutdown = limited_shutdown,
    .find_carrier = limited_find_carrier,
    .stats = limited_stats,
    .describe = limited_describe,
    .cancel_running = limited_cancel_running,
    .destroy = limited_destroy,
};

static ferry_status init(fy_limited *view, ferry_executor *inner, size_t limit) {
    ferry_status status = fy_executor_init(&view->base, &limited_ops);
    if (status)
        return status;
    status = fy_mutex_init(&view->lock);
    if (status)
        return status;
    status = fy_cond_init(&view->changed);
    if (status) {
        fy_mutex_fini(&view->lock);
        return status;
    }
    view->inner = ferry_executor_ref(inner);
    view->limit = limit;
    return 0;
}

ferry_status ferry_executor_limited(ferry_executor *inner, size_t limit, ferry_executor **ret_executor) {
    ferry_status status = fy_executor_check(inner);
    if (status)
        return status;
    if (!limit || !ret_executor)
        return APR_EINVAL;
    if (inner->ops->runs_elsewhere)
        return FERRY_ENOTSUP;
    fy_limited *view = fy_calloc(sizeof *view);
    if (!view)
        return APR_ENOMEM;
    status = init(view, inner, limit);
    if (status) {
        fy_free(view);
        return status;
    }
    *ret_executor = &view->base;
    return 0;
}
