/* SPDX-License-Identifier: Apache-2.0 */
/* The C headers as a C++ program uses them, against the shared library: what they declare links, and runs. */
#include "support/harness.h"

#include "ferry/base.h"

#include <cstring>

static void version_of_the_library_is_that_of_the_headers() {
    CHECK_STRING(ferry_version(), FY_PROJECT_VERSION);
}

static void status_reads_as_a_sentence() {
    char sentence[128];
    CHECK_STRING(ferry_strerror(FERRY_ECLOSED, sentence, sizeof sentence), "The loop is closed");
}

static const fy_test tests[] = {
    FY_TEST(version_of_the_library_is_that_of_the_headers),
    FY_TEST(status_reads_as_a_sentence),
};

FY_TEST_MAIN("cxx", tests)
