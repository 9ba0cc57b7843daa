/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that end in every way a test can end: run.cmake starts them one by one and judges the harness by how the
 * program ends. */
#define FY_TEST_DEADLINE_S 2
#include "support/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_thread_proc.h>

static void passes(void) {
    CHECK(true);
    CHECK_INT(7, 7);
    CHECK_STRING("same", "same");
    CHECK_STATUS(FERRY_ECLOSED, FERRY_ECLOSED);
}

static void fails_check(void) {
    CHECK(1 + 1 == 3);
    abort();
}

static void fails_check_int(void) {
    CHECK_INT(-6, 7);
    abort();
}

static void fails_check_string(void) {
    CHECK_STRING("left", NULL);
    abort();
}

static void fails_check_status(void) {
    CHECK_STATUS(FERRY_ECLOSED, 0);
    abort();
}

static void *APR_THREAD_FUNC fail_here(apr_thread_t *thread, void *arg) {
    (void)thread;
    CHECK(arg != NULL);
    return NULL;
}

static void fails_on_another_thread(void) {
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t result;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    CHECK_STATUS(apr_thread_create(&thread, NULL, fail_here, NULL, pool), 0);
    apr_thread_join(&result, thread);
}

static void crashes(void) {
    raise(SIGSEGV);
}

static void leaves_with_zero(void) {
    exit(0);
}

static void never_ends(void) {
    for (volatile int forever = 1; forever;)
        ;
}

static const fy_test tests[] = {
    FY_TEST(passes),
    FY_TEST(fails_check),
    FY_TEST(fails_check_int),
    FY_TEST(fails_check_string),
    FY_TEST(fails_check_status),
    FY_TEST(fails_on_another_thread),
    FY_TEST(crashes),
    FY_TEST(leaves_with_zero),
    FY_TEST(never_ends),
};

int main(int argc, char **argv) {
    bool none = argc > 1 && strcmp(argv[1], "--none") == 0;
    return fy_test_main("subject", tests, none ? 0 : sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S,
                        none ? 1 : argc, argv);
}
