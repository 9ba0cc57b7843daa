/* SPDX-License-Identifier: Apache-2.0 */
/* A place to sleep, for the hand-written limits: whoever sleeps says so first, then looks again. Include bench.h first
 * and define BELL_FLAG: FUTEX_PRIVATE_FLAG between threads, 0 between processes. */
#ifndef FERRY_BENCH_BELL_H
#define FERRY_BENCH_BELL_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>

typedef struct bell {
    _Alignas(64) atomic_int asleep;
} bell;

static inline void bell_ring(bell *self)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&self->asleep, memory_order_relaxed) && atomic_exchange(&self->asleep, 0))
        syscall(SYS_futex, &self->asleep, FUTEX_WAKE | BELL_FLAG, 1, NULL, NULL, 0);
}

static inline void bell_will_sleep(bell *self)
{
    atomic_store(&self->asleep, 1);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline void bell_sleep(bell *self, bool something_came)
{
    if (something_came)
        atomic_store(&self->asleep, 0);
    while (atomic_load_explicit(&self->asleep, memory_order_acquire))
        syscall(SYS_futex, &self->asleep, FUTEX_WAIT | BELL_FLAG, 1, NULL, NULL, 0);
}

#endif
