/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a port's clock, whatever system it is: its public name, and the way between a timeout, which counts
 * from now, and a deadline, which does not. */
#include "seam/platform.h"

int64_t ferry_now(void) {
    return fy_clock_now();
}

int64_t fy_clock_left(int64_t deadline_us) {
    if (deadline_us <= 0)
        return 0;
    if (deadline_us == FERRY_FOREVER)
        return FERRY_FOREVER;
    int64_t now_us = fy_clock_now();
    return deadline_us > now_us ? deadline_us - now_us : 0;
}

int64_t fy_deadline_after(int64_t timeout_us) {
    return timeout_us == FERRY_FOREVER ? FERRY_FOREVER : fy_time_after(fy_clock_now(), timeout_us);
}
