/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's timers: an array that is sorted where it is about to be used, and nowhere else. Cancelled timers stay in
 * it until their time has come or they are the majority, so cancelling costs next to nothing and memory is bounded by
 * the timers that are wanted. */
#ifndef FERRY_LOOP_TIMER_H
#define FERRY_LOOP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hints.h"
#include "loop/handle.h"

enum { FY_TIMER_SHELVES_MAX = 32, FY_TIMERS_CANCELLED_MIN = 50 };

typedef struct fy_timer {
    int64_t when_us;
    ferry_handle *handle; /* the array owns one reference */
} fy_timer;

/* Timers in no order, all of them later than after_us, and those before them in the array no later. It ends where the
 * next later shelf begins. */
typedef struct fy_timer_shelf {
    int64_t after_us;
    size_t begin;
} fy_timer_shelf;

typedef struct fy_timers {
    fy_timer *entries; /* free room, the front, which is sorted, and the shelves, the earliest one first; free room */
    size_t begin;
    size_t end;
    size_t capacity;
    size_t cancelled;  /* of these */
    uint64_t sequence;
    size_t shelves;
    fy_timer_shelf shelf[FY_TIMER_SHELVES_MAX]; /* the latest one first */
} fy_timers;

void fy_timers_fini(fy_timers *timers);

/* Cancelled ones are among them. */
static inline size_t fy_timers_count(const fy_timers *timers) {
    return timers->end - timers->begin;
}

/* Returns: 0, APR_ENOMEM. */
ferry_status fy_timers_add(fy_timers *timers, ferry_handle *handle);

/* Drops the cancelled ones. */
void fy_timers_purge(fy_timers *timers);

/* A handle of the array was cancelled just now. */
static inline void fy_timers_note_cancelled(fy_timers *timers) {
    timers->cancelled++;
    if (FY_UNLIKELY(timers->cancelled > fy_timers_count(timers) / 2 && timers->cancelled > FY_TIMERS_CANCELLED_MIN))
        fy_timers_purge(timers);
}

/* The earliest deadline of a timer that was not cancelled, or FERRY_FOREVER. */
int64_t fy_timers_next(fy_timers *timers);

/* Takes the timers of the earliest deadline, if that is due, in the order of their making, linked by `next` and each
 * with the array's reference; else NULL. */
ferry_handle *fy_timers_take_due(fy_timers *timers, int64_t now_us);

#endif
