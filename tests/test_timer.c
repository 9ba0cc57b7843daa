/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: never early, in the order of their deadlines, once each, and taken back at any moment before. */
#include "support/loops.h"

/* ---- never early ---- */

typedef struct appointment {
    ferry_loop *loop;
    int64_t not_before_us;
    int kept;
} appointment;

static ferry_status keep_appointment(void *arg) {
    appointment *self = arg;
    CHECK(clock_of(self->loop) >= self->not_before_us);
    CHECK(ferry_loop_time(self->loop) >= self->not_before_us);
    self->kept++;
    return 0;
}

/* TM-001 */
static void absolute_timer_never_runs_early(void) {
    static const int64_t delays_us[] = {0, 1, 7, 50, 130, 999, 1000, 1001, 2500, 4999, 10000};
    enum { COUNT = sizeof delays_us / sizeof delays_us[0] };
    ferry_loop *loop = new_loop();
    appointment all[COUNT];
    int64_t start_us = ferry_loop_time(loop);
    for (int i = 0; i < COUNT; i++) {
        all[i] = (appointment){loop, start_us + delays_us[i], 0};
        CHECK_STATUS(ferry_call_at(loop, all[i].not_before_us, keep_appointment, &all[i], NULL), 0);
    }
    run_for(loop, 12000);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(all[i].kept, 1);
    end_loop(loop);
}

/* TM-002 */
static void relative_timer_runs_once_after_its_delay(void) {
    ferry_loop *loop = new_loop();
    appointment short_one = {loop, clock_of(loop) + 300, 0};
    CHECK_STATUS(ferry_call_later(loop, 300, keep_appointment, &short_one, NULL), 0);
    appointment long_one = {loop, clock_of(loop) + 3000, 0};
    CHECK_STATUS(ferry_call_later(loop, 3000, keep_appointment, &long_one, NULL), 0);
    run_for(loop, 10000);
    run_for(loop, 1000);
    CHECK_INT(short_one.kept, 1);
    CHECK_INT(long_one.kept, 1);
    end_loop(loop);
}

static ferry_status block_then_set_timer(void *arg) {
    appointment *self = arg;
    take_time(self->loop, 5000);
    self->not_before_us = clock_of(self->loop) + 2000;
    return ferry_call_later(self->loop, 2000, keep_appointment, self, NULL);
}

/* TM-002: the delay counts from the call, however long ago the turn began. */
static void delay_counts_from_the_call_even_in_a_slow_callback(void) {
    ferry_loop *loop = new_loop();
    appointment late = {loop, 0, 0};
    post(loop, block_then_set_timer, &late);
    run_for(loop, 20000);
    CHECK_INT(late.kept, 1);
    end_loop(loop);
}

/* A loop's clock between turns is fresh, so a delay does not count from the last turn. */
static void delay_counts_from_the_call_between_turns(void) {
    ferry_loop *loop = new_loop();
    turn(loop);
    take_time(loop, 5000);
    appointment one = {loop, clock_of(loop) + 2000, 0};
    CHECK_STATUS(ferry_call_later(loop, 2000, keep_appointment, &one, NULL), 0);
    run_for(loop, 20000);
    CHECK_INT(one.kept, 1);
    end_loop(loop);
}

/* ---- order ---- */

/* TM-003 */
static void more_overdue_timer_runs_first(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_later(loop, -1000000, mark, (void *)"c", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, -3000000, mark, (void *)"a", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, -2000000, mark, (void *)"b", NULL), 0);
    turn(loop);
    CHECK_STRING(trace, "abc");
    int64_t now_us = ferry_loop_time(loop);
    CHECK_STATUS(ferry_call_at(loop, now_us, mark, (void *)"g", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, now_us - 1, mark, (void *)"f", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, -5, mark, (void *)"d", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, 0, mark, (void *)"e", NULL), 0);
    turn(loop);
    CHECK_STRING(trace, "abcdefg");
    end_loop(loop);
}

static void equal_deadlines_run_in_the_order_of_making(void) {
    ferry_loop *loop = new_loop();
    int64_t when_us = ferry_loop_time(loop) + 1000;
    CHECK_STATUS(ferry_call_at(loop, when_us + 1, mark, (void *)"!", NULL), 0);
    for (const char *letters = "equal deadlines, in order"; *letters; letters++)
        CHECK_STATUS(ferry_call_at(loop, when_us, mark, (void *)(uintptr_t)letters, NULL), 0);
    run_for(loop, 3000);
    CHECK_STRING(trace, "equal deadlines, in order!");
    end_loop(loop);
}

enum { LINE = 20000 };

static char line[LINE];
static char *next_in_line;

static ferry_status expect_next_in_line(void *place) {
    CHECK(place == next_in_line);
    next_in_line++;
    return 0;
}

/* Each reads the clock for itself, yet none may overtake. */
static void equal_delays_run_in_the_order_of_making(void) {
    ferry_loop *loop = new_loop();
    next_in_line = line;
    for (int i = 0; i < LINE; i++)
        CHECK_STATUS(ferry_call_later(loop, 1000, expect_next_in_line, &line[i], NULL), 0);
    run_for(loop, 3000);
    CHECK(next_in_line == line + LINE);
    next_in_line = line;
    for (int i = 0; i < LINE; i++)
        CHECK_STATUS(ferry_call_later(loop, 0, expect_next_in_line, &line[i], NULL), 0);
    run_for(loop, 1000);
    CHECK(next_in_line == line + LINE);
    end_loop(loop);
}

enum { CROWD = 20000 };

typedef struct member {
    ferry_handle *handle;
    int64_t when_us;
    int made;
    bool cancelled;
} member;

static member crowd[CROWD];
static const member *ran[CROWD];
static size_t ran_count;

static ferry_status note_member(void *arg) {
    const member *self = arg;
    CHECK(ran_count < CROWD);
    CHECK(ferry_loop_time(ferry_running_loop()) >= self->when_us);
    ran[ran_count++] = self;
    return 0;
}

/* A fixed sequence, so that a failure repeats itself. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static bool is_before(const member *one, const member *other) {
    return one->when_us != other->when_us ? one->when_us < other->when_us : one->made < other->made;
}

static void add_member(ferry_loop *loop, int made, int64_t when_us) {
    crowd[made] = (member){NULL, when_us, made, false};
    CHECK_STATUS(ferry_call_at(loop, when_us, note_member, &crowd[made], &crowd[made].handle), 0);
}

static void cancel_one_now_and_then(uint32_t *seed, int made) {
    if (next_random(seed) % 3)
        return;
    member *victim = &crowd[next_random(seed) % (unsigned)made];
    ferry_handle_cancel(victim->handle);
    victim->cancelled = true;
}

static void make_crowd(ferry_loop *loop, uint32_t *seed, int64_t base_us, uint32_t spread_us) {
    ran_count = 0;
    for (int i = 0; i < CROWD; i++) {
        add_member(loop, i, base_us + next_random(seed) % spread_us);
        cancel_one_now_and_then(seed, i + 1);
    }
}

static void check_crowd(void) {
    size_t expected = 0;
    for (int i = 0; i < CROWD; i++) {
        CHECK(ferry_handle_cancelled(crowd[i].handle) == crowd[i].cancelled);
        ferry_handle_unref(crowd[i].handle);
        crowd[i].handle = NULL;
        expected += !crowd[i].cancelled;
    }
    CHECK_INT(ran_count, expected);
    for (size_t i = 1; i < ran_count; i++)
        CHECK(is_before(ran[i - 1], ran[i]));
    for (size_t i = 0; i < ran_count; i++)
        CHECK(!ran[i]->cancelled);
}

/* TM-001: so many at so small distances that some are always almost due. */
static void crowd_of_timers_runs_in_order_without_the_cancelled(void) {
    uint32_t seed = 1;
    ferry_loop *loop = new_loop();
    for (uint32_t spread_us = 1; spread_us <= 1000000; spread_us *= 100) {
        make_crowd(loop, &seed, ferry_loop_time(loop) - 1000001, spread_us);
        turn(loop);
        check_crowd();
    }
    make_crowd(loop, &seed, ferry_loop_time(loop), 20000);
    run_for(loop, 40000);
    check_crowd();
    end_loop(loop);
}

static int64_t ever_earlier(int i, uint32_t random) {
    (void)random;
    return CROWD - i;
}

static int64_t in_three_clumps(int i, uint32_t random) {
    (void)i;
    return random % 3 * 1000000;
}

static int64_t earlier_ones_before_a_clump(int i, uint32_t random) {
    (void)random;
    return i % 2 ? CROWD : CROWD - i;
}

static int64_t ever_farther_apart(int i, uint32_t random) {
    (void)i;
    return (int64_t)1 << random % 60;
}

static int64_t half_the_way_back(int i, uint32_t random) {
    (void)random;
    return INT64_MAX / 4 >> i % 62;
}

/* Orders in which a new timer is seldom the last one, or that no division by time makes even. */
static void crowd_comes_in_awkward_orders(void) {
    static int64_t (*const orders[])(int, uint32_t) = {ever_earlier, in_three_clumps, earlier_ones_before_a_clump,
                                                       ever_farther_apart, half_the_way_back};
    uint32_t seed = 2;
    ferry_loop *loop = new_loop();
    for (size_t order = 0; order < sizeof orders / sizeof orders[0]; order++) {
        ran_count = 0;
        for (int i = 0; i < CROWD; i++) {
            add_member(loop, i, orders[order](i, next_random(&seed)) + INT64_MIN / 2);
            cancel_one_now_and_then(&seed, i + 1);
        }
        turn(loop);
        check_crowd();
    }
    end_loop(loop);
}

typedef struct generations {
    ferry_loop *loop;
    uint32_t seed;
    int made;
} generations;

static generations born;

/* Each timer sets the next one: later than now, so later than all that have run. */
static ferry_status set_next_member(void *arg) {
    ferry_status status = note_member(arg);
    if (born.made == CROWD)
        return status;
    member *next = &crowd[born.made];
    *next = (member){NULL, 0, born.made++, false};
    int64_t delay_us = 1 + next_random(&born.seed) % (next_random(&born.seed) % 8 ? 3000 : 30);
    CHECK_STATUS(ferry_call_later(born.loop, delay_us, set_next_member, next, &next->handle), 0);
    next->when_us = ferry_handle_when(next->handle);
    return born.made == CROWD ? ferry_loop_stop(born.loop) : status;
}

static void timers_come_and_go_in_order(void) {
    born = (generations){new_loop(), 3, CROWD / 4};
    int64_t now_us = ferry_loop_time(born.loop);
    ran_count = 0;
    for (int i = 0; i < born.made; i++) {
        crowd[i] = (member){NULL, now_us + i % 2000, i, false};
        CHECK_STATUS(ferry_call_at(born.loop, crowd[i].when_us, set_next_member, &crowd[i], &crowd[i].handle), 0);
    }
    run_forever(born.loop);
    run_for(born.loop, 5000);
    check_crowd();
    end_loop(born.loop);
}

/* ---- turns ---- */

static ferry_status set_again(void *arg) {
    appointment *self = arg;
    self->kept++;
    return ferry_call_later(self->loop, 0, set_again, self, NULL);
}

/* LS-012 for timers */
static void timer_that_sets_itself_again_runs_once_a_turn(void) {
    ferry_loop *loop = new_loop();
    appointment chain = {loop, 0, 0};
    CHECK_STATUS(ferry_call_later(loop, 0, set_again, &chain, NULL), 0);
    for (int turns = 1; turns <= 300; turns++) {
        turn(loop);
        CHECK_INT(chain.kept, turns);
    }
    end_loop(loop);
}

typedef struct shrinking {
    ferry_loop *loop;
    int64_t delay_us;
    int left;
} shrinking;

static ferry_status sleep_shorter(void *arg) {
    shrinking *self = arg;
    self->left--;
    self->delay_us /= 3;
    return self->left ? ferry_call_later(self->loop, self->delay_us, sleep_shorter, self, NULL) : 0;
}

/* TM-007 */
static void chain_of_tiny_delays_does_not_spin(void) {
    ferry_loop *loop = new_loop();
    shrinking chain = {loop, 900, 5};
    int turns = 0;
    CHECK_STATUS(ferry_call_later(loop, chain.delay_us, sleep_shorter, &chain, NULL), 0);
    for (; chain.left; turns++)
        CHECK_STATUS(ferry_loop_run_once(loop, FERRY_FOREVER), 0);
    CHECK(turns <= 20);
    end_loop(loop);
}

/* ---- cancelling ---- */

typedef struct pair {
    ferry_handle *first;
    ferry_handle *second;
} pair;

static ferry_status cancel_both(void *arg) {
    pair *both = arg;
    leave('a');
    ferry_handle_cancel(both->first);
    ferry_handle_cancel(both->second);
    return 0;
}

/* One is due in the same turn and queued already, the other waits still. */
static void timer_takes_back_another_whether_due_or_not(void) {
    ferry_loop *loop = new_loop();
    pair both;
    int64_t now_us = ferry_loop_time(loop);
    CHECK_STATUS(ferry_call_at(loop, now_us - 2, cancel_both, &both, NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, now_us - 1, mark, (void *)"x", &both.first), 0);
    CHECK_STATUS(ferry_call_at(loop, now_us + 1000, mark, (void *)"x", &both.second), 0);
    run_for(loop, 3000);
    CHECK_STRING(trace, "a");
    CHECK(ferry_handle_cancelled(both.first) && ferry_handle_cancelled(both.second));
    ferry_handle_unref(both.first);
    ferry_handle_unref(both.second);
    end_loop(loop);
}

/* TM-005: a head that is cancelled is no reason to wake up. */
static void cancelled_timers_leave_no_deadline_behind(void) {
    ferry_loop *loop = new_loop();
    ferry_handle *early, *late;
    CHECK_STATUS(ferry_call_later(loop, 1000, mark, (void *)"x", &early), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, (void *)"x", &late), 0);
    CHECK_INT(ferry_loop_next_deadline(loop), ferry_handle_when(early));
    ferry_handle_cancel(early);
    CHECK_INT(ferry_loop_next_deadline(loop), ferry_handle_when(late));
    ferry_handle_cancel(late);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    ferry_handle_unref(early);
    ferry_handle_unref(late);
    end_loop(loop);
}

/* ---- extremes ---- */

static void absurd_times_are_kept_in_order(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_call_later(loop, 0, mark, (void *)"d", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, -1000, mark, (void *)"c", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, INT64_MIN, mark, (void *)"a", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, INT64_MIN + 1, mark, (void *)"b", NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, FERRY_FOREVER - 1, mark, (void *)"x", NULL), 0);
    CHECK_STATUS(ferry_call_at(loop, FERRY_FOREVER - 1, mark, (void *)"x", NULL), 0);
    turn(loop);
    turn(loop);
    CHECK_STRING(trace, "abcd");
    CHECK_STATUS(ferry_call_later(loop, INT64_MIN, mark, (void *)"e", NULL), 0);
    turn(loop);
    run_for(loop, 1000);
    CHECK_STRING(trace, "abcde");
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(absolute_timer_never_runs_early),
    FY_TEST(relative_timer_runs_once_after_its_delay),
    FY_TEST(delay_counts_from_the_call_even_in_a_slow_callback),
    FY_TEST(delay_counts_from_the_call_between_turns),
    FY_TEST(more_overdue_timer_runs_first),
    FY_TEST(equal_deadlines_run_in_the_order_of_making),
    FY_TEST(equal_delays_run_in_the_order_of_making),
    FY_TEST(crowd_of_timers_runs_in_order_without_the_cancelled),
    FY_TEST(crowd_comes_in_awkward_orders),
    FY_TEST(timers_come_and_go_in_order),
    FY_TEST(timer_that_sets_itself_again_runs_once_a_turn),
    FY_TEST(chain_of_tiny_delays_does_not_spin),
    FY_TEST(timer_takes_back_another_whether_due_or_not),
    FY_TEST(cancelled_timers_leave_no_deadline_behind),
    FY_TEST(absurd_times_are_kept_in_order),
};

FY_TEST_MAIN("timer", tests)
