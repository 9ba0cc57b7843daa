/* SPDX-License-Identifier: Apache-2.0 */
/* The example digest against sha1sum, byte for byte: sha1sum gets the names in the order in which a sorted walk finds
 * them, so the whole outputs must be equal. Each test makes its own folder below the working one, and uses the tools
 * sha1sum, ln and rm. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "support/harness.h"
#include "test_examples/program.h"

#define WORK "work_example_digest"

enum { MANY = 600, LARGE = 20 * 1024 * 1024 };

static program digest, sha1sum, tool;

/* ---- making trees ---- */

static apr_pool_t *begin(void) {
    apr_pool_t *pool;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    PROGRAM_RUN(&tool, NULL, "rm", "-rf", WORK);
    CHECK_INT(tool.code, 0);
    CHECK_STATUS(apr_dir_make_recursive(WORK, APR_FPROT_OS_DEFAULT, pool), 0);
    return pool;
}

static void end(apr_pool_t *pool) {
    apr_pool_destroy(pool);
    PROGRAM_RUN(&tool, NULL, "rm", "-rf", WORK);
    CHECK_INT(tool.code, 0);
}

static apr_file_t *make_file(apr_pool_t *pool, const char *path) {
    apr_file_t *made;
    const char *full = apr_pstrcat(pool, WORK "/", path, NULL);
    char *folder = apr_pstrdup(pool, full);
    *strrchr(folder, '/') = '\0';
    CHECK_STATUS(apr_dir_make_recursive(folder, APR_FPROT_OS_DEFAULT, pool), 0);
    CHECK_STATUS(apr_file_open(&made, full, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_EXCL | APR_FOPEN_BINARY,
                               APR_FPROT_OS_DEFAULT, pool), 0);
    return made;
}

/* The content depends on path and size, so that no two files are equal. */
static void make_content(apr_pool_t *pool, const char *path, size_t size) {
    apr_file_t *made = make_file(pool, path);
    unsigned char *bytes = malloc(size + 1);
    uint32_t state = (uint32_t)strlen(path) + (uint32_t)size;
    for (const char *character = path; *character; character++)
        state = state * 31 + (unsigned char)*character;
    CHECK(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(state >> 24);
    }
    CHECK_STATUS(apr_file_write_full(made, bytes, size, NULL), 0);
    CHECK_STATUS(apr_file_close(made), 0);
    free(bytes);
}

/* Makes files named by four digits, a few KiB each at most, and lists them. */
static void make_many(apr_pool_t *pool, const char *folder, int count, const char **list) {
    for (int i = 0; i < count; i++) {
        list[i] = apr_psprintf(pool, "%s/%04d", folder, i);
        make_content(pool, list[i], (size_t)(i * 7919 % 9000));
    }
}

/* ---- checks ---- */

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

/* ---- what it prints ---- */

static void odd_names_and_sizes_equal_sha1sum(void) {
    static const char *const list[] = {
        "tree/ leading space", "tree/.hidden", "tree/A", "tree/a\nnewline", "tree/a b/c  d", "tree/a b/empty",
        "tree/a\\backslash", "tree/aa", "tree/deep/1/2/3/4/5/6/7/8/bottom", "tree/large", "tree/one chunk",
        "tree/z\\both\n", "tree/\xc3\xa4/\xe2\x82\xac.txt", NULL};
    apr_pool_t *pool = begin();
    for (size_t i = 0; list[i]; i++) {
        size_t size = strstr(list[i], "large") ? LARGE : strstr(list[i], "chunk") ? 65536 : 10 * i;
        make_content(pool, list[i], strstr(list[i], "empty") ? 0 : size);
    }
    CHECK_STATUS(apr_dir_make(WORK "/tree/no files", APR_FPROT_OS_DEFAULT, pool), 0);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "tree");
    CHECK_INT(digest.code, 0);
    check_equals_sha1sum(pool, list);
    CHECK_INT(count_lines(digest.output, "da39a3ee5e6b4b0d3255bfef95601890afd80709  tree/a b/empty"), 1);
    end(pool);
}

/* More files than the window holds, and a first one that ends last. */
static void output_is_in_walk_order_whatever_the_number_of_workers(void) {
    static const char *const workers[] = {"1", "2", "7"};
    const char *list[1 + MANY + 1] = {"tree/0 large"};
    apr_pool_t *pool = begin();
    make_content(pool, list[0], LARGE);
    make_many(pool, "tree/many", MANY, list + 1);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--workers", workers[i], "tree/");
        CHECK_INT(digest.code, 0);
        check_equals_sha1sum(pool, list);
        CHECK(strstr(digest.errors, "601 files, "));
        CHECK(strstr(digest.errors, " 0 failures, largest loop lag "));
    }
    end(pool);
}

static void paths_come_in_the_order_given(void) {
    static const char *const list[] = {"b", "a/1", "a/2", "b", NULL};
    apr_pool_t *pool = begin();
    make_content(pool, "a/1", 1);
    make_content(pool, "a/2", 2);
    make_content(pool, "b", 3);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "b", "a", "b");
    CHECK_INT(digest.code, 0);
    check_equals_sha1sum(pool, list);
    end(pool);
}

static void symbolic_links_are_followed_only_as_arguments(void) {
    static const char *const list[] = {"tree/file", "link/file", NULL};
    apr_pool_t *pool = begin();
    make_content(pool, "tree/file", 5);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", "tree", "link");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", "file", "tree/link to file");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&tool, WORK, "ln", "-s", ".", "tree/link to folder");
    CHECK_INT(tool.code, 0);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "tree", "link");
    CHECK_INT(digest.code, 0);
    check_equals_sha1sum(pool, list);
    end(pool);
}

static void output_option_prints_to_a_file_and_quiet_says_nothing_else(void) {
    static const char *const list[] = {"tree/1", "tree/2", NULL};
    char written[256];
    apr_size_t size = sizeof written - 1;
    apr_file_t *file;
    apr_pool_t *pool = begin();
    make_content(pool, list[0], 1);
    make_content(pool, list[1], 2);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--quiet", "--output=sums", "tree");
    CHECK_INT(digest.code, 0);
    CHECK_STRING(digest.output, "");
    CHECK_STRING(digest.errors, "");
    CHECK_STATUS(apr_file_open(&file, WORK "/sums", APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool), 0);
    CHECK(APR_STATUS_IS_EOF(apr_file_read_full(file, written, size, &size)));
    written[size] = '\0';
    strcpy(digest.output, written);
    check_equals_sha1sum(pool, list);
    end(pool);
}

/* ---- what goes wrong ---- */

static void unreadable_path_is_reported_and_the_rest_goes_on(void) {
    const char *list[2 + 300 + 1] = {"first", NULL};
    apr_pool_t *pool = begin();
    make_content(pool, "first", 4);
    make_many(pool, "tree", 300, list + 1);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "first", "missing", "first/below", "tree");
    CHECK_INT(digest.code, 1);
    check_equals_sha1sum(pool, list);
    CHECK(strstr(digest.errors, "digest: missing: No such file or directory\n"));
    CHECK(strstr(digest.errors, "digest: first/below: Not a directory\n"));
    CHECK(strstr(digest.errors, " 2 failures,"));
    end(pool);
}

/* Opening it succeeds, reading its first byte never does. */
static void file_that_cannot_be_read_is_reported(void) {
    apr_finfo_t info;
    apr_pool_t *pool = begin();
    const char *unreadable = "/proc/self/mem";
    if (apr_stat(&info, unreadable, APR_FINFO_TYPE, pool) == 0) {
        PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), unreadable);
        CHECK_INT(digest.code, 1);
        CHECK_STRING(digest.output, "");
        CHECK(strstr(digest.errors, "digest: /proc/self/mem: Input/output error\n"));
    }
    end(pool);
}

/* More failures in a row than one batch of the walk, or the whole window, holds. */
static void nothing_but_failures_comes_to_an_end(void) {
    const char *arguments[2 + MANY + 1] = {EXAMPLE("digest"), "--"};
    apr_pool_t *pool = begin();
    for (int i = 0; i < MANY; i++)
        arguments[2 + i] = apr_psprintf(pool, "missing-%d", i);
    program_run(&digest, WORK, arguments);
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.output, "");
    CHECK(strstr(digest.errors, "digest: missing-599: No such file or directory\n"));
    CHECK(strstr(digest.errors, "0 files, 0 bytes "));
    CHECK(strstr(digest.errors, " 600 failures,"));
    end(pool);
}

static void target_that_takes_no_output_fails_the_run(void) {
    apr_pool_t *pool = begin();
    make_content(pool, "tree/file", 1);
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--quiet", "--output", "/dev/full", "tree");
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.errors, "digest: No space left on device\n");
    PROGRAM_RUN(&digest, WORK, EXAMPLE("digest"), "--output", "no/such/folder", "tree");
    CHECK_INT(digest.code, 1);
    CHECK_STRING(digest.errors, "digest: No such file or directory\n");
    end(pool);
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

/* Takes far longer to hash than the test; a hole, but one that a copy of the folder could still bear. */
static void make_endless(apr_pool_t *pool, const char *path) {
    apr_file_t *made = make_file(pool, path);
    CHECK_STATUS(apr_file_trunc(made, INT64_C(1) << 34), 0);
    CHECK_STATUS(apr_file_close(made), 0);
}

/* All files before the endless one are done once the bar says so. */
static void interrupt_ends_it_cleanly_with_whole_lines(void) {
    const char *list[10 + 1] = {0};
    apr_pool_t *pool = begin();
    make_many(pool, "tree", 10, list);
    make_endless(pool, "tree/endless");
    const char *const arguments[] = {EXAMPLE("digest"), "--workers", "2", "--progress", "tree", NULL};
    program_start(&digest, WORK, arguments);
    program_wait_for(&digest, "% 10 of 11 files ");
    CHECK_STATUS(apr_proc_kill(&digest.process, SIGINT), 0);
    program_finish(&digest);
    CHECK_INT(digest.code, 130);
    check_equals_sha1sum(pool, list);
    CHECK(strstr(digest.errors, "digest: interrupted\n"));
    CHECK(strstr(digest.errors, "\n10 files, "));
    CHECK(strstr(digest.errors, " 0 failures, "));
    end(pool);
}

/* A name that is long and twice as long when it is escaped. */
static const char *long_name(apr_pool_t *pool, char first, int number) {
    char filler[200];
    memset(filler, '\\', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    return apr_psprintf(pool, "tree/%c%04d%s", first, number, filler);
}

/* The target takes no more than a pipe holds, so results wait in the window, some of them behind the endless file. One
 * worker writes, one is busy with that file, and the third one does the rest: the bar goes on. After Ctrl-C lines come
 * out whole and in order, and none from behind that file. */
static void interrupt_while_the_target_is_blocked(void) {
    const char *list[MANY + 1] = {0};
    apr_pool_t *pool = begin();
    for (int i = 0; i < MANY; i++) {
        list[i] = long_name(pool, i < MANY - 100 ? 'a' : 'c', i);
        make_content(pool, list[i], (size_t)i);
    }
    make_endless(pool, "tree/b");

    const char *const arguments[] = {EXAMPLE("digest"), "--workers", "3", "--progress", "tree", NULL};
    program_start_unread(&digest, WORK, arguments);
    program_wait_for(&digest, " of 601 files ");
    for (int beat = 0; beat < 3; beat++) {
        program_forget_errors(&digest);
        program_wait_for(&digest, " of 601 files ");
    }
    CHECK(!strstr(digest.errors, " 500 of 601 files "));
    CHECK_STATUS(apr_proc_kill(&digest.process, SIGINT), 0);
    program_finish(&digest);
    CHECK_INT(digest.code, 130);
    run_sha1sum(pool, list);
    size_t length = strlen(digest.output);
    CHECK(length > 65536);
    CHECK(digest.output[length - 1] == '\n');
    CHECK(strncmp(digest.output, sha1sum.output, length) == 0);
    CHECK(strstr(digest.errors, "digest: interrupted\n"));
    CHECK(strstr(digest.errors, " 0 failures, "));
    end(pool);
}

static const fy_test tests[] = {
    FY_TEST(odd_names_and_sizes_equal_sha1sum),
    FY_TEST(output_is_in_walk_order_whatever_the_number_of_workers),
    FY_TEST(paths_come_in_the_order_given),
    FY_TEST(symbolic_links_are_followed_only_as_arguments),
    FY_TEST(output_option_prints_to_a_file_and_quiet_says_nothing_else),
    FY_TEST(unreadable_path_is_reported_and_the_rest_goes_on),
    FY_TEST(file_that_cannot_be_read_is_reported),
    FY_TEST(nothing_but_failures_comes_to_an_end),
    FY_TEST(target_that_takes_no_output_fails_the_run),
    FY_TEST(wrong_options_are_refused_with_the_usage),
    FY_TEST(interrupt_ends_it_cleanly_with_whole_lines),
    FY_TEST(interrupt_while_the_target_is_blocked),
};

FY_TEST_MAIN("example_digest", tests)
