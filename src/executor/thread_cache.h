/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that have nothing to run any more and are kept for a moment, since the next loop may come at once. Only
 * threads of drains that allow it (host.h) come here, and only such drains leave with one. Everything belongs to the
 * hosts' lock; see thread_cache.c for the protocol. */
#ifndef FERRY_EXECUTOR_THREAD_CACHE_H
#define FERRY_EXECUTOR_THREAD_CACHE_H

#include "base/spin.h"
#include "executor/host.h"

/* A thread's place in the cache. The thread's own; whoever hands it a drain touches it under the lock alone. */
struct fy_kept_thread {
    struct fy_kept_thread *next;
    bool is_reserved;
    fy_signal_mask signals; /* of the thread that has reserved it */
    _Atomic(fy_drain *) drain; /* what it is to run next */
    fy_parker parker;
    fy_spin spin;
};

/* Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_kept_thread_init(fy_kept_thread *self);

/* It is not in the cache. */
void fy_kept_thread_fini(fy_kept_thread *self);

/* Puts the calling thread in; from here on it may be given a drain. false: it is not wanted. Takes the lock. */
bool fy_thread_cache_enter(fy_kept_thread *self);

/* Waits for the drain. NULL: none has come in time, and the thread is to end; then fy_thread_cache_left is to be
 * called when it has. Takes the lock. */
fy_drain *fy_thread_cache_wait(fy_kept_thread *self);

/* Under the lock. */
void fy_thread_cache_left(void);

/* Reserves a thread of the cache for a drain; NULL: there is none. Under the lock. */
fy_kept_thread *fy_thread_cache_reserve(void);

/* Lets it run the drain. Under the lock. */
void fy_thread_cache_go(fy_kept_thread *thread, fy_drain *drain);

/* A child made by fork has none of them. Under the lock. */
void fy_thread_cache_forget(void);

/* The process exits: takes none any more, and waits until those that are there have ended. Under the lock, which it
 * gives up meanwhile. */
void fy_thread_cache_end(void);

#endif
