/* SPDX-License-Identifier: Apache-2.0 */
/* The one FIFO of everything that is to run. Most entries are a function and its argument by value, in a ring; those
 * that somebody may cancel point to a handle. When the ring cannot grow, handles queue behind it by their own link, so
 * what was accepted earlier is never lost for want of memory. */
#ifndef FERRY_LOOP_READY_H
#define FERRY_LOOP_READY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hints.h"
#include "ferry/loop.h"

typedef struct fy_entry {
    ferry_callback *callback;
    void *arg;
    const char *origin;
    ferry_handle *handle; /* if set, it says what to run and the rest is unused; the queue owns one reference */
} fy_entry;

typedef struct fy_ready {
    fy_entry *entries; /* capacity is a power of two */
    size_t mask;
    size_t head; /* counts up for ever; the index is head & mask */
    size_t tail;
    ferry_handle *overflow; /* behind the ring, oldest first */
    ferry_handle *overflow_last;
    size_t overflow_count;
} fy_ready;

/* Returns: 0, APR_ENOMEM. */
ferry_status fy_ready_init(fy_ready *ready);
void fy_ready_fini(fy_ready *ready);

/* Makes room for one more entry. Returns: 0, APR_ENOMEM. */
ferry_status fy_ready_grow(fy_ready *ready);

/* Queues a handle where the ring is full, whatever the memory says. */
void fy_ready_push_handle_slowly(fy_ready *ready, ferry_handle *handle);

/* Moves the overflow into the ring as far as there is room. */
void fy_ready_settle(fy_ready *ready);

static inline size_t fy_ready_count(const fy_ready *ready) {
    return ready->tail - ready->head + ready->overflow_count;
}

static inline bool fy_ready_has_room(const fy_ready *ready) {
    return ready->tail - ready->head <= ready->mask && !ready->overflow;
}

/* Queues what an entry is made of. Returns: 0, APR_ENOMEM (also while there is an overflow: the order is kept). */
static inline ferry_status fy_ready_push(fy_ready *ready, ferry_callback *callback, void *arg, const char *origin) {
    if (FY_UNLIKELY(!fy_ready_has_room(ready))) {
        ferry_status status = fy_ready_grow(ready);
        if (status)
            return status;
    }
    fy_entry *entry = &ready->entries[ready->tail++ & ready->mask];
    entry->callback = callback;
    entry->arg = arg;
    entry->origin = origin;
    entry->handle = NULL;
    return 0;
}

/* Queues a handle, whatever the memory says. */
static inline void fy_ready_push_handle(fy_ready *ready, ferry_handle *handle) {
    if (FY_LIKELY(fy_ready_has_room(ready)))
        ready->entries[ready->tail++ & ready->mask].handle = handle;
    else
        fy_ready_push_handle_slowly(ready, handle);
}

/* The ring is not empty. */
static inline const fy_entry *fy_ready_first(const fy_ready *ready) {
    return &ready->entries[ready->head & ready->mask];
}

static inline fy_entry fy_ready_pop(fy_ready *ready) {
    return ready->entries[ready->head++ & ready->mask];
}

#endif
