/* SPDX-License-Identifier: Apache-2.0 */
/* Where every byte of Ferry's own memory comes from: the allocator that the program set, or the C library's. Each call
 * returns NULL when there is none, and whoever asked turns that into APR_ENOMEM. */
#ifndef FERRY_BASE_ALLOC_H
#define FERRY_BASE_ALLOC_H

#include <stddef.h>

void *fy_malloc(size_t size);
void *fy_calloc(size_t size);
void *fy_realloc(void *block, size_t size);
void fy_free(void *block);

/* A copy of the text, or NULL. */
char *fy_strdup(const char *text);

#endif
