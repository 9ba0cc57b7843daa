/* SPDX-License-Identifier: Apache-2.0 */
/* Threads without making any: names, timed waiting, parking, and telling a forked child from its parent. It decides how
 * each is done with what the system has; the meaning is seam/platform.h's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#if defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <pthread_np.h>
#endif

#include "base/hints.h"
#include "posix/timespec.h"
#include "seam/platform.h"

#ifdef FY_FUTEX_PARKER
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

/* ---- names and processors ---- */

/* How much of a name is kept: a longer one would be refused whole, but where the kernel itself keeps its beginning. */
#if defined(__linux__)
enum { NAME_SIZE = 16 };
#elif defined(__NetBSD__)
enum { NAME_SIZE = PTHREAD_MAX_NAMELEN_NP };
#else
enum { NAME_SIZE = 64 };
#endif

void fy_thread_set_name(const char *name) {
    char kept[NAME_SIZE];
    size_t length = strnlen(name, sizeof kept - 1);
    memcpy(kept, name, length);
    kept[length] = '\0';
#if defined(__linux__)
    pthread_setname_np(pthread_self(), kept);
#elif defined(__APPLE__)
    pthread_setname_np(kept);
#elif defined(__NetBSD__)
    pthread_setname_np(pthread_self(), "%s", kept);
#elif defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
    pthread_set_name_np(pthread_self(), kept);
#endif
}

fy_signal_mask fy_thread_signals(void) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return mask;
}

void fy_thread_set_signals(const fy_signal_mask *mask) {
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

void fy_thread_hold_signals(void) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

void fy_thread_yield(void) {
    sched_yield();
}

/* ---- fork ---- */

/* 0 until the first question: whoever asked nothing before a fork has noted nothing that it could make stale. */
_Atomic unsigned fy_fork_generation_now;

static void count_fork(void) {
    atomic_fetch_add_explicit(&fy_fork_generation_now, 1, memory_order_relaxed);
}

static void watch_forks(void) {
    /* Without the handler a fork stays unseen, which harms only a program that uses inherited objects in the child. */
    (void)pthread_atfork(NULL, NULL, count_fork);
    atomic_store_explicit(&fy_fork_generation_now, 1, memory_order_relaxed);
}

FY_NOINLINE unsigned fy_fork_generation_first(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return atomic_load_explicit(&fy_fork_generation_now, memory_order_relaxed);
}

/* ---- condition variables ---- */

ferry_status fy_cond_init(fy_cond *cond) {
#if defined(__APPLE__)
    return pthread_cond_init(&cond->native, NULL);
#else
    pthread_condattr_t attributes;
    int status = pthread_condattr_init(&attributes);
    if (status)
        return status;
    status = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!status)
        status = pthread_cond_init(&cond->native, &attributes);
    pthread_condattr_destroy(&attributes);
    return status;
#endif
}

bool fy_cond_wait_until(fy_cond *cond, fy_mutex *mutex, int64_t deadline_us) {
    if (deadline_us == FERRY_FOREVER) {
        fy_cond_wait(cond, mutex);
        return true;
    }
#if defined(__APPLE__)
    struct timespec left = fy_timespec(fy_clock_left(deadline_us));
    int status = pthread_cond_timedwait_relative_np(&cond->native, &mutex->native, &left);
#else
    struct timespec deadline = fy_timespec(deadline_us);
    int status = pthread_cond_timedwait(&cond->native, &mutex->native, &deadline);
#endif
    FY_ASSERT(status == 0 || status == ETIMEDOUT);
    return status == 0;
}

/* ---- parking ---- */

#ifdef FY_FUTEX_PARKER

/* EMPTY: nobody parks, no token. PARKED: the owner sleeps or is about to. TOKEN: an unpark came first. Only the owner
 * makes it EMPTY or PARKED, anyone makes it TOKEN. One step down leads from TOKEN to EMPTY and from EMPTY to PARKED. */
enum { EMPTY = 0, TOKEN = 1 };
#define PARKED UINT32_MAX

#ifdef SYS_futex_time64
#define FUTEX_CALL SYS_futex_time64
#else
#define FUTEX_CALL SYS_futex
#endif

ferry_status fy_parker_init(fy_parker *parker) {
    atomic_init(&parker->state, EMPTY);
    return 0;
}

void fy_parker_fini(fy_parker *parker) {
    (void)parker;
}

static void futex_wait(fy_parker *parker, int64_t deadline_us) {
    struct __kernel_timespec deadline = fy_kernel_timespec(deadline_us);
    syscall(FUTEX_CALL, &parker->state, FUTEX_WAIT_BITSET_PRIVATE, PARKED,
            deadline_us == FERRY_FOREVER ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

bool fy_park(fy_parker *parker, int64_t deadline_us) {
    if (atomic_fetch_sub_explicit(&parker->state, 1, memory_order_acquire) == TOKEN)
        return true;
    if (deadline_us > 0)
        futex_wait(parker, deadline_us);
    return atomic_exchange_explicit(&parker->state, EMPTY, memory_order_acquire) == TOKEN;
}

void fy_unpark(fy_parker *parker) {
    if (atomic_exchange_explicit(&parker->state, TOKEN, memory_order_release) == PARKED)
        syscall(FUTEX_CALL, &parker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#else

ferry_status fy_parker_init(fy_parker *parker) {
    ferry_status status = fy_mutex_init(&parker->mutex);
    if (status)
        return status;
    status = fy_cond_init(&parker->cond);
    if (status)
        fy_mutex_fini(&parker->mutex);
    parker->has_token = false;
    return status;
}

void fy_parker_fini(fy_parker *parker) {
    fy_cond_fini(&parker->cond);
    fy_mutex_fini(&parker->mutex);
}

bool fy_park(fy_parker *parker, int64_t deadline_us) {
    fy_mutex_lock(&parker->mutex);
    if (!parker->has_token && deadline_us > 0)
        (void)fy_cond_wait_until(&parker->cond, &parker->mutex, deadline_us);
    bool had_token = parker->has_token;
    parker->has_token = false;
    fy_mutex_unlock(&parker->mutex);
    return had_token;
}

void fy_unpark(fy_parker *parker) {
    fy_mutex_lock(&parker->mutex);
    parker->has_token = true;
    fy_cond_signal(&parker->cond);
    fy_mutex_unlock(&parker->mutex);
}

#endif
