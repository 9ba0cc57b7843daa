/* SPDX-License-Identifier: Apache-2.0 */
/* The heap itself. Deadlines lie in the heap's own array, so sifting touches no handle but where two are equal. */
#include "loop/timer.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/hints.h"

enum { CHILDREN = 4, FIRST_CAPACITY = 64, PURGE_CANCELLED_MIN = 50 };

static bool is_before(const fy_timer *a, const fy_timer *b) {
    if (a->when_us != b->when_us)
        return a->when_us < b->when_us;
    return a->handle->sequence < b->handle->sequence;
}

static void sift_up(fy_timer *heap, size_t index, fy_timer timer) {
    while (index) {
        size_t parent = (index - 1) / CHILDREN;
        if (!is_before(&timer, &heap[parent]))
            break;
        heap[index] = heap[parent];
        index = parent;
    }
    heap[index] = timer;
}

static void sift_down(fy_timer *heap, size_t count, size_t index, fy_timer timer) {
    for (;;) {
        size_t first = index * CHILDREN + 1;
        if (first >= count)
            break;
        size_t end = first + CHILDREN < count ? first + CHILDREN : count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++)
            if (is_before(&heap[child], &heap[least]))
                least = child;
        if (!is_before(&heap[least], &timer))
            break;
        heap[index] = heap[least];
        index = least;
    }
    heap[index] = timer;
}

void fy_timers_fini(fy_timers *timers) {
    for (size_t i = 0; i < timers->count; i++)
        fy_handle_drop(timers->heap[i].handle);
    fy_free(timers->heap);
    *timers = (fy_timers){0};
}

static bool grow(fy_timers *timers) {
    size_t capacity = timers->capacity ? timers->capacity * 2 : FIRST_CAPACITY;
    fy_timer *heap = fy_realloc(timers->heap, capacity * sizeof *heap);
    if (!heap)
        return false;
    timers->heap = heap;
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
    if (timers->count)
        sift_down(timers->heap, timers->count, 0, timers->heap[timers->count]);
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
            fy_handle_drop(timers->heap[i].handle);
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

ferry_handle *fy_timers_take_due(fy_timers *timers, int64_t now_us) {
    if (fy_timers_next(timers) > now_us)
        return NULL;
    return pop(timers);
}
