/* SPDX-License-Identifier: Apache-2.0 */
/* The example two_tasks: both tick in turns, and the whole takes no less than each of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void check_ticks(const char *name, int times) {
    char line[64];
    const char *at = example.output;
    for (int i = 1; i <= times; i++) {
        snprintf(line, sizeof line, "%s: %d of %d\n", name, i, times);
        at = strstr(at, line);
        CHECK(at);
    }
}

static void both_tick_in_turns(void) {
    int64_t took_ms = 0;
    PROGRAM_RUN(&example, NULL, EXAMPLE("two_tasks"), "0.02");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    check_ticks("slow", 10);
    check_ticks("fast", 15);
    /* Each is at it before the other has ended. */
    CHECK(strstr(example.output, "fast: 1 of 15") < strstr(example.output, "slow: 10 of 10"));
    CHECK(strstr(example.output, "slow: 1 of 10") < strstr(example.output, "fast: 15 of 15"));
    const char *ended = strstr(example.output, "both have ended after ");
    CHECK(ended);
    CHECK_INT(sscanf(ended, "both have ended after %" SCNd64, &took_ms), 1);
    CHECK(took_ms >= 300);
}

static const fy_test tests[] = {
    FY_TEST(both_tick_in_turns),
};

FY_TEST_MAIN("example_two_tasks", tests)
