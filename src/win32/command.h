/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments in the form that the system passes them on in: one text. The environment's is fy_child_environment. */
#ifndef FERRY_WIN32_COMMAND_H
#define FERRY_WIN32_COMMAND_H

#include "native.h"

/* The command line from which a C library's start makes the same argv again. It is the caller's, to free.
 * Returns: 0, APR_ENOMEM, or an OS code: an argument is no UTF-8. */
ferry_status fy_command_line(const char *const *argv, wchar_t **ret_line);

#endif
