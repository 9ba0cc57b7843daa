/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that fork: a child that says what it must and exits, and a parent that waits for it within a limit. For POSIX
 * alone. */
#ifndef FERRY_TESTS_SUPPORT_FORKS_H
#define FERRY_TESTS_SUPPORT_FORKS_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/harness.h"

#define CHILD_LIMIT_US INT64_C(20000000)

/* A child cannot report to the harness, which is its parent's: it says what it must and exits. */
#define MUST(condition)                                                                       \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "\n%s: in the child this must hold: %s\n", FERRY_HERE, #condition); \
            _exit(EXIT_FAILURE);                                                              \
        }                                                                                     \
    } while (0)

static inline pid_t fork_now(void) {
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    return child;
}

/* A child that hangs is killed, and counts as failed. */
static inline void wait_for_child(pid_t child) {
    int64_t limit_us = ferry_now() + CHILD_LIMIT_US;
    int status = 0;
    pid_t found;
    while ((found = waitpid(child, &status, WNOHANG)) == 0 && ferry_now() < limit_us)
        ferry_thread_sleep(500);
    if (found == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    CHECK_INT(found, child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), EXIT_SUCCESS);
}

#endif
