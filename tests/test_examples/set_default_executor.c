/* SPDX-License-Identifier: Apache-2.0 */
/* The example set_default_executor: every line it prints is known beforehand. */
#include "support/harness.h"
#include "test_examples/program.h"

static program example;

/* ED-003 */
static void default_job_runs_on_the_pool_that_was_set(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("set_default_executor"));
    CHECK_STRING(example.output, "explicit_0 joins\n"
                                 "main: Hello, explicit executor\n"
                                 "default_0 joins\n"
                                 "main: Hello, default executor\n");
    CHECK_STRING(example.errors, "");
    CHECK_INT(example.code, 0);
}

static const fy_test tests[] = {
    FY_TEST(default_job_runs_on_the_pool_that_was_set),
};

FY_TEST_MAIN("example_set_default_executor", tests)
