/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's timers: a heap of deadlines. Cancelled timers stay in it until they reach the top or are the majority, so
 * cancelling costs next to nothing and memory is bounded by twice the timers that are wanted. */
#ifndef FERRY_LOOP_TIMER_H
#define FERRY_LOOP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/handle.h"

typedef struct fy_timer {
    int64_t when_us;
    ferry_handle *handle; /* the heap owns one reference */
} fy_timer;

typedef struct fy_timers {
    fy_timer *heap; /* four children a node */
    char *block;    /* what it lies in */
    size_t count;
    size_t capacity;
    size_t cancelled; /* of these */
    uint64_t sequence;
} fy_timers;

void fy_timers_fini(fy_timers *timers);

/* Returns: 0, APR_ENOMEM. */
ferry_status fy_timers_add(fy_timers *timers, ferry_handle *handle);

/* A handle of the heap was cancelled just now. */
void fy_timers_note_cancelled(fy_timers *timers);

/* The earliest deadline of a timer that was not cancelled, or FERRY_FOREVER. */
int64_t fy_timers_next(fy_timers *timers);

/* Takes the timers of the earliest deadline, if that is due, in the order of their making, linked by `next` and each
 * with the heap's reference; else NULL. */
ferry_handle *fy_timers_take_due(fy_timers *timers, int64_t now_us);

#endif
