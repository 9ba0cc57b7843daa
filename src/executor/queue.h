/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's queue: a ring of jobs for each priority, strictly first in first out. Many take, one at a time puts in.
 *
 * Protocol: `tail` and `slots` are written by whoever holds the pool's lock. `head` is advanced by CAS, by anyone, with
 * no lock. A taker reads head, then tail, then slots, then the job; if another one was quicker, its CAS fails, so what
 * it read from a slot that was reused meanwhile is never used. A ring that is full is replaced by one of twice the
 * size; old ones are kept, since a taker may be reading one, until trim is called while nobody takes. */
#ifndef FERRY_EXECUTOR_QUEUE_H
#define FERRY_EXECUTOR_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry/executor.h"

enum { FY_BANDS = 3, FY_CACHE_LINE = 64 };

typedef struct fy_slots {
    struct fy_slots *older;
    size_t mask;
    _Atomic(ferry_job *) jobs[];
} fy_slots;

typedef struct fy_ring {
    _Atomic uint64_t head;
    char apart[FY_CACHE_LINE - sizeof(uint64_t)]; /* the takers' line, and the putter's */
    _Atomic uint64_t tail;
    _Atomic(fy_slots *) slots; /* NULL until first used */
} fy_ring;

typedef struct fy_queue {
    _Atomic bool has_bands;  /* something other than normal was ever put in. Read at every take: nothing that is often
                                written lies beside it */
    char apart[FY_CACHE_LINE];
    fy_ring bands[FY_BANDS]; /* high, normal, low */
} fy_queue;

void fy_queue_init(fy_queue *queue);
void fy_queue_fini(fy_queue *queue);

/* Makes room for `count` more jobs of the priority. Returns: 0, APR_ENOMEM. Under the pool's lock. */
ferry_status fy_queue_reserve(fy_queue *queue, int priority, size_t count);

/* Puts jobs in; there is room. Under the pool's lock. */
void fy_queue_put(fy_queue *queue, int priority, ferry_job *const *jobs, size_t count);

/* Takes the oldest job of the highest priority, or NULL. `turn` counts the taker's takes: now and then a lower priority
 * comes first, so that none is starved. may_give_way: to other threads, for a moment; not under a lock. */
ferry_job *fy_queue_take(fy_queue *queue, unsigned turn, bool may_give_way);

/* The job that fy_queue_take with the same turn would take now, which stays. Only where nobody else takes meanwhile. */
ferry_job *fy_queue_peek(const fy_queue *queue, unsigned turn);

bool fy_queue_is_empty(const fy_queue *queue);
size_t fy_queue_count(const fy_queue *queue);

/* Frees old rings, and makes a large empty one small. Under the pool's lock, while nobody takes. */
void fy_queue_trim(fy_queue *queue);

#endif
