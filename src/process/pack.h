/* SPDX-License-Identifier: Apache-2.0 */
/* How items lie in a pack. Each begins with a byte that says what it is; then, without alignment:
 *
 *     integer, unsigned, real    8 bytes
 *     bool                       1 byte, 0 or 1
 *     string                     size with the terminator, the characters
 *     bytes, struct              size, zeros up to a multiple of FY_PACK_ALIGNMENT from the pack's beginning, the bytes
 *     array                      size of an element, count, zeros likewise, the elements
 *
 * Sizes and counts are a size_t. */
#ifndef FERRY_PROCESS_PACK_H
#define FERRY_PROCESS_PACK_H

#include "ferry/pack.h"

typedef enum fy_pack_kind {
    FY_PACK_INTEGER = 'i',
    FY_PACK_UNSIGNED = 'u',
    FY_PACK_REAL = 'r',
    FY_PACK_BOOL = 'b',
    FY_PACK_STRING = 's',
    FY_PACK_BYTES = 'B',
    FY_PACK_STRUCT = 'S',
    FY_PACK_ARRAY = 'A'
} fy_pack_kind;

/* What any type is content with, on every system that is known. */
enum { FY_PACK_ALIGNMENT = 16 };

/* How many bytes lie between there and the next aligned place. */
static inline size_t fy_pack_padding(size_t position) {
    return (FY_PACK_ALIGNMENT - position % FY_PACK_ALIGNMENT) % FY_PACK_ALIGNMENT;
}

#endif
