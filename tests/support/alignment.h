/* SPDX-License-Identifier: Apache-2.0 */
/* The type that needs the strictest alignment, for compilers whose C library does not name it as C11 asks. */
#ifndef FERRY_TESTS_SUPPORT_ALIGNMENT_H
#define FERRY_TESTS_SUPPORT_ALIGNMENT_H

typedef union fy_max_align {
    long long integer;
    long double number;
    void *pointer;
    void (*function)(void);
} fy_max_align;

#endif
