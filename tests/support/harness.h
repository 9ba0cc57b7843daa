/* SPDX-License-Identifier: Apache-2.0 */
/* What a test file needs: a table of named test functions, a main, and checks that end the test where they fail. It
 * decides how a run is started, watched and judged, and knows nothing of what is tested.
 *
 *     static void cancel_of_pending_resolves_canceled(void) { ... CHECK(ferry_future_is_done(future)); ... }
 *
 *     static const fy_test tests[] = {
 *         FY_TEST(cancel_of_pending_resolves_canceled),
 *     };
 *     FY_TEST_MAIN("future", tests)
 *
 * `test_future NAME` runs that one test alone. The whole program has FY_TEST_DEADLINE_S seconds: define it before the
 * include where 120 are too few, and give ferry_test() a TIMEOUT above it. */
#ifndef FERRY_TESTS_SUPPORT_HARNESS_H
#define FERRY_TESTS_SUPPORT_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef FY_TEST_DEADLINE_S
#define FY_TEST_DEADLINE_S 120
#endif

typedef struct fy_test {
    const char *name;
    void (*run)(void);
} fy_test;

#define FY_TEST(function) { #function, function }

#define FY_TEST_MAIN(suite, tests)                                                                      \
    int main(int argc, char **argv) {                                                                   \
        return fy_test_main(suite, tests, sizeof(tests) / sizeof(tests[0]), FY_TEST_DEADLINE_S, argc, argv); \
    }

/* Each check ends the running test when it fails. On the thread that runs the tests the others still run; a failure on
 * any other thread cannot unwind that far, so it prints itself and aborts the program. */
#define CHECK(expression) fy_check(!!(expression), #expression, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) \
    fy_check_int((intmax_t)(actual), (intmax_t)(expected), #actual " == " #expected, __FILE__, __LINE__)
#define CHECK_STRING(actual, expected) \
    fy_check_string(actual, expected, #actual " == " #expected, __FILE__, __LINE__)
#define CHECK_STATUS(call, expected) \
    fy_check_status(call, expected, #call " == " #expected, __FILE__, __LINE__)

int fy_test_main(const char *suite, const fy_test *tests, size_t count, unsigned deadline_s, int argc, char **argv);

void fy_check(bool holds, const char *expression, const char *file, unsigned line);
void fy_check_int(intmax_t actual, intmax_t expected, const char *expression, const char *file, unsigned line);
void fy_check_string(const char *actual, const char *expected, const char *expression, const char *file, unsigned line);
void fy_check_status(ferry_status actual, ferry_status expected, const char *expression, const char *file,
                     unsigned line);

#ifdef __cplusplus
}
#endif

#endif
