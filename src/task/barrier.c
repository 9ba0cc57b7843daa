/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers. A round that is complete is over at once, whenever its parties get to see it: who comes afterwards belongs
 * to the next one. */
#include <errno.h>

#include "ferry/sync.h"
#include "task/waiters.h"

struct ferry_barrier {
    fy_sync sync;
    fy_line waiters; /* of this round: always fewer than the parties */
    size_t parties;
    bool is_broken;
};

ferry_status ferry_barrier_create(ferry_loop *loop, size_t parties, ferry_barrier **ret_barrier) {
    if (!parties || !ret_barrier)
        return EINVAL;
    ferry_status status = 0;
    ferry_barrier *self = fy_sync_create(loop, sizeof *self, &status);
    if (!self)
        return status;
    self->parties = parties;
    *ret_barrier = self;
    return 0;
}

ferry_barrier *ferry_barrier_ref(ferry_barrier *barrier) {
    if (barrier)
        barrier->sync.user_refs++;
    return barrier;
}

void ferry_barrier_unref(ferry_barrier *barrier) {
    if (!barrier || !fy_sync_unref(&barrier->sync))
        return;
    fy_line_end_all(&barrier->waiters, FERRY_ECANCELED);
    fy_sync_release(&barrier->sync);
}

/* ---- waiting ---- */

/* Their indices are their places in the line. */
static void end_round(ferry_barrier *self) {
    int64_t index = 0;
    for (fy_waiter *each = self->waiters.first; each; each = each->next)
        fy_outcome_set_integer(&each->base.future.outcome, index++);
    fy_line_end_all(&self->waiters, 0);
}

/* Why nobody may wait. */
static ferry_status refusal(const ferry_barrier *self) {
    ferry_status status = fy_loop_check(self->sync.loop);
    return status || !self->is_broken ? status : FERRY_EBROKEN;
}

ferry_status ferry_barrier_wait_future_from(const char *origin, ferry_barrier *barrier, ferry_future **ret_future) {
    if (!barrier || !ret_future)
        return EINVAL;
    ferry_status status = refusal(barrier);
    if (status)
        return status;
    if (barrier->waiters.count + 1 < barrier->parties)
        return fy_line_wait(&barrier->waiters, &barrier->sync, origin, ret_future);
    ferry_future *last = NULL;
    status = fy_sync_create_done(&barrier->sync, origin, &last);
    if (status)
        return status;
    fy_outcome_set_integer(&last->outcome, (int64_t)barrier->waiters.count);
    *ret_future = last;
    end_round(barrier);
    return 0;
}

/* Blocks until the round is complete. */
static ferry_status wait_for_others(ferry_barrier *self, fy_task *task, const char *origin, size_t *ret_index) {
    fy_turn turn;
    ferry_status status = fy_line_await(&self->waiters, &self->sync, task, origin, &turn);
    if (!status && ret_index)
        *ret_index = (size_t)ferry_future_integer(turn.future);
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_barrier_wait_from(const char *origin, ferry_barrier *barrier, size_t *ret_index) {
    if (!barrier)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&barrier->sync, &task);
    if (!status)
        status = refusal(barrier);
    if (status)
        return status;
    if (barrier->waiters.count + 1 < barrier->parties)
        return wait_for_others(barrier, task, origin, ret_index);
    if (ret_index)
        *ret_index = barrier->waiters.count;
    end_round(barrier);
    return 0;
}

/* ---- breaking ---- */

static ferry_status break_round(ferry_barrier *self, bool is_broken) {
    if (!self)
        return EINVAL;
    ferry_status status = fy_loop_check(self->sync.loop);
    if (status)
        return status;
    self->is_broken = is_broken;
    fy_line_end_all(&self->waiters, FERRY_EBROKEN);
    return 0;
}

ferry_status ferry_barrier_reset(ferry_barrier *barrier) {
    return break_round(barrier, false);
}

ferry_status ferry_barrier_abort(ferry_barrier *barrier) {
    return break_round(barrier, true);
}

/* ---- looking ---- */

size_t ferry_barrier_parties(const ferry_barrier *barrier) {
    return barrier ? barrier->parties : 0;
}

size_t ferry_barrier_n_waiting(const ferry_barrier *barrier) {
    return barrier ? barrier->waiters.count : 0;
}

bool ferry_barrier_broken(const ferry_barrier *barrier) {
    return barrier && barrier->is_broken;
}
