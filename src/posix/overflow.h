/* SPDX-License-Identifier: Apache-2.0 */
/* Telling whose stack it was that has run into its guard. */
#ifndef FERRY_POSIX_OVERFLOW_H
#define FERRY_POSIX_OVERFLOW_H

#include "seam/context.h"

/* The calling thread can tell from now on: it has a stack for signals. Without memory for one it cannot. */
void fy_overflow_prepare_thread(void);

/* What lies below the stack of a context. */
bool fy_context_has_guard_at(const fy_context *context, const char *address);

#endif
