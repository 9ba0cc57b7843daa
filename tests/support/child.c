/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test program again as a child. It knows how a child is started, read, given up and judged, and nothing of
 * its modes. */
#include "support/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_thread_proc.h>

#include "support/system.h"

#define SILENCE_MAX apr_time_from_sec(60)

static const char child_flag[] = "--child";

/* As main was given it. */
static const char *program;

/* Both stdout and stderr of the child go into the pipe. */
static apr_file_t *start(apr_proc_t *ret_child, const char *mode, apr_pool_t *pool) {
    const char *const arguments[] = {program, child_flag, mode, NULL};
    apr_procattr_t *attributes;
    apr_file_t *output, *line;
    CHECK_STATUS(apr_file_pipe_create_ex(&output, &line, APR_WRITE_BLOCK, pool), 0);
    CHECK_STATUS(apr_file_pipe_timeout_set(output, SILENCE_MAX), 0);
    CHECK_STATUS(apr_procattr_create(&attributes, pool), 0);
    CHECK_STATUS(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV), 0);
    CHECK_STATUS(apr_procattr_child_out_set(attributes, line, NULL), 0);
    CHECK_STATUS(apr_procattr_child_err_set(attributes, line, NULL), 0);
    CHECK_STATUS(apr_proc_create(ret_child, program, arguments, NULL, attributes, pool), 0);
    CHECK_STATUS(apr_file_close(line), 0);
    return output;
}

/* Returns false if the child was silent for too long. */
static bool read_all(apr_file_t *output, fy_child *ret_child) {
    apr_size_t length = 0, room = sizeof ret_child->output - 1;
    apr_status_t status = 0;
    while (!status && length < room) {
        apr_size_t count = room - length;
        status = apr_file_read(output, ret_child->output + length, &count);
        length += status ? 0 : count;
    }
    ret_child->output[length] = '\0';
    return !status || APR_STATUS_IS_EOF(status);
}

void fy_child_run(const char *mode, fy_child *ret_child) {
    apr_pool_t *pool;
    apr_proc_t child;
    apr_exit_why_e why = 0;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    if (!read_all(start(&child, mode, pool), ret_child))
        CHECK_STATUS(apr_proc_kill(&child, SIGTERM), 0);
    CHECK_STATUS(apr_proc_wait(&child, &ret_child->code, &why, APR_WAIT), APR_CHILD_DONE);
    if (why != APR_PROC_EXIT)
        ret_child->code = FY_CHILD_KILLED;
    if (ret_child->code)
        printf("\nchild %s ended with %d and said:\n%s\n", mode, ret_child->code, ret_child->output);
    apr_pool_destroy(pool);
}

bool fy_child_main(int argc, char **argv, const fy_child_mode *modes, size_t count, int *ret_code) {
    program = argv[0];
    if (argc != 3 || strcmp(argv[1], child_flag) != 0)
        return false;
    fy_system_prepare();
    *ret_code = FY_CHILD_UNKNOWN_MODE;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t i = 0; i < count; i++)
        if (strcmp(argv[2], modes[i].name) == 0 && apr_initialize() == APR_SUCCESS)
            *ret_code = modes[i].run();
    return true;
}
