/* SPDX-License-Identifier: Apache-2.0 */
/* Large pages where the system takes a hint for them. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MADV_HUGEPAGE
/* With the pages at its borders, whoever has the rest of them: so that blocks side by side become one range, whose
 * large pages need not respect the blocks' borders. */
void fy_pages_expect_use(void *block, size_t size) {
    int error = errno;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)block / page * page;
    uintptr_t end = ((uintptr_t)block + size + page - 1) / page * page;
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* refused: all stays as it was */
    errno = error;
}
#else
void fy_pages_expect_use(void *block, size_t size) {
    (void)block;
    (void)size;
}
#endif
