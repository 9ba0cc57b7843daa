/* SPDX-License-Identifier: Apache-2.0 */
/* The example shutdown: what is left on the default executor is waited for, or named. */
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void job_that_ends_in_time_is_waited_for(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("shutdown"), "0.1");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    const char *ends = strstr(example.output, "main: ends\n");
    const char *done = strstr(example.output, "job: done\n");
    const char *closed = strstr(example.output, "closed after ");
    CHECK(ends && done && closed);
    CHECK(ends < done && done < closed);
}

static void job_that_is_stuck_is_named(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("shutdown"), "3600", "0.1");
    CHECK_INT(example.code, 0);
    CHECK(strstr(example.errors, "the long job"));
    const char *closed = strstr(example.output, "closed after ");
    const char *gives_up = strstr(example.output, "job: gives up\n");
    CHECK(closed && gives_up);
    CHECK(closed < gives_up);
}

static const fy_test tests[] = {
    FY_TEST(job_that_ends_in_time_is_waited_for),
    FY_TEST(job_that_is_stuck_is_named),
};

FY_TEST_MAIN("example_shutdown", tests)
