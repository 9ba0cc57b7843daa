/* SPDX-License-Identifier: Apache-2.0 */
/* The example event_start_gun: nobody runs before the gun, and they run in the order in which they came. */
#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void runners_start_in_the_order_in_which_they_came(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("event_start_gun"));
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    CHECK_STRING(example.output, "runner 1 waits\nrunner 2 waits\nbang\nrunner 1 runs\nrunner 2 runs\n");
}

static const fy_test tests[] = {
    FY_TEST(runners_start_in_the_order_in_which_they_came),
};

FY_TEST_MAIN("example_event_start_gun", tests)
