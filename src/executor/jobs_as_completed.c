/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out jobs in the order in which they end. Each job has a watcher, which is told under the lock of the job's
 * lot and does no more than queue its job and wake the iterator's user; the order of locks is lot, then iterator. It
 * decides what is handed out when, and knows nothing of what the jobs are.
 *
 *   ended, has_ended    lock
 *   all else            the iterator's user, one thread at a time */
#include <apr_errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "executor/executor.h"
#include "executor/frame.h"
#include "executor/lot.h"

typedef struct member {
    fy_watcher watcher;   /* holds one reference to its job */
    ferry_jobs_as_completed *iterator;
    struct member *next;  /* of those that have ended */
    bool has_ended;
} member;

struct ferry_jobs_as_completed {
    fy_mutex lock;
    fy_cond changed;
    unsigned fork_generation;
    int64_t deadline_us;
    int64_t late_us;      /* the earliest deadline of a job of its own, of those that may still be pending */
    member *ended;        /* and not handed out: the oldest first */
    member **ended_last;
    size_t left;          /* not handed out */
    size_t count;
    ferry_job **waiting;  /* borrowed: those that have not ended, while the user is blocked inside a job */
    member members[];
};

/* ---- what has ended ---- */

static void queue_ended(member *self) {
    ferry_jobs_as_completed *iterator = self->iterator;
    fy_mutex_lock(&iterator->lock);
    self->has_ended = true;
    *iterator->ended_last = self;
    iterator->ended_last = &self->next;
    fy_cond_signal(&iterator->changed);
    fy_mutex_unlock(&iterator->lock);
}

static void on_end(fy_watcher *watcher) {
    queue_ended(FY_CONTAINER(watcher, member, watcher));
}

/* The next one, or NULL if none has ended until the deadline. */
static ferry_job *take_ended(ferry_jobs_as_completed *self, int64_t deadline_us) {
    bool in_time = true;
    fy_mutex_lock(&self->lock);
    while (!self->ended && in_time)
        in_time = fy_cond_wait_until(&self->changed, &self->lock, deadline_us);
    member *first = self->ended;
    if (first) {
        self->ended = first->next;
        if (!self->ended)
            self->ended_last = &self->ended;
    }
    fy_mutex_unlock(&self->lock);
    return first ? first->watcher.job : NULL;
}

/* ---- members whose own time is up ---- */

static int64_t deadline_of(const member *one) {
    const fy_job_extra *extra = one->watcher.job->extra;
    return extra && extra->deadline_us ? extra->deadline_us : FERRY_FOREVER;
}

/* Ends those that have not been begun until now, in their executors' place, and finds out when to look again. */
static void end_late(ferry_jobs_as_completed *self) {
    self->late_us = FERRY_FOREVER;
    for (size_t i = 0; i < self->count; i++) {
        ferry_job *job = self->members[i].watcher.job;
        int64_t deadline_us = deadline_of(&self->members[i]);
        if (fy_clock_left(deadline_us)) {
            if (deadline_us < self->late_us)
                self->late_us = deadline_us;
        } else if (fy_executor_claim_elsewhere(job, false)) {
            fy_job_fail_claimed(job, FERRY_ETIMEDOUT, FY_JOB_LATE);
        }
    }
}

/* Waits for the next one; NULL: the time is up. */
static ferry_job *wait_for_next(ferry_jobs_as_completed *self) {
    ferry_job *job = NULL;
    while (!job && self->late_us < self->deadline_us) {
        job = take_ended(self, self->late_us);
        if (!job)
            end_late(self);
    }
    return job ? job : take_ended(self, self->deadline_us);
}

/* ---- inside a job ---- */

static bool has_ended(ferry_jobs_as_completed *self, const member *one) {
    fy_mutex_lock(&self->lock);
    bool ended = one ? one->has_ended : self->ended != NULL;
    fy_mutex_unlock(&self->lock);
    return ended;
}

/* The job was cancelled and its executor has yet to acknowledge it: it might be this very worker that has to. */
static void end_cancelled(ferry_jobs_as_completed *self, member *one) {
    fy_lot_unwatch(&one->watcher);
    if (!has_ended(self, one))
        queue_ended(one);
}

/* Collects those that are still to be waited for; returns how many they are. */
static size_t collect_waiting(ferry_jobs_as_completed *self) {
    size_t waiting = 0;
    for (size_t i = 0; i < self->count; i++) {
        member *one = &self->members[i];
        if (has_ended(self, one))
            continue;
        if (fy_job_state_is_done(fy_job_load_state(one->watcher.job)))
            end_cancelled(self, one);
        else
            self->waiting[waiting++] = one->watcher.job;
    }
    return waiting;
}

/* Before a thread blocks inside a job. Returns: 0 (`fy_nested_leave` must follow), FERRY_EDEADLK. */
static ferry_status enter_nested(ferry_jobs_as_completed *self, fy_wait_record *record) {
    ferry_status status = 0;
    while (!status && !record->linked) {
        size_t waiting = collect_waiting(self);
        if (has_ended(self, NULL))
            break;
        status = fy_nested_enter_any(record, self->waiting, waiting);
    }
    return status;
}

/* ---- the iterator ---- */

static bool is_inherited(const ferry_jobs_as_completed *self) {
    return self->fork_generation != fy_fork_generation();
}

static ferry_status block(ferry_jobs_as_completed *self, ferry_job **ret_job) {
    if (fy_thread_must_not_block())
        return FERRY_EDEADLK;
    fy_wait_record record = {.linked = false};
    ferry_status status = fy_nested_concerns_thread() ? enter_nested(self, &record) : 0;
    if (status)
        return status;
    ferry_job *job = wait_for_next(self);
    fy_nested_leave(&record);
    if (!job)
        return FERRY_ETIMEDOUT;
    *ret_job = job;
    return 0;
}

ferry_status ferry_jobs_as_completed_next(ferry_jobs_as_completed *self, ferry_job **ret_job) {
    if (!self || !ret_job)
        return APR_EINVAL;
    if (is_inherited(self))
        return FERRY_EFORKED;
    if (!self->left)
        return FERRY_EEXHAUSTED;
    ferry_status status = 0;
    ferry_job *job = take_ended(self, 0);
    if (!job)
        status = fy_clock_left(self->deadline_us) ? block(self, &job) : FERRY_ETIMEDOUT;
    if (status)
        return status;
    self->left--;
    *ret_job = job;
    return 0;
}

typedef struct given {
    ferry_job *job;
    size_t index;
} given;

static int compare(const void *left, const void *right) {
    const given *a = left, *b = right;
    if (a->job != b->job)
        return (uintptr_t)a->job < (uintptr_t)b->job ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* Makes each job a member once, in the order given. */
static ferry_status take_each_once(ferry_jobs_as_completed *self, ferry_job *const *jobs, size_t count) {
    given *sorted = fy_malloc((count ? count : 1) * sizeof *sorted);
    if (!sorted)
        return APR_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (given){jobs[i], i};
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sorted[i].job != sorted[i - 1].job)
            self->members[sorted[i].index].iterator = self;
    fy_free(sorted);
    for (size_t i = 0; i < count; i++)
        if (self->members[i].iterator)
            self->members[self->count++] =
                (member){.watcher = {.job = ferry_job_ref(jobs[i]), .ended = on_end}, .iterator = self};
    self->left = self->count;
    return 0;
}

static ferry_status create(size_t count, ferry_jobs_as_completed **ret_self) {
    size_t size_each = sizeof(member) + sizeof(ferry_job *);
    size_t count_max = (SIZE_MAX - sizeof(ferry_jobs_as_completed)) / size_each;
    ferry_jobs_as_completed *self = count <= count_max ? fy_calloc(sizeof *self + count * size_each) : NULL;
    if (!self)
        return APR_ENOMEM;
    self->waiting = (ferry_job **)(void *)(self->members + count);
    ferry_status status = fy_mutex_init(&self->lock);
    if (status)
        goto fail_lock;
    status = fy_cond_init(&self->changed);
    if (status)
        goto fail_changed;
    self->fork_generation = fy_fork_generation();
    self->ended_last = &self->ended;
    *ret_self = self;
    return 0;

fail_changed:
    fy_mutex_fini(&self->lock);
fail_lock:
    fy_free(self);
    return status;
}

ferry_status ferry_jobs_as_completed_open(ferry_job *const *jobs, size_t count, int64_t timeout_us,
                                          ferry_jobs_as_completed **ret_iterator) {
    if ((count && !jobs) || timeout_us < 0 || !ret_iterator)
        return APR_EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!jobs[i])
            return APR_EINVAL;
    if (count && fy_lots_forked())
        return FERRY_EFORKED;
    ferry_jobs_as_completed *self = NULL;
    ferry_status status = create(count, &self);
    if (status)
        return status;
    self->deadline_us = fy_deadline_after(timeout_us);
    status = take_each_once(self, jobs, count);
    if (status) {
        ferry_jobs_as_completed_close(self);
        return status;
    }
    for (size_t i = 0; i < self->count; i++)
        if (!fy_lot_watch(self->members[i].watcher.job, &self->members[i].watcher))
            queue_ended(&self->members[i]);
    end_late(self);
    *ret_iterator = self;
    return 0;
}

/* In a child made by fork the lots begin anew; threads that are gone may still seem to use lock and condition. */
void ferry_jobs_as_completed_close(ferry_jobs_as_completed *self) {
    if (!self || (fy_lots_forked() && fy_lots_open()))
        return;
    for (size_t i = 0; i < self->count; i++) {
        fy_lot_unwatch(&self->members[i].watcher);
        ferry_job_unref(self->members[i].watcher.job);
    }
    if (!is_inherited(self)) {
        fy_cond_fini(&self->changed);
        fy_mutex_fini(&self->lock);
    }
    fy_free(self);
}
