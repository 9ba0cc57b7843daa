/* SPDX-License-Identifier: Apache-2.0 */
/* What the port knows of memory pages. */
#ifndef FERRY_BASE_PAGES_H
#define FERRY_BASE_PAGES_H

#include <stddef.h>

/* From here on a block is worth asking for. */
enum { FY_PAGES_WORTH_BYTES = 2 * 1024 * 1024 };

/* Says that the whole block will be written to soon, so that the system may back it by large pages: first touches of
 * small ones are what filling a large block costs. A hint; the block may lie anywhere. Thread: any. */
void fy_pages_expect_use(void *block, size_t size);

#endif
