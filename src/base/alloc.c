/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator in force. It is set before the first object exists, so reading it needs no lock. */
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/base.h"

static ferry_allocator current = {malloc, realloc, free};

ferry_status ferry_set_allocator(const ferry_allocator *allocator) {
    if (!allocator)
        return EINVAL;
    bool all = allocator->malloc && allocator->realloc && allocator->free;
    bool none = !allocator->malloc && !allocator->realloc && !allocator->free;
    if (!all && !none)
        return EINVAL;
    current = all ? *allocator : (ferry_allocator){malloc, realloc, free};
    return 0;
}

void *fy_malloc(size_t size) {
    return current.malloc(size);
}

void *fy_calloc(size_t size) {
    void *block = current.malloc(size);
    if (block)
        memset(block, 0, size);
    return block;
}

void *fy_realloc(void *block, size_t size) {
    return current.realloc(block, size);
}

void fy_free(void *block) {
    if (block)
        current.free(block);
}

char *fy_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = fy_malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}
