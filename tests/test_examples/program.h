/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program as a user would and keeps what it printed: stdout at its end, stderr as it comes, so that a test can
 * wait for a line there; a line ends with "\n" on every system. It decides how long a silent program is waited for;
 * what the output means is the test's. */
#ifndef FERRY_TESTS_TEST_EXAMPLES_PROGRAM_H
#define FERRY_TESTS_TEST_EXAMPLES_PROGRAM_H

#include <apr_pools.h>
#include <apr_thread_proc.h>

#define EXAMPLE(name) FY_EXAMPLES_DIR "/" name FY_EXAMPLES_SUFFIX

enum { PROGRAM_OUTPUT_MAX = 1 << 20 };

typedef struct program {
    apr_pool_t *pool;
    apr_proc_t process;
    apr_file_t *output_file;            /* where its stdout went, NULL: into a pipe */
    int code;
    size_t errors_size;
    char output[PROGRAM_OUTPUT_MAX];    /* once it has finished */
    char errors[PROGRAM_OUTPUT_MAX];    /* what has come so far */
} program;

/* Starts arguments[0], a path or a name on the PATH, in `folder` (NULL: here). A program that is still running when a
 * test fails is killed at the end of the tests. */
void program_start(program *self, const char *folder, const char *const *arguments);

/* The same, but its stdout is a pipe that nobody reads before program_finish. */
void program_start_unread(program *self, const char *folder, const char *const *arguments);

/* Waits until `text` is on its stderr. */
void program_wait_for(program *self, const char *text);

/* Forgets what has come from its stderr, so that what is waited for next is new. */
void program_forget_errors(program *self);

/* Waits for its end: `code`, `output` and `errors` are complete, nothing is left to free. */
void program_finish(program *self);

/* Start and finish. */
void program_run(program *self, const char *folder, const char *const *arguments);

#define PROGRAM_RUN(self, folder, ...) program_run(self, folder, (const char *const[]){__VA_ARGS__, NULL})

/* How many lines of `text` are `line`, written without its newline. */
size_t count_lines(const char *text, const char *line);

#endif
