/* SPDX-License-Identifier: Apache-2.0 */
/* The lots, and what happens in one when a job changes its state. */
#include "executor/lot.h"

#include "base/alloc.h"
#include "executor/frame.h"

enum { WAITS_LOCK, CANCELS_LOCK, HOSTS_LOCK, POOLS_LOCK, PROCESS_LOCKS };
enum { LOTS = 32, UNOPENED = 0, OPENING = 1, OPEN = 2 };

/* Those behind the first LOTS serve for their locks, and one for its condition, too. */
static fy_lot lots[LOTS + PROCESS_LOCKS];
static _Atomic int lots_state;
static unsigned lots_generation;

static ferry_status init_lots(void) {
    for (int i = 0; i < LOTS + PROCESS_LOCKS; i++) {
        ferry_status status = fy_mutex_init(&lots[i].lock);
        if (!status) {
            status = fy_cond_init(&lots[i].changed);
            if (status)
                fy_mutex_fini(&lots[i].lock);
        }
        if (status) {
            while (i-- > 0) {
                fy_cond_fini(&lots[i].changed);
                fy_mutex_fini(&lots[i].lock);
            }
            return status;
        }
    }
    return 0;
}

ferry_status fy_lots_open(void) {
    for (;;) {
        /* A child made by fork begins anew: a lot may have been locked by a thread that it does not have. */
        int state = atomic_load(&lots_state);
        if (state == OPEN && !fy_lots_forked())
            return 0;
        if (state != OPENING && atomic_compare_exchange_strong(&lots_state, &state, OPENING)) {
            ferry_status status = init_lots();
            lots_generation = fy_fork_generation();
            atomic_store(&lots_state, status ? UNOPENED : OPEN);
            return status;
        }
        fy_thread_yield();
    }
}

bool fy_lots_forked(void) {
    return lots_generation != fy_fork_generation();
}

fy_mutex *fy_waits_lock(void) {
    return &lots[LOTS + WAITS_LOCK].lock;
}

fy_mutex *fy_cancels_lock(void) {
    return &lots[LOTS + CANCELS_LOCK].lock;
}

fy_mutex *fy_hosts_lock(void) {
    return &lots[LOTS + HOSTS_LOCK].lock;
}

fy_mutex *fy_pools_lock(void) {
    return &lots[LOTS + POOLS_LOCK].lock;
}

fy_cond *fy_hosts_changed(void) {
    return &lots[LOTS + HOSTS_LOCK].changed;
}

void fy_lots_wake_all(void) {
    for (int i = 0; i < LOTS; i++) {
        fy_mutex_lock(&lots[i].lock);
        fy_cond_broadcast(&lots[i].changed);
        fy_mutex_unlock(&lots[i].lock);
    }
}

fy_lot *fy_lot_of(const ferry_job *job) {
    uintptr_t line = (uintptr_t)job >> 5;
    return &lots[(line ^ (line >> 7)) % LOTS];
}

/* ---- watchers ---- */

static void link_last(ferry_job *job, fy_watcher *watcher) {
    watcher->next = NULL;
    if (job->watchers) {
        watcher->previous = job->watchers->previous;
        watcher->previous->next = watcher;
    } else {
        job->watchers = watcher;
    }
    job->watchers->previous = watcher;
    watcher->linked = true;
}

static void unlink_watcher(fy_watcher *watcher) {
    ferry_job *job = watcher->job;
    if (job->watchers == watcher) {
        job->watchers = watcher->next;
        if (watcher->next)
            watcher->next->previous = watcher->previous;
    } else {
        watcher->previous->next = watcher->next;
        (watcher->next ? watcher->next : job->watchers)->previous = watcher->previous;
    }
    watcher->linked = false;
}

/* A wait counts a cancelled job as done only when its executor has acknowledged it; a callback does not wait for
 * that. */
static bool is_over_for(const fy_watcher *watcher, uint32_t state) {
    state &= FY_JOB_STATE;
    return state >= FY_JOB_CANCELLED_NOTIFIED || (state == FY_JOB_CANCELLED && !watcher->ended);
}

bool fy_lot_watch(ferry_job *job, fy_watcher *watcher) {
    fy_lot *lot = fy_lot_of(job);
    watcher->job = job;
    fy_mutex_lock(&lot->lock);
    uint32_t state = atomic_fetch_or(&job->state, FY_JOB_WATCHED);
    bool over = is_over_for(watcher, state);
    if (!over)
        link_last(job, watcher);
    fy_mutex_unlock(&lot->lock);
    return !over;
}

void fy_lot_unwatch(fy_watcher *watcher) {
    fy_lot *lot = fy_lot_of(watcher->job);
    fy_mutex_lock(&lot->lock);
    if (watcher->linked)
        unlink_watcher(watcher);
    fy_mutex_unlock(&lot->lock);
}

/* Unlinks those for whom the job is over; returns the done callbacks among them, oldest first, linked by `next`. */
static fy_watcher *tell_watchers(ferry_job *job, uint32_t state) {
    fy_watcher *callbacks = NULL;
    fy_watcher **last = &callbacks;
    for (fy_watcher *watcher = job->watchers, *next; watcher; watcher = next) {
        next = watcher->next;
        if (!is_over_for(watcher, state))
            continue;
        unlink_watcher(watcher);
        if (watcher->ended) {
            watcher->ended(watcher);
        } else {
            watcher->next = NULL;
            *last = watcher;
            last = &watcher->next;
        }
    }
    return callbacks;
}

void fy_lot_notify(ferry_job *job) {
    fy_lot *lot = fy_lot_of(job);
    fy_watcher *callbacks = NULL;
    fy_mutex_lock(&lot->lock);
    uint32_t state = fy_job_load_state(job);
    if (!(state & FY_JOB_ASYNC))
        callbacks = tell_watchers(job, state);
    fy_cond_broadcast(&lot->changed);
    fy_mutex_unlock(&lot->lock);
    fy_worker_view *worker = callbacks ? fy_frame_worker_view() : NULL;
    if (worker && worker->will_call_back)
        worker->will_call_back(worker);
    while (callbacks) {
        fy_watcher *callback = callbacks;
        callbacks = callback->next;
        fy_job_call_back(callback);
    }
}

bool fy_lot_wait(ferry_job *job, bool (*condition)(uint32_t state), int64_t deadline_us) {
    fy_lot *lot = fy_lot_of(job);
    fy_mutex_lock(&lot->lock);
    bool holds = condition(atomic_fetch_or(&job->state, FY_JOB_WATCHED));
    bool in_time = true;
    while (!holds && in_time) {
        in_time = fy_cond_wait_until(&lot->changed, &lot->lock, deadline_us);
        holds = condition(fy_job_load_state(job));
    }
    fy_mutex_unlock(&lot->lock);
    return holds;
}
