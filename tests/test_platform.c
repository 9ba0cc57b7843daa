/* SPDX-License-Identifier: Apache-2.0 */
/* What a port supplies besides a backend: the clock, threads, locks and parking behave as seam/platform.h says. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "seam/platform.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "support/threads.h"

enum { WITHIN_US = 10000000, MOMENT_US = 5000, ROUNDS = 10000 };

/* ---- clock ---- */

static void now_never_goes_back(void) {
    int64_t last_us = ferry_now();
    CHECK(last_us > 0);
    for (int i = 0; i < 100000; i++) {
        int64_t now_us = i % 2 ? ferry_now() : fy_clock_now();
        CHECK(now_us >= last_us);
        last_us = now_us;
    }
}

static void now_counts_microseconds(void) {
    struct timespec start, end;
    CHECK_INT(clock_gettime(CLOCK_MONOTONIC, &start), 0);
    int64_t start_us = ferry_now();
    ferry_thread_sleep(20000);
    int64_t passed_us = ferry_now() - start_us;
    CHECK_INT(clock_gettime(CLOCK_MONOTONIC, &end), 0);
    CHECK(passed_us >= 20000);
    CHECK(passed_us <= (end.tv_sec - start.tv_sec) * INT64_C(1000000) + (end.tv_nsec - start.tv_nsec) / 1000 + 1);
}

static void sleep_is_never_short(void) {
    static const int64_t lengths_us[] = {1, 100, 999, 1000, 2500};
    for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++) {
        int64_t start_us = ferry_now();
        ferry_thread_sleep(lengths_us[i]);
        CHECK(ferry_now() - start_us >= lengths_us[i]);
    }
}

static void sleep_of_nothing_returns(void) {
    ferry_thread_sleep(0);
    ferry_thread_sleep(-1);
    ferry_thread_sleep(INT64_MIN);
}

static void time_left_is_told(void) {
    CHECK_INT(fy_clock_left(0), 0);
    CHECK_INT(fy_clock_left(-1), 0);
    CHECK_INT(fy_clock_left(INT64_MIN), 0);
    CHECK_INT(fy_clock_left(fy_clock_now() - 1), 0);
    CHECK_INT(fy_clock_left(FERRY_FOREVER), FERRY_FOREVER);
    int64_t left_us = fy_clock_left(fy_clock_now() + WITHIN_US);
    CHECK(left_us > 0);
    CHECK(left_us <= WITHIN_US);
}

/* A factor of two is coarse enough for any machine that is not broken. */
static void ticks_pass_at_the_rate_that_is_told(void) {
    uint64_t rate = fy_clock_ticks_per_us();
    CHECK(rate >= 1);
    CHECK(fy_clock_ticks_per_us() == rate);
    int64_t start_us = fy_clock_now();
    uint64_t start = fy_clock_ticks();
    ferry_thread_sleep(20000);
    uint64_t ticks_us = (fy_clock_ticks() - start) / rate;
    int64_t passed_us = fy_clock_now() - start_us;
    CHECK(ticks_us >= (uint64_t)passed_us / 2);
    CHECK(ticks_us <= (uint64_t)passed_us * 2);
}

/* ---- threads ---- */

static void note_self(void *ret_self) {
    *(uintptr_t *)ret_self = fy_thread_self();
}

static void threads_are_told_apart(void) {
    uintptr_t other = 0;
    CHECK(fy_thread_self() != 0);
    CHECK(fy_thread_self() == fy_thread_self());
    on_another_thread(note_self, &other);
    CHECK(other != 0);
    CHECK(other != fy_thread_self());
}

typedef struct end_note {
    fy_exit_call call;
    atomic_bool ended;
} end_note;

static void note_end(void *arg) {
    end_note *note = arg;
    atomic_store(&note->ended, true);
}

static void ask_for_a_note(void *arg) {
    end_note *note = arg;
    note->call = (fy_exit_call){note_end, note};
    CHECK_STATUS(fy_thread_at_exit(&note->call), 0);
    CHECK(!atomic_load(&note->ended));
}

static void end_of_a_thread_is_told_once_it_is_over(void) {
    end_note note = {.ended = false};
    on_another_thread(ask_for_a_note, &note);
    CHECK(atomic_load(&note.ended));
}

/* ---- locks ---- */

typedef struct shared {
    fy_mutex mutex;
    fy_cond changed;
    int count, waiting;
    bool go;
} shared;

static void init_shared(shared *all) {
    *all = (shared){0};
    CHECK_STATUS(fy_mutex_init(&all->mutex), 0);
    CHECK_STATUS(fy_cond_init(&all->changed), 0);
}

static void fini_shared(shared *all) {
    fy_cond_fini(&all->changed);
    fy_mutex_fini(&all->mutex);
}

static void count_under_mutex(void *arg) {
    shared *all = arg;
    for (int i = 0; i < ROUNDS; i++) {
        fy_mutex_lock(&all->mutex);
        all->count++;
        fy_mutex_unlock(&all->mutex);
    }
}

static void mutex_excludes(void) {
    shared all;
    helper_thread helper;
    init_shared(&all);
    thread_start(&helper, count_under_mutex, &all);
    count_under_mutex(&all);
    thread_join(&helper);
    CHECK_INT(all.count, 2 * ROUNDS);
    fini_shared(&all);
}

static void wait_for_go(void *arg) {
    shared *all = arg;
    fy_mutex_lock(&all->mutex);
    all->waiting++;
    while (!all->go)
        fy_cond_wait(&all->changed, &all->mutex);
    all->count++;
    fy_mutex_unlock(&all->mutex);
}

static void broadcast_reaches_all_waiters(void) {
    shared all;
    helper_thread helpers[3];
    init_shared(&all);
    for (int i = 0; i < 3; i++)
        thread_start(&helpers[i], wait_for_go, &all);
    fy_mutex_lock(&all.mutex);
    while (all.waiting < 3) {
        fy_mutex_unlock(&all.mutex);
        fy_thread_yield();
        fy_mutex_lock(&all.mutex);
    }
    all.go = true;
    fy_cond_broadcast(&all.changed);
    fy_mutex_unlock(&all.mutex);
    for (int i = 0; i < 3; i++)
        thread_join(&helpers[i]);
    CHECK_INT(all.count, 3);
    fini_shared(&all);
}

/* Two threads take turns, each waking the other. */
static void take_turns(shared *all, int mine) {
    for (int i = 0; i < ROUNDS / 10; i++) {
        fy_mutex_lock(&all->mutex);
        while (all->count % 2 != mine)
            CHECK(fy_cond_wait_until(&all->changed, &all->mutex, i % 2 ? FERRY_FOREVER : fy_clock_now() + WITHIN_US));
        all->count++;
        fy_cond_signal(&all->changed);
        fy_mutex_unlock(&all->mutex);
    }
}

static void take_odd_turns(void *arg) {
    take_turns(arg, 1);
}

static void signal_reaches_a_waiter(void) {
    shared all;
    helper_thread helper;
    init_shared(&all);
    thread_start(&helper, take_odd_turns, &all);
    take_turns(&all, 0);
    thread_join(&helper);
    CHECK_INT(all.count, ROUNDS / 10 * 2);
    fini_shared(&all);
}

static void timed_wait_is_never_early(void) {
    static const int64_t lengths_us[] = {1, 300, 1500, 20000};
    shared all;
    init_shared(&all);
    fy_mutex_lock(&all.mutex);
    for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++) {
        int64_t deadline_us = fy_clock_now() + lengths_us[i];
        while (fy_cond_wait_until(&all.changed, &all.mutex, deadline_us))
            continue;
        CHECK(fy_clock_now() >= deadline_us);
    }
    CHECK(!fy_cond_wait_until(&all.changed, &all.mutex, 0));
    CHECK(!fy_cond_wait_until(&all.changed, &all.mutex, -1));
    CHECK(!fy_cond_wait_until(&all.changed, &all.mutex, INT64_MIN));
    fy_mutex_unlock(&all.mutex);
    fini_shared(&all);
}

/* ---- parking ---- */

static void token_left_before_is_taken_at_once(void) {
    fy_parker parker;
    CHECK_STATUS(fy_parker_init(&parker), 0);
    fy_unpark(&parker);
    CHECK(fy_park(&parker, FERRY_FOREVER));
    fy_unpark(&parker);
    CHECK(fy_park(&parker, 0));
    CHECK(!fy_park(&parker, 0));
    fy_parker_fini(&parker);
}

static void two_tokens_are_one(void) {
    fy_parker parker;
    CHECK_STATUS(fy_parker_init(&parker), 0);
    fy_unpark(&parker);
    fy_unpark(&parker);
    CHECK(fy_park(&parker, 0));
    CHECK(!fy_park(&parker, 0));
    CHECK(!fy_park(&parker, fy_clock_now() + MOMENT_US / 10));
    fy_parker_fini(&parker);
}

static void park_is_never_early(void) {
    static const int64_t lengths_us[] = {1, 300, 1500, 20000};
    fy_parker parker;
    CHECK_STATUS(fy_parker_init(&parker), 0);
    for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++) {
        int64_t deadline_us = fy_clock_now() + lengths_us[i];
        CHECK(!fy_park(&parker, deadline_us)); /* nothing interrupts here, so a return is the deadline's */
        CHECK(fy_clock_now() >= deadline_us);
    }
    CHECK(!fy_park(&parker, -1));
    CHECK(!fy_park(&parker, INT64_MIN));
    CHECK(!fy_park(&parker, fy_clock_now() - 1));
    fy_parker_fini(&parker);
}

typedef struct court {
    fy_parker parkers[2];
    int ball; /* plain on purpose: the token carries it over */
} court;

/* Parks until the token is there; a lost one would leave both asleep, and the deadline tells. */
static void take_token(fy_parker *parker, int round) {
    while (!fy_park(parker, round % 2 ? FERRY_FOREVER : fy_clock_now() + WITHIN_US))
        continue;
}

static void return_the_ball(void *arg) {
    court *all = arg;
    for (int i = 0; i < ROUNDS; i++) {
        take_token(&all->parkers[1], i);
        all->ball++;
        fy_unpark(&all->parkers[0]);
    }
}

static void tokens_go_back_and_forth(void) {
    court all = {.ball = 0};
    helper_thread helper;
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(fy_parker_init(&all.parkers[i]), 0);
    thread_start(&helper, return_the_ball, &all);
    for (int i = 0; i < ROUNDS; i++) {
        all.ball++;
        fy_unpark(&all.parkers[1]);
        take_token(&all.parkers[0], i);
        CHECK_INT(all.ball, 2 * (i + 1));
    }
    thread_join(&helper);
    for (int i = 0; i < 2; i++)
        fy_parker_fini(&all.parkers[i]);
}

static void open_after_a_while(void *arg) {
    ferry_thread_sleep(MOMENT_US);
    atomic_store((atomic_bool *)arg, true);
}

static void spinning_thread_sees_the_others(void) {
    atomic_bool is_open = false;
    helper_thread helper;
    thread_start(&helper, open_after_a_while, &is_open);
    for (unsigned spins = 0; !atomic_load(&is_open); spins++) {
        fy_cpu_relax();
        if (spins % 1000 == 0)
            fy_thread_yield();
    }
    thread_join(&helper);
}

static const fy_test tests[] = {
    FY_TEST(now_never_goes_back),
    FY_TEST(now_counts_microseconds),
    FY_TEST(sleep_is_never_short),
    FY_TEST(sleep_of_nothing_returns),
    FY_TEST(time_left_is_told),
    FY_TEST(ticks_pass_at_the_rate_that_is_told),
    FY_TEST(threads_are_told_apart),
    FY_TEST(end_of_a_thread_is_told_once_it_is_over),
    FY_TEST(mutex_excludes),
    FY_TEST(broadcast_reaches_all_waiters),
    FY_TEST(signal_reaches_a_waiter),
    FY_TEST(timed_wait_is_never_early),
    FY_TEST(token_left_before_is_taken_at_once),
    FY_TEST(two_tokens_are_one),
    FY_TEST(park_is_never_early),
    FY_TEST(tokens_go_back_and_forth),
    FY_TEST(spinning_thread_sees_the_others),
};

FY_TEST_MAIN("platform", tests)
