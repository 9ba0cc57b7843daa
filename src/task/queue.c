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
    size_t unfinished; /* items that were put and are not dealt with */
    fy_line getters;
    fy_line putters;
    fy_line joiners;
    ferry_free *free;  /* or NULL */
    bool is_shut_down;
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

static void drop_item(const ferry_queue *self, void *item) {
    if (self->free)
        self->free(item);
}

void ferry_queue_unref(ferry_queue *queue) {
    if (!queue || !fy_sync_unref(&queue->sync))
        return;
    queue->is_shut_down = true;
    fy_line_end_all(&queue->getters, FERRY_ECANCELED);
    fy_line_end_all(&queue->putters, FERRY_ECANCELED);
    fy_line_end_all(&queue->joiners, FERRY_ECANCELED);
    while (queue->items.count)
        drop_item(queue, fy_queue_items_pop(&queue->items));
    fy_queue_items_fini(&queue->items);
    fy_sync_release(&queue->sync);
}

/* ---- the two ends ---- */

static bool has_room(const ferry_queue *self) {
    return !self->maxsize || self->items.count < self->maxsize;
}

/* Room for it was reserved. */
static void accept(ferry_queue *self, void *item) {
    self->unfinished++;
    fy_waiter *getter = self->getters.first;
    if (!getter) {
        fy_queue_items_push(&self->items, item);
        return;
    }
    fy_outcome_set_pointer(&getter->base.future.outcome, item, self->free);
    fy_waiter_grant(getter);
}

/* Each slot that is free goes to the putter who has waited longest; the array has been as full before. */
static void let_putters_in(ferry_queue *self) {
    while (self->putters.first && has_room(self)) {
        fy_waiter *putter = self->putters.first;
        fy_waiter_leave(putter);
        accept(self, putter->item);
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
    status = fy_queue_items_reserve(&queue->items, 1);
    if (!status)
        accept(queue, item);
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
    status = fy_queue_items_reserve(&queue->items, 1);
    if (!status)
        status = fy_sync_create_done(&queue->sync, origin, ret_future);
    if (!status)
        accept(queue, item);
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

/* ---- dealing with items ---- */

static void finish_items(ferry_queue *self, size_t count) {
    self->unfinished -= count < self->unfinished ? count : self->unfinished;
    if (!self->unfinished)
        fy_line_end_all(&self->joiners, 0);
}

ferry_status ferry_queue_task_done(ferry_queue *queue) {
    if (!queue)
        return EINVAL;
    ferry_status status = fy_loop_check(queue->sync.loop);
    if (status)
        return status;
    if (!queue->unfinished)
        return FERRY_EINVALIDSTATE;
    finish_items(queue, 1);
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

/* ---- shutting down ---- */

/* The items' free function may look at the queue. */
static void drop_all(ferry_queue *self) {
    while (self->items.count) {
        drop_item(self, fy_queue_items_pop(&self->items));
        finish_items(self, 1);
    }
}

ferry_status ferry_queue_shutdown(ferry_queue *queue, bool immediate) {
    if (!queue)
        return EINVAL;
    ferry_status status = fy_loop_check(queue->sync.loop);
    if (status)
        return status;
    queue->is_shut_down = true;
    fy_line_end_all(&queue->putters, FERRY_ESHUTDOWN);
    fy_line_end_all(&queue->getters, FERRY_ESHUTDOWN);
    if (immediate)
        drop_all(queue);
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
