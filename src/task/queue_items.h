/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a queue, and which of it is next: the oldest, the newest or the smallest. It knows nothing of who puts
 * and gets, or of limits. Room for what must not be refused later is reserved before. */
#ifndef FERRY_TASK_QUEUE_ITEMS_H
#define FERRY_TASK_QUEUE_ITEMS_H

#include "ferry/sync.h"

typedef struct fy_queue_items {
    void **slots;
    size_t capacity; /* a power of two, or 0 */
    size_t head;     /* the slot of the oldest; of a heap: 0 */
    size_t count;
    ferry_queue_order order;
    ferry_compare *compare; /* PRIORITY: the slots are a heap */
} fy_queue_items;

/* Room for so many more. Returns: 0, APR_ENOMEM. */
ferry_status fy_queue_items_reserve(fy_queue_items *items, size_t more);

/* There is room. `push_back` puts in again what was popped last. */
void fy_queue_items_push(fy_queue_items *items, void *item);
void fy_queue_items_push_back(fy_queue_items *items, void *item);

/* The next one; there is one. */
void *fy_queue_items_pop(fy_queue_items *items);

void fy_queue_items_fini(fy_queue_items *items);

#endif
