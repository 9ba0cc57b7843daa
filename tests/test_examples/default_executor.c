/* SPDX-License-Identifier: Apache-2.0 */
/* The example default_executor: what it prints, line by line. How fast the heart beats is not judged here, only that it
 * beats while the job blocks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

/* Counts the beats up to `end`, which must be numbered one after the other from first on. */
static int count_beats(const char *text, const char *end, int first) {
    int count = 0, number;
    for (const char *line = text; (line = strstr(line, "heart: beat ")) && line < end; line++) {
        CHECK_INT(sscanf(line, "heart: beat %d\n", &number), 1);
        CHECK_INT(number, first + count);
        count++;
    }
    return count;
}

static void heart_beats_while_the_job_blocks(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("default_executor"), "1");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    const char *blocks = strstr(example.output, "job: blocks thread ");
    const char *wakes = strstr(example.output, "job: wakes\n");
    const char *finished = strstr(example.output, "loop: blocked for 1000 ms, finished at ");
    CHECK(blocks && wakes && finished);
    CHECK(blocks < wakes && wakes < finished);

    int before = count_beats(example.output, blocks, 1);
    int meanwhile = count_beats(blocks, wakes, before + 1);
    int after = count_beats(wakes, finished, before + meanwhile + 1);
    CHECK(meanwhile >= 3);

    int64_t elapsed_ms;
    int beats;
    CHECK_INT(sscanf(finished, "loop: blocked for 1000 ms, finished at %" SCNd64 " ms after %d beats\n", &elapsed_ms,
                     &beats), 2);
    CHECK(elapsed_ms >= 1000);
    CHECK_INT(beats, before + meanwhile + after);
}

/* ED-002: a pool made after the loop has the first number, so the loop had made none. */
static void default_executor_is_made_by_the_first_job(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("default_executor"), "0.01");
    CHECK_INT(example.code, 0);
    CHECK_INT(count_lines(example.output, "pool made after the loop: thread ferry-0_0"), 1);
    CHECK_INT(count_lines(example.output, "job: blocks thread ferry-1_0"), 1);
}

static const fy_test tests[] = {
    FY_TEST(heart_beats_while_the_job_blocks),
    FY_TEST(default_executor_is_made_by_the_first_job),
};

FY_TEST_MAIN("example_default_executor", tests)
