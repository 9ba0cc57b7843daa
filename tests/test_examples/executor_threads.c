/* SPDX-License-Identifier: Apache-2.0 */
/* The example executor_threads: at most three jobs at once, begun in their order, by threads that have names, and each
 * result beside its job. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

/* Follows the lines: how many run, and which one began last. */
static void follow(const char *output) {
    int running = 0, begun = 0, done = 0, worker, n;
    char what[16];
    for (const char *line = output; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (sscanf(line, "blocking-1_%d: blocks(%d) %15s", &worker, &n, what) != 3)
            continue;
        CHECK(worker >= 0 && worker < 3);
        if (strcmp(what, "begins") == 0) {
            running++;
            begun++;
        } else {
            running--;
            done++;
        }
        CHECK(running >= 0 && running <= 3);
    }
    CHECK_INT(begun, 6);
    CHECK_INT(done, 6);
}

static void three_threads_run_six_jobs(void) {
    int64_t took_ms = 0;
    PROGRAM_RUN(&example, NULL, EXAMPLE("executor_threads"));
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    follow(example.output);
    CHECK_INT(count_lines(example.output, "main: results: blocks(0)=0 blocks(1)=1 blocks(2)=4 blocks(3)=9"
                                          " blocks(4)=16 blocks(5)=25"), 1);
    const char *exits = strstr(example.output, "main: exits after ");
    CHECK(exits);
    CHECK_INT(sscanf(exits, "main: exits after %" SCNd64, &took_ms), 1);
    CHECK(took_ms >= 200); /* two rounds of 100 ms */
}

static const fy_test tests[] = {
    FY_TEST(three_threads_run_six_jobs),
};

FY_TEST_MAIN("example_executor_threads", tests)
