/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one table of tests as one CUnit suite under a watchdog. It decides when a run counts as passed: every chosen
 * test ran to its end, at least one did, and nothing left the process early. It knows nothing of what is tested, but
 * that with FERRY_SIM_SEEDS=N each test is run N times, with FERRY_SIM_SEED set to 1, 2, ... N. */
#include "support/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <apr_env.h>
#include <apr_general.h>
#include <apr_thread_cond.h>
#include <apr_thread_proc.h>

#include "support/system.h"

enum { NOT_FINISHED = 70, DEADLINE_FACTOR_WITH_SEEDS = 3 };

typedef struct watchdog {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *over;
    apr_thread_t *thread;
    unsigned left;
    bool finished;
} watchdog;

/* True on the one thread whose failed checks CUnit can unwind. */
static _Thread_local bool runs_tests;

static bool judged;

/* The tests as given, and the seed of the one that runs; 0: there are no seeds. */
static const fy_test *all_tests;
static unsigned long seed;

/* ---- the watchdog ---- */

static const char *running_test(void) {
    CU_pTest test = CU_get_current_test();
    return test ? test->pName : "(none)";
}

/* Counts its waits rather than reading a clock, so that a wall clock set anew costs one of them at most. They are
 * short, for on Windows APR's condition may miss the signal that the tests are over. */
enum { WAITS_PER_S = 20 };

static void *APR_THREAD_FUNC watch(apr_thread_t *thread, void *arg) {
    watchdog *dog = arg;
    apr_thread_mutex_lock(dog->mutex);
    while (dog->left && !dog->finished)
        if (APR_STATUS_IS_TIMEUP(apr_thread_cond_timedwait(dog->over, dog->mutex, APR_USEC_PER_SEC / WAITS_PER_S)))
            dog->left--;
    if (!dog->finished) {
        fprintf(stderr, "\nwatchdog: the deadline has passed in test %s\n", running_test());
        abort();
    }
    apr_thread_mutex_unlock(dog->mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static apr_status_t watchdog_start(watchdog *dog, unsigned deadline_s, apr_pool_t *pool) {
    dog->left = deadline_s * WAITS_PER_S;
    apr_status_t status = apr_thread_mutex_create(&dog->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (!status)
        status = apr_thread_cond_create(&dog->over, pool);
    if (!status)
        status = apr_thread_create(&dog->thread, NULL, watch, dog, pool);
    return status;
}

static void watchdog_stop(watchdog *dog) {
    apr_status_t result;
    apr_thread_mutex_lock(dog->mutex);
    dog->finished = true;
    apr_thread_cond_signal(dog->over);
    apr_thread_mutex_unlock(dog->mutex);
    apr_thread_join(&result, dog->thread);
}

/* ---- checks ---- */

static void fail(const char *text, const char *file, unsigned line) {
    char text_with_seed[1100];
    if (seed) {
        snprintf(text_with_seed, sizeof text_with_seed, "%s (FERRY_SIM_SEED=%lu)", text, seed);
        text = text_with_seed;
    }
    if (runs_tests) {
        CU_assertImplementation(CU_FALSE, line, text, file, "", CU_TRUE);
        return;
    }
    fprintf(stderr, "\n%s:%u: check failed off the test's thread, in test %s: %s\n", file, line, running_test(), text);
    abort();
}

void fy_check(bool holds, const char *expression, const char *file, unsigned line) {
    if (!holds)
        fail(expression, file, line);
}

void fy_check_int(intmax_t actual, intmax_t expected, const char *expression, const char *file, unsigned line) {
    char text[512];
    if (actual == expected)
        return;
    snprintf(text, sizeof text, "%s: got %" PRIdMAX ", expected %" PRIdMAX, expression, actual, expected);
    fail(text, file, line);
}

void fy_check_string(const char *actual, const char *expected, const char *expression, const char *file,
                     unsigned line) {
    char text[1024];
    if (actual && expected && strcmp(actual, expected) == 0)
        return;
    snprintf(text, sizeof text, "%s: got \"%s\", expected \"%s\"", expression, actual ? actual : "(null)",
             expected ? expected : "(null)");
    fail(text, file, line);
}

void fy_check_status(ferry_status actual, ferry_status expected, const char *expression, const char *file,
                     unsigned line) {
    char text[512], got[128], wanted[128];
    if (actual == expected)
        return;
    snprintf(text, sizeof text, "%s: got %d (%s), expected %d (%s)", expression, actual,
             ferry_strerror(actual, got, sizeof got), expected, ferry_strerror(expected, wanted, sizeof wanted));
    fail(text, file, line);
}

/* ---- the run ---- */

/* A call of exit() inside a test would otherwise end the program with that call's own code, zero included. */
static void refuse_early_exit(void) {
    if (runs_tests && !judged) {
        fprintf(stderr, "\nthe program left before its tests were done, in test %s\n", running_test());
        fflush(NULL);
        _Exit(NOT_FINISHED);
    }
}

/* ---- seeds ---- */

static unsigned long seeds_wanted(void) {
    const char *text = getenv("FERRY_SIM_SEEDS");
    return text ? strtoul(text, NULL, 10) : 0;
}

static void set_seed(apr_pool_t *pool) {
    char text[32];
    snprintf(text, sizeof text, "%lu", seed);
    apr_env_set("FERRY_SIM_SEED", text, pool);
}

/* What CUnit calls in the place of each test. */
static void run_with_seeds(void) {
    const char *name = running_test();
    const fy_test *test = all_tests;
    while (strcmp(test->name, name) != 0)
        test++;
    for (seed = 1; seed <= seeds_wanted(); seed++) {
        apr_pool_t *pool;
        CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
        set_seed(pool);
        apr_pool_destroy(pool);
        test->run();
    }
    seed = 0;
}

static bool add_tests(const char *suite_name, const fy_test *tests, size_t count, const char *only) {
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    size_t added = 0;
    if (!suite)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (only && strcmp(only, tests[i].name) != 0)
            continue;
        if (!CU_add_test(suite, tests[i].name, seeds_wanted() ? run_with_seeds : tests[i].run))
            return false;
        added++;
    }
    if (!added && only)
        fprintf(stderr, "%s: there is no test %s\n", suite_name, only);
    else if (!added)
        fprintf(stderr, "%s: there are no tests\n", suite_name);
    return added > 0;
}

static bool all_passed(void) {
    return CU_get_number_of_tests_run() > 0
           && CU_get_number_of_tests_run() == CU_get_registry()->uiNumberOfTests
           && CU_get_number_of_failure_records() == 0;
}

static bool run_watched(unsigned deadline_s) {
    watchdog dog = {0};
    apr_pool_t *pool;
    if (apr_initialize() || apr_pool_create(&pool, NULL) || watchdog_start(&dog, deadline_s, pool)) {
        fprintf(stderr, "the watchdog could not be started\n");
        return false;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    bool ran = CU_basic_run_tests() == CUE_SUCCESS;
    watchdog_stop(&dog);
    apr_pool_destroy(pool);
    apr_terminate();
    return ran;
}

int fy_test_main(const char *suite, const fy_test *tests, size_t count, unsigned deadline_s, int argc, char **argv) {
    fy_system_prepare();
    setvbuf(stdout, NULL, _IONBF, 0);
    runs_tests = true;
    all_tests = tests;
    if (seeds_wanted())
        deadline_s *= DEADLINE_FACTOR_WITH_SEEDS;
    atexit(refuse_early_exit);
    bool passed = argc <= 2 && CU_initialize_registry() == CUE_SUCCESS
                  && add_tests(suite, tests, count, argc > 1 ? argv[1] : NULL) && run_watched(deadline_s)
                  && all_passed();
    judged = true;
    CU_cleanup_registry();
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
