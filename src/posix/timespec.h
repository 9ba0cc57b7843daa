/* SPDX-License-Identifier: Apache-2.0 */
/* Microseconds as the structs that system calls take. It decides nothing but the conversion. */
#ifndef FERRY_POSIX_TIMESPEC_H
#define FERRY_POSIX_TIMESPEC_H

#include <stdint.h>
#include <time.h>

#if defined(__linux__)
#include <linux/time_types.h>
#endif

#define FY_US_PER_S INT64_C(1000000)
#define FY_NS_PER_US INT64_C(1000)

/* A time before the clock's zero is its zero. Seconds may have 32 bits, here or in a kernel that converts them, which
 * is enough for a clock that begins with the machine: a time decades away is the last one that they hold. */
static inline struct timespec fy_timespec(int64_t us) {
    if (us < 0)
        us = 0;
    if (us > INT32_MAX * FY_US_PER_S)
        us = INT32_MAX * FY_US_PER_S;
    return (struct timespec){.tv_sec = (time_t)(us / FY_US_PER_S), .tv_nsec = (long)(us % FY_US_PER_S * FY_NS_PER_US)};
}

#if defined(__linux__)
/* For direct system calls: 64 bits wide on every architecture, whatever the C library's own struct is. */
static inline struct __kernel_timespec fy_kernel_timespec(int64_t us) {
    if (us < 0)
        us = 0;
    return (struct __kernel_timespec){.tv_sec = us / FY_US_PER_S, .tv_nsec = us % FY_US_PER_S * FY_NS_PER_US};
}
#endif

#endif
