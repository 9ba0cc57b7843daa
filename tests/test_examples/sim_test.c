/* SPDX-License-Identifier: Apache-2.0 */
/* The example sim_test: some seeds find the race and some do not, a seed that found it finds it again, and the fixed
 * form passes them all. */
#include <stdio.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static void some_seeds_find_the_race(void) {
    int found = 0, of = 0;
    PROGRAM_RUN(&example, NULL, EXAMPLE("sim_test"));
    CHECK_INT(example.code, 1);
    CHECK_STRING(example.errors, "");
    const char *last_line = strstr(example.output, " of ");
    CHECK(last_line);
    while (last_line > example.output && last_line[-1] != '\n')
        last_line--;
    CHECK_INT(sscanf(last_line, "%d of %d seeds", &found, &of), 2);
    CHECK_INT(of, 200);
    CHECK(found > 0 && found < of);
}

static void seed_that_found_it_finds_it_again(void) {
    char line[128], seed[32];
    PROGRAM_RUN(&example, NULL, EXAMPLE("sim_test"));
    CHECK_INT(sscanf(example.output, "%127[^\n]", line), 1);
    CHECK_INT(sscanf(line, "seed %31[0-9]", seed), 1);
    CHECK(strstr(line, ": the balance is "));
    for (int i = 0; i < 3; i++) {
        PROGRAM_RUN(&example, NULL, EXAMPLE("sim_test"), seed);
        CHECK_INT(example.code, 1);
        CHECK_INT(count_lines(example.output, line), 1);
        CHECK_INT(count_lines(example.output, "1 of 1 seeds found something"), 1);
    }
}

static void fixed_form_passes_all_seeds(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("sim_test"), "--fixed");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.output, "0 of 200 seeds found something\n");
    CHECK_STRING(example.errors, "");
}

static const fy_test tests[] = {
    FY_TEST(some_seeds_find_the_race),
    FY_TEST(seed_that_found_it_finds_it_again),
    FY_TEST(fixed_form_passes_all_seeds),
};

FY_TEST_MAIN("example_sim_test", tests)
