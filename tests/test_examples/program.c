/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as APR child processes: stdout goes to a file without a name or to a pipe, stderr through a pipe; reads from
 * pipes have a time limit. */
#include "test_examples/program.h"

#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include "support/harness.h"

#define SILENCE_MAX apr_time_from_sec(60)

static apr_file_t *open_output(apr_pool_t *pool) {
    const char *folder;
    char *path;
    apr_file_t *opened;
    CHECK_STATUS(apr_temp_dir_get(&folder, pool), 0);
    path = apr_pstrcat(pool, folder, "/ferry-output-XXXXXX", NULL);
    CHECK_STATUS(apr_file_mktemp(&opened, path, 0, pool), 0);
    return opened;
}

void program_forget_errors(program *self) {
    self->errors[0] = '\0';
    self->errors_size = 0;
}

static void start(program *self, const char *folder, const char *const *arguments, apr_file_t *output_file) {
    apr_procattr_t *attributes;
    apr_int32_t output_pipe = output_file ? APR_NO_PIPE : APR_CHILD_BLOCK; /* only our end has a time limit */
    self->output[0] = '\0';
    program_forget_errors(self);
    self->output_file = output_file;
    CHECK_STATUS(apr_procattr_create(&attributes, self->pool), 0);
    CHECK_STATUS(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_PATH), 0);
    CHECK_STATUS(apr_procattr_io_set(attributes, APR_NO_PIPE, output_pipe, APR_CHILD_BLOCK), 0);
    if (output_file)
        CHECK_STATUS(apr_procattr_child_out_set(attributes, output_file, NULL), 0);
    if (folder)
        CHECK_STATUS(apr_procattr_dir_set(attributes, folder), 0);
    CHECK_STATUS(apr_proc_create(&self->process, arguments[0], arguments, NULL, attributes, self->pool), 0);
    apr_pool_note_subprocess(self->pool, &self->process, APR_KILL_ALWAYS);
    CHECK_STATUS(apr_file_pipe_timeout_set(self->process.err, SILENCE_MAX), 0);
    if (!output_file)
        CHECK_STATUS(apr_file_pipe_timeout_set(self->process.out, SILENCE_MAX), 0);
}

void program_start(program *self, const char *folder, const char *const *arguments) {
    CHECK_STATUS(apr_pool_create(&self->pool, NULL), 0);
    start(self, folder, arguments, open_output(self->pool));
}

void program_start_unread(program *self, const char *folder, const char *const *arguments) {
    CHECK_STATUS(apr_pool_create(&self->pool, NULL), 0);
    start(self, folder, arguments, NULL);
}

/* Where C's own streams end a line with "\r\n", the "\r" is taken out. Returns the size that is left. */
static apr_size_t unify_line_ends(char *text, apr_size_t size) {
    apr_size_t kept = 0;
    for (apr_size_t i = 0; i < size; i++) {
        kept -= text[i] == '\n' && kept && text[kept - 1] == '\r';
        text[kept++] = text[i];
    }
    text[kept] = '\0';
    return kept;
}

/* Returns false at the end of its stderr. */
static bool read_errors(program *self) {
    apr_size_t size = PROGRAM_OUTPUT_MAX - 1 - self->errors_size;
    CHECK(size > 0);
    apr_status_t status = apr_file_read(self->process.err, self->errors + self->errors_size, &size);
    if (APR_STATUS_IS_EOF(status))
        return false;
    CHECK_STATUS(status, 0);
    self->errors_size = unify_line_ends(self->errors, self->errors_size + size);
    return true;
}

void program_wait_for(program *self, const char *text) {
    while (!strstr(self->errors, text))
        CHECK(read_errors(self));
}

static void read_output(program *self, apr_file_t *source) {
    apr_size_t size;
    apr_status_t status = apr_file_read_full(source, self->output, PROGRAM_OUTPUT_MAX, &size);
    CHECK(APR_STATUS_IS_EOF(status));
    unify_line_ends(self->output, size);
}

void program_finish(program *self) {
    apr_exit_why_e why;
    apr_off_t beginning = 0;
    if (!self->output_file)
        read_output(self, self->process.out);
    while (read_errors(self))
        continue;
    CHECK_STATUS(apr_proc_wait(&self->process, &self->code, &why, APR_WAIT), APR_CHILD_DONE);
    CHECK_INT(why, APR_PROC_EXIT);
    if (self->output_file) {
        CHECK_STATUS(apr_file_seek(self->output_file, APR_SET, &beginning), 0);
        read_output(self, self->output_file);
    }
    apr_pool_destroy(self->pool);
}

void program_run(program *self, const char *folder, const char *const *arguments) {
    program_start(self, folder, arguments);
    program_finish(self);
}

size_t count_lines(const char *text, const char *line) {
    size_t count = 0, length = strlen(line);
    while (*text) {
        const char *end = strchr(text, '\n');
        if (!end)
            break;
        count += (size_t)(end - text) == length && memcmp(text, line, length) == 0;
        text = end + 1;
    }
    return count;
}
