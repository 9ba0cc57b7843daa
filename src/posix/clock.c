/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time and sleeping. It decides which of the system's clocks is Ferry's: the one that is not set, does not
 * count while the machine sleeps, and that the kernel's own timeouts follow. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <time.h>

#include "posix/timespec.h"
#include "seam/platform.h"

#if defined(__APPLE__)
#define CLOCK CLOCK_UPTIME_RAW
#else
#define CLOCK CLOCK_MONOTONIC
#endif

/* A timespec of 32-bit seconds holds no more than some decades; nobody notices one more wake-up a day. */
#define NAP_US_MAX (86400 * FY_US_PER_S)

int64_t fy_clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK, &now);
    return (int64_t)now.tv_sec * FY_US_PER_S + now.tv_nsec / FY_NS_PER_US;
}

void ferry_thread_sleep(int64_t duration_us) {
    int64_t deadline_us = fy_deadline_after(duration_us), left_us;
    while ((left_us = fy_clock_left(deadline_us)) > 0) {
        struct timespec nap = fy_timespec(left_us < NAP_US_MAX ? left_us : NAP_US_MAX);
        nanosleep(&nap, NULL);
    }
}

/* ---- the rate of the tick counter ---- */

enum { SAMPLE_TRIES = 8, MEASURE_NS = 100000 };

typedef struct sample {
    uint64_t ticks;
    int64_t time_ns;
} sample;

static uint64_t ticks_per_us;

/* Both counters at one instant: the tightest of a few tries, since between the two looks the thread may lose its
 * processor. */
static sample take_sample(void) {
    sample best = {0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < SAMPLE_TRIES; i++) {
        struct timespec now;
        uint64_t before = fy_clock_ticks();
        clock_gettime(CLOCK, &now);
        uint64_t width = fy_clock_ticks() - before;
        if (width < best_width) {
            best_width = width;
            best.ticks = before + width / 2;
            best.time_ns = (int64_t)now.tv_sec * FY_US_PER_S * FY_NS_PER_US + now.tv_nsec;
        }
    }
    return best;
}

static void measure_ticks_per_us(void) {
    sample first = take_sample(), last;
    do
        last = take_sample();
    while (last.time_ns - first.time_ns < MEASURE_NS);
    uint64_t elapsed_ns = (uint64_t)(last.time_ns - first.time_ns);
    ticks_per_us = ((last.ticks - first.ticks) * FY_NS_PER_US + elapsed_ns / 2) / elapsed_ns;
    if (!ticks_per_us)
        ticks_per_us = 1;
}

uint64_t fy_clock_ticks_per_us(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure_ticks_per_us);
    return ticks_per_us;
}
