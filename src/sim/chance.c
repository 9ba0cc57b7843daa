/* SPDX-License-Identifier: Apache-2.0 */
/* Where chance comes from, and the record of what happened: one stream of numbers that the seed decides, one
 * fingerprint and one trace of events. It refuses to know anything that differs from run to run: no address, no real
 * clock. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/sim.h"

enum { PER_MILLE = 1000, LINE_MAX_BYTES = 128 };

/* A counter in strides of the golden ratio, and a mixer that makes each bit of the result depend on each of it. */
uint64_t fy_sim_draw(fy_sim *self) {
    self->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = self->random;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

uint64_t fy_sim_below(fy_sim *self, uint64_t limit) {
    return fy_sim_draw(self) % limit;
}

int64_t fy_sim_duration(fy_sim *self, int64_t min_us, int64_t max_us) {
    return min_us < max_us ? min_us + (int64_t)fy_sim_below(self, (uint64_t)(max_us - min_us) + 1) : min_us;
}

bool fy_sim_happens(fy_sim *self, int rate) {
    return rate > 0 && (int)fy_sim_below(self, PER_MILLE) < rate;
}

bool fy_sim_fails(fy_sim *self, int rate) {
    if (!fy_sim_happens(self, rate))
        return false;
    self->stats.faults++;
    return true;
}

/* ---- the record ---- */

static uint64_t mix_byte(uint64_t hash, uint64_t byte) {
    return (hash ^ byte) * UINT64_C(0x100000001B3);
}

static uint64_t mix_number(uint64_t hash, int64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 16)
        hash = mix_byte(hash, ((uint64_t)number >> shift) & 0xFFFF);
    return hash;
}

static void trace(fy_sim *self, const char *what, int64_t who, int64_t amount) {
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof line, "%" PRId64 " %s %" PRId64 " %" PRId64, self->now_us, what, who, amount);
    if (self->options.trace)
        self->options.trace(line, self->options.trace_arg);
    if (self->trace_file)
        fprintf(self->trace_file, "%s\n", line);
}

void fy_sim_note(fy_sim *self, const char *what, int64_t who, int64_t amount) {
    uint64_t hash = mix_number(self->stats.fingerprint, self->now_us);
    for (const char *letter = what; *letter; letter++)
        hash = mix_byte(hash, (unsigned char)*letter);
    self->stats.fingerprint = mix_number(mix_number(hash, who), amount);
    self->stats.events++;
    if (self->options.trace || self->trace_file)
        trace(self, what, who, amount);
}
