/* SPDX-License-Identifier: Apache-2.0 */
/* How the ring grows, and shrinks. */
#include "executor/job_ring.h"

#include <apr_errno.h>
#include <stdint.h>

#include "base/alloc.h"

enum { FIRST_CAPACITY = 8, KEPT_CAPACITY = 64 };

static ferry_job **slot_at(const fy_job_ring *ring, size_t index) {
    return &ring->slots[(ring->head + index) & (ring->capacity - 1)];
}

ferry_status fy_job_ring_reserve(fy_job_ring *ring) {
    if (ring->count < ring->capacity)
        return 0;
    size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY;
    ferry_job **slots = capacity <= SIZE_MAX / sizeof *slots ? fy_malloc(capacity * sizeof *slots) : NULL;
    if (!slots)
        return APR_ENOMEM;
    for (size_t i = 0; i < ring->count; i++)
        slots[i] = *slot_at(ring, i);
    fy_free(ring->slots);
    *ring = (fy_job_ring){.slots = slots, .capacity = capacity, .count = ring->count};
    return 0;
}

void fy_job_ring_push(fy_job_ring *ring, ferry_job *job) {
    *slot_at(ring, ring->count++) = job;
}

ferry_job *fy_job_ring_peek(const fy_job_ring *ring) {
    return ring->count ? *slot_at(ring, 0) : NULL;
}

/* After one was taken. */
static void shrink(fy_job_ring *ring) {
    if (!--ring->count && ring->capacity > KEPT_CAPACITY)
        fy_job_ring_fini(ring);
}

ferry_job *fy_job_ring_pop(fy_job_ring *ring) {
    ferry_job *job = fy_job_ring_peek(ring);
    if (job) {
        ring->head++;
        shrink(ring);
    }
    return job;
}

ferry_job *fy_job_ring_pop_newest(fy_job_ring *ring) {
    if (!ring->count)
        return NULL;
    ferry_job *job = *slot_at(ring, ring->count - 1);
    shrink(ring);
    return job;
}

bool fy_job_ring_remove(fy_job_ring *ring, const ferry_job *job) {
    size_t index = ring->count;
    while (index && *slot_at(ring, index - 1) != job)
        index--;
    if (!index)
        return false;
    for (; index < ring->count; index++)
        *slot_at(ring, index - 1) = *slot_at(ring, index);
    shrink(ring);
    return true;
}

void fy_job_ring_fini(fy_job_ring *ring) {
    fy_free(ring->slots);
    *ring = (fy_job_ring){0};
}
