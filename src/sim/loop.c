/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's public face: a loop made on it, its time moved, its seed asked. */
#include <apr_errno.h>

#include "loop/loop.h"
#include "sim/options.h"
#include "sim/sim.h"

ferry_status ferry_sim_loop_create(const ferry_sim_options *options, ferry_loop **ret_loop) {
    ferry_sim_options defaults = {FERRY_SIM_OPTIONS};
    if (!options)
        options = &defaults;
    if (!ret_loop || fy_sim_options_check(options))
        return APR_EINVAL;
    fy_backend *backend = NULL;
    ferry_status status = fy_sim_open(options, &backend);
    if (status)
        return status;
    status = fy_loop_create_on(&(ferry_loop_options){FERRY_LOOP_OPTIONS}, backend, ret_loop);
    if (status)
        fy_sim_class.close(backend);
    return status;
}

bool ferry_sim_is_simulated(const ferry_loop *loop) {
    return loop && loop->backend_class == &fy_sim_class;
}

fy_sim *fy_sim_of_loop(const ferry_loop *loop) {
    return ferry_sim_is_simulated(loop) && !fy_loop_closed(loop) ? fy_sim_of(loop->backend) : NULL;
}

/* ---- time ---- */

int64_t ferry_sim_now(const ferry_loop *loop) {
    const fy_sim *self = fy_sim_of_loop(loop);
    return self ? self->now_us : 0;
}

/* No time is moved beyond it, so that looks at the clock and operations have as much again. */
static const int64_t END_US = FERRY_FOREVER / 2;

/* What the clock says so long after now. */
static int64_t after(const fy_sim *self, int64_t duration_us) {
    if (self->now_us >= END_US)
        return self->now_us;
    return duration_us < END_US - self->now_us ? self->now_us + duration_us : END_US;
}

ferry_status ferry_sim_spend(ferry_loop *loop, int64_t duration_us) {
    if (duration_us < 0 || !ferry_sim_is_simulated(loop))
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    fy_sim *self = fy_sim_of_loop(loop);
    self->now_us = after(self, duration_us);
    fy_sim_note(self, "spend", 0, duration_us);
    return 0;
}

enum { TURNS_AT_ONE_MOMENT_MAX = 1000000 };

static bool has_something_now(ferry_loop *loop, fy_sim *self) {
    return fy_ready_count(&loop->ready) || fy_inbox_has_news(&loop->inbox) ||
           !fy_list_is_empty(&loop->backend->finished) || fy_timers_next(&loop->timers) <= self->now_us ||
           fy_sim_next_due(self) <= self->now_us;
}

/* Turns until there is nothing to do at this moment. A program that always has something, and waits for time to pass,
 * would wait for ever. */
static ferry_status settle(ferry_loop *loop, fy_sim *self) {
    ferry_status status = 0;
    for (int turns = 0; !status && (!turns || has_something_now(loop, self)); turns++)
        status = turns < TURNS_AT_ONE_MOMENT_MAX ? ferry_loop_run_once(loop, 0) : FERRY_EDEADLK;
    return status;
}

/* On to the earliest moment at which there is something to do. */
static void jump(ferry_loop *loop, fy_sim *self, int64_t until_us) {
    int64_t timer_us = fy_timers_next(&loop->timers), op_us = fy_sim_next_due(self);
    int64_t next_us = timer_us < op_us ? timer_us : op_us;
    if (next_us > until_us)
        next_us = until_us;
    if (next_us > self->now_us)
        self->now_us = next_us;
}

ferry_status ferry_sim_advance(ferry_loop *loop, int64_t duration_us) {
    if (duration_us < 0 || !ferry_sim_is_simulated(loop))
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (ferry_loop_is_running(loop))
        return FERRY_EINVALIDSTATE;
    fy_sim *self = fy_sim_of_loop(loop);
    int64_t until_us = after(self, duration_us);
    for (;;) {
        status = settle(loop, self);
        if (status || self->now_us >= until_us)
            return status;
        jump(loop, self, until_us);
    }
}

/* ---- the seed ---- */

uint64_t ferry_sim_random(ferry_loop *loop) {
    fy_sim *self = fy_sim_of_loop(loop);
    return self ? fy_sim_draw(self) : 0;
}

ferry_status ferry_sim_get_stats(ferry_loop *loop, ferry_sim_stats *ret_stats) {
    if (!ret_stats || ret_stats->size != sizeof *ret_stats || !ferry_sim_is_simulated(loop))
        return APR_EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        *ret_stats = fy_sim_of_loop(loop)->stats;
    return status;
}
