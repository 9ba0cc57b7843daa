/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs a limited view's jobs: how carriers are submitted, what they do, and what happens if they are dropped. The
 * rules stand at the top of limited.h. */
#include "executor/limited.h"

#include "executor/frame.h"
#include "executor/lot.h"

/* ---- jobs that end unrun ---- */

/* Counts it before it is ended; one that was not pending any more was noted when that happened. Under the lock. */
static void count_unrun(fy_limited *view, bool was_pending) {
    view->cancelled++;
    if (!was_pending)
        atomic_fetch_sub_explicit(&view->gone_waiting, 1, memory_order_relaxed);
}

/* Lets go of a job that was cancelled, or that somebody who waited for it has ended. */
static void let_go(ferry_job *job) {
    if ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_CANCELLED)
        ferry_job_drop(job);
    else
        ferry_job_unref(job);
}

static void fail_claimed(ferry_job *job, fy_ending how) {
    bool async = fy_job_is_async(job);
    fy_job_fail_claimed(job, how.status, how.message);
    if (!async)
        ferry_job_unref(job);
}

static void end_unrun(fy_limited *view, ferry_job *job, fy_ending how) {
    bool cancels = how.status == FERRY_ECANCELED;
    bool was_pending = cancels ? (fy_job_request_cancel(job) & FY_JOB_STATE) == FY_JOB_PENDING : fy_job_try_claim(job);
    fy_mutex_lock(&view->lock);
    count_unrun(view, was_pending);
    fy_mutex_unlock(&view->lock);
    if (was_pending && !cancels)
        fail_claimed(job, how);
    else
        let_go(job);
}

void fy_limited_end_waiting(fy_limited *view, fy_ending how) {
    fy_mutex_lock(&view->lock);
    fy_job_ring jobs = view->waiting;
    size_t count = jobs.count;
    view->waiting = (fy_job_ring){0};
    view->ending += count;
    fy_mutex_unlock(&view->lock);
    for (ferry_job *job; (job = fy_job_ring_pop(&jobs));)
        end_unrun(view, job, how);
    fy_job_ring_fini(&jobs);
    fy_mutex_lock(&view->lock);
    view->ending -= count;
    fy_cond_broadcast(&view->changed);
    fy_mutex_unlock(&view->lock);
}

bool fy_limited_is_stranded(const fy_limited *view) {
    return view->waiting.count && view->carriers <= 0 && !view->launching;
}

/* ---- submitting carriers ---- */

bool fy_limited_needs_carrier(const fy_limited *view) {
    if (view->carriers <= 0)
        return view->waiting.count;
    size_t carriers = (size_t)view->carriers + view->launching;
    return carriers < view->limit && view->waiting.count + view->busy > carriers;
}

static void link_idle(fy_limited *view, fy_carrier *self) {
    self->next = view->idle;
    self->link = &view->idle;
    if (self->next)
        self->next->link = &self->next;
    view->idle = self;
}

/* Under the lock. */
static void begin(fy_carrier *self) {
    self->has_begun = true;
    if (!self->link)
        return;
    *self->link = self->next;
    if (self->next)
        self->next->link = self->link;
    self->link = NULL;
}

static ferry_function carry;
static ferry_free carrier_gone;

static ferry_status create_carrier(fy_limited *view, const char *origin, fy_carrier **ret_carrier) {
    fy_carrier fresh = {.view = view};
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = carry, .arg = &fresh, .arg_size = sizeof fresh,
                                 .arg_free = carrier_gone};
    ferry_job *job = NULL;
    ferry_status status = fy_job_create_plain(origin, view->inner, &options, &job);
    if (status)
        return status;
    fy_carrier *self = job->arg;
    self->job = job;
    ferry_executor_ref(&view->base);
    *ret_carrier = self;
    return 0;
}

static void refuse_carrier(fy_limited *view, ferry_job *job) {
    fy_job_fini_options(job);
    job->extra = NULL;
    ferry_job_unref(job);
    ferry_job_unref(job);
    ferry_executor_unref(&view->base);
}

/* On success *ret_carrier holds one reference of its job. A refusal is not counted below: it is the view's job that is
 * refused. */
static ferry_status submit_carrier(fy_limited *view, const char *origin, ferry_loop *loop_or_null,
                                   fy_carrier **ret_carrier) {
    ferry_status status = create_carrier(view, origin, ret_carrier);
    if (status)
        return status;
    ferry_job *job = (*ret_carrier)->job;
    status = view->inner->ops->submit(view->inner, job, loop_or_null);
    if (status)
        refuse_carrier(view, job);
    return status;
}

ferry_status fy_limited_launch(fy_limited *view, const char *origin, ferry_loop *loop_or_null) {
    fy_carrier *self = NULL;
    view->launching++;
    fy_mutex_unlock(&view->lock);
    ferry_status status = submit_carrier(view, origin, loop_or_null, &self);
    fy_mutex_lock(&view->lock);
    view->launching--;
    if (status == FERRY_ESHUTDOWN || status == FERRY_EBROKEN)
        view->refusal = status;
    if (status)
        return status;
    view->carriers++;
    if (!self->has_begun)
        link_idle(view, self);
    ferry_job_unref(self->job);
    return 0;
}

/* ---- what they do ---- */

static void unlink_place(fy_limited *view, const fy_place *here) {
    fy_place **link = &view->places;
    while (*link != here)
        link = &(*link)->next;
    *link = here->next;
}

/* The job's place is taken until what its end calls has returned. (What a job with a future calls runs elsewhere, and
 * the job may be gone.) */
static void end_in_place(ferry_job *job, bool is_late, ferry_status status) {
    bool async = fy_job_is_async(job);
    fy_frame frame;
    if (!async)
        fy_frame_push(&frame, job);
    if (is_late)
        fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
    else
        fy_job_finish_claimed(job, status);
    if (async)
        return;
    fy_frame_pop(&frame);
    ferry_job_unref(job);
}

/* The counts are right before anyone can know that the job has ended. */
static void run(fy_limited *view, fy_place *here) {
    ferry_status status = fy_job_call_function(here->job);
    fy_mutex_lock(&view->lock);
    unlink_place(view, here);
    view->done++;
    view->failed += status != 0;
    fy_mutex_unlock(&view->lock);
    end_in_place(here->job, false, status);
}

/* What has become of the oldest job. */
enum { NONE, GONE, LATE, TO_RUN };

/* Takes the oldest job into a place. NONE: there is none, or no place, and the carrier has ended. Under the lock. */
static int take(fy_limited *view, fy_place *here) {
    ferry_job *job = view->busy < view->limit ? fy_job_ring_pop(&view->waiting) : NULL;
    if (!job) {
        view->carriers--;
        return NONE;
    }
    view->busy++;
    *here = (fy_place){.job = job};
    bool claimed = fy_job_try_claim(job);
    if (!claimed || fy_job_is_late(job)) {
        count_unrun(view, claimed);
        return claimed ? LATE : GONE;
    }
    here->worker = fy_frame_worker();
    here->began_us = fy_clock_now();
    here->next = view->places;
    view->places = here;
    return TO_RUN;
}

/* After a job has run: sends others for what waits, and ends. false: nobody else could be sent, so this one goes on.
 * Under the lock, which is released meanwhile. */
static bool hand_over(fy_limited *view) {
    ferry_status status = 0;
    view->carriers--;
    while (!status && fy_limited_needs_carrier(view))
        status = fy_limited_launch(view, fy_job_ring_peek(&view->waiting)->origin, NULL);
    bool ends = !status || !view->waiting.count;
    if (!ends)
        view->carriers++;
    return ends;
}

static ferry_status carry(void *arg, ferry_call *call) {
    (void)call;
    fy_carrier *self = arg;
    fy_limited *view = self->view;
    fy_place here;
    bool ends = false;
    fy_mutex_lock(&view->lock);
    begin(self);
    for (int found; !ends && (found = take(view, &here)) != NONE;) {
        fy_mutex_unlock(&view->lock);
        if (found == TO_RUN)
            run(view, &here);
        else if (found == LATE)
            end_in_place(here.job, true, 0);
        else
            let_go(here.job);
        fy_mutex_lock(&view->lock);
        view->busy--;
        fy_cond_broadcast(&view->changed);
        ends = found == TO_RUN && hand_over(view);
    }
    bool stranded = fy_limited_is_stranded(view);
    fy_mutex_unlock(&view->lock);
    if (stranded)
        fy_limited_end_waiting(view, FY_AS_CANCELLED);
    return 0;
}

/* Why a carrier never began: it was dropped, or failed because there is nobody to run it. */
static fy_ending ending_of(const fy_carrier *self) {
    bool was_failed = (fy_job_load_state(self->job) & FY_JOB_STATE) == FY_JOB_RUNNING;
    const fy_outcome *outcome = fy_job_outcome(self->job);
    return was_failed ? (fy_ending){outcome->status, fy_outcome_message(outcome)} : FY_AS_CANCELLED;
}

/* However a carrier ends. */
static void carrier_gone(void *arg) {
    fy_carrier *self = arg;
    fy_limited *view = self->view;
    fy_mutex_lock(&view->lock);
    bool is_lost = !self->has_begun;
    if (is_lost) {
        begin(self);
        view->carriers--;
    }
    bool stranded = is_lost && fy_limited_is_stranded(view);
    fy_mutex_unlock(&view->lock);
    if (stranded)
        fy_limited_end_waiting(view, ending_of(self));
    ferry_executor_unref(&view->base);
}
