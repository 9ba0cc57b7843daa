/* SPDX-License-Identifier: Apache-2.0 */
/* The rings. Which band is served first is decided here, too: of a taker's every 16 takes one begins with the lowest
 * priority and one with the normal one, so a job of low priority starts after at most 16 others have, per worker, once
 * it is the oldest of its band. */
#include "executor/queue.h"

#include <apr_errno.h>

#include "base/alloc.h"
#include "seam/platform.h"

enum { FIRST_CAPACITY = 256, AGEING_PERIOD = 16, LOW_TURN = 15, NORMAL_TURN = 7, TRIM_ABOVE = 4096, FETCHED_AHEAD = 2 };
enum { HIGH, NORMAL, LOW };

void fy_queue_init(fy_queue *queue) {
    *queue = (fy_queue){0};
}

static void free_slots(fy_slots *slots) {
    while (slots) {
        fy_slots *older = slots->older;
        fy_free(slots);
        slots = older;
    }
}

void fy_queue_fini(fy_queue *queue) {
    for (int band = 0; band < FY_BANDS; band++)
        free_slots(atomic_load(&queue->bands[band].slots));
}

static size_t ring_count(const fy_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return tail > head ? (size_t)(tail - head) : 0;
}

static fy_ring *ring_of(fy_queue *queue, int priority) {
    return &queue->bands[NORMAL - priority];
}

/* ---- putting in ---- */

static ferry_status grow(fy_ring *ring, size_t capacity) {
    fy_slots *old = atomic_load_explicit(&ring->slots, memory_order_relaxed);
    fy_slots *slots = fy_malloc(sizeof *slots + capacity * sizeof slots->jobs[0]);
    if (!slots)
        return APR_ENOMEM;
    slots->older = old;
    slots->mask = capacity - 1;
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (uint64_t i = atomic_load_explicit(&ring->head, memory_order_acquire); i < tail; i++) {
        ferry_job *job = atomic_load_explicit(&old->jobs[i & old->mask], memory_order_relaxed);
        atomic_store_explicit(&slots->jobs[i & slots->mask], job, memory_order_relaxed);
    }
    atomic_store_explicit(&ring->slots, slots, memory_order_release);
    return 0;
}

ferry_status fy_queue_reserve(fy_queue *queue, int priority, size_t count) {
    fy_ring *ring = ring_of(queue, priority);
    const fy_slots *slots = atomic_load_explicit(&ring->slots, memory_order_relaxed);
    size_t capacity = slots ? slots->mask + 1 : 0;
    size_t wanted = ring_count(ring) + count;
    if (wanted <= capacity)
        return 0;
    capacity = capacity ? capacity * 2 : FIRST_CAPACITY;
    while (capacity < wanted)
        capacity *= 2;
    return grow(ring, capacity);
}

void fy_queue_put(fy_queue *queue, int priority, ferry_job *const *jobs, size_t count) {
    fy_ring *ring = ring_of(queue, priority);
    if (priority)
        atomic_store_explicit(&queue->has_bands, true, memory_order_relaxed);
    fy_slots *slots = atomic_load_explicit(&ring->slots, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&slots->jobs[(tail + i) & slots->mask], jobs[i], memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}

/* ---- taking ---- */

/* Most jobs come from another processor; whoever takes one now will soon take one of the next, too. */
static void fetch_ahead(const fy_slots *slots, uint64_t index, uint64_t tail) {
    if (index >= tail)
        return;
    const char *job = (const char *)atomic_load_explicit(&slots->jobs[index & slots->mask], memory_order_relaxed);
    fy_cpu_fetch_to_write(job);
    fy_cpu_fetch_to_write(job + FY_CACHE_LINE);
}

/* Two takers that work in step take every line of memory from each other, again and again. Who loses the race for a job
 * lets the other one, or whoever puts in, go ahead. */
static ferry_job *take_from(fy_ring *ring, bool may_give_way) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    for (;;) {
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head >= tail)
            return NULL;
        fy_slots *slots = atomic_load_explicit(&ring->slots, memory_order_acquire);
        ferry_job *job = atomic_load_explicit(&slots->jobs[head & slots->mask], memory_order_relaxed);
        if (atomic_compare_exchange_strong_explicit(&ring->head, &head, head + 1, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            fetch_ahead(slots, head + FETCHED_AHEAD, tail);
            return job;
        }
        if (may_give_way) {
            fy_thread_yield();
            head = atomic_load_explicit(&ring->head, memory_order_acquire);
        }
    }
}

static const unsigned char *order_at(unsigned turn) {
    static const unsigned char orders[3][FY_BANDS] = {{HIGH, NORMAL, LOW}, {LOW, HIGH, NORMAL}, {NORMAL, HIGH, LOW}};
    unsigned step = turn % AGEING_PERIOD;
    return orders[step == LOW_TURN ? 1 : step == NORMAL_TURN ? 2 : 0];
}

static ferry_job *first_of(const fy_ring *ring) {
    if (!ring_count(ring))
        return NULL;
    const fy_slots *slots = atomic_load_explicit(&ring->slots, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return atomic_load_explicit(&slots->jobs[head & slots->mask], memory_order_relaxed);
}

ferry_job *fy_queue_peek(const fy_queue *queue, unsigned turn) {
    if (!atomic_load_explicit(&queue->has_bands, memory_order_relaxed))
        return first_of(&queue->bands[NORMAL]);
    const unsigned char *order = order_at(turn);
    ferry_job *job = NULL;
    for (int i = 0; i < FY_BANDS && !job; i++)
        job = first_of(&queue->bands[order[i]]);
    return job;
}

ferry_job *fy_queue_take(fy_queue *queue, unsigned turn, bool may_give_way) {
    if (!atomic_load_explicit(&queue->has_bands, memory_order_relaxed))
        return take_from(&queue->bands[NORMAL], may_give_way);
    const unsigned char *order = order_at(turn);
    ferry_job *job = NULL;
    for (int i = 0; i < FY_BANDS && !job; i++)
        job = take_from(&queue->bands[order[i]], may_give_way);
    return job;
}

bool fy_queue_is_empty(const fy_queue *queue) {
    return fy_queue_count(queue) == 0;
}

size_t fy_queue_count(const fy_queue *queue) {
    size_t count = ring_count(&queue->bands[NORMAL]);
    if (atomic_load_explicit(&queue->has_bands, memory_order_relaxed))
        count += ring_count(&queue->bands[HIGH]) + ring_count(&queue->bands[LOW]);
    return count;
}

void fy_queue_trim(fy_queue *queue) {
    for (int band = 0; band < FY_BANDS; band++) {
        fy_ring *ring = &queue->bands[band];
        fy_slots *slots = atomic_load_explicit(&ring->slots, memory_order_relaxed);
        if (!slots)
            continue;
        free_slots(slots->older);
        slots->older = NULL;
        if (slots->mask >= TRIM_ABOVE && !ring_count(ring)) {
            atomic_store_explicit(&ring->slots, NULL, memory_order_relaxed);
            fy_free(slots);
        }
    }
}
