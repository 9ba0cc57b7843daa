/* SPDX-License-Identifier: Apache-2.0 */
/* For what can only be seen on a process as a whole, its exit for instance: the test program runs itself again in a
 * named mode and looks at how that ended and what it printed. A child that is silent for a minute is killed.
 *
 *     static int leaves_jobs_behind(void) { ...; return 0; }
 *
 *     static const fy_child_mode modes[] = {FY_CHILD_MODE(leaves_jobs_behind)};
 *     FY_CHILD_TEST_MAIN("shutdown", tests, modes) */
#ifndef FERRY_TESTS_SUPPORT_CHILD_H
#define FERRY_TESTS_SUPPORT_CHILD_H

#include "support/harness.h"

/* Exit codes of a child that did not end as its mode meant to. */
enum { FY_CHILD_UNKNOWN_MODE = 96, FY_CHILD_KILLED = 97 };

typedef struct fy_child_mode {
    const char *name;
    int (*run)(void);       /* its return value is the child's exit code */
} fy_child_mode;

#define FY_CHILD_MODE(function) { #function, function }

typedef struct fy_child {
    int code;               /* how it exited; FY_CHILD_KILLED if a signal ended it */
    char output[16384];     /* stdout and stderr */
} fy_child;

/* Runs this program in the mode of this name, to its end. */
void fy_child_run(const char *mode, fy_child *ret_child);

/* True in a child: *ret_code is what main returns. */
bool fy_child_main(int argc, char **argv, const fy_child_mode *modes, size_t count, int *ret_code);

#define FY_CHILD_TEST_MAIN(suite, tests, modes)                                                              \
    int main(int argc, char **argv) {                                                                        \
        int code;                                                                                            \
        if (fy_child_main(argc, argv, modes, sizeof(modes) / sizeof(modes[0]), &code))                       \
            return code;                                                                                     \
        return fy_test_main(suite, tests, sizeof(tests) / sizeof(tests[0]), FY_TEST_DEADLINE_S, argc, argv); \
    }

#endif
