/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as callbacks of loops, on POSIX: raised here, or sent by another thread to a loop that sleeps. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

#include "ferry/io.h"
#include "ferry/sim.h"
#include "support/futures.h"
#include "support/sanitized.h"
#include "support/threads.h"

static int calls;
static atomic_int foreign_calls; /* signals come to any thread */

static void foreign_handler(int signum) {
    (void)signum;
    foreign_calls++;
}

/* What the process does about SIGUSR1 by itself. */
static void set_foreign_handler(void) {
    struct sigaction action = {.sa_handler = foreign_handler};
    foreign_calls = 0;
    calls = 0;
    CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
}

static void check_foreign_handler_is_back(void) {
    int before = foreign_calls;
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(foreign_calls, before + 1);
}

static void add(ferry_loop *to, int signum) {
    CHECK_STATUS(ferry_add_signal_handler(to, signum, count_up, &calls), 0);
}

/* SG-001 */
static void handler_runs_as_a_callback_of_the_loop(void) {
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(calls, 0);
    turn(loop);
    CHECK_INT(calls, 1);
    turn(loop);
    CHECK_INT(calls, 1);
    CHECK_INT(raise(SIGUSR1), 0);
    turn(loop);
    CHECK_INT(calls, 2);
    CHECK_INT(foreign_calls, 0);
    CHECK(ferry_remove_signal_handler(loop, SIGUSR1));
    CHECK(!ferry_remove_signal_handler(loop, SIGUSR1));
    check_foreign_handler_is_back();
    end();
}

/* A task's stack may have no room for a handler. */
static void handler_runs_on_the_stack_that_a_thread_has_for_signals(void) {
    struct sigaction action;
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_INT(sigaction(SIGUSR1, NULL, &action), 0);
    CHECK(action.sa_flags & SA_ONSTACK);
    CHECK(ferry_remove_signal_handler(loop, SIGUSR1));
    check_foreign_handler_is_back();
    end();
}

/* SG-003 */
static void numbers_that_are_no_signals_are_refused(void) {
    static const int numbers[] = {0, -1, 128, 100000, SIGKILL, SIGSTOP};
    begin();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK_STATUS(ferry_add_signal_handler(loop, numbers[i], count_up, &calls), APR_EINVAL);
        CHECK(!ferry_remove_signal_handler(loop, numbers[i]));
    }
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_add_signal_handler(NULL, SIGUSR1, count_up, &calls), APR_EINVAL);
    CHECK(!ferry_remove_signal_handler(NULL, SIGUSR1));
    end();
}

static ferry_status count_and_stop(void *arg) {
    calls++;
    return ferry_loop_stop(arg);
}

static ferry_status replace_handler(void *arg) {
    return ferry_add_signal_handler(loop, SIGUSR1, count_and_stop, arg);
}

/* What had arrived for the old one goes to the new one. */
static void replaced_handler_leaves_what_has_arrived(void) {
    int of_the_old_one = 0;
    begin();
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, count_up, &of_the_old_one), 0);
    post(loop, replace_handler, loop);
    CHECK_INT(raise(SIGUSR1), 0);
    run_forever(loop);
    CHECK_INT(of_the_old_one, 0);
    CHECK_INT(calls, 1);
    end();
}

static void send_soon(void *unused) {
    (void)unused;
    ferry_thread_sleep(20000); /* so that the loop most likely sleeps; if not, the test is only weaker */
    CHECK_INT(kill(getpid(), SIGUSR1), 0);
}

/* SG-004 */
static void signal_wakes_a_blocked_loop(void) {
    helper_thread thread;
    begin();
    set_foreign_handler();
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, count_and_stop, loop), 0);
    thread_start(&thread, send_soon, NULL);
    run_forever(loop);
    CHECK_INT(calls, 1);
    thread_join(&thread);
    turn(loop);
    CHECK_INT(calls, 1);
    end();
}

static ferry_status raise_and_remove(void *arg) {
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK(ferry_remove_signal_handler(arg, SIGUSR1));
    return 0;
}

/* SG-005 */
static void signal_whose_handler_was_removed_meanwhile_is_ignored(void) {
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    post(loop, raise_and_remove, loop);
    settle();
    CHECK_INT(calls, 0);
    add(loop, SIGUSR1); /* and does not come back with the next handler */
    CHECK_INT(raise(SIGUSR1), 0);
    settle();
    CHECK_INT(calls, 1);
    end();
}

static void handler_that_is_queued_and_then_removed_does_not_run(void) {
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR2, raise_and_remove, loop), 0);
    CHECK_INT(raise(SIGUSR2), 0);
    settle();
    CHECK_INT(calls, 0);
    end();
}

/* SG-009 */
static void closing_gives_the_signals_back(void) {
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_INT(raise(SIGUSR1), 0); /* never looked at */
    end();
    check_foreign_handler_is_back();
    CHECK_INT(calls, 0);
}

static void second_handler_replaces_the_first(void) {
    int first = 0;
    begin();
    set_foreign_handler();
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, count_up, &first), 0);
    CHECK_INT(raise(SIGUSR1), 0);
    add(loop, SIGUSR1);
    settle();
    CHECK_INT(first, 0);
    CHECK_INT(calls, 1);
    CHECK(ferry_remove_signal_handler(loop, SIGUSR1));
    check_foreign_handler_is_back();
    end();
}

static void every_loop_that_wants_it_gets_it(void) {
    int other_calls = 0;
    begin();
    set_foreign_handler();
    ferry_loop *other = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &other), 0);
    add(loop, SIGUSR1);
    CHECK_STATUS(ferry_add_signal_handler(other, SIGUSR1, count_up, &other_calls), 0);
    CHECK_INT(raise(SIGUSR1), 0);
    turn(loop);
    turn(other);
    CHECK_INT(calls, 1);
    CHECK_INT(other_calls, 1);
    CHECK(ferry_remove_signal_handler(loop, SIGUSR1));
    CHECK_INT(raise(SIGUSR1), 0);
    turn(loop);
    turn(other);
    CHECK_INT(calls, 1);
    CHECK_INT(other_calls, 2);
    CHECK_INT(foreign_calls, 0);
    end_loop(other);
    check_foreign_handler_is_back();
    end();
}

static void busy_loop_sees_a_signal_in_its_next_turn(void) {
    int turns = 0;
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_INT(raise(SIGUSR1), 0);
    post(loop, count_up, &turns);
    turn(loop);
    CHECK_INT(turns, 1);
    CHECK_INT(calls, 1);
    end();
}

/* A foreign loop that drives this one must neither miss the signal nor see it for ever. */
static void signal_is_told_to_a_driving_loop_and_taken_back(void) {
    begin();
    set_foreign_handler();
    add(loop, SIGUSR1);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK(ferry_loop_next_deadline(loop) <= ferry_now());
    settle();
    CHECK_INT(calls, 1);
    turn(loop);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    end();
}

/* ---- storms ---- */

enum { STORM = 20000 };

static void storm(void *unused) {
    (void)unused;
    for (int i = 0; i < STORM; i++)
        CHECK_INT(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2), 0);
}

/* Nobody has changed which signals this thread blocks; but for ThreadSanitizer, which puts handlers off and keeps one
 * mask for that: a signal at the wrong moment leaves it all of them blocked. */
static void check_mask(const sigset_t *before) {
    sigset_t now;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, FY_THREAD_SANITIZED ? before : NULL, NULL), 0);
    CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    for (int signum = 1; signum < 32; signum++)
        CHECK_INT(sigismember(&now, signum), sigismember(before, signum));
}

/* Handlers come and go, and loops with them, while signals rain upon both threads. */
static void storm_of_signals_over_loops_that_come_and_go(void) {
    helper_thread thread;
    sigset_t mask;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    begin();
    set_foreign_handler();
    struct sigaction action = {.sa_handler = foreign_handler};
    CHECK_INT(sigaction(SIGUSR2, &action, NULL), 0);
    thread_start(&thread, storm, NULL);
    for (int i = 0; i < 2000; i++) {
        ferry_loop *other = NULL;
        CHECK_STATUS(ferry_loop_create(NULL, &other), 0);
        add(other, SIGUSR1);
        add(loop, i % 2 ? SIGUSR2 : SIGUSR1);
        turn(other);
        turn(loop);
        if (i % 3)
            ferry_remove_signal_handler(loop, SIGUSR2);
        end_loop(other);
    }
    thread_join(&thread);
    check_mask(&mask);
    settle();
    end();
}

static bool is_watching_waits;

static void raise_in_the_next_look(const char *line, void *arg) {
    (void)arg;
    if (is_watching_waits && strstr(line, " wait 0 -")) {
        is_watching_waits = false;
        CHECK_INT(raise(SIGUSR1), 0);
    }
}

/* The loop has looked for signals and takes what is finished; then nothing is left to do but to sleep. */
static void signal_just_before_the_loop_sleeps_wakes_it(void) {
    char byte;
    ferry_sim_options options = {FERRY_SIM_OPTIONS, .spurious_rate = -1, .trace = raise_in_the_next_look};
    ferry_address address;
    ferry_socket *receiver = NULL, *sender = NULL;
    ferry_future *receiving = NULL, *sending = NULL;
    options.late_cancel_rate = 1000; /* the datagram is there: the cancelled operation is finished at once */
    calls = 0;
    loop = NULL;
    CHECK_STATUS(ferry_sim_loop_create(&options, &loop), 0);
    CHECK_STATUS(ferry_address_parse("127.0.0.1", 0, &address), 0);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_DATAGRAM, &receiver), 0);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_DATAGRAM, &sender), 0);
    CHECK_STATUS(ferry_socket_bind(receiver, &address), 0);
    CHECK_STATUS(ferry_socket_local_address(receiver, &address), 0);
    CHECK_STATUS(ferry_sock_sendto(sender, "x", 1, &address, &sending), 0);
    run_for(loop, 5000);
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, count_and_stop, loop), 0);
    CHECK_STATUS(ferry_sock_recvfrom(receiver, &byte, 1, NULL, &receiving), 0);
    CHECK(ferry_future_cancel(receiving));
    is_watching_waits = true;
    run_forever(loop);
    CHECK(!is_watching_waits);
    CHECK_INT(calls, 1);
    ferry_future_unref(receiving);
    ferry_future_unref(sending);
    ferry_socket_close(receiver);
    ferry_socket_close(sender);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(handler_runs_as_a_callback_of_the_loop),
    FY_TEST(handler_runs_on_the_stack_that_a_thread_has_for_signals),
    FY_TEST(numbers_that_are_no_signals_are_refused),
    FY_TEST(replaced_handler_leaves_what_has_arrived),
    FY_TEST(signal_wakes_a_blocked_loop),
    FY_TEST(signal_whose_handler_was_removed_meanwhile_is_ignored),
    FY_TEST(handler_that_is_queued_and_then_removed_does_not_run),
    FY_TEST(closing_gives_the_signals_back),
    FY_TEST(second_handler_replaces_the_first),
    FY_TEST(every_loop_that_wants_it_gets_it),
    FY_TEST(busy_loop_sees_a_signal_in_its_next_turn),
    FY_TEST(signal_is_told_to_a_driving_loop_and_taken_back),
    FY_TEST(storm_of_signals_over_loops_that_come_and_go),
    FY_TEST(signal_just_before_the_loop_sleeps_wakes_it),
};

FY_TEST_MAIN("signals", tests)
