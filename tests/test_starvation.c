/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks that are always ready starve nothing: timers and the kernel are looked at once in 64 turns at the latest,
 * and after 8 callbacks if 100 µs have passed; posts no later. Counted in callbacks, so that a slow machine changes
 * nothing. */
#include "support/loops.h"

#include <stdatomic.h>

#include "support/threads.h"

enum { TURNS_MAX = 64, CALLBACKS_MAX = 8, SLOW_CALLBACK_US = 150 };

typedef struct chain {
    ferry_loop *loop;
    int64_t each_takes_us;
    int events_left;    /* of what must not starve; the chain ends with the last */
    int count_at_event; /* how long the chain was when the last one ran */
    atomic_int count;
} chain;

static ferry_status go_on(void *arg) {
    chain *self = arg;
    if (self->each_takes_us)
        take_time(self->loop, self->each_takes_us);
    atomic_fetch_add(&self->count, 1);
    return self->events_left ? ferry_call_soon(self->loop, go_on, self, NULL) : stop_loop(self->loop);
}

static ferry_status go_on_threadsafe(void *arg) {
    chain *self = arg;
    atomic_fetch_add(&self->count, 1);
    return self->events_left ? ferry_call_soon_threadsafe(self->loop, go_on_threadsafe, self, NULL)
                             : stop_loop(self->loop);
}

static ferry_status note_event(void *arg) {
    chain *self = arg;
    self->events_left--;
    self->count_at_event = atomic_load(&self->count);
    return 0;
}

static void chain_init(chain *self, int64_t each_takes_us) {
    self->loop = new_loop();
    self->each_takes_us = each_takes_us;
    self->events_left = 1;
    self->count_at_event = 0;
    atomic_init(&self->count, 0);
}

/* ---- timers ---- */

/* LS-012 */
static void due_timer_runs_within_64_turns_of_a_fast_chain(void) {
    chain self;
    chain_init(&self, 0);
    CHECK_STATUS(ferry_call_later(self.loop, -1, note_event, &self, NULL), 0);
    post(self.loop, go_on, &self);
    run_forever(self.loop);
    CHECK(self.count_at_event <= TURNS_MAX);
    end_loop(self.loop);
}

/* LS-012 */
static void due_timer_runs_within_8_slow_callbacks_of_a_chain(void) {
    chain self;
    chain_init(&self, SLOW_CALLBACK_US);
    CHECK_STATUS(ferry_call_later(self.loop, SLOW_CALLBACK_US, note_event, &self, NULL), 0);
    post(self.loop, go_on, &self);
    run_forever(self.loop);
    CHECK(self.count_at_event <= CALLBACKS_MAX + 1);
    end_loop(self.loop);
}

static ferry_status set_timer_again(void *arg) {
    chain *self = arg;
    note_event(self);
    return self->events_left ? ferry_call_later(self->loop, 0, set_timer_again, self, NULL) : 0;
}

/* The bound holds again and again, not only once. */
static void chain_of_timers_advances_beside_a_chain_of_callbacks(void) {
    chain self;
    chain_init(&self, 0);
    self.events_left = 50;
    CHECK_STATUS(ferry_call_later(self.loop, -1, set_timer_again, &self, NULL), 0);
    post(self.loop, go_on, &self);
    run_forever(self.loop);
    CHECK_INT(self.events_left, 0);
    CHECK(self.count_at_event <= 50 * (TURNS_MAX + 1));
    end_loop(self.loop);
}

static void due_timer_runs_beside_a_chain_through_the_inbox(void) {
    chain self;
    chain_init(&self, 0);
    CHECK_STATUS(ferry_call_later(self.loop, -1, note_event, &self, NULL), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(self.loop, go_on_threadsafe, &self, NULL), 0);
    run_forever(self.loop);
    CHECK(self.count_at_event <= TURNS_MAX);
    end_loop(self.loop);
}

static ferry_status go_on_for_ever(void *arg) {
    chain *self = arg;
    return ferry_call_soon(self->loop, go_on_for_ever, self, NULL);
}

/* Between two turns that another loop has made, any time may pass. */
static void turn_made_alone_runs_what_is_due(void) {
    chain self;
    chain_init(&self, 0);
    post(self.loop, go_on_for_ever, &self);
    CHECK_STATUS(ferry_loop_run_once(self.loop, 0), 0);
    CHECK_STATUS(ferry_call_later(self.loop, 1000, note_event, &self, NULL), 0);
    take_time(self.loop, 2000);
    CHECK_STATUS(ferry_loop_run_once(self.loop, 0), 0);
    CHECK_INT(self.events_left, 0);
    end_loop(self.loop);
}

enum { WIDTH = 1000 };

static ferry_status go_on_wide(void *arg) {
    chain *self = arg;
    int count = atomic_fetch_add(&self->count, 1) + 1;
    if (self->events_left)
        return ferry_call_soon(self->loop, go_on_wide, self, NULL);
    return count % WIDTH ? 0 : stop_loop(self->loop);
}

/* Many callbacks to a turn: the bound is one of turns. */
static void due_timer_runs_beside_a_wide_chain(void) {
    chain self;
    chain_init(&self, 0);
    for (int i = 0; i < WIDTH; i++)
        post(self.loop, go_on_wide, &self);
    CHECK_STATUS(ferry_call_later(self.loop, -1, note_event, &self, NULL), 0);
    run_forever(self.loop);
    CHECK(self.count_at_event <= TURNS_MAX * WIDTH);
    end_loop(self.loop);
}

/* ---- other threads ---- */

typedef struct outsider {
    chain *of;
    gate started;
    int count_at_post;
} outsider;

static ferry_status open_gate(void *door) {
    gate_open(door);
    return 0;
}

static void post_into_chain(void *arg) {
    outsider *self = arg;
    gate_wait(&self->started);
    CHECK_STATUS(ferry_call_soon_threadsafe(self->of->loop, note_event, self->of, NULL), 0);
    self->count_at_post = atomic_load(&self->of->count);
}

static void check_outsider(int64_t each_takes_us) {
    chain of;
    chain_init(&of, each_takes_us);
    outsider self = {.of = &of};
    helper_thread thread;
    gate_init(&self.started);
    thread_start(&thread, post_into_chain, &self);
    post(of.loop, go_on, &of);
    post(of.loop, open_gate, &self.started);
    run_forever(of.loop);
    thread_join(&thread);
    CHECK(of.count_at_event - self.count_at_post <= TURNS_MAX + 1);
    gate_fini(&self.started);
    end_loop(of.loop);
}

/* LS-012, TS-001 */
static void post_from_another_thread_runs_within_64_turns_of_a_chain(void) {
    check_outsider(0);
    check_outsider(SLOW_CALLBACK_US);
}

static ferry_status stop_from_outside(void *arg) {
    chain *self = arg;
    note_event(self);
    return stop_loop(self->loop);
}

static void stop_posted_by_another_thread_ends_an_endless_chain(void) {
    chain self;
    chain_init(&self, 0);
    post(self.loop, go_on, &self);
    turn(self.loop);
    CHECK_STATUS(ferry_call_soon_threadsafe(self.loop, stop_from_outside, &self, NULL), 0);
    run_forever(self.loop);
    CHECK(self.count_at_event <= TURNS_MAX + 1);
    end_loop(self.loop);
}

static const fy_test tests[] = {
    FY_TEST(due_timer_runs_within_64_turns_of_a_fast_chain),
    FY_TEST(due_timer_runs_within_8_slow_callbacks_of_a_chain),
    FY_TEST(turn_made_alone_runs_what_is_due),
    FY_TEST(chain_of_timers_advances_beside_a_chain_of_callbacks),
    FY_TEST(due_timer_runs_beside_a_chain_through_the_inbox),
    FY_TEST(due_timer_runs_beside_a_wide_chain),
    FY_TEST(post_from_another_thread_runs_within_64_turns_of_a_chain),
    FY_TEST(stop_posted_by_another_thread_ends_an_endless_chain),
};

FY_TEST_MAIN("starvation", tests)
