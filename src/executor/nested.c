/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for jobs. A thread that is about to block inside a job first lets the other job's executor help (a
 * pool runs the pending job right here), then makes sure that no chain of waits leads back to it.
 *
 * Every thread that blocks inside a job links a record: what it runs (its stack of frames, which cannot change while it
 * is blocked) and what it waits for. The lock guards the list. Whoever is about to link a record follows the chain of
 * waits from it to its end, and sees all the others. If the chain comes back to him, he is refused. If it ends with a
 * job that nobody has begun, and which no worker of its pool will begin (or he is one of them), he runs it first. So of
 * those that would wait for each other for ever, the last one to come either helps or is told. */
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

/* The job at the end of the chain of waits that begins with this one; NULL: the chain leads back to one of `frames`. */
static ferry_job *end_of_chain(const fy_frame *frames, ferry_job *job) {
    for (;;) {
        if (runs(frames, job))
            return NULL;
        const fy_wait_record *record = records;
        while (record && !runs(record->frames, job))
            record = record->next;
        if (!record)
            return job;
        job = record->waiting_for;
    }
}

/* The pending job's executor is alive if one of this thread's own jobs is running in it. */
static ferry_status let_executor_object(const fy_frame *frames, ferry_job *job) {
    if ((fy_job_load_state(job) & FY_JOB_STATE) != FY_JOB_PENDING)
        return 0;
    for (const fy_frame *frame = frames; frame; frame = frame->outer)
        if (frame->job->executor == job->executor && job->executor->ops->before_wait)
            return job->executor->ops->before_wait(job->executor, job);
    return 0;
}

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
    if (record->executor && record->executor->ops->note_waiting)
        record->executor->ops->note_waiting(record->executor, -1);
}

/* Either links the record, or claims a job that is to be run first, or refuses. */
static ferry_status decide(fy_wait_record *record, ferry_job **ret_first) {
    ferry_status status = 0;
    *ret_first = NULL;
    fy_mutex_lock(fy_waits_lock());
    ferry_job *end = end_of_chain(record->frames, record->waiting_for);
    if (!end)
        status = FERRY_EDEADLK;
    else if (fy_executor_claim_elsewhere(end, true))
        *ret_first = ferry_job_ref(end);
    else
        link_record(record);
    /* Whoever comes after this one counts it as waiting already; so it looks once more at its own job. */
    if (record->linked && end == record->waiting_for && fy_executor_claim_elsewhere(end, true)) {
        unlink_record(record);
        record->linked = false;
        *ret_first = ferry_job_ref(end);
    }
    fy_mutex_unlock(fy_waits_lock());
    return status;
}

ferry_status fy_nested_enter(fy_wait_record *record, ferry_job *job) {
    const fy_frame *frames = fy_frame_current();
    const fy_worker_view *worker = fy_frame_worker_view();
    *record = (fy_wait_record){
        .frames = frames, .waiting_for = job, .executor = worker ? worker->executor : NULL};
    if (!frames)
        return 0;
    ferry_status status = let_executor_object(frames, job);
    while (!status && !record->linked && !fy_job_state_is_done(fy_job_load_state(job))) {
        ferry_job *first = NULL;
        status = decide(record, &first);
        if (first)
            fy_job_run_claimed(first);
        ferry_job_unref(first);
    }
    return status;
}

void fy_nested_leave(fy_wait_record *record) {
    if (!record->linked)
        return;
    fy_mutex_lock(fy_waits_lock());
    unlink_record(record);
    fy_mutex_unlock(fy_waits_lock());
}

bool fy_thread_must_not_block(void) {
    return ferry_running_loop() != NULL;
}
