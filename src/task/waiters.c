/* SPDX-License-Identifier: Apache-2.0 */
/* The lines, their waiters, and the life of what is waited for; see waiters.h. */
#include "task/waiters.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"

/* ---- things that are waited for ---- */

void *fy_sync_create(ferry_loop *loop, size_t size, ferry_status *ret_status) {
    *ret_status = loop ? fy_loop_check(loop) : EINVAL;
    if (*ret_status)
        return NULL;
    fy_sync *sync = fy_calloc(size);
    if (!sync) {
        *ret_status = ENOMEM;
        return NULL;
    }
    *sync = (fy_sync){.loop = loop, .user_refs = 1, .refs = 1};
    fy_loop_hold(loop);
    return sync;
}

bool fy_sync_unref(fy_sync *sync) {
    FY_ASSERT(fy_loop_may_touch(sync->loop));
    FY_ASSERT(sync->user_refs);
    return --sync->user_refs == 0;
}

void fy_sync_release(fy_sync *sync) {
    if (--sync->refs)
        return;
    ferry_loop *loop = sync->loop;
    fy_free(sync);
    fy_loop_release(loop);
}

ferry_status fy_sync_check_task(const fy_sync *sync, fy_task **ret_task) {
    ferry_status status = fy_loop_check(sync->loop);
    if (status)
        return status;
    *ret_task = fy_task_current();
    if (!*ret_task)
        return FERRY_ENOTASK;
    return fy_task_loop(*ret_task) == sync->loop ? 0 : FERRY_EWRONGLOOP;
}

ferry_status fy_sync_create_done(const fy_sync *sync, const char *origin, ferry_future **ret_future) {
    ferry_status status = fy_future_create_inner(sync->loop, origin, ret_future);
    if (!status)
        fy_future_finish(*ret_future);
    return status;
}

/* ---- lines ---- */

static void push(fy_line *line, fy_waiter *waiter) {
    waiter->line = line;
    waiter->next = NULL;
    waiter->previous = line->first ? line->last : NULL;
    if (waiter->previous)
        waiter->previous->next = waiter;
    else
        line->first = waiter;
    line->last = waiter;
    line->count++;
}

static void unlink_waiter(fy_waiter *waiter) {
    fy_line *line = waiter->line;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        line->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        line->last = waiter->previous;
    line->count--;
}

/* ---- waiters ---- */

static bool cancel_waiter(ferry_future *future, const char *message) {
    fy_waiter *waiter = fy_waiter_of(future);
    fy_waiter_leave(waiter);
    fy_future_finish_cancelled(future, message);
    ferry_future_unref(future);
    return true;
}

static void free_waiter(ferry_future *future) {
    fy_sync *sync = fy_waiter_of(future)->sync;
    fy_free(future);
    fy_sync_release(sync);
}

const fy_future_class fy_waiter_class = {.cancel = cancel_waiter, .free = free_waiter};

ferry_status fy_line_join(fy_line *line, fy_sync *sync, const fy_future_class *class, const char *origin,
                          fy_waiter **ret_waiter) {
    fy_waiter *waiter = fy_calloc(sizeof *waiter);
    if (!waiter)
        return ENOMEM;
    fy_future_init(&waiter->base.future, sync->loop, FY_FUTURE_CLASSED, origin);
    waiter->base.class = class;
    waiter->sync = sync;
    waiter->owner = fy_sync_caller(sync);
    sync->refs++;
    push(line, waiter);
    ferry_future_ref(&waiter->base.future);
    *ret_waiter = waiter;
    return 0;
}

ferry_status fy_line_wait(fy_line *line, fy_sync *sync, const char *origin, ferry_future **ret_future) {
    fy_waiter *waiter = NULL;
    ferry_status status = fy_line_join(line, sync, &fy_waiter_class, origin, &waiter);
    if (!status)
        *ret_future = fy_waiter_future(waiter);
    return status;
}

ferry_status fy_waiter_await(fy_waiter *waiter, fy_task *task, const char *origin, fy_turn *ret_turn) {
    ferry_future *future = fy_waiter_future(waiter);
    waiter->is_blocking = true;
    ferry_status status = fy_task_wait_owned(task, origin, future), outcome = ferry_future_status(future);
    FY_ASSERT(ferry_future_done(future));
    *ret_turn = (fy_turn){future, .is_granted = !outcome};
    if (status)
        return status;
    return ferry_future_cancelled(future) ? FERRY_EAWAITED_CANCELED : outcome;
}

ferry_status fy_line_await(fy_line *line, fy_sync *sync, fy_task *task, const char *origin, fy_turn *ret_turn) {
    fy_waiter *waiter = NULL;
    fy_turn turn = {NULL, .is_granted = false};
    ferry_status status = fy_line_join(line, sync, &fy_waiter_class, origin, &waiter);
    if (!status)
        status = fy_waiter_await(waiter, task, origin, &turn);
    if (ret_turn)
        *ret_turn = turn;
    else
        fy_turn_end(&turn);
    return status;
}

void fy_waiter_move(fy_waiter *waiter, fy_line *line) {
    unlink_waiter(waiter);
    push(line, waiter);
}

void fy_waiter_leave(fy_waiter *waiter) {
    unlink_waiter(waiter);
    waiter->line = NULL;
}

static void finish(fy_waiter *waiter, ferry_status status) {
    ferry_future *future = &waiter->base.future;
    if (future->is_cancelling) {
        fy_future_finish_cancelled(future, waiter->cancel_words ? waiter->cancel_words->message : NULL);
    } else if (status == FERRY_ECANCELED) {
        fy_future_finish_cancelled(future, NULL);
    } else {
        if (status)
            fy_outcome_set_error(&future->outcome, status, NULL);
        fy_future_finish(future);
    }
}

void fy_waiter_end(fy_waiter *waiter, ferry_status status) {
    finish(waiter, status);
    ferry_future_unref(&waiter->base.future);
}

void fy_line_end_all(fy_line *line, ferry_status status) {
    fy_waiter *waiter = line->first;
    *line = (fy_line){.first = NULL};
    for (fy_waiter *each = waiter; each; each = each->next) {
        each->line = NULL;
        finish(each, status);
    }
    while (waiter) {
        fy_waiter *next = waiter->next;
        ferry_future_unref(&waiter->base.future);
        waiter = next;
    }
}
