/* SPDX-License-Identifier: Apache-2.0 */
/* The example digest against sums computed here, byte for byte: they stand in the order in which a sorted walk finds
 * the files, so the whole outputs must be equal. */
#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "support/harness.h"
#include "support/system.h"
#include "test_examples/digest_tree.h"
#include "test_examples/program.h"

#define WORK "work_example_digest"

enum { MANY = 600, BLOCKING = 1500 };

static program digest;

/* ---- checks ---- */

static void check_sums(apr_pool_t *pool, const char *const *list) {
    CHECK(strcmp(digest.output, tree_sums(pool, list)) == 0);
}

static void check_says(apr_pool_t *pool, const char *path, apr_status_t status) {
    char sentence[128];
    apr_strerror(status, sentence, sizeof sentence);
    CHECK(status != 0);
    CHECK(strstr(digest.errors, apr_pstrcat(pool, "digest: ", path, *path ? ": " : "", sentence, "\n", NULL)));
}

/* It says of `path` what the system says to whoever opens it. */
static void check_failed(apr_pool_t *pool, const char *path) {
    apr_file_t *opened;
    check_says(pool, path, apr_file_open(&opened, tree_path(pool, path), APR_FOPEN_READ, 0, pool));
}

/* ---- what it prints ---- */

static void names_and_sizes_of_all_kinds_are_hashed(void) {
    static const char *const list[] = {
        "tree/ leading space", "tree/.hidden", "tree/A", "tree/a b/c  d", "tree/a b/empty", "tree/aa",
        "tree/deep/1/2/3/4/5/6/7/8/bottom", "tree/large", "tree/one chunk", "tree/\xc3\xa4/\xe2\x82\xac.txt", NULL};
    apr_pool_t *pool = tree_begin(WORK);
    tree_of_all_sizes(pool, list);
    CHECK_STATUS(apr_dir_make(tree_path(pool, "tree/no files"), APR_FPROT_OS_DEFAULT, pool), 0);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "tree");
    CHECK_INT(digest.code, 0);
    check_sums(pool, list);
    CHECK_INT(count_lines(digest.output, "da39a3ee5e6b4b0d3255bfef95601890afd80709  tree/a b/empty"), 1);
    tree_end(pool);
}

/* More files than the window holds, and a first one that ends last. */
static void output_is_in_walk_order_whatever_the_number_of_workers(void) {
    static const char *const workers[] = {"1", "2", "7"};
    const char *list[1 + MANY + 1] = {"tree/0 large"};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, list[0], TREE_LARGE);
    tree_files(pool, "tree/many", MANY, list + 1);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--workers", workers[i], "tree/");
        CHECK_INT(digest.code, 0);
        check_sums(pool, list);
        CHECK(strstr(digest.errors, "601 files, "));
        CHECK(strstr(digest.errors, " 0 failures, largest loop lag "));
    }
    tree_end(pool);
}

static void processes_print_the_same_as_threads(void) {
    static const char *const workers[] = {"1", "3"};
    const char *list[1 + MANY + 1] = {"tree/0 large"};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, list[0], TREE_LARGE);
    tree_files(pool, "tree/many", MANY, list + 1);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--processes", "--workers", workers[i], "missing", "tree");
        CHECK_INT(digest.code, 1);
        check_sums(pool, list);
        check_failed(pool, "missing");
        CHECK(strstr(digest.errors, "601 files, "));
        CHECK(strstr(digest.errors, " 1 failures, largest loop lag "));
    }
    tree_end(pool);
}

static void paths_come_in_the_order_given(void) {
    static const char *const list[] = {"b", "a/1", "a/2", "b", NULL};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, "a/1", 1);
    tree_file(pool, "a/2", 2);
    tree_file(pool, "b", 3);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "b", "a", "b");
    CHECK_INT(digest.code, 0);
    check_sums(pool, list);
    tree_end(pool);
}

static void output_option_prints_to_a_file_and_quiet_says_nothing_else(void) {
    static const char *const list[] = {"tree/1", "tree/2", NULL};
    char written[256];
    apr_size_t size = sizeof written - 1;
    apr_file_t *file;
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, list[0], 1);
    tree_file(pool, list[1], 2);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--quiet", "--output=sums", "tree");
    CHECK_INT(digest.code, 0);
    CHECK_STRING(digest.output, "");
    CHECK_STRING(digest.errors, "");
    CHECK_STATUS(apr_file_open(&file, WORK "/sums", APR_FOPEN_READ | APR_FOPEN_BINARY, 0, pool), 0);
    CHECK(APR_STATUS_IS_EOF(apr_file_read_full(file, written, size, &size)));
    CHECK_STATUS(apr_file_close(file), 0);
    written[size] = '\0';
    strcpy(digest.output, written);
    check_sums(pool, list);
    tree_end(pool);
}

/* ---- what goes wrong ---- */

static void unreadable_path_is_reported_and_the_rest_goes_on(void) {
    const char *list[2 + 300 + 1] = {"first", NULL};
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, "first", 4);
    tree_files(pool, "tree", 300, list + 1);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "first", "missing", "first/below", "tree");
    CHECK_INT(digest.code, 1);
    check_sums(pool, list);
    check_failed(pool, "missing");
    check_failed(pool, "first/below");
    CHECK(strstr(digest.errors, " 2 failures,"));
    tree_end(pool);
}

/* More failures in a row than one batch of the walk, or the whole window, holds. */
static void nothing_but_failures_comes_to_an_end(void) {
    const char *arguments[2 + MANY + 1] = {EXAMPLE("digest"), "--"};
    apr_pool_t *pool = tree_begin(WORK);
    for (int i = 0; i < MANY; i++)
        arguments[2 + i] = apr_psprintf(pool, "missing-%d", i);
    program_run(&digest, WORK, arguments);
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.output, "");
    check_failed(pool, "missing-599");
    CHECK(strstr(digest.errors, "0 files, 0 bytes "));
    CHECK(strstr(digest.errors, " 600 failures,"));
    tree_end(pool);
}

static void target_that_cannot_be_opened_fails_the_run(void) {
    apr_file_t *opened;
    apr_pool_t *pool = tree_begin(WORK);
    tree_file(pool, "tree/file", 1);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--output", "no/such/folder", "tree");
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.output, "");
    check_says(pool, "", apr_file_open(&opened, WORK "/no/such/folder", APR_FOPEN_WRITE | APR_FOPEN_CREATE,
                                       APR_FPROT_OS_DEFAULT, pool));
    tree_end(pool);
}

static void wrong_options_are_refused_with_the_usage(void) {
    PROGRAM_RUN(&digest, NULL, EXAMPLE("digest"));
    CHECK_INT(digest.code, 2);
    CHECK(strstr(digest.errors, "usage: digest "));
    PROGRAM_RUN(&digest, NULL, EXAMPLE("digest"), "--workers", "-1", ".");
    CHECK_INT(digest.code, 2);
    CHECK(strstr(digest.errors, "--workers wants a number above 0, not -1\n"));
    PROGRAM_RUN(&digest, NULL, EXAMPLE("digest"), "--frobnicate", ".");
    CHECK_INT(digest.code, 2);
    PROGRAM_RUN(&digest, NULL, EXAMPLE("digest"), "--help");
    CHECK_INT(digest.code, 0);
    CHECK(strstr(digest.output, "usage: digest "));
}

/* ---- the bar, and Ctrl-C ---- */

/* All files before the endless one are done once the bar says so. */
static void check_interrupt(const char *option) {
    const char *list[10 + 1] = {0};
    CHECK(fy_system_begin_interrupts());
    apr_pool_t *pool = tree_begin(WORK);
    tree_files(pool, "tree", 10, list);
    tree_endless_file(pool, "tree/endless");
    const char *const arguments[] = {EXAMPLE("digest"), "--progress", option, "--workers", "2", "tree", NULL};
    program_start(&digest, WORK, arguments);
    program_wait_for(&digest, "% 10 of 11 files ");
    CHECK(fy_system_interrupt(digest.process.pid));
    program_finish(&digest);
    CHECK_INT(digest.code, 130);
    check_sums(pool, list);
    CHECK(strstr(digest.errors, "digest: interrupted\n"));
    CHECK(strstr(digest.errors, "\n10 files, "));
    CHECK(strstr(digest.errors, " 0 failures, "));
    tree_end(pool);
}

static void interrupt_ends_it_cleanly_with_whole_lines(void) {
    check_interrupt("--progress");
}

static void interrupt_ends_processes_too(void) {
    check_interrupt("--processes");
}

/* Many names fill a pipe soon, if they are long; but a path must not be too long for Windows. */
static const char *long_name(apr_pool_t *pool, char first, int number) {
    char filler[150];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    return apr_psprintf(pool, "tree/%c%04d%s", first, number, filler);
}

/* The target takes no more than a pipe holds, so results wait in the window, some of them behind the endless file. One
 * worker writes, one is busy with that file, and the third one does the rest: the bar goes on. After Ctrl-C lines come
 * out whole and in order, and none from behind that file. */
static void interrupt_while_the_target_is_blocked(void) {
    const char *list[BLOCKING + 1] = {0};
    CHECK(fy_system_begin_interrupts());
    apr_pool_t *pool = tree_begin(WORK);
    for (int i = 0; i < BLOCKING; i++) {
        list[i] = long_name(pool, i < BLOCKING - 100 ? 'a' : 'c', i);
        tree_file(pool, list[i], (size_t)i);
    }
    tree_endless_file(pool, "tree/b");

    const char *const arguments[] = {EXAMPLE("digest"), "--workers", "3", "--progress", "tree", NULL};
    program_start_unread(&digest, WORK, arguments);
    program_wait_for(&digest, " of 1501 files ");
    for (int beat = 0; beat < 3; beat++) {
        program_forget_errors(&digest);
        program_wait_for(&digest, " of 1501 files ");
    }
    CHECK(!strstr(digest.errors, " 1400 of 1501 files "));
    CHECK(fy_system_interrupt(digest.process.pid));
    program_finish(&digest);
    CHECK_INT(digest.code, 130);
    size_t length = strlen(digest.output);
    CHECK(length > 65536);
    CHECK(digest.output[length - 1] == '\n');
    CHECK(strncmp(digest.output, tree_sums(pool, list), length) == 0);
    CHECK(strstr(digest.errors, "digest: interrupted\n"));
    CHECK(strstr(digest.errors, " 0 failures, "));
    tree_end(pool);
}

static const fy_test tests[] = {
    FY_TEST(names_and_sizes_of_all_kinds_are_hashed),
    FY_TEST(output_is_in_walk_order_whatever_the_number_of_workers),
    FY_TEST(processes_print_the_same_as_threads),
    FY_TEST(paths_come_in_the_order_given),
    FY_TEST(output_option_prints_to_a_file_and_quiet_says_nothing_else),
    FY_TEST(unreadable_path_is_reported_and_the_rest_goes_on),
    FY_TEST(nothing_but_failures_comes_to_an_end),
    FY_TEST(target_that_cannot_be_opened_fails_the_run),
    FY_TEST(wrong_options_are_refused_with_the_usage),
    FY_TEST(interrupt_ends_it_cleanly_with_whole_lines),
    FY_TEST(interrupt_ends_processes_too),
    FY_TEST(interrupt_while_the_target_is_blocked),
};

FY_TEST_MAIN("example_digest", tests)
