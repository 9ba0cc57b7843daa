/* SPDX-License-Identifier: Apache-2.0 */
/* How Ferry's benchmark programs take a status: anything but success ends the program with its words. */
#ifndef FERRY_BENCH_CHECK_H
#define FERRY_BENCH_CHECK_H

#include "bench.h"

#include "ferry.h"

static inline void check(ferry_status status)
{
    char text[128];
    if (status != 0)
        bench_fail("status %d: %s", status, ferry_strerror(status, text, sizeof text));
}

#endif
