/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on bits that C11 has no word for. */
#ifndef FERRY_BASE_BITS_H
#define FERRY_BASE_BITS_H

#include <stdint.h>

/* How many bits the number has: 0 for 0, 1 for 1, 2 for 2 and 3, ... */
static inline unsigned fy_bit_length(uint64_t number) {
#if defined(__GNUC__)
    return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
#else
    unsigned bits = 0;
    for (; number; number >>= 1)
        bits++;
    return bits;
#endif
}

#endif
