/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of jobs that grows as needed, for whoever keeps jobs in order. A job cannot carry the link itself, since
 * those who watch it use that place. It decides the order and nothing else: references and locks are its owner's
 * affair. */
#ifndef FERRY_EXECUTOR_JOB_RING_H
#define FERRY_EXECUTOR_JOB_RING_H

#include "ferry/job.h"

/* All zero is the empty ring, and a ring may be moved by assignment. */
typedef struct fy_job_ring {
    ferry_job **slots;
    size_t capacity; /* a power of two, or 0 */
    size_t head;
    size_t count;
} fy_job_ring;

/* Makes room for one more. Returns: 0, APR_ENOMEM. */
ferry_status fy_job_ring_reserve(fy_job_ring *ring);

/* Puts a job behind the others; there is room. */
void fy_job_ring_push(fy_job_ring *ring, ferry_job *job);

/* The oldest one, or NULL. */
ferry_job *fy_job_ring_peek(const fy_job_ring *ring);

/* Takes the oldest or the newest one, or NULL. The memory of a large ring goes back when it gets empty. */
ferry_job *fy_job_ring_pop(fy_job_ring *ring);
ferry_job *fy_job_ring_pop_newest(fy_job_ring *ring);

/* Takes this one from wherever it is, beginning with the newest; false: it is not there. */
bool fy_job_ring_remove(fy_job_ring *ring, const ferry_job *job);

/* Frees the memory. The jobs in it are forgotten. */
void fy_job_ring_fini(fy_job_ring *ring);

#endif
