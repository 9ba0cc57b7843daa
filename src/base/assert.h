/* SPDX-License-Identifier: Apache-2.0 */
/* The assertion that stays on in release builds: for misuse that would corrupt memory or lose work, never for what the
 * world may do to a correct program. It decides what is printed before the program ends. */
#ifndef FERRY_BASE_ASSERT_H
#define FERRY_BASE_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#include "ferry/base.h"

#define FY_ASSERT(condition) ((condition) ? (void)0 : fy_assert_failed(#condition, FERRY_HERE))

static inline _Noreturn void fy_assert_failed(const char *condition, const char *where) {
    fprintf(stderr, "ferry: %s: this must hold, and does not: %s\n", where, condition);
    abort();
}

#endif
