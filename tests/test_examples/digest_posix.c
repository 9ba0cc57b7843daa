/* SPDX-License-Identifier: Apache-2.0 */
/* The example digest where files have names that only POSIX allows, against sha1sum, byte for byte: sha1sum gets the
 * names in the order in which a sorted walk finds them, so the whole outputs must be equal. Also links, and devices
 * that fail. It uses the tools sha1sum and ln. */
#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "support/harness.h"
#include "test_examples/digest_tree.h"
#include "test_examples/program.h"

#define WORK "work_example_digest_posix"

static program digest, sha1sum, tool;

/* What sha1sum prints for `list`, which ends with NULL. */
static void run_sha1sum(apr_pool_t *pool, const char *const *list) {
    size_t count = 0;
    while (list[count])
        count++;
    const char **arguments = apr_pcalloc(pool, (count + 3) * sizeof *arguments);
    arguments[0] = "sha1sum";
    arguments[1] = "--";
    memcpy(arguments + 2, list, count * sizeof *list);
    program_run(&sha1sum, WORK, arguments);
    CHECK_INT(sha1sum.code, 0);
    CHECK(sha1sum.output[0]);
}

static void check_equals_sha1sum(apr_pool_t *pool, const char *const *list) {
    run_sha1sum(pool, list);
    CHECK(strcmp(digest.output, sha1sum.output) == 0);
}

static void odd_names_and_sizes_equal_sha1sum(void) {
    static const char *const list[] = {
        "tree/ leading space", "tree/.hidden", "tree/A", "tree/a\nnewline", "tree/a b/c  d", "tree/a b/empty",
        "tree/a\\backslash", "tree/aa", "tree/deep/1/2/3/4/5/6/7/8/bottom", "tree/large", "tree/one chunk",
        "tree/z\\both\n", "tree/\xc3\xa4/\xe2\x82\xac.txt", NULL};
    apr_pool_t *pool = tree_begin(WORK);
    tree_of_all_sizes(pool, list);
    CHECK_STATUS(apr_dir_make(tree_path(pool, "tree/no files"), APR_FPROT_OS_DEFAULT, pool), 0);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "tree");
    CHECK_INT(digest.code, 0);
    check_equals_sha1sum(pool, list);
    CHECK_INT(count_lines(digest.output, "da39a3ee5e6b4b0d3255bfef95601890afd80709  tree/a b/empty"), 1);
    tree_end(pool);
}

/* The tests that run on every system compare with these sums. */
static void own_sums_equal_sha1sum(void) {
    const char *list[130 + 2] = {"large"};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, list[0], TREE_LARGE);
    for (int i = 1; i <= 130; i++) {
        list[i] = apr_psprintf(pool, "%03d", i);
        tree_file(pool, list[i], (size_t)i - 1);
    }
    run_sha1sum(pool, list);
    CHECK(strcmp(tree_sums(pool, list), sha1sum.output) == 0);
    tree_end(pool);
}

static void symbolic_links_are_followed_only_as_arguments(void) {
    static const char *const list[] = {"tree/file", "link/file", NULL};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, "tree/file", 5);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", "tree", "link");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", "file", "tree/link to file");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", ".", "tree/link to folder");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "tree", "link");
    CHECK_INT(digest.code, 0);
    check_equals_sha1sum(pool, list);
    tree_end(pool);
}

/* Opening it succeeds, reading its first byte never does. */
static void file_that_cannot_be_read_is_reported(void) {
    apr_finfo_t info;
    apr_pool_t *pool = tree_begin(WORK);
    const char *unreadable = "/proc/self/mem";
    if (apr_stat(&info, unreadable, APR_FINFO_TYPE, pool) == 0) {
        PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), unreadable);
        CHECK_INT(digest.code, 1);
        CHECK_STRING(digest.output, "");
        CHECK(strstr(digest.errors, "digest: /proc/self/mem: Input/output error\n"));
    }
    tree_end(pool);
}

static void full_target_fails_the_run(void) {
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, "tree/file", 1);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--quiet", "--output", "/dev/full", "tree");
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.errors, "digest: No space left on device\n");
    tree_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(odd_names_and_sizes_equal_sha1sum),
    FY_TEST(own_sums_equal_sha1sum),
    FY_TEST(symbolic_links_are_followed_only_as_arguments),
    FY_TEST(file_that_cannot_be_read_is_reported),
    FY_TEST(full_target_fails_the_run),
};

FY_TEST_MAIN("example_digest_posix", tests)
