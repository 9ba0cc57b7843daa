/* SPDX-License-Identifier: Apache-2.0 */
/* Queues between those who put and those who get. Whoever waits to get, waits because there is nothing; whoever waits
 * to put, because there is no room: so a new item goes straight to the first getter, and a slot that becomes free to
 * the first putter. Which item is next, queue_items.c decides. */
#include <errno.h>

#include "task/queue_items.h"
#include "task/waiters.h"

struct ferry_queue {
    fy_sync sync;
    fy_queue_items items;
    size_t maxsize;    /* 0: none */
    size_t spoken_for; /* places of the queue that tasks have been given and not used yet: slots, and items that may
                        * come back */
    size_t unfinished; /* items that were put and are not dealt with */
    fy_line getters;
    fy_line putters;
    fy_line joiners;
    ferry_free *free;  /* or NULL */
    bool is_shut_down;
    bool is_dropped; /* immediately, or the user has let go of it: no item is kept */
};

/* ---- life ---- */

void ferry_queue_options_init(ferry_queue_options *options) {
    if (options)
        *options = (ferry_queue_options){FERRY_QUEUE_OPTIONS};
}

static bool make_sense(const ferry_queue_options *options) {
    bool is_known = options->order == FERRY_QUEUE_FIFO || options->order == FERRY_QUEUE_LIFO ||
                    options->order == FERRY_QUEUE_PRIORITY;
    return options->size == sizeof *options && is_known &&
           !options->compare == (options->order != FERRY_QUEUE_PRIORITY);
}

ferry_status ferry_queue_create(ferry_loop *loop, const ferry_queue_options *options, ferry_queue **ret_queue) {
    ferry_queue_options defaults = {FERRY_QUEUE_OPTIONS};
    if (!options)
        options = &defaults;
    if (!ret_queue || !make_sense(options))
        return EINVAL;
    ferry_status status = 0;
    ferry_queue *self = fy_sync_create(loop, sizeof *self, &status);
    if (!self)
        return status;
    self->items.order = options->order;
    self->items.compare = options->compare;
    self->maxsize = options->maxsize;
    self->free = options->free;
    *ret_queue = self;
    return 0;
}

ferry_queue *ferry_queue_ref(ferry_queue *queue) {
    if (queue)
        queue->sync.user_refs++;
    return queue;
}

static void finish_item(ferry_queue *self) {
    if (self->unfinished && !--self->unfinished)
        fy_line_end_all(&self->joiners, 0);
}

/* It counts as dealt with. Its free function may look at the queue. */
static void discard(ferry_queue *self, void *item) {
    if (self->free)
        self->free(item);
    finish_item(self);
}

void ferry_queue_unref(ferry_queue *queue) {
    if (!queue || !fy_sync_unref(&queue->sync))
        return;
    queue->is_shut_down = queue->is_dropped = true;
    fy_line_end_all(&queue->getters, FERRY_ECANCELED);
    fy_line_end_all(&queue->putters, FERRY_ECANCELED);
    fy_line_end_all(&queue->joiners, FERRY_ECANCELED);
    while (queue->items.count)
        discard(queue, fy_queue_items_pop(&queue->items));
    fy_queue_items_fini(&queue->items);
    fy_sync_release(&queue->sync);
}

/* ---- the two ends ---- */

static bool has_room(const ferry_queue *self) {
    return !self->maxsize || self->items.count + self->spoken_for < self->maxsize;
}

/* For one more item: and, besides, for all that may come back, so that putting those in cannot fail. */
static ferry_status reserve(ferry_queue *self) {
    return fy_queue_items_reserve(&self->items, self->spoken_for + 1);
}

static void give(ferry_queue *self, fy_waiter *getter, void *item) {
    fy_outcome_set_pointer(&getter->base.future.outcome, item, self->free);
    self->spoken_for += getter->is_blocking;
    fy_waiter_grant(getter);
}

/* Room for it was reserved. */
static void take_in(ferry_queue *self, void *item) {
    self->unfinished++;
    if (self->getters.first)
        give(self, self->getters.first, item);
    else
        fy_queue_items_push(&self->items, item);
}

/* Each slot that is free goes to the putter who has waited longest: a task puts its item in when it goes on. The array
 * has been as full before. */
static void let_putters_in(ferry_queue *self) {
    while (self->putters.first && has_room(self)) {
        fy_waiter *putter = self->putters.first;
        fy_waiter_leave(putter);
        if (putter->is_blocking)
            self->spoken_for++;
        else
            take_in(self, putter->item);
        fy_waiter_end(putter, 0);
    }
}

static void *take(ferry_queue *self) {
    void *item = fy_queue_items_pop(&self->items);
    let_putters_in(self);
    return item;
}

/* ---- putting ---- */

/* Why no item can be put, ever. */
static ferry_status refusal(const ferry_queue *self) {
    ferry_status status = fy_loop_check(self->sync.loop);
    return status || !self->is_shut_down ? status : FERRY_ESHUTDOWN;
}

ferry_status ferry_queue_put_nowait(ferry_queue *queue, void *item) {
    if (!queue)
        return EINVAL;
    ferry_status status = refusal(queue);
    if (status)
        return status;
    if (!has_room(queue))
        return FERRY_EFULL;
    status = reserve(queue);
    if (!status)
        take_in(queue, item);
    return status;
}

ferry_status ferry_queue_put_future_from(const char *origin, ferry_queue *queue, void *item,
                                         ferry_future **ret_future) {
    if (!queue || !ret_future)
        return EINVAL;
    ferry_status status = refusal(queue);
    if (status)
        return status;
    if (!has_room(queue)) {
        status = fy_line_wait(&queue->putters, &queue->sync, origin, ret_future);
        if (!status)
            fy_waiter_of(*ret_future)->item = item;
        return status;
    }
    status = reserve(queue);
    if (!status)
        status = fy_sync_create_done(&queue->sync, origin, ret_future);
    if (!status)
        take_in(queue, item);
    return status;
}

/* Blocks until there is a slot, and the slot is the caller's. One that came together with a cancellation of the task is
 * handed on. */
static ferry_status wait_for_slot(ferry_queue *self, fy_task *task, const char *origin) {
    fy_turn turn;
    ferry_status status = fy_line_await(&self->putters, &self->sync, task, origin, &turn);
    self->spoken_for -= turn.is_granted;
    if (status)
        let_putters_in(self);
    else if (self->is_shut_down)
        status = FERRY_ESHUTDOWN;
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_queue_put_from(const char *origin, ferry_queue *queue, void *item) {
    if (!queue)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&queue->sync, &task);
    if (!status)
        status = refusal(queue);
    if (!status && !has_room(queue))
        status = wait_for_slot(queue, task, origin);
    if (!status)
        status = reserve(queue);
    if (!status)
        take_in(queue, item);
    return status;
}

/* ---- getting ---- */

/* Why there is nothing to get now. */
static ferry_status emptiness(const ferry_queue *self) {
    ferry_status status = fy_loop_check(self->sync.loop);
    if (status || self->items.count)
        return status;
    return self->is_shut_down ? FERRY_ESHUTDOWN : FERRY_EEMPTY;
}

ferry_status ferry_queue_get_nowait(ferry_queue *queue, void **ret_item) {
    if (!queue || !ret_item)
        return EINVAL;
    ferry_status status = emptiness(queue);
    if (!status)
        *ret_item = take(queue);
    return status;
}

ferry_status ferry_queue_get_future_from(const char *origin, ferry_queue *queue, ferry_future **ret_future) {
    if (!queue || !ret_future)
        return EINVAL;
    ferry_status status = emptiness(queue);
    if (status == FERRY_EEMPTY)
        return fy_line_wait(&queue->getters, &queue->sync, origin, ret_future);
    ferry_future *got = NULL;
    if (!status)
        status = fy_sync_create_done(&queue->sync, origin, &got);
    if (status)
        return status;
    fy_outcome_set_pointer(&got->outcome, take(queue), queue->free);
    *ret_future = got;
    return 0;
}

/* What a task was given and cannot take: the next one's, or the first in the queue again. */
static void put_back(ferry_queue *self, void *item) {
    if (self->is_dropped) {
        discard(self, item);
    } else if (self->getters.first) {
        give(self, self->getters.first, item);
    } else {
        fy_queue_items_push_back(&self->items, item);
    }
}

/* Blocks until there is an item. One that came together with a cancellation of the task goes back. */
static ferry_status wait_for_item(ferry_queue *self, fy_task *task, const char *origin, void **ret_item) {
    fy_turn turn;
    void *item = NULL;
    ferry_status status = fy_line_await(&self->getters, &self->sync, task, origin, &turn);
    if (turn.is_granted) {
        (void)ferry_future_take_pointer(turn.future, &item);
        self->spoken_for--;
        if (status)
            put_back(self, item);
        else
            *ret_item = item;
        let_putters_in(self);
    }
    fy_turn_end(&turn);
    return status;
}

ferry_status ferry_queue_get_from(const char *origin, ferry_queue *queue, void **ret_item) {
    if (!queue || !ret_item)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&queue->sync, &task);
    if (!status)
        status = emptiness(queue);
    if (status == FERRY_EEMPTY)
        return wait_for_item(queue, task, origin, ret_item);
    if (!status)
        *ret_item = take(queue);
    return status;
}

/* ---- dealing with items ---- */

ferry_status ferry_queue_task_done(ferry_queue *queue) {
    if (!queue)
        return EINVAL;
    ferry_status status = fy_loop_check(queue->sync.loop);
    if (status)
        return status;
    if (!queue->unfinished)
        return FERRY_EINVALIDSTATE;
    finish_item(queue);
    return 0;
}

ferry_status ferry_queue_join_future_from(const char *origin, ferry_queue *queue, ferry_future **ret_future) {
    if (!queue || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(queue->sync.loop);
    if (status)
        return status;
    if (queue->unfinished)
        return fy_line_wait(&queue->joiners, &queue->sync, origin, ret_future);
    return fy_sync_create_done(&queue->sync, origin, ret_future);
}

ferry_status ferry_queue_join_from(const char *origin, ferry_queue *queue) {
    if (!queue)
        return EINVAL;
    fy_task *task = NULL;
    ferry_status status = fy_sync_check_task(&queue->sync, &task);
    if (status || !queue->unfinished)
        return status;
    return fy_line_await(&queue->joiners, &queue->sync, task, origin, NULL);
}

/* ---- shutting down ---- */

ferry_status ferry_queue_shutdown(ferry_queue *queue, bool immediate) {
    if (!queue)
        return EINVAL;
    ferry_status status = fy_loop_check(queue->sync.loop);
    if (status)
        return status;
    queue->is_shut_down = true;
    fy_line_end_all(&queue->putters, FERRY_ESHUTDOWN);
    fy_line_end_all(&queue->getters, FERRY_ESHUTDOWN);
    queue->is_dropped = immediate || queue->is_dropped;
    while (immediate && queue->items.count)
        discard(queue, fy_queue_items_pop(&queue->items));
    return 0;
}

/* ---- looking ---- */

size_t ferry_queue_qsize(const ferry_queue *queue) {
    return queue ? queue->items.count : 0;
}

bool ferry_queue_empty(const ferry_queue *queue) {
    return !ferry_queue_qsize(queue);
}

bool ferry_queue_full(const ferry_queue *queue) {
    return queue && !has_room(queue);
}
