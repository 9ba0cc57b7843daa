/* SPDX-License-Identifier: Apache-2.0 */
/* Microseconds as the kernel's calls take them. */
#ifndef FERRY_WIN32_CLOCK_H
#define FERRY_WIN32_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "native.h"

/* Milliseconds, rounded up, for a wait of this length; at most a day, so whoever waits looks at the clock and goes on.
 * FERRY_FOREVER is INFINITE. */
DWORD fy_timeout_ms(int64_t left_us);

/* A timer that keeps microseconds, or NULL where the system has none. */
HANDLE fy_timer_open(void);

/* Due after `left_us`, a day at most; then `run`, if it is not NULL, is queued to the calling thread. */
bool fy_timer_set(HANDLE timer, int64_t left_us, PTIMERAPCROUTINE run, void *arg);

#endif
