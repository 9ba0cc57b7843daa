/* SPDX-License-Identifier: Apache-2.0 */
/* The C headers as a C++ program uses them, against the shared library: what they declare links, and runs. */
#include "support/harness.h"

#include "ferry.h"

#include <cstring>

static void version_of_the_library_is_that_of_the_headers() {
    CHECK_STRING(ferry_version(), FY_PROJECT_VERSION);
}

static void status_reads_as_a_sentence() {
    char sentence[128];
    CHECK_STRING(ferry_strerror(FERRY_ECLOSED, sentence, sizeof sentence), "The loop is closed");
}

static ferry_status square(void *arg, ferry_call *call) {
    auto number = reinterpret_cast<intptr_t>(arg);
    return ferry_return_integer(call, number * number);
}

static ferry_status read_by_type(void *, ferry_call *) {
    int small = 0;
    int64_t large = 0;
    double real = 0;
    const char *text = nullptr;
    ferry_future *future = nullptr;
    CHECK_STATUS(ferry_to_thread(square, reinterpret_cast<void *>(7), &small), 0);
    CHECK_INT(small, 49);
    CHECK_STATUS(ferry_run_in_executor(nullptr, nullptr, square, reinterpret_cast<void *>(8), &future), 0);
    CHECK_STATUS(FERRY_AWAIT(future, &large), 0);
    CHECK_INT(large, 64);
    CHECK_STATUS(FERRY_AWAIT(future, &real), FERRY_EWRONGTYPE);
    CHECK_STATUS(FERRY_AWAIT(future, &text), FERRY_EWRONGTYPE);
    CHECK_STATUS(FERRY_AWAIT(future, nullptr), 0);
    CHECK_STATUS(FERRY_AWAIT_ALL(future), 0);
    ferry_future_unref(future);
    return 0;
}

static void task_awaits_by_the_type_of_the_place() {
    CHECK_STATUS(ferry_run(read_by_type, nullptr), 0);
}

static const fy_test tests[] = {
    FY_TEST(version_of_the_library_is_that_of_the_headers),
    FY_TEST(status_reads_as_a_sentence),
    FY_TEST(task_awaits_by_the_type_of_the_place),
};

FY_TEST_MAIN("cxx", tests)
