/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time and sleeping. It decides which of the system's clocks is Ferry's: the performance counter, the only
 * one that resolves microseconds everywhere. It counts while the machine sleeps, and the kernel's timeouts do not, so a
 * wait that was under way then may end late by what it had left. */
#include "win32/clock.h"

#include <stdatomic.h>

#include "seam/platform.h"

#define US_PER_S INT64_C(1000000)

/* Windows 10 1803 has it, and not every header. */
#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

/* Nobody notices one more wake-up a day. */
#define NAP_US_MAX (86400 * US_PER_S)

static int64_t counter_rate(void) {
    static _Atomic int64_t rate; /* the same for every thread, and never changes */
    int64_t known = atomic_load_explicit(&rate, memory_order_relaxed);
    if (!known) {
        LARGE_INTEGER frequency;
        QueryPerformanceFrequency(&frequency);
        known = frequency.QuadPart;
        atomic_store_explicit(&rate, known, memory_order_relaxed);
    }
    return known;
}

int64_t fy_clock_now(void) {
    LARGE_INTEGER now;
    int64_t rate = counter_rate();
    QueryPerformanceCounter(&now);
    return now.QuadPart / rate * US_PER_S + now.QuadPart % rate * US_PER_S / rate;
}

DWORD fy_timeout_ms(int64_t left_us) {
    if (left_us == FERRY_FOREVER)
        return INFINITE;
    if (left_us > NAP_US_MAX)
        left_us = NAP_US_MAX;
    return (DWORD)(left_us / 1000 + (left_us % 1000 != 0));
}

HANDLE fy_timer_open(void) {
    return CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
}

bool fy_timer_set(HANDLE timer, int64_t left_us, PTIMERAPCROUTINE run, void *arg) {
    LARGE_INTEGER due; /* negative: from now on; in units of 100 ns */
    due.QuadPart = -(left_us < NAP_US_MAX ? left_us : NAP_US_MAX) * 10;
    return SetWaitableTimer(timer, &due, 0, run, arg, FALSE);
}

/* ---- sleeping ---- */

static void nap(HANDLE timer, int64_t left_us) {
    if (timer && fy_timer_set(timer, left_us, NULL, NULL))
        WaitForSingleObject(timer, INFINITE);
    else
        Sleep(fy_timeout_ms(left_us));
}

void ferry_thread_sleep(int64_t duration_us) {
    int64_t deadline_us = fy_deadline_after(duration_us), left_us;
    if (duration_us <= 0)
        return;
    HANDLE timer = fy_timer_open();
    while ((left_us = fy_clock_left(deadline_us)) > 0)
        nap(timer, left_us);
    if (timer)
        CloseHandle(timer);
}

/* ---- the rate of the tick counter ---- */

enum { SAMPLE_TRIES = 8, MEASURE_US = 100 };

typedef struct sample {
    uint64_t ticks;
    int64_t count; /* of the performance counter */
} sample;

/* Both counters at one instant: the tightest of a few tries, since between the two looks the thread may lose its
 * processor. */
static sample take_sample(void) {
    sample best = {0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < SAMPLE_TRIES; i++) {
        LARGE_INTEGER now;
        uint64_t before = fy_clock_ticks();
        QueryPerformanceCounter(&now);
        uint64_t width = fy_clock_ticks() - before;
        if (width < best_width) {
            best_width = width;
            best.ticks = before + width / 2;
            best.count = now.QuadPart;
        }
    }
    return best;
}

static uint64_t measure_ticks_per_us(void) {
    uint64_t rate = (uint64_t)counter_rate();
    sample first = take_sample(), last;
    do
        last = take_sample();
    while ((uint64_t)(last.count - first.count) * US_PER_S < MEASURE_US * rate);
    uint64_t elapsed = (uint64_t)(last.count - first.count) * US_PER_S;
    uint64_t ticks_per_us = ((last.ticks - first.ticks) * rate + elapsed / 2) / elapsed;
    return ticks_per_us ? ticks_per_us : 1;
}

static uint64_t ticks_per_us;

static BOOL CALLBACK measure_once(PINIT_ONCE once, void *arg, void **context) {
    (void)once;
    (void)arg;
    (void)context;
    ticks_per_us = measure_ticks_per_us();
    return TRUE;
}

uint64_t fy_clock_ticks_per_us(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, measure_once, NULL, NULL);
    return ticks_per_us;
}
