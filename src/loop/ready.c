/* SPDX-License-Identifier: Apache-2.0 */
/* The ready queue's slow paths: growth, and the overflow of handles when memory is out. */
#include "loop/ready.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "loop/handle.h"

enum { FIRST_CAPACITY = 64 };

ferry_status fy_ready_init(fy_ready *ready) {
    *ready = (fy_ready){.entries = fy_malloc(FIRST_CAPACITY * sizeof *ready->entries), .mask = FIRST_CAPACITY - 1};
    return ready->entries ? 0 : ENOMEM;
}

void fy_ready_fini(fy_ready *ready) {
    fy_free(ready->entries);
    ready->entries = NULL;
}

static bool double_ring(fy_ready *ready) {
    size_t capacity = ready->mask + 1;
    fy_entry *entries = fy_malloc(2 * capacity * sizeof *entries);
    if (!entries)
        return false;
    size_t head = ready->head & ready->mask;
    size_t count = ready->tail - ready->head;
    size_t first = count < capacity - head ? count : capacity - head;
    memcpy(entries, ready->entries + head, first * sizeof *entries);
    memcpy(entries + first, ready->entries, (count - first) * sizeof *entries);
    fy_free(ready->entries);
    ready->entries = entries;
    ready->mask = 2 * capacity - 1;
    ready->head = 0;
    ready->tail = count;
    return true;
}

void fy_ready_settle(fy_ready *ready) {
    while (ready->overflow && ready->tail - ready->head <= ready->mask) {
        ferry_handle *handle = ready->overflow;
        ready->overflow = handle->next;
        ready->overflow_count--;
        ready->entries[ready->tail++ & ready->mask] = (fy_entry){.handle = handle};
    }
}

ferry_status fy_ready_grow(fy_ready *ready) {
    fy_ready_settle(ready);
    bool full = ready->tail - ready->head > ready->mask;
    if (full && double_ring(ready))
        fy_ready_settle(ready);
    return fy_ready_has_room(ready) ? 0 : ENOMEM;
}

void fy_ready_push_handle_slowly(fy_ready *ready, ferry_handle *handle) {
    if (fy_ready_grow(ready) == 0) {
        ready->entries[ready->tail++ & ready->mask].handle = handle;
        return;
    }
    handle->next = NULL;
    if (ready->overflow)
        ready->overflow_last->next = handle;
    else
        ready->overflow = handle;
    ready->overflow_last = handle;
    ready->overflow_count++;
}
