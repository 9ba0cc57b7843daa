/* SPDX-License-Identifier: Apache-2.0 */
/* The example jobs_without_a_loop, in C and in C++: both print the same lines. A callback and the thread that waits
 * for the same job print in no fixed order, nor do jobs end in one, so lines are counted, and only some have their
 * place. */
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program example;

static size_t line_count(const char *text) {
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static void check_lines(const char *path) {
    static const char first[] = "result: 144\nerror: seven is not a number\n";
    static const char last[] = "a loop: none\nthe pool is closed\n";
    static const char *const somewhere[] = {
        "callback: 81", "callback on a job that is done: 81", "completed: 1", "completed: 4", "completed: 9",
    };
    PROGRAM_RUN(&example, NULL, path);
    CHECK_STRING(example.errors, "");
    CHECK_INT(example.code, 0);
    CHECK_INT(line_count(example.output), 9);
    CHECK(strncmp(example.output, first, strlen(first)) == 0);
    CHECK_STRING(example.output + strlen(example.output) - strlen(last), last);
    for (size_t i = 0; i < sizeof somewhere / sizeof somewhere[0]; i++)
        CHECK_INT(count_lines(example.output, somewhere[i]), 1);
}

static void c_program_prints_every_outcome_once(void) {
    check_lines(EXAMPLE("jobs_without_a_loop"));
}

static void cpp_program_prints_the_same(void) {
    check_lines(EXAMPLE("jobs_without_a_loop_cpp"));
}

static const fy_test tests[] = {
    FY_TEST(c_program_prints_every_outcome_once),
    FY_TEST(cpp_program_prints_the_same),
};

FY_TEST_MAIN("example_jobs_without_a_loop", tests)
