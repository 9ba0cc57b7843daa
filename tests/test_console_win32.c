/* SPDX-License-Identifier: Apache-2.0 */
/* What a console of Windows sends: Ctrl-C, as a callback of a loop that sleeps in its completion port. The console is
 * the test's own, so nobody else hears of it. */
#include <windows.h>

#include <signal.h>

#include "seam/platform.h"
#include "support/futures.h"
#include "support/threads.h"

static int calls;

static void press_soon(void *unused) {
    (void)unused;
    ferry_thread_sleep(20000); /* so that the loop most likely sleeps; if not, the test is only weaker */
    CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
}

static ferry_status count_and_stop(void *arg) {
    calls++;
    return ferry_loop_stop(arg);
}

/* Whoever started the test may have had Ctrl-C ignored. */
static void open_console(void) {
    (void)FreeConsole();
    CHECK(AllocConsole());
    CHECK(SetConsoleCtrlHandler(NULL, FALSE));
}

/* SG-011 */
static void console_interrupt_ends_a_wait_without_a_limit(void) {
    helper_thread thread;
    open_console();
    begin();
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGINT, count_and_stop, loop), 0);
    for (int round = 1; round <= 3; round++) {
        thread_start(&thread, press_soon, NULL);
        run_forever(loop);
        CHECK_INT(calls, round);
        thread_join(&thread);
    }
    turn(loop);
    CHECK_INT(calls, 3);
    CHECK(ferry_remove_signal_handler(loop, SIGINT));
    end();
    CHECK(FreeConsole());
}

/* The C library forgets a handler when it calls it. */
static void own_handler(int signum) {
    (void)signal(signum, own_handler);
}

static void note_arrival(int signum) {
    (void)signum;
}

static void raise_interrupt(void *unused) {
    (void)unused;
    CHECK_INT(raise(SIGINT), 0);
}

/* The last one who wants the signal goes while its handler is on its way. */
static void handler_that_was_put_back_stays(void) {
    helper_thread thread;
    CHECK(signal(SIGINT, own_handler) != SIG_ERR);
    fy_signals_lock();
    CHECK_STATUS(fy_signal_open(SIGINT, note_arrival), 0);
    thread_start(&thread, raise_interrupt, NULL);
    ferry_thread_sleep(20000); /* so that it most likely waits for the lock; if not, the test is only weaker */
    fy_signal_close(SIGINT);
    fy_signals_unlock();
    thread_join(&thread);
    CHECK(signal(SIGINT, SIG_DFL) == own_handler);
}

static const fy_test tests[] = {
    FY_TEST(handler_that_was_put_back_stays),
    FY_TEST(console_interrupt_ends_a_wait_without_a_limit),
};

FY_TEST_MAIN("console", tests)
