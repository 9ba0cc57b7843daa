/* SPDX-License-Identifier: Apache-2.0 */
/* What the seam needs to know of Windows at compile time: the types and the inline functions that seam/platform.h
 * describes. It decides their layout; their meaning stands there. */
#ifndef FERRY_WIN32_NATIVE_H
#define FERRY_WIN32_NATIVE_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

#include "base/assert.h"
#include "ferry/base.h"

/* ---- the backends' own ---- */

/* A HANDLE or a SOCKET, as a number, so that -1 is none on every system. */
typedef intptr_t fy_handle;

/* The HANDLE of a process: its number may be another one's as soon as it has ended. */
typedef intptr_t fy_process;

typedef char fy_signal_mask; /* signals are the process's */

/* How iocp.c sees a file. */
typedef struct fy_file_native {
    SOCKET base;          /* a socket without the layers that other software may have put upon it */
    int family;           /* a socket's, as Winsock numbers them */
    bool is_socket;
    bool is_datagram;
    bool skips_packets;   /* a call that succeeds at once sends no packet */
    bool tells_room;      /* a pipe: the system says how much can be written */
} fy_file_native;

/* What \Device\Afd takes and gives for one socket. */
typedef struct fy_afd_poll {
    LARGE_INTEGER timeout;
    ULONG count;
    ULONG is_exclusive;
    HANDLE handle;
    ULONG events;
    LONG status;
} fy_afd_poll;

/* AcceptEx wants 16 bytes beside each of the two addresses. */
enum { FY_ACCEPT_ADDRESS_SIZE = sizeof(SOCKADDR_IN6) + 16 };

typedef struct fy_op_native {
    OVERLAPPED overlapped; /* the kernel's from the call until its packet has come */
    union {
        fy_afd_poll poll; /* kinds that wait for readiness */
        struct {
            SOCKET socket;
            char addresses[2 * FY_ACCEPT_ADDRESS_SIZE];
        } accept;
        struct {
            HANDLE wait;
            HANDLE port;
            atomic_bool has_ended; /* the packet is under way */
        } child;
    };
    bool is_final;     /* the outcome stands, only its delivery is left */
    bool is_cancelled; /* the kernel was asked to give it up */
} fy_op_native;

/* ---- processor ---- */

#if defined(__GNUC__) && defined(__x86_64__)
static inline uint64_t fy_clock_ticks(void) {
    return __builtin_ia32_rdtsc();
}
#elif defined(_M_X64)
static inline uint64_t fy_clock_ticks(void) {
    return __rdtsc();
}
#else
static inline uint64_t fy_clock_ticks(void) {
    LARGE_INTEGER ticks;
    QueryPerformanceCounter(&ticks);
    return (uint64_t)ticks.QuadPart;
}
#endif

static inline void fy_cpu_relax(void) {
    YieldProcessor();
}

/* The address of the thread's own block: one instruction, which mingw's header makes gcc warn about. */
static inline uintptr_t fy_thread_self(void) {
#if defined(__GNUC__) && defined(__x86_64__)
    uintptr_t self;
    __asm__("movq %%gs:0x30, %0" : "=r"(self));
    return self;
#else
    return (uintptr_t)NtCurrentTeb();
#endif
}

static inline void fy_cpu_fetch_to_write(const void *address) {
#if defined(__GNUC__) && defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#elif defined(_M_X64)
    _m_prefetchw(address);
#else
    (void)address;
#endif
}

/* There is no fork here. */
static inline unsigned fy_fork_generation(void) {
    return 1;
}

static inline bool fy_is_fork_generation(unsigned generation) {
    (void)generation;
    return true;
}

/* ---- locks ---- */

typedef struct fy_mutex {
    SRWLOCK native;
} fy_mutex;

typedef struct fy_cond {
    CONDITION_VARIABLE native;
} fy_cond;

static inline ferry_status fy_mutex_init(fy_mutex *mutex) {
    InitializeSRWLock(&mutex->native);
    return 0;
}

static inline void fy_mutex_fini(fy_mutex *mutex) {
    (void)mutex;
}

static inline void fy_mutex_lock(fy_mutex *mutex) {
    AcquireSRWLockExclusive(&mutex->native);
}

static inline void fy_mutex_unlock(fy_mutex *mutex) {
    ReleaseSRWLockExclusive(&mutex->native);
}

static inline void fy_cond_fini(fy_cond *cond) {
    (void)cond;
}

static inline void fy_cond_wait(fy_cond *cond, fy_mutex *mutex) {
    BOOL woken = SleepConditionVariableSRW(&cond->native, &mutex->native, INFINITE, 0);
    FY_ASSERT(woken);
}

static inline void fy_cond_signal(fy_cond *cond) {
    WakeConditionVariable(&cond->native);
}

static inline void fy_cond_broadcast(fy_cond *cond) {
    WakeAllConditionVariable(&cond->native);
}

/* ---- parking ---- */

typedef struct fy_parker {
    _Atomic uint32_t state;
} fy_parker;

#endif
