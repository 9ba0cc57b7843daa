/* SPDX-License-Identifier: Apache-2.0 */
/* The example clean_up: what is cleaned up, and in which order. */
#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void nothing_is_left_behind(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("clean_up"));
    CHECK_STRING(example.output, "read: the first letter\n"
                                 "burnt: the second letter\n"
                                 "the reader is gone\n"
                                 "main: The time limit passed first\n");
    CHECK_STRING(example.errors, "");
    CHECK_INT(example.code, 0);
}

static const fy_test tests[] = {
    FY_TEST(nothing_is_left_behind),
};

FY_TEST_MAIN("example_clean_up", tests)
