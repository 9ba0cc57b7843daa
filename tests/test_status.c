/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses in words and the version: what a caller can show to a person. */
#include "support/harness.h"

#include <string.h>

#include <apr_errno.h>

enum { FIRST = FERRY_ECANCELED, LAST = FERRY_ENOTPORTABLE };

static void every_own_status_has_its_own_sentence(void) {
    char sentence[128], other[128];
    for (int status = FIRST; status <= LAST; status++) {
        ferry_strerror(status, sentence, sizeof sentence);
        CHECK(strcmp(sentence, apr_strerror(status, other, sizeof other)) != 0);
        CHECK(strlen(sentence) + 1 < sizeof sentence);
        for (int before = FIRST; before < status; before++)
            CHECK(strcmp(sentence, ferry_strerror(before, other, sizeof other)) != 0);
    }
}

static void own_statuses_lie_in_the_range_for_users(void) {
    CHECK(FIRST >= APR_OS_START_USERERR);
    CHECK(LAST < APR_OS_START_USERERR + APR_OS_ERRSPACE_SIZE);
}

static void sentence_fits_the_status(void) {
    char sentence[128];
    CHECK_STRING(ferry_strerror(0, sentence, sizeof sentence), "Success");
    CHECK_STRING(ferry_strerror(FERRY_ECLOSED, sentence, sizeof sentence), "The loop is closed");
    CHECK_STRING(ferry_strerror(FERRY_EFULL, sentence, sizeof sentence), "The queue is full");
}

static void check_like_apr(int status) {
    char sentence[128], expected[128];
    apr_strerror(status, expected, sizeof expected);
    CHECK_STRING(ferry_strerror(status, sentence, sizeof sentence), expected);
}

static void other_statuses_read_as_apr_says(void) {
    check_like_apr(APR_EINVAL);
    check_like_apr(APR_ENOMEM);
    check_like_apr(APR_EOF);
    check_like_apr(APR_TIMEUP);
}

static void neighbours_of_own_statuses_are_not_ours(void) {
    check_like_apr(FIRST - 1);
    check_like_apr(LAST + 1);
    check_like_apr(-1);
    check_like_apr(INT32_MAX);
    check_like_apr(INT32_MIN);
}

static void short_buffer_is_cut_and_terminated(void) {
    static const int statuses[] = {0, FERRY_ECANCELED, APR_EINVAL, APR_EOF};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char whole[128], cut[8];
        memset(cut, '#', sizeof cut);
        ferry_strerror(statuses[i], whole, sizeof whole);
        CHECK(ferry_strerror(statuses[i], cut, 5) == cut);
        CHECK_INT(strlen(cut), 4);
        CHECK(memcmp(cut, whole, 4) == 0);
        CHECK_STRING(ferry_strerror(statuses[i], cut, 1), "");
        CHECK(cut[5] == '#' && cut[6] == '#' && cut[7] == '#');
    }
}

static void no_buffer_is_left_alone(void) {
    char untouched = '#';
    CHECK(ferry_strerror(FERRY_ECLOSED, &untouched, 0) == &untouched);
    CHECK_INT(untouched, '#');
    CHECK(ferry_strerror(FERRY_ECLOSED, NULL, 16) == NULL);
    CHECK(ferry_strerror(APR_EINVAL, NULL, 16) == NULL);
}

static void version_is_the_one_built(void) {
    CHECK_STRING(ferry_version(), FY_PROJECT_VERSION);
}

static const fy_test tests[] = {
    FY_TEST(every_own_status_has_its_own_sentence),
    FY_TEST(own_statuses_lie_in_the_range_for_users),
    FY_TEST(sentence_fits_the_status),
    FY_TEST(other_statuses_read_as_apr_says),
    FY_TEST(neighbours_of_own_statuses_are_not_ours),
    FY_TEST(short_buffer_is_cut_and_terminated),
    FY_TEST(no_buffer_is_left_alone),
    FY_TEST(version_is_the_one_built),
};

FY_TEST_MAIN("status", tests)
