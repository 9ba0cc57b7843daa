/* SPDX-License-Identifier: Apache-2.0 */
/* The heap itself. It is ordered by the deadlines alone, which lie in its own array, so sifting touches no handle.
 * Timers of one deadline fall due together; they are put into the order of their making when they are taken out. */
#include "loop/timer.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hints.h"
#include "base/pages.h"

enum { CHILDREN = 4, FIRST_CAPACITY = 64, PURGE_CANCELLED_MIN = 50, CACHE_LINE = 64 };

static void sift_up(fy_timer *heap, size_t index, fy_timer timer) {
    while (index) {
        size_t parent = (index - 1) / CHILDREN;
        if (timer.when_us >= heap[parent].when_us)
            break;
        heap[index] = heap[parent];
        index = parent;
    }
    heap[index] = timer;
}

/* The earliest of four neighbours. Which one is a matter of chance, so it is computed without a branch. */
static size_t earliest_of_four(const fy_timer *heap, size_t first) {
    size_t left = first + (heap[first + 1].when_us < heap[first].when_us);
    size_t right = first + 2 + (heap[first + 3].when_us < heap[first + 2].when_us);
    return heap[right].when_us < heap[left].when_us ? right : left;
}

/* A large heap's lower levels are in no cache near: the grandchildren, which lie side by side, are fetched while the
 * children are looked at. Whether there are any does not matter to a prefetch. */
static void fetch_grandchildren(const fy_timer *heap, size_t first_child) {
    uintptr_t grandchildren = (uintptr_t)heap + (first_child * CHILDREN + 1) * sizeof *heap;
    for (uintptr_t i = 0; i < CHILDREN; i++)
        FY_PREFETCH((const void *)(grandchildren + i * CACHE_LINE));
}

static void sift_down(fy_timer *heap, size_t count, size_t index, fy_timer timer) {
    for (;;) {
        size_t first = index * CHILDREN + 1;
        if (first >= count)
            break;
        fetch_grandchildren(heap, first);
        size_t least = first;
        if (first + CHILDREN <= count)
            least = earliest_of_four(heap, first);
        else
            for (size_t child = first + 1; child < count; child++)
                if (heap[child].when_us < heap[least].when_us)
                    least = child;
        if (timer.when_us <= heap[least].when_us)
            break;
        heap[index] = heap[least];
        index = least;
    }
    heap[index] = timer;
}

void fy_timers_fini(fy_timers *timers) {
    for (size_t i = 0; i < timers->count; i++)
        fy_handle_drop(timers->heap[i].handle);
    fy_free(timers->block);
    *timers = (fy_timers){0};
}

/* Where the heap begins in its block: so that the children of each timer share a cache line. */
static size_t heap_offset(const void *block) {
    size_t over = ((uintptr_t)block + sizeof(fy_timer)) % CACHE_LINE;
    return over ? CACHE_LINE - over : 0;
}

static bool grow(fy_timers *timers) {
    size_t capacity = timers->capacity ? timers->capacity * 2 : FIRST_CAPACITY;
    size_t old_offset = timers->block ? heap_offset(timers->block) : 0;
    char *block = fy_realloc(timers->block, capacity * sizeof(fy_timer) + CACHE_LINE);
    if (!block)
        return false;
    if (capacity * sizeof(fy_timer) >= FY_PAGES_WORTH_BYTES)
        fy_pages_expect_use(block, capacity * sizeof(fy_timer));
    size_t offset = heap_offset(block);
    if (offset != old_offset)
        memmove(block + offset, block + old_offset, timers->count * sizeof(fy_timer));
    timers->block = block;
    timers->heap = (fy_timer *)(void *)(block + offset);
    timers->capacity = capacity;
    return true;
}

ferry_status fy_timers_add(fy_timers *timers, ferry_handle *handle) {
    if (timers->count == timers->capacity && !grow(timers))
        return ENOMEM;
    handle->sequence = timers->sequence++;
    sift_up(timers->heap, timers->count++, (fy_timer){handle->when_us, handle});
    return 0;
}

static ferry_handle *pop(fy_timers *timers) {
    ferry_handle *handle = timers->heap[0].handle;
    timers->count--;
    if (timers->count) {
        sift_down(timers->heap, timers->count, 0, timers->heap[timers->count]);
        FY_PREFETCH(timers->heap[0].handle); /* most likely taken next */
    }
    return handle;
}

/* The handles lie anywhere in memory: the ones ahead are fetched while this one is looked at. */
static void purge(fy_timers *timers) {
    enum { AHEAD = 16 };
    size_t kept = 0;
    for (size_t i = 0; i < timers->count; i++) {
        if (i + AHEAD < timers->count)
            FY_PREFETCH(&timers->heap[i + AHEAD].handle->cancelled);
        if (timers->heap[i].handle->cancelled)
            fy_handle_drop_timer(timers->heap[i].handle);
        else
            timers->heap[kept++] = timers->heap[i];
    }
    timers->count = kept;
    timers->cancelled = 0;
    if (kept > 1)
        for (size_t i = (kept - 2) / CHILDREN + 1; i-- > 0;)
            sift_down(timers->heap, kept, i, timers->heap[i]);
}

void fy_timers_note_cancelled(fy_timers *timers) {
    timers->cancelled++;
    if (timers->cancelled > PURGE_CANCELLED_MIN && timers->cancelled > timers->count / 2)
        purge(timers);
}

static void drop_cancelled(fy_timers *timers) {
    while (timers->cancelled && timers->heap[0].handle->cancelled) {
        timers->cancelled--;
        fy_handle_drop(pop(timers));
    }
}

int64_t fy_timers_next(fy_timers *timers) {
    if (timers->count)
        drop_cancelled(timers);
    return timers->count ? timers->heap[0].when_us : FERRY_FOREVER;
}

/* Merges two lists of timers, linked by `next`, by the order of their making. */
static ferry_handle *merge(ferry_handle *a, ferry_handle *b) {
    ferry_handle *head = NULL;
    ferry_handle **last = &head;
    while (a && b) {
        ferry_handle **lesser = a->sequence < b->sequence ? &a : &b;
        *last = *lesser;
        last = &(*last)->next;
        *lesser = *last;
    }
    *last = a ? a : b;
    return head;
}

/* Bottom-up: runs[i] is NULL or a sorted list of 2^i timers. */
static ferry_handle *sort_by_sequence(ferry_handle *list) {
    enum { RUNS = 64 };
    ferry_handle *runs[RUNS] = {NULL};
    while (list) {
        ferry_handle *run = list;
        list = list->next;
        run->next = NULL;
        int i = 0;
        for (; runs[i]; i++) {
            run = merge(runs[i], run);
            runs[i] = NULL;
        }
        runs[i] = run;
    }
    for (int i = 0; i < RUNS; i++)
        list = merge(runs[i], list);
    return list;
}

ferry_handle *fy_timers_take_due(fy_timers *timers, int64_t now_us) {
    int64_t when_us = fy_timers_next(timers);
    if (when_us > now_us)
        return NULL;
    ferry_handle *first = pop(timers);
    first->next = NULL;
    if (FY_LIKELY(fy_timers_next(timers) != when_us))
        return first;
    do {
        ferry_handle *handle = pop(timers);
        handle->next = first;
        first = handle;
    } while (fy_timers_next(timers) == when_us);
    return sort_by_sequence(first);
}
