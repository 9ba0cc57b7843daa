/* SPDX-License-Identifier: Apache-2.0 */
/* What the port to POSIX supplies besides a backend, where signals, forks and the names of threads show it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "seam/platform.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend_posix.h"
#include "support/threads.h"

enum { MOMENT_US = 5000 };

static void sleep_goes_on_after_signals(void) {
    posix_start_interrupting();
    int64_t start_us = ferry_now();
    ferry_thread_sleep(30000);
    CHECK(ferry_now() - start_us >= 30000);
    posix_stop_interrupting();
}

/* The longest sleeps must not overflow into none: a child still sleeps after a while and has to be killed. */
static void sleep_for_ever_does_not_end(void) {
    static const int64_t lengths_us[] = {FERRY_FOREVER, FERRY_FOREVER - 1};
    for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            ferry_thread_sleep(lengths_us[i]);
            _exit(EXIT_SUCCESS);
        }
        ferry_thread_sleep(4 * MOMENT_US);
        CHECK_INT(waitpid(child, &status, WNOHANG), 0);
        CHECK_INT(kill(child, SIGKILL), 0);
        CHECK(waitpid(child, &status, 0) == child);
    }
}

static void name_threads(void *unused) {
    char name[64];
    (void)unused;
    fy_thread_set_name("short");
    CHECK_INT(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STRING(name, "short");
    fy_thread_set_name("exactly 15 long");
    CHECK_INT(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STRING(name, "exactly 15 long");
    fy_thread_set_name("a name that is longer");
    CHECK_INT(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STRING(name, "a name that is ");
}

static void thread_gets_its_name_or_the_beginning(void) {
    on_another_thread(name_threads, NULL);
}

/* Runs in a child and ends it: it differs from its parent, and its own child from both. */
static void compare_generations(unsigned parent) {
    unsigned mine = fy_fork_generation();
    int status = 0;
    if (mine == parent || mine != fy_fork_generation())
        _exit(EXIT_FAILURE);
    pid_t child = fork();
    if (child == 0)
        _exit(fy_fork_generation() != mine && fy_fork_generation() != parent ? EXIT_SUCCESS : EXIT_FAILURE);
    _exit(child > 0 && waitpid(child, &status, 0) == child && status == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void fork_generation_tells_children_apart(void) {
    unsigned mine = fy_fork_generation();
    int status = 0;
    CHECK(mine != 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        compare_generations(mine);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    CHECK(fy_fork_generation() == mine);
}

static const fy_test tests[] = {
    FY_TEST(sleep_goes_on_after_signals),
    FY_TEST(sleep_for_ever_does_not_end),
    FY_TEST(thread_gets_its_name_or_the_beginning),
    FY_TEST(fork_generation_tells_children_apart),
};

FY_TEST_MAIN("platform_posix", tests)
