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
    bool is_locked;
};

/* Whether the caller may release it. */
bool fy_lock_is_held(const ferry_lock *lock);

/* The holder lets go of it, or nobody holds it and somebody has just come: it is the next one's. */
void fy_lock_hand_on(ferry_lock *lock);

#endif
