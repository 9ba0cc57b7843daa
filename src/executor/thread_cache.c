/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of threads. A loop that is made, uses its default executor and is closed costs little but the making and
 * the ending of a thread; a program that runs one loop after the other pays for that once.
 *
 * Protocol: a thread puts itself into the list, and only then says that its drain is over, so that whoever is told
 * finds it here. Whoever has a drain takes the thread out of the list: it is reserved, and cannot end. When the drain
 * may run, it is written and the thread unparked under the lock; so the thread lives until it has been unparked, for to
 * end it needs the lock. A thread that has waited in vain takes the lock; if it is neither reserved nor given a drain,
 * it takes itself out. `kept` counts those that were put in and have neither been reserved nor ended.
 *
 * To whoever closes a loop its threads have ended. So none that is kept takes a signal that is meant for the process,
 * and one that is used again holds back what its new starter does, as a new one would. */
#include "executor/thread_cache.h"

#include "executor/lot.h"

enum { KEPT_MAX = 8, KEPT_US = 100000, LOOKS = 64 };

static fy_kept_thread *cache; /* last in first out */
static size_t in_cache, kept;
static bool is_ended;
static _Atomic bool is_somebody_looking;
static fy_drain nothing; /* to run this is to end */

ferry_status fy_kept_thread_init(fy_kept_thread *self) {
    fy_spin_init(&self->spin);
    return fy_parker_init(&self->parker);
}

void fy_kept_thread_fini(fy_kept_thread *self) {
    fy_parker_fini(&self->parker);
}

bool fy_thread_cache_enter(fy_kept_thread *self) {
    fy_thread_hold_signals();
    fy_mutex_lock(fy_hosts_lock());
    bool enters = in_cache < KEPT_MAX && !is_ended;
    if (enters) {
        atomic_store_explicit(&self->drain, NULL, memory_order_relaxed);
        self->next = cache;
        cache = self;
        in_cache++;
        kept++;
    }
    fy_mutex_unlock(fy_hosts_lock());
    return enters;
}

static fy_kept_thread *take_first(void) {
    fy_kept_thread *thread = cache;
    cache = thread->next;
    in_cache--;
    return thread;
}

static void give(fy_kept_thread *thread, fy_drain *drain) {
    atomic_store_explicit(&thread->drain, drain, memory_order_release);
    fy_unpark(&thread->parker);
}

fy_kept_thread *fy_thread_cache_reserve(void) {
    if (!cache)
        return NULL;
    kept--;
    cache->is_reserved = true;
    cache->signals = fy_thread_signals();
    return take_first();
}

void fy_thread_cache_go(fy_kept_thread *thread, fy_drain *drain) {
    thread->is_reserved = false;
    give(thread, drain);
}

/* ---- waiting ---- */

static fy_drain *given(fy_kept_thread *self) {
    return atomic_load_explicit(&self->drain, memory_order_acquire);
}

/* The next loop may come at once; but one thread that looks is enough, on a processor that nobody else needs. */
static void look(fy_kept_thread *self) {
    uint32_t limit_us = fy_spin_begin(&self->spin);
    if (!limit_us || fy_cpu_affinity() < 2 || atomic_exchange(&is_somebody_looking, true))
        return;
    uint64_t end = fy_clock_ticks() + limit_us * fy_clock_ticks_per_us();
    do {
        for (int i = 0; i < LOOKS && !given(self); i++)
            fy_cpu_relax();
        if (!given(self))
            fy_thread_yield();
    } while (!given(self) && fy_clock_ticks() < end);
    atomic_store(&is_somebody_looking, false);
    fy_spin_end(&self->spin, given(self));
}

/* Its time is up. false: it is about to be given a drain. */
static bool leave(fy_kept_thread *self) {
    fy_mutex_lock(fy_hosts_lock());
    bool leaves = !self->is_reserved && !given(self);
    if (leaves) {
        fy_kept_thread **link = &cache;
        while (*link != self)
            link = &(*link)->next;
        *link = self->next;
        in_cache--;
    }
    fy_mutex_unlock(fy_hosts_lock());
    return leaves;
}

fy_drain *fy_thread_cache_wait(fy_kept_thread *self) {
    int64_t began_us = fy_clock_now();
    int64_t deadline_us = began_us + KEPT_US;
    look(self);
    while (!given(self)) {
        if (fy_park(&self->parker, deadline_us) || fy_clock_left(deadline_us) > 0)
            continue;
        if (leave(self))
            return NULL;
        deadline_us = FERRY_FOREVER;
    }
    self->spin.last_gap_us = fy_clock_now() - began_us;
    fy_drain *drain = given(self);
    if (drain == &nothing)
        return NULL;
    fy_thread_set_signals(&self->signals);
    return drain;
}

/* ---- ending ---- */

void fy_thread_cache_left(void) {
    if (--kept == 0)
        fy_cond_broadcast(fy_hosts_changed());
}

void fy_thread_cache_forget(void) {
    cache = NULL;
    in_cache = kept = 0;
    is_ended = false;
    atomic_store_explicit(&is_somebody_looking, false, memory_order_relaxed);
}

void fy_thread_cache_end(void) {
    is_ended = true;
    while (cache)
        give(take_first(), &nothing);
    while (kept)
        fy_cond_wait(fy_hosts_changed(), fy_hosts_lock());
}
