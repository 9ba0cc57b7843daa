/* SPDX-License-Identifier: Apache-2.0 */
/* The example faster_loop: each backend that is built in can be chosen by option and by environment, and what is not
 * built in is refused with the list of what is. */
#include <stdio.h>
#include <string.h>

#include <apr_env.h>

#include "ferry/loop.h"
#include "support/harness.h"
#include "test_examples/program.h"

static program example;

/* NULL: unset. */
static void set_environment(const char *backend) {
    apr_pool_t *pool;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(backend ? apr_env_set("FERRY_BACKEND", backend, pool) : apr_env_delete("FERRY_BACKEND", pool), 0);
    apr_pool_destroy(pool);
}

static void check_runs_on(const char *backend) {
    char line[64];
    snprintf(line, sizeof line, "backend: %s", backend);
    CHECK_STRING(example.errors, "");
    CHECK_INT(example.code, 0);
    CHECK_INT(count_lines(example.output, line), 1);
    CHECK_INT(count_lines(example.output, "a job's answer: 42"), 1);
    CHECK(strstr(example.output, "1000000 callbacks at "));
}

static void check_refused(const char *source) {
    char line[256];
    snprintf(line, sizeof line, "ferry: there is no backend \"nonesuch\"%s; built in:", source);
    for (const char *const *name = ferry_backend_names(); *name; name++) {
        strcat(line, " ");
        strcat(line, *name);
    }
    CHECK_INT(example.code, 2);
    CHECK_STRING(example.output, "");
    CHECK_INT(count_lines(example.errors, line), 1);
    CHECK(strstr(example.errors, "faster_loop: no loop: "));
}

static void best_backend_is_the_default(void) {
    set_environment(NULL);
    PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"));
    check_runs_on(ferry_backend_names()[0]);
}

static void every_backend_is_chosen_by_option(void) {
    set_environment("nonesuch");
    for (const char *const *name = ferry_backend_names(); *name; name++) {
        PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"), *name);
        check_runs_on(*name);
    }
    set_environment(NULL);
}

static void every_backend_is_chosen_by_environment(void) {
    for (const char *const *name = ferry_backend_names(); *name; name++) {
        set_environment(*name);
        PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"));
        check_runs_on(*name);
    }
    set_environment(NULL);
}

static void unknown_backend_is_refused_with_the_list(void) {
    PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"), "nonesuch");
    check_refused("");
    set_environment("nonesuch");
    PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"));
    set_environment(NULL);
    check_refused(", which FERRY_BACKEND names");
}

static void backends_are_listed(void) {
    size_t count = 0;
    PROGRAM_RUN(&example, NULL, EXAMPLE("faster_loop"), "--list");
    CHECK_INT(example.code, 0);
    CHECK_STRING(example.errors, "");
    for (const char *const *name = ferry_backend_names(); *name; name++, count++)
        CHECK_INT(count_lines(example.output, *name), 1);
    CHECK(count > 0);
}

static const fy_test tests[] = {
    FY_TEST(best_backend_is_the_default),
    FY_TEST(every_backend_is_chosen_by_option),
    FY_TEST(every_backend_is_chosen_by_environment),
    FY_TEST(unknown_backend_is_refused_with_the_list),
    FY_TEST(backends_are_listed),
};

FY_TEST_MAIN("example_faster_loop", tests)
