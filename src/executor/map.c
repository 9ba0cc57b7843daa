/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping a function over arguments. The map keeps the jobs that were submitted and whose results nobody has had yet,
 * in the order of their arguments; it decides when the source is asked and when the map has ended. What becomes of a
 * single job is its executor's affair. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "executor/executor.h"
#include "executor/job_ring.h"
#include "executor/lot.h"

struct ferry_map {
    ferry_executor *executor; /* one reference */
    const char *origin;
    ferry_map_options options;
    int64_t deadline_us;
    fy_job_ring jobs;         /* one reference to each */
    ferry_status end;         /* what comes after the jobs; 0: the source may have more */
};

/* ---- taking from the source ---- */

/* An argument is the map's from the moment the source has given it, unless it is only copied. */
static ferry_status submit_next(ferry_map *self) {
    ferry_status status = fy_job_ring_reserve(&self->jobs);
    void *arg = NULL;
    if (!status)
        status = self->options.next(self->options.source, &arg);
    if (status)
        return status;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = self->options.function, .arg = arg,
                                 .arg_size = self->options.arg_size, .arg_free = self->options.arg_free};
    ferry_job *job = NULL;
    status = ferry_executor_submit_with_from(self->origin, self->executor, &options, &job);
    if (!status)
        fy_job_ring_push(&self->jobs, job);
    else if (self->options.arg_free && !self->options.arg_size)
        self->options.arg_free(arg);
    return status;
}

static void fill(ferry_map *self) {
    size_t limit = self->options.buffer_size;
    while (!self->end && (!limit || self->jobs.count < limit))
        self->end = submit_next(self);
}

/* ---- ending ---- */

/* The newest one first, so that none of the later ones starts in the place of an earlier one that was cancelled. */
static void drop_jobs(ferry_map *self) {
    bool is_inherited = fy_executor_check(self->executor) != 0;
    for (ferry_job *job; (job = fy_job_ring_pop_newest(&self->jobs));) {
        if (!is_inherited)
            fy_job_withdraw(job);
        ferry_job_unref(job);
    }
}

void ferry_map_close(ferry_map *self) {
    if (!self)
        return;
    drop_jobs(self);
    fy_job_ring_fini(&self->jobs);
    ferry_executor_unref(self->executor);
    fy_free(self);
}

/* ---- the map ---- */

static bool is_sane(const ferry_map_options *options) {
    return options && options->size == sizeof *options && options->function && options->next &&
           options->timeout_us >= 0;
}

ferry_status ferry_executor_map_from(const char *origin, ferry_executor *executor, const ferry_map_options *options,
                                     ferry_map **ret_map) {
    ferry_status status = fy_executor_check(executor);
    if (status)
        return status;
    if (!is_sane(options) || !ret_map)
        return APR_EINVAL;
    ferry_map *self = fy_malloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    *self = (ferry_map){.executor = ferry_executor_ref(executor), .origin = origin, .options = *options};
    self->deadline_us = options->timeout_us ? fy_deadline_after(options->timeout_us) : FERRY_FOREVER;
    fill(self);
    if (self->end && self->end != FERRY_EEXHAUSTED) {
        status = self->end;
        ferry_map_close(self);
        return status;
    }
    *ret_map = self;
    return 0;
}

ferry_status ferry_map_next(ferry_map *self, ferry_job **ret_job) {
    if (!self || !ret_job)
        return APR_EINVAL;
    ferry_status status = fy_executor_check(self->executor);
    if (status)
        return status;
    if (!self->jobs.count) {
        status = self->end;
        self->end = FERRY_EEXHAUSTED;
        return status;
    }
    status = ferry_job_wait(fy_job_ring_peek(&self->jobs), fy_clock_left(self->deadline_us));
    if (status == FERRY_ETIMEDOUT) {
        drop_jobs(self);
        self->end = FERRY_EEXHAUSTED;
    }
    if (status)
        return status;
    *ret_job = fy_job_ring_pop(&self->jobs);
    fill(self);
    return 0;
}
