/* SPDX-License-Identifier: Apache-2.0 */
/* Semaphores. A unit that is released with somebody waiting never becomes free: it goes from hand to hand. */
#include <errno.h>

#include "ferry/sync.h"
#include "task/waiters.h"

/* Whoever waits, waits because there is no unit. */
struct ferry_semaphore {
    fy_sync sync;
    fy_line waiters;
    int64_t value; /* units that nobody has */
    int64_t bound; /* never more of these */
};

ferry_status ferry_semaphore_create(ferry_loop *loop, int64_t value, int flags, ferry_semaphore **ret_semaphore) {
    if (value < 0 || (flags & ~FERRY_SEMAPHORE_BOUNDED) || !ret_semaphore)
        return EINVAL;
    ferry_status status = 0;
    ferry_semaphore *self = fy_sync_create(loop, sizeof *self, &status);
    if (!self)
        return status;
    self->value = value;
    self->bound = flags & FERRY_SEMAPHORE_BOUNDED ? value : INT64_MAX;
    *ret_semaphore = self;
    return 0;
}

ferry_semaphore *ferry_semaphore_ref(ferry_semaphore *semaphore) {
    if (semaphore)
        semaphore->sync.user_refs++;
    return semaphore;
}

void ferry_semaphore_unref(ferry_semaphore *semaphore) {
    if (!semaphore || !fy_sync_unref(&semaphore->sync))
        return;
    fy_line_end_all(&semaphore->waiters, FERRY_ECANCELED);
    fy_sync_release(&semaphore->sync);
}

static void give_back(ferry_semaphore *self) {
    if (self->waiters.first)
        fy_waiter_grant(self->waiters.first);
    else
        self->value++;
}

ferry_status ferry_semaphore_acquire_future_from(const char *origin, ferry_semaphore *semaphore,
                                                 ferry_future **ret_future) {
    if (!semaphore || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(semaphore->sync.loop);
    if (status)
        return status;
    if (!semaphore->value)
        return fy_line_wait(&semaphore->waiters, &semaphore->sync, origin, ret_future);
    status = fy_sync_create_done(&semaphore->sync, origin, ret_future);
    if (!status)
        semaphore->value--;
    return status;
}

ferry_status ferry_semaphore_acquire_from(const char *origin, ferry_semaphore *semaphore) {
    if (!semaphore)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&semaphore->sync, &task);
    if (status)
        return status;
    if (semaphore->value) {
        semaphore->value--;
        return 0;
    }
    fy_turn turn;
    status = fy_line_await(&semaphore->waiters, &semaphore->sync, task, origin, &turn);
    if (status && turn.is_granted)
        give_back(semaphore);
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_semaphore_release(ferry_semaphore *semaphore) {
    if (!semaphore)
        return EINVAL;
    ferry_status status = fy_loop_check(semaphore->sync.loop);
    if (status)
        return status;
    if (semaphore->value >= semaphore->bound)
        return FERRY_EINVALIDSTATE;
    give_back(semaphore);
    return 0;
}

bool ferry_semaphore_locked(const ferry_semaphore *semaphore) {
    return semaphore && !semaphore->value;
}
