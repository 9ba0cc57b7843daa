/* SPDX-License-Identifier: Apache-2.0 */
/* Large pages: a program gets them on Windows only by a privilege of its user's, so there is nothing to hint at. */
#include "base/pages.h"

void fy_pages_expect_use(void *block, size_t size) {
    (void)block;
    (void)size;
}
