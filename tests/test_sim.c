/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator as users meet it: time that jumps or is moved by hand, runs that the seed replays, waits that would
 * never end, and threads beside it. */
#include "ferry/sim.h"

#include <stdio.h>
#include <string.h>

#include <apr_env.h>
#include <apr_errno.h>

#include "ferry/io.h"
#include "ferry/task.h"
#include "support/jobs.h"
#include "support/loops.h"
#include "support/reports.h"
#include "support/threads.h"

enum { TRACE_MAX = 1 << 16, SEEDS = 50, JOBS = 20, REAL_JOB_US = 20000 };

static ferry_loop *new_sim(ferry_sim_options options) {
    ferry_loop *loop = NULL;
    trace[0] = '\0';
    options.size = sizeof options;
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), 0);
    return loop;
}

static ferry_sim_stats stats_of(ferry_loop *loop) {
    ferry_sim_stats stats = {.size = sizeof stats};
    CHECK_STATUS(ferry_sim_get_stats(loop, &stats), 0);
    return stats;
}

static void later(ferry_loop *loop, int64_t delay_us, ferry_callback *callback, void *arg) {
    CHECK_STATUS(ferry_call_later(loop, delay_us, callback, arg, NULL), 0);
}

/* ---- time ---- */

static void hour_of_timers_takes_no_time(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1});
    int64_t real_us = ferry_now(), start_us = ferry_sim_now(loop);
    later(loop, AN_HOUR_US, mark, "b");
    later(loop, AN_HOUR_US / 2, mark, "a");
    run_for(loop, 2 * AN_HOUR_US);
    CHECK_STRING(trace, "ab");
    CHECK(ferry_sim_now(loop) - start_us >= 2 * AN_HOUR_US);
    CHECK(ferry_now() - real_us < AN_HOUR_US / 60);
    CHECK(stats_of(loop).jumps >= 3);
    end_loop(loop);
}

/* Every look at the clock takes a moment, so a program that only posts and looks gets to its timer. */
typedef struct looker {
    ferry_loop *loop;
    bool is_due;
} looker;

static ferry_status look_again(void *arg) {
    looker *self = arg;
    return self->is_due ? ferry_loop_stop(self->loop) : ferry_call_soon(self->loop, look_again, self, NULL);
}

static ferry_status set_due(void *arg) {
    ((looker *)arg)->is_due = true;
    return 0;
}

static void chain_of_callbacks_does_not_stop_time(void) {
    looker self = {new_sim((ferry_sim_options){.seed = 1}), false};
    later(self.loop, 100, set_due, &self);
    post(self.loop, look_again, &self);
    run_forever(self.loop);
    CHECK(self.is_due);
    end_loop(self.loop);
}

static ferry_status spend_an_hour(void *loop) {
    return ferry_sim_spend(loop, AN_HOUR_US);
}

static void callback_may_take_virtual_time(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1});
    int64_t start_us = ferry_sim_now(loop);
    post(loop, spend_an_hour, loop);
    later(loop, 1000, mark, "a");
    turn(loop);
    CHECK(ferry_sim_now(loop) - start_us >= AN_HOUR_US);
    CHECK_STRING(trace, "");
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_sim_spend(loop, -1), APR_EINVAL);
    CHECK_STATUS(ferry_sim_spend(loop, FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_sim_spend(loop, FERRY_FOREVER), 0);
    start_us = ferry_sim_now(loop);
    for (int looks = 1; looks <= 3; looks++)
        CHECK_INT(ferry_loop_time(loop), start_us + looks);
    end_loop(loop);
}

static ferry_status leave_time(void *loop) {
    char text[32];
    snprintf(text, sizeof text, "%d ", (int)(ferry_sim_now(loop) - 1000000));
    for (const char *letter = text; *letter; letter++)
        leave(*letter);
    return 0;
}

static void time_moved_by_hand_stands_still_in_between(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .time_by_hand = true});
    int64_t start_us = ferry_sim_now(loop);
    later(loop, 300, leave_time, loop);
    later(loop, 100, leave_time, loop);
    later(loop, 5000, leave_time, loop);
    for (int i = 0; i < 100; i++)
        turn(loop);
    CHECK_INT(ferry_sim_now(loop), start_us);
    CHECK_INT(ferry_loop_time(loop), start_us);
    CHECK_STATUS(ferry_sim_advance(loop, 99), 0);
    CHECK_STRING(trace, "");
    CHECK_STATUS(ferry_sim_advance(loop, 1), 0);
    CHECK_STRING(trace, "100 ");
    CHECK_STATUS(ferry_sim_advance(loop, 4899), 0);
    CHECK_STRING(trace, "100 300 ");
    CHECK_STATUS(ferry_sim_advance(loop, 1), 0);
    CHECK_STRING(trace, "100 300 5000 ");
    CHECK_INT(ferry_sim_now(loop), start_us + 5000);
    end_loop(loop);
}

typedef struct appointment {
    ferry_loop *loop;
    int64_t when_us;
    int kept;
} appointment;

static ferry_status be_there(void *arg) {
    appointment *self = arg;
    int64_t late_us = ferry_sim_now(self->loop) - self->when_us;
    CHECK(late_us >= 0 && late_us < 20); /* looks at the clock take their moments */
    self->kept++;
    return 0;
}

/* Waking up costs nothing, so dense timers are not run together. */
static void dense_timers_run_each_at_its_time(void) {
    enum { COUNT = 300, TOGETHER = 3, APART_US = 50 };
    appointment all[COUNT];
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1});
    int64_t start_us = ferry_sim_now(loop);
    for (int i = 0; i < COUNT; i++) {
        all[i] = (appointment){loop, start_us + (1000 + i / TOGETHER) * APART_US, 0};
        CHECK_STATUS(ferry_call_at(loop, all[i].when_us, be_there, &all[i], NULL), 0);
    }
    run_for(loop, AN_HOUR_US);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(all[i].kept, 1);
    end_loop(loop);
}

/* Closing waits for what it cancels. */
static void loop_whose_time_is_moved_by_hand_closes_over_an_operation(void) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char buffer[8];
        ferry_future *future = NULL;
        ferry_socket *socket = NULL;
        ferry_loop *loop = new_sim((ferry_sim_options){.seed = seed, .time_by_hand = true});
        CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_DATAGRAM, &socket), 0);
        CHECK_STATUS(ferry_sock_recvfrom(socket, buffer, sizeof buffer, NULL, &future), 0);
        end_loop(loop);
        CHECK(ferry_future_cancelled(future));
        ferry_future_unref(future);
        ferry_socket_unref(socket);
    }
}

static ferry_status advance_inside(void *loop) {
    CHECK_STATUS(ferry_sim_advance(loop, 1), FERRY_EINVALIDSTATE);
    return ferry_loop_stop(loop);
}

static ferry_status post_myself(void *loop) {
    return ferry_call_soon(loop, post_myself, loop, NULL);
}

static void advance_refuses_what_makes_no_sense(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .time_by_hand = true}), *native = NULL;
    CHECK_STATUS(ferry_sim_advance(loop, -1), APR_EINVAL);
    CHECK_STATUS(ferry_sim_advance(NULL, 1), APR_EINVAL);
    post(loop, advance_inside, loop);
    run_forever(loop);
    post(loop, post_myself, loop);
    CHECK_STATUS(ferry_sim_advance(loop, 1), FERRY_EDEADLK);
    end_loop(loop);
    ferry_loop_options options = {FERRY_LOOP_OPTIONS, .backend = ferry_backend_names()[0]};
    CHECK_STATUS(ferry_loop_create(&options, &native), 0);
    CHECK(!ferry_sim_is_simulated(native));
    CHECK_STATUS(ferry_sim_advance(native, 1), APR_EINVAL);
    CHECK_INT(ferry_sim_now(native), 0);
    CHECK_INT((intmax_t)ferry_sim_random(native), 0);
    CHECK_STATUS(ferry_sim_get_stats(native, &(ferry_sim_stats){.size = sizeof(ferry_sim_stats)}), APR_EINVAL);
    end_loop(native);
}

static void early_returns_of_waits_lose_no_timer(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .spurious_rate = 900});
    int count = 0;
    for (int i = 0; i < 100; i++)
        later(loop, 1000 * (i + 1), count_up, &count);
    run_for(loop, 200000);
    CHECK_INT(count, 100);
    CHECK(stats_of(loop).spurious > 100);
    end_loop(loop);
}

/* ---- the seed ---- */

typedef struct recording {
    char text[TRACE_MAX];
    size_t length;
} recording;

static void record(const char *line, void *arg) {
    recording *self = arg;
    size_t length = strlen(line);
    CHECK(self->length + length + 2 < sizeof self->text);
    memcpy(self->text + self->length, line, length);
    self->length += length;
    self->text[self->length++] = '\n';
    self->text[self->length] = '\0';
}

static ferry_status leave_letter(ferry_future *future, void *letter) {
    (void)future;
    return mark(letter);
}

/* Jobs, posts and timers whose order is the seed's; the letters say it. */
static uint64_t run_with(uint64_t seed, recording *events) {
    static const char letters[] = "abcdefghijklmnopqrst";
    ferry_future *futures[JOBS];
    ferry_executor *executor = NULL;
    ferry_loop *loop = new_sim((ferry_sim_options){
        .seed = seed, .held_post_rate = 100, .trace = events ? record : NULL, .trace_arg = events});
    CHECK_STATUS(ferry_sim_executor_create(loop, NULL, &executor), 0);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(ferry_run_in_executor(loop, executor, fy_nothing, NULL, &futures[i]), 0);
        CHECK_STATUS(ferry_future_add_done_callback(futures[i], leave_letter, (void *)(uintptr_t)&letters[i], NULL), 0);
        later(loop, (int64_t)(ferry_sim_random(loop) % 5000), mark, ".");
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, "+", NULL), 0);
    }
    run_for(loop, 1000000);
    CHECK_INT(strlen(trace), 3 * JOBS);
    ferry_future_unref_all(futures, JOBS);
    CHECK_STATUS(ferry_executor_close(executor), 0);
    uint64_t fingerprint = stats_of(loop).fingerprint;
    CHECK_INT((intmax_t)stats_of(loop).seed, (intmax_t)seed);
    end_loop(loop);
    return fingerprint;
}

static void same_seed_replays_the_run_byte_for_byte(void) {
    static recording first, second;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char order[sizeof trace];
        first.length = second.length = 0;
        uint64_t fingerprint = run_with(seed, &first);
        strcpy(order, trace);
        CHECK(run_with(seed, &second) == fingerprint);
        CHECK_STRING(trace, order);
        CHECK(first.length > 100);
        CHECK_STRING(first.text, second.text);
        CHECK(run_with(seed, NULL) == fingerprint);
    }
}

static void other_seeds_give_other_orders(void) {
    static char orders[SEEDS][sizeof trace];
    int different = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool is_new = true;
        (void)run_with(seed, NULL);
        for (uint64_t earlier = 1; earlier < seed; earlier++)
            is_new = is_new && strcmp(orders[earlier - 1], trace) != 0;
        strcpy(orders[seed - 1], trace);
        different += is_new;
    }
    CHECK(different > SEEDS / 2);
}

static void set_environment(const char *name, const char *value) {
    apr_pool_t *pool;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(value ? apr_env_set(name, value, pool) : apr_env_delete(name, pool), 0);
    apr_pool_destroy(pool);
}

static void environment_chooses_simulator_seed_and_trace(void) {
    static const char path[] = "test_sim_trace.txt";
    char line[64] = "";
    ferry_loop *loop = NULL;
    remove(path);
    set_environment("FERRY_BACKEND", "sim");
    set_environment("FERRY_SIM_SEED", "0x2a");
    set_environment("FERRY_SIM_TRACE", path);
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK(ferry_sim_is_simulated(loop));
    CHECK_STRING(ferry_loop_backend(loop), "sim");
    CHECK_INT((intmax_t)stats_of(loop).seed, 42);
    run_for(loop, AN_HOUR_US);
    end_loop(loop);
    set_environment("FERRY_BACKEND", NULL);
    set_environment("FERRY_SIM_SEED", NULL);
    set_environment("FERRY_SIM_TRACE", NULL);
    FILE *file = fopen(path, "r");
    CHECK(file);
    CHECK(fgets(line, sizeof line, file));
    CHECK_STRING(line, "seed 42\n");
    CHECK(fgets(line, sizeof line, file));
    CHECK(strstr(line, " wait "));
    fclose(file);
    remove(path);
}

static void simulator_is_never_chosen_unasked(void) {
    const char *const *names = ferry_backend_names();
    CHECK(strcmp(names[0], "sim") != 0);
    while (names[1])
        names++;
    CHECK_STRING(names[0], "sim");
}

static void absurd_options_are_refused(void) {
    ferry_loop *loop = NULL;
    ferry_sim_options options = {FERRY_SIM_OPTIONS, .short_rate = 1001};
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), APR_EINVAL);
    options = (ferry_sim_options){FERRY_SIM_OPTIONS, .held_post_rate = 1000}; /* posts would never come */
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), APR_EINVAL);
    options = (ferry_sim_options){FERRY_SIM_OPTIONS, .spurious_rate = 1000}; /* time would never jump */
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), APR_EINVAL);
    options = (ferry_sim_options){.size = 1};
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), APR_EINVAL);
    CHECK_STATUS(ferry_sim_loop_create(NULL, NULL), APR_EINVAL);
    ferry_sim_options_init(&options);
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), 0);
    CHECK_STATUS(ferry_sim_get_stats(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sim_get_stats(loop, &(ferry_sim_stats){.size = 1}), APR_EINVAL);
    end_loop(loop);
}

static void closed_loop_answers_nothing(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1});
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_INT(ferry_sim_now(loop), 0);
    CHECK_INT((intmax_t)ferry_sim_random(loop), 0);
    CHECK_STATUS(ferry_sim_advance(loop, 1), FERRY_ECLOSED);
    CHECK_STATUS(ferry_sim_get_stats(loop, &(ferry_sim_stats){.size = sizeof(ferry_sim_stats)}), FERRY_ECLOSED);
    ferry_loop_unref(loop);
}

/* ---- waits that nothing ends, and threads ---- */

static void deadlock_is_a_status_where_that_is_asked_for(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .deadlock_is_error = true});
    ferry_future *never = new_future(loop);
    later(loop, 1000, mark, "a");
    CHECK_STATUS(ferry_loop_run_until_complete(loop, never), FERRY_EDEADLK);
    CHECK_STRING(trace, "a");
    later(loop, 1000, stop_loop, loop);
    run_forever(loop);
    ferry_future_unref(never);
    end_loop(loop);
}

static void post_a_stop(void *loop) {
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stop_loop, loop, NULL), 0);
}

static void thread_ends_a_wait_that_nothing_else_would(void) {
    for (int by_hand = 0; by_hand <= 1; by_hand++) {
        helper_thread helper;
        ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .time_by_hand = by_hand});
        thread_start(&helper, post_a_stop, loop);
        run_forever(loop);
        thread_join(&helper);
        end_loop(loop);
    }
}

/* Never ends by being cancelled. */
static ferry_status stay(void *sleep_us, ferry_call *call) {
    (void)call;
    for (;;)
        (void)ferry_sleep(*(int64_t *)sleep_us);
    return 0;
}

static void close_ends_though_time_stands_still(void) {
    int64_t sleeps_us[] = {0, AN_HOUR_US};
    for (int i = 0; i < 2; i++) {
        report_log reports = {0};
        ferry_task *task = NULL;
        ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .time_by_hand = true});
        CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
        CHECK_STATUS(ferry_task_create(loop, stay, &sleeps_us[i], &task), 0);
        CHECK_STATUS(ferry_loop_run_once(loop, 0), 0);
        end_loop(loop);
        CHECK_INT(reports.count, 1);
        CHECK(ferry_future_cancelled(task));
        ferry_future_unref(task);
    }
}

static ferry_status take_real_time(void *arg, ferry_call *call) {
    (void)arg;
    ferry_thread_sleep(REAL_JOB_US);
    return ferry_return_integer(call, 42);
}

static void time_does_not_jump_ahead_of_real_threads(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .deadlock_is_error = true});
    ferry_future *future = NULL;
    later(loop, AN_HOUR_US, mark, "a");
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, take_real_time, NULL, &future), 0);
    int64_t start_us = ferry_sim_now(loop);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_INT(ferry_future_integer(future), 42);
    CHECK_STRING(trace, "");
    CHECK(ferry_sim_now(loop) - start_us >= REAL_JOB_US / 2);
    ferry_future_unref(future);
    end_loop(loop);
}

static void held_posts_come_in_order_and_at_last(void) {
    ferry_loop *loop = new_sim((ferry_sim_options){.seed = 1, .held_post_rate = 900});
    for (int i = 0; i < 10; i++) {
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, "a", NULL), 0);
        CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, "b", NULL), 0);
    }
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stop_loop, loop, NULL), 0);
    run_forever(loop);
    CHECK_STRING(trace, "abababababababababab");
    CHECK(stats_of(loop).held_posts > 0);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(hour_of_timers_takes_no_time),
    FY_TEST(chain_of_callbacks_does_not_stop_time),
    FY_TEST(callback_may_take_virtual_time),
    FY_TEST(time_moved_by_hand_stands_still_in_between),
    FY_TEST(dense_timers_run_each_at_its_time),
    FY_TEST(loop_whose_time_is_moved_by_hand_closes_over_an_operation),
    FY_TEST(advance_refuses_what_makes_no_sense),
    FY_TEST(early_returns_of_waits_lose_no_timer),
    FY_TEST(same_seed_replays_the_run_byte_for_byte),
    FY_TEST(other_seeds_give_other_orders),
    FY_TEST(environment_chooses_simulator_seed_and_trace),
    FY_TEST(simulator_is_never_chosen_unasked),
    FY_TEST(absurd_options_are_refused),
    FY_TEST(closed_loop_answers_nothing),
    FY_TEST(deadlock_is_a_status_where_that_is_asked_for),
    FY_TEST(thread_ends_a_wait_that_nothing_else_would),
    FY_TEST(close_ends_though_time_stands_still),
    FY_TEST(time_does_not_jump_ahead_of_real_threads),
    FY_TEST(held_posts_come_in_order_and_at_last),
};

FY_TEST_MAIN("sim", tests)
