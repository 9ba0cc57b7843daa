/* SPDX-License-Identifier: Apache-2.0 */
/* How a command line and an environment are put together. It decides what is quoted: every argument, for the rules of
 * what need not be are longer than these. */
#include "win32/command.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/alloc.h"
#include "seam/process.h"
#include "win32/status.h"
#include "win32/text.h"

/* ---- the command line ---- */

static char *put_backslashes(char *next, size_t count) {
    memset(next, '\\', count);
    return next + count;
}

/* In quotes. Backslashes stand for themselves, but before a quote two stand for one: so also at the end, where the
 * closing quote follows. A quote itself needs one more. */
static char *put_quoted(char *next, const char *argument) {
    size_t backslashes = 0;
    *next++ = '"';
    for (; *argument; argument++) {
        if (*argument == '"')
            next = put_backslashes(next, backslashes + 1);
        backslashes = *argument == '\\' ? backslashes + 1 : 0;
        *next++ = *argument;
    }
    next = put_backslashes(next, backslashes);
    *next++ = '"';
    return next;
}

/* Each byte of an argument becomes two at most, between two quotes and a space. */
ferry_status fy_command_line(const char *const *argv, wchar_t **ret_line) {
    size_t size = 1;
    for (size_t i = 0; argv[i]; i++)
        size += 2 * strlen(argv[i]) + 3;
    char *line = malloc(size);
    if (!line)
        return APR_ENOMEM;
    char *next = line;
    for (size_t i = 0; argv[i]; i++) {
        if (i)
            *next++ = ' ';
        next = put_quoted(next, argv[i]);
    }
    *next = '\0';
    ferry_status status = fy_text_widen(line, ret_line);
    free(line);
    return status;
}

/* ---- the environment ---- */

static size_t block_length(const wchar_t *block) {
    const wchar_t *next = block;
    while (*next)
        next += wcslen(next) + 1;
    return (size_t)(next - block);
}

/* Upper and lower case name the same variable. */
static bool is_same_variable(const wchar_t *one, const wchar_t *other, size_t name_length) {
    return _wcsnicmp(one, other, name_length) == 0 && one[name_length] == L'=';
}

/* The block is one string after the other, and an empty one at the end. */
static void put_all(wchar_t *next, const wchar_t *block, const wchar_t *variable) {
    size_t length, name_length = wcscspn(variable, L"=");
    for (; *block; block += length) {
        length = wcslen(block) + 1;
        if (is_same_variable(block, variable, name_length))
            continue;
        wmemcpy(next, block, length);
        next += length;
    }
    length = wcslen(variable) + 1;
    wmemcpy(next, variable, length);
    next[length] = L'\0';
}

ferry_status fy_child_environment(const char *variable, void **ret_environment) {
    wchar_t *wide = NULL;
    ferry_status status = fy_text_widen(variable, &wide);
    if (status)
        return status;
    wchar_t *present = GetEnvironmentStringsW();
    wchar_t *block = present ? fy_malloc((block_length(present) + wcslen(wide) + 2) * sizeof *block) : NULL;
    if (block)
        put_all(block, present, wide);
    if (present)
        FreeEnvironmentStringsW(present);
    free(wide);
    *ret_environment = block;
    return block ? 0 : APR_ENOMEM;
}
