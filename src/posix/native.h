/* SPDX-License-Identifier: Apache-2.0 */
/* What the seam needs to know of a POSIX system at compile time: the types and the inline functions that
 * seam/platform.h describes. It decides their layout; their meaning stands there. */
#ifndef FERRY_POSIX_NATIVE_H
#define FERRY_POSIX_NATIVE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/assert.h"
#include "ferry/base.h"

/* ---- the backends' own ---- */

typedef int fy_handle;

typedef pid_t fy_process;

typedef sigset_t fy_signal_mask;

/* The reactor's view of a file; reactor.c says who writes what. */
typedef struct fy_file_native {
    bool may_be_ready[2]; /* by direction: the next system call is worth a try */
    bool is_socket;
    bool is_tcp;
    bool is_datagram;
    uint32_t drained_by; /* once so many more bytes were read, a short read proves that nothing is left, not even an end
                          * or urgent data; FY_NEVER: it proves nothing */
} fy_file_native;

#define FY_NEVER UINT32_MAX

typedef struct fy_op_native {
    bool is_final;   /* the outcome stands, only its delivery is left */
    bool is_started; /* CONNECT: the kernel is at it */
} fy_op_native;

/* ---- processor ---- */

/* Where the processor has no counter of its own the clock does, in microseconds. */
#if defined(__x86_64__)
static inline uint64_t fy_clock_ticks(void) {
    return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
static inline uint64_t fy_clock_ticks(void) {
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#else
int64_t fy_clock_now(void);
static inline uint64_t fy_clock_ticks(void) {
    return (uint64_t)fy_clock_now();
}
#endif

static inline void fy_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* In assembly, for gcc drops a call of a function that does nothing but this. On x86-64 it must also be told that the
 * processor knows the instruction; one that does not ignores it. */
static inline void fy_cpu_fetch_to_write(const void *address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#elif defined(__aarch64__)
    __asm__ volatile("prfm pstl1keep, %0" : : "Q"(*(const char *)address));
#else
    __builtin_prefetch(address, 1);
#endif
}

#if defined(__linux__) && defined(__has_builtin)
#if __has_builtin(__builtin_thread_pointer)
#define FY_HAS_THREAD_POINTER 1
#endif
#endif

/* pthread_self is a call into another library; the thread pointer is one instruction. */
static inline uintptr_t fy_thread_self(void) {
#ifdef FY_HAS_THREAD_POINTER
    return (uintptr_t)__builtin_thread_pointer();
#else
    return (uintptr_t)pthread_self();
#endif
}

/* 0 until the first question, which fy_fork_generation_first answers. */
extern _Atomic unsigned fy_fork_generation_now;
unsigned fy_fork_generation_first(void);

static inline unsigned fy_fork_generation(void) {
    unsigned generation = atomic_load_explicit(&fy_fork_generation_now, memory_order_relaxed);
    return generation ? generation : fy_fork_generation_first();
}

static inline bool fy_is_fork_generation(unsigned generation) {
    return generation == atomic_load_explicit(&fy_fork_generation_now, memory_order_relaxed);
}

/* ---- locks ---- */

typedef struct fy_mutex {
    pthread_mutex_t native;
} fy_mutex;

typedef struct fy_cond {
    pthread_cond_t native;
} fy_cond;

static inline ferry_status fy_mutex_init(fy_mutex *mutex) {
    return pthread_mutex_init(&mutex->native, NULL);
}

/* In a child made by fork another thread of the parent may hold it for ever: EBUSY, and nothing to be done. */
static inline void fy_mutex_fini(fy_mutex *mutex) {
    (void)pthread_mutex_destroy(&mutex->native);
}

static inline void fy_mutex_lock(fy_mutex *mutex) {
    int status = pthread_mutex_lock(&mutex->native);
    FY_ASSERT(status == 0);
}

static inline void fy_mutex_unlock(fy_mutex *mutex) {
    int status = pthread_mutex_unlock(&mutex->native);
    FY_ASSERT(status == 0);
}

static inline void fy_cond_fini(fy_cond *cond) {
    (void)pthread_cond_destroy(&cond->native);
}

static inline void fy_cond_wait(fy_cond *cond, fy_mutex *mutex) {
    int status = pthread_cond_wait(&cond->native, &mutex->native);
    FY_ASSERT(status == 0);
}

static inline void fy_cond_signal(fy_cond *cond) {
    int status = pthread_cond_signal(&cond->native);
    FY_ASSERT(status == 0);
}

static inline void fy_cond_broadcast(fy_cond *cond) {
    int status = pthread_cond_broadcast(&cond->native);
    FY_ASSERT(status == 0);
}

/* ---- parking ---- */

/* FY_PORTABLE_PARKER builds the variant for systems without futexes where it can be tested, too. */
#if defined(__linux__) && !defined(FY_PORTABLE_PARKER)
#define FY_FUTEX_PARKER 1

typedef struct fy_parker {
    _Atomic uint32_t state;
} fy_parker;
#else
typedef struct fy_parker {
    fy_mutex mutex;
    fy_cond cond;
    bool has_token;
} fy_parker;
#endif

#endif
