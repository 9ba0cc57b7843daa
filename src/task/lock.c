/* SPDX-License-Identifier: Apache-2.0 */
/* Locks. One that is released with somebody waiting is never free: it goes from hand to hand. */
#include "task/lock.h"

#include <errno.h>

ferry_status ferry_lock_create(ferry_loop *loop, ferry_lock **ret_lock) {
    if (!ret_lock)
        return EINVAL;
    ferry_status status = 0;
    ferry_lock *self = fy_sync_create(loop, sizeof *self, &status);
    if (self)
        *ret_lock = self;
    return status;
}

ferry_lock *ferry_lock_ref(ferry_lock *lock) {
    if (lock)
        lock->sync.user_refs++;
    return lock;
}

void ferry_lock_unref(ferry_lock *lock) {
    if (!lock || !fy_sync_unref(&lock->sync))
        return;
    fy_line_end_all(&lock->waiters, FERRY_ECANCELED);
    fy_sync_release(&lock->sync);
}

bool fy_lock_is_held(const ferry_lock *lock) {
    return lock->is_locked && (!lock->owner || lock->owner == fy_sync_caller(&lock->sync));
}

void fy_lock_hand_on(ferry_lock *lock) {
    fy_waiter *next = lock->waiters.first;
    lock->is_locked = next;
    lock->owner = next ? next->owner : 0;
    if (next)
        fy_waiter_grant(next);
}

static void take(ferry_lock *lock) {
    lock->is_locked = true;
    lock->owner = fy_sync_caller(&lock->sync);
}

ferry_status ferry_lock_acquire_future_from(const char *origin, ferry_lock *lock, ferry_future **ret_future) {
    if (!lock || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(lock->sync.loop);
    if (status)
        return status;
    if (lock->is_locked)
        return fy_line_wait(&lock->waiters, &lock->sync, origin, ret_future);
    status = fy_sync_create_done(&lock->sync, origin, ret_future);
    if (!status)
        take(lock);
    return status;
}

ferry_status ferry_lock_acquire_from(const char *origin, ferry_lock *lock) {
    if (!lock)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&lock->sync, &task);
    if (status)
        return status;
    if (!lock->is_locked) {
        take(lock);
        return 0;
    }
    if (lock->owner == task->number)
        return FERRY_EDEADLK;
    fy_turn turn;
    status = fy_line_await(&lock->waiters, &lock->sync, task, origin, &turn);
    if (status && turn.is_granted)
        fy_lock_hand_on(lock);
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_lock_release(ferry_lock *lock) {
    if (!lock)
        return EINVAL;
    ferry_status status = fy_loop_check(lock->sync.loop);
    if (status)
        return status;
    if (!fy_lock_is_held(lock))
        return FERRY_EINVALIDSTATE;
    fy_lock_hand_on(lock);
    return 0;
}

bool ferry_lock_locked(const ferry_lock *lock) {
    return lock && lock->is_locked;
}
