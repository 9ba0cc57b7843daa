/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for jobs. A thread that is about to block inside a job first makes sure that what it waits for can
 * ever come, and helps if it can.
 *
 * Every thread that blocks inside a job links a record: what it runs (its stack of frames, which cannot change while it
 * is blocked) and for which jobs it waits, one of which is enough. The lock guards the list. Whoever is about to link a
 * record follows the chains of waits from it to their ends, and sees all the others: from a job that a blocked thread
 * runs, to those that it waits for; from a pending one, to what its executor needs to begin it (a carrier, or a place
 * that is held by a blocked thread's job). If all chains come back, he is refused. If one ends with a job that nobody
 * has begun, and which no worker of its pool will begin (or he is one of them), he runs it first. So of those that
 * would wait for each other for ever, the last one to come either helps or is told. */
#include <apr_errno.h>

#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/lot.h"

static fy_wait_record *records;

static bool runs(const fy_frame *frame, const ferry_job *job) {
    for (; frame; frame = frame->outer)
        if (frame->job == job)
            return true;
    return false;
}

/* ---- chains of waits; all under the lock ---- */

/* Where a chain ends: with a job that perhaps has to be run (one reference), with one that will be (NULL), or
 * nowhere. */
typedef struct chain {
    bool ends;
    ferry_job *job;
} chain;

static const chain endless = {false, NULL};

static chain follow(const fy_frame *frames, ferry_job *job);

/* A blocked thread goes on when one of its jobs is done. Those that were seen before lead to nothing new. */
static chain follow_record(const fy_frame *frames, fy_wait_record *record) {
    chain found = endless;
    if (record->is_seen)
        return endless;
    record->is_seen = true;
    for (size_t i = 0; i < record->count && !found.ends; i++)
        found = follow(frames, record->jobs[i]);
    return found;
}

static size_t count_places(const fy_frame *frame, const ferry_executor *executor) {
    size_t places = 0;
    for (; frame; frame = frame->outer)
        places += frame->job->executor == executor;
    return places;
}

/* A pending job begins when a place gets free, if all of them are held by blocked threads. Whoever holds any other
 * place is not blocked. */
static chain follow_places(const fy_frame *frames, const ferry_executor *executor, size_t places) {
    size_t blocked = count_places(frames, executor);
    chain found = endless;
    for (const fy_wait_record *record = records; record; record = record->next)
        blocked += count_places(record->frames, executor);
    if (blocked < places)
        return (chain){true, NULL};
    for (fy_wait_record *record = records; record && !found.ends; record = record->next)
        if (count_places(record->frames, executor))
            found = follow_record(frames, record);
    return found;
}

static chain follow(const fy_frame *frames, ferry_job *job) {
    size_t places = 0;
    if (runs(frames, job))
        return endless;
    for (fy_wait_record *record = records; record; record = record->next)
        if (runs(record->frames, job))
            return follow_record(frames, record);
    ferry_job *carrier = fy_executor_find_carrier(job, &places);
    if (carrier) {
        chain found = follow(frames, carrier);
        ferry_job_unref(carrier);
        return found;
    }
    return places ? follow_places(frames, job->executor, places) : (chain){true, ferry_job_ref(job)};
}

static chain follow_all(const fy_wait_record *record) {
    chain found = endless;
    for (fy_wait_record *other = records; other; other = other->next)
        other->is_seen = false;
    for (size_t i = 0; i < record->count && !found.ends; i++)
        found = follow(record->frames, record->jobs[i]);
    return found;
}

/* ---- waiting ---- */

static void link_record(fy_wait_record *record) {
    record->next = records;
    records = record;
    record->linked = true;
    if (record->executor && record->executor->ops->note_waiting)
        record->executor->ops->note_waiting(record->executor, 1);
}

static void unlink_record(fy_wait_record *record) {
    fy_wait_record **link = &records;
    while (*link != record)
        link = &(*link)->next;
    *link = record->next;
    record->linked = false;
    if (record->executor && record->executor->ops->note_waiting)
        record->executor->ops->note_waiting(record->executor, -1);
}

/* One whose time is up is not claimed to be run. */
static bool claim_first(ferry_job *job, bool *ret_is_late) {
    *ret_is_late = job && fy_job_is_late(job);
    return job && fy_executor_claim_elsewhere(job, !*ret_is_late);
}

/* Either links the record, or claims a job that is to be run, or ended, first (one reference), or refuses. */
static ferry_status decide(fy_wait_record *record, ferry_job **ret_first, bool *ret_is_late) {
    fy_mutex_lock(fy_waits_lock());
    chain found = follow_all(record);
    bool runs_first = claim_first(found.job, ret_is_late);
    if (found.ends && !runs_first) {
        link_record(record);
        /* Whoever comes after this one counts it as waiting already; so it looks once more. */
        runs_first = claim_first(found.job, ret_is_late);
        if (runs_first)
            unlink_record(record);
    }
    fy_mutex_unlock(fy_waits_lock());
    if (runs_first)
        *ret_first = found.job;
    else
        ferry_job_unref(found.job);
    return found.ends ? 0 : FERRY_EDEADLK;
}

static bool is_any_done(ferry_job *const *jobs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fy_job_state_is_done(fy_job_load_state(jobs[i])))
            return true;
    return false;
}

bool fy_nested_concerns_thread(void) {
    return fy_frame_current() || fy_frame_worker_view();
}

static ferry_status enter(fy_wait_record *record, ferry_job *const *jobs, size_t count) {
    const fy_worker_view *worker = fy_frame_worker_view();
    record->frames = fy_frame_current();
    record->jobs = jobs;
    record->count = count;
    record->executor = worker ? worker->executor : NULL;
    record->linked = false;
    ferry_status status = 0;
    while ((record->frames || worker) && !status && !record->linked && !is_any_done(jobs, count)) {
        ferry_job *first = NULL;
        bool is_late = false;
        status = decide(record, &first, &is_late);
        if (first && is_late)
            fy_job_fail_claimed(first, FERRY_ETIMEDOUT, FY_JOB_LATE);
        else if (first)
            fy_job_run_claimed(first);
        ferry_job_unref(first);
    }
    return status;
}

ferry_status fy_nested_enter(fy_wait_record *record, ferry_job *job) {
    record->single = job;
    return enter(record, &record->single, 1);
}

ferry_status fy_nested_enter_any(fy_wait_record *record, ferry_job *const *jobs, size_t count) {
    return enter(record, jobs, count);
}

void fy_nested_leave(fy_wait_record *record) {
    if (!record->linked)
        return;
    fy_mutex_lock(fy_waits_lock());
    unlink_record(record);
    fy_mutex_unlock(fy_waits_lock());
}

bool fy_thread_must_not_block(void) {
    const fy_worker_view *worker = fy_frame_worker_view();
    return ferry_running_loop() || (worker && (worker->sleep || worker->must_not_block));
}
