/* SPDX-License-Identifier: Apache-2.0 */
/* The example gather_lucky: the list, the first error, and errors kept in the list. The numbers are how many primes
 * there are below 20,000, 40,000, 60,000, 80,000 and 100,000. */
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void check_run(void) {
    CHECK_STRING(example.errors, "");
    CHECK_INT(example.code, 0);
    CHECK(strstr(example.output, "\nelapsed: "));
}

static void results_come_in_the_order_of_the_jobs(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("gather_lucky"));
    check_run();
    CHECK_INT(count_lines(example.output, "results: 2262 4203 6057 7837 9592"), 1);
    CHECK_INT(count_lines(example.output, "all ended: 2262 4203 6057 7837 9592"), 1);
}

/* GA-002, GA-009: nothing is reported on stderr either. */
static void first_error_reaches_the_gatherer_and_the_others_end(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("gather_lucky"), "3");
    check_run();
    CHECK_INT(count_lines(example.output, "error: unlucky number 3"), 1);
    CHECK_INT(count_lines(example.output, "all ended: 2262 4203 'unlucky number 3' 7837 9592"), 1);
    CHECK(!strstr(example.output, "results:"));
}

/* GA-003 */
static void collected_error_stands_in_the_list(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("gather_lucky"), "5", "collect");
    check_run();
    CHECK_INT(count_lines(example.output, "results: 2262 4203 6057 7837 'unlucky number 5'"), 1);
    CHECK(!strstr(example.output, "error:"));
}

static const fy_test tests[] = {
    FY_TEST(results_come_in_the_order_of_the_jobs),
    FY_TEST(first_error_reaches_the_gatherer_and_the_others_end),
    FY_TEST(collected_error_stands_in_the_list),
};

FY_TEST_MAIN("example_gather_lucky", tests)
