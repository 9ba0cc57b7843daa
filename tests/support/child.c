/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test program again as a child. It knows how a child is started, read and judged, and nothing of
 * its modes. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "support/child.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

enum { CHILD_DEADLINE_S = 60 };

static const char child_flag[] = "--child";

/* As main was given it. */
static const char *program;

void fy_child_run(const char *mode, fy_child *ret_child) {
    char command[4096];
    size_t room = sizeof ret_child->output - 1, length = 0, count;
    snprintf(command, sizeof command, "exec '%s' %s %s 2>&1", program, child_flag, mode);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    while (length < room && (count = fread(ret_child->output + length, 1, room - length, pipe)) > 0)
        length += count;
    ret_child->output[length] = '\0';
    int status = pclose(pipe);
    ret_child->code = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : FY_CHILD_KILLED;
    if (ret_child->code)
        printf("\nchild %s ended with %d and said:\n%s\n", mode, ret_child->code, ret_child->output);
}

bool fy_child_main(int argc, char **argv, const fy_child_mode *modes, size_t count, int *ret_code) {
    program = argv[0];
    if (argc != 3 || strcmp(argv[1], child_flag) != 0)
        return false;
    *ret_code = FY_CHILD_UNKNOWN_MODE;
    setvbuf(stdout, NULL, _IONBF, 0);
    alarm(CHILD_DEADLINE_S);
    for (size_t i = 0; i < count; i++)
        if (strcmp(argv[2], modes[i].name) == 0 && apr_initialize() == APR_SUCCESS)
            *ret_code = modes[i].run();
    return true;
}
