/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for jobs. A thread that is about to block inside a job first lets the other job's executor help (a pool
 * runs the pending job right here), then makes sure that no chain of waits leads back to it.
 *
 * Every thread that blocks inside a job links a record: what it runs (its stack of frames, which cannot change while it
 * is blocked) and what it waits for. The lock guards the list. Whoever links the record that would close a circle sees
 * all the others, so exactly the last one is refused. */
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

/* Whether waiting for `job` would close a circle back to one of `frames`. */
static bool closes_circle(const fy_frame *frames, const ferry_job *job) {
    for (;;) {
        if (runs(frames, job))
            return true;
        const fy_wait_record *record = records;
        while (record && !runs(record->frames, job))
            record = record->next;
        if (!record)
            return false;
        job = record->waiting_for;
    }
}

/* The pending job's executor is alive if one of this thread's own jobs is running in it. */
static ferry_status let_executor_help(const fy_frame *frames, ferry_job *job) {
    for (const fy_frame *frame = frames; frame; frame = frame->outer)
        if (frame->job->executor == job->executor && job->executor->ops->before_wait)
            return job->executor->ops->before_wait(job->executor, job);
    return 0;
}

ferry_status fy_nested_enter(fy_wait_record *record, ferry_job *job) {
    const fy_frame *frames = fy_frame_current();
    *record = (fy_wait_record){.frames = frames, .waiting_for = job};
    if (!frames)
        return 0;
    ferry_status status = 0;
    if ((fy_job_load_state(job) & FY_JOB_STATE) == FY_JOB_PENDING)
        status = let_executor_help(frames, job);
    if (status || fy_job_state_is_done(fy_job_load_state(job)))
        return status;
    fy_mutex_lock(fy_waits_lock());
    if (closes_circle(frames, job)) {
        status = FERRY_EDEADLK;
    } else {
        record->next = records;
        records = record;
        record->linked = true;
    }
    fy_mutex_unlock(fy_waits_lock());
    return status;
}

void fy_nested_leave(fy_wait_record *record) {
    if (!record->linked)
        return;
    fy_mutex_lock(fy_waits_lock());
    fy_wait_record **link = &records;
    while (*link != record)
        link = &(*link)->next;
    *link = record->next;
    fy_mutex_unlock(fy_waits_lock());
}

bool fy_thread_must_not_block(void) {
    return ferry_running_loop() != NULL;
}
