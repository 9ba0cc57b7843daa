/* SPDX-License-Identifier: Apache-2.0 */
/* What may be read from a job: its state from any thread at any time, its outcome once it is done. */
#include <apr_errno.h>

#include "executor/executor.h"

/* A job that has ended has either an outcome or a cancellation. */
static ferry_status status_in(uint32_t state, const ferry_job *job) {
    switch (state & FY_JOB_STATE) {
    case FY_JOB_FINISHED:
        return fy_job_outcome(job)->status;
    case FY_JOB_CANCELLED:
    case FY_JOB_CANCELLED_NOTIFIED:
        return FERRY_ECANCELED;
    default:
        return FERRY_EINVALIDSTATE;
    }
}

/* The outcome, or an empty one while there is none to read. */
static const fy_outcome *outcome_in(uint32_t state, const ferry_job *job) {
    static const fy_outcome none = {.kind = FY_VALUE_NONE};
    return (state & FY_JOB_STATE) == FY_JOB_FINISHED ? fy_job_outcome(job) : &none;
}

static const fy_outcome *outcome_of(const ferry_job *job) {
    return outcome_in(job ? fy_job_load_state(job) : FY_JOB_PENDING, job);
}

static ferry_job_state public_state(uint32_t state) {
    switch (state & FY_JOB_STATE) {
    case FY_JOB_PENDING:
        return FERRY_JOB_PENDING;
    case FY_JOB_RUNNING:
        return FERRY_JOB_RUNNING;
    case FY_JOB_FINISHED:
        return FERRY_JOB_FINISHED;
    default:
        return FERRY_JOB_CANCELLED;
    }
}

ferry_job_state ferry_job_get_state(const ferry_job *job) {
    return job ? public_state(fy_job_load_state(job)) : FERRY_JOB_PENDING;
}

bool ferry_job_done(const ferry_job *job) {
    return job && fy_job_state_is_done(fy_job_load_state(job));
}

bool ferry_job_running(const ferry_job *job) {
    return job && ferry_job_get_state(job) == FERRY_JOB_RUNNING;
}

bool ferry_job_cancelled(const ferry_job *job) {
    return job && ferry_job_get_state(job) == FERRY_JOB_CANCELLED;
}

ferry_status ferry_job_get_snapshot(ferry_job *job, ferry_job_snapshot *ret_snapshot) {
    if (!job || !ret_snapshot || ret_snapshot->size != sizeof *ret_snapshot)
        return APR_EINVAL;
    uint32_t state = fy_job_load_state(job);
    const fy_outcome *outcome = outcome_in(state, job);
    *ret_snapshot = (ferry_job_snapshot){
        .size = sizeof *ret_snapshot,
        .state = public_state(state),
        .cancel_requested = (state & FY_JOB_CANCEL_REQUESTED) || public_state(state) == FERRY_JOB_CANCELLED,
        .status = status_in(state, job),
        .integer = fy_outcome_integer(outcome),
        .message = fy_outcome_message(outcome),
    };
    return 0;
}

ferry_status ferry_job_status(ferry_job *job) {
    return job ? status_in(fy_job_load_state(job), job) : APR_EINVAL;
}

const char *ferry_job_message(ferry_job *job) {
    return fy_outcome_message(outcome_of(job));
}

const char *ferry_job_origin(const ferry_job *job) {
    return job ? job->origin : NULL;
}

const char *ferry_job_worker(ferry_job *job) {
    return fy_outcome_worker(outcome_of(job));
}

int64_t ferry_job_integer(ferry_job *job) {
    return fy_outcome_integer(outcome_of(job));
}

double ferry_job_real(ferry_job *job) {
    return fy_outcome_real(outcome_of(job));
}

void *ferry_job_pointer(ferry_job *job) {
    return fy_outcome_pointer(outcome_of(job));
}

const void *ferry_job_bytes(ferry_job *job, size_t *ret_size) {
    return fy_outcome_bytes(outcome_of(job), ret_size);
}

ferry_status ferry_job_take_pointer(ferry_job *job, void **ret_pointer) {
    if (!job || !ret_pointer)
        return APR_EINVAL;
    ferry_status status = ferry_job_status(job);
    return status ? status : fy_outcome_take_pointer(fy_job_outcome(job), ret_pointer);
}

ferry_status ferry_job_take_bytes(ferry_job *job, void **ret_bytes, size_t *ret_size) {
    if (!job || !ret_bytes)
        return APR_EINVAL;
    ferry_status status = ferry_job_status(job);
    return status ? status : fy_outcome_take_bytes(fy_job_outcome(job), ret_bytes, ret_size);
}
