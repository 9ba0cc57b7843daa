/* SPDX-License-Identifier: Apache-2.0 */
/* A ring for the first two orders, a binary heap for the third, in one array that only grows. */
#include "task/queue_items.h"

#include <errno.h>

#include "base/alloc.h"

enum { CAPACITY_FIRST = 8 };

static void **slot(const fy_queue_items *items, size_t index) {
    return &items->slots[(items->head + index) & (items->capacity - 1)];
}

ferry_status fy_queue_items_reserve(fy_queue_items *items, size_t more) {
    if (more <= items->capacity - items->count)
        return 0;
    size_t capacity = items->capacity ? items->capacity : CAPACITY_FIRST;
    while (capacity - items->count < more)
        capacity *= 2;
    void **slots = fy_malloc(capacity * sizeof *slots);
    if (!slots)
        return ENOMEM;
    for (size_t i = 0; i < items->count; i++)
        slots[i] = *slot(items, i);
    fy_free(items->slots);
    items->slots = slots;
    items->capacity = capacity;
    items->head = 0;
    return 0;
}

/* ---- the heap ---- */

static bool is_before(const fy_queue_items *items, const void *one, const void *other) {
    return items->compare(one, other) < 0;
}

static void sift_up(fy_queue_items *items, size_t index, void *item) {
    while (index) {
        size_t parent = (index - 1) / 2;
        if (!is_before(items, item, items->slots[parent]))
            break;
        items->slots[index] = items->slots[parent];
        index = parent;
    }
    items->slots[index] = item;
}

static void sift_down(fy_queue_items *items, void *item) {
    size_t index = 0;
    for (size_t child; (child = 2 * index + 1) < items->count; index = child) {
        if (child + 1 < items->count && is_before(items, items->slots[child + 1], items->slots[child]))
            child++;
        if (!is_before(items, items->slots[child], item))
            break;
        items->slots[index] = items->slots[child];
    }
    items->slots[index] = item;
}

/* ---- all orders ---- */

void fy_queue_items_push(fy_queue_items *items, void *item) {
    size_t index = items->count++;
    if (items->order == FERRY_QUEUE_PRIORITY)
        sift_up(items, index, item);
    else
        *slot(items, index) = item;
}

void fy_queue_items_push_back(fy_queue_items *items, void *item) {
    if (items->order != FERRY_QUEUE_FIFO) {
        fy_queue_items_push(items, item);
        return;
    }
    items->head = (items->head - 1) & (items->capacity - 1);
    items->count++;
    *slot(items, 0) = item;
}

void *fy_queue_items_pop(fy_queue_items *items) {
    size_t last = --items->count;
    if (items->order == FERRY_QUEUE_LIFO)
        return *slot(items, last);
    void *item = *slot(items, 0);
    if (items->order == FERRY_QUEUE_FIFO)
        items->head = (items->head + 1) & (items->capacity - 1);
    else if (last)
        sift_down(items, items->slots[last]);
    return item;
}

void fy_queue_items_fini(fy_queue_items *items) {
    fy_free(items->slots);
    items->slots = NULL;
    items->capacity = items->count = 0;
}
