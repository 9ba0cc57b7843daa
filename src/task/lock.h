/* SPDX-License-Identifier: Apache-2.0 */
/* What a condition needs of its lock. */
#ifndef FERRY_TASK_LOCK_H
#define FERRY_TASK_LOCK_H

#include "ferry/sync.h"
#include "task/waiters.h"

/* Whoever waits, waits because it is locked. */
struct ferry_lock {
    fy_sync sync;
    fy_line waiters; /* a condition's among them, once they are notified or cancelled */
    uint64_t owner;  /* the number of the task that holds it; 0: nobody in particular */
    bool is_locked;
};

/* Whether the caller holds it, so far as that is known. */
bool fy_lock_is_held(const ferry_lock *lock);

/* The holder lets go of it, or nobody holds it and somebody has just come: it is the next one's. */
void fy_lock_hand_on(ferry_lock *lock);

#endif
