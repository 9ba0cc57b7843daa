/* SPDX-License-Identifier: Apache-2.0 */
/* Whether, and for how long, a thread that waits for another one looks on before it sleeps. Two threads that work hand
 * in hand would else each sleep while the other one is still waking up. A spin must outlast a wake-up through the
 * kernel to bring them together; it is tried only after a wait that was short, for half as long after each failure, and
 * after a few failures hardly ever. So it costs little where it cannot help. The first wait of all counts as one that
 * follows a short one: who has just started something will most often hear of it soon. */
#ifndef FERRY_BASE_SPIN_H
#define FERRY_BASE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

enum { FY_SPIN_US_MAX = 150, FY_SPIN_US_MIN = 10, FY_SPIN_IF_GAP_UNDER_US = 250, FY_SPIN_WAITS_SKIPPED = 64 };

typedef struct fy_spin {
    int64_t last_gap_us; /* how long the last wait took; 0 at first */
    uint32_t limit_us;
    uint32_t skipped;    /* waits without a spin since the last failures */
} fy_spin;

static inline void fy_spin_init(fy_spin *spin) {
    *spin = (fy_spin){.last_gap_us = 0, .limit_us = FY_SPIN_US_MAX};
}

/* How long to spin in the wait that begins now; 0: not at all. */
static inline uint32_t fy_spin_begin(fy_spin *spin) {
    if (spin->last_gap_us >= FY_SPIN_IF_GAP_UNDER_US)
        return 0;
    if (spin->limit_us < FY_SPIN_US_MIN && ++spin->skipped >= FY_SPIN_WAITS_SKIPPED) {
        spin->limit_us = FY_SPIN_US_MAX;
        spin->skipped = 0;
    }
    return spin->limit_us < FY_SPIN_US_MIN ? 0 : spin->limit_us;
}

/* Whether the spin has seen what it waited for. */
static inline void fy_spin_end(fy_spin *spin, bool succeeded) {
    spin->limit_us = succeeded ? FY_SPIN_US_MAX : spin->limit_us / 2;
}

#endif
