/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop answers when the system has no more descriptors to give: a status, an untouched output, and a loop that
 * can be made once there are some again. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/loops.h"

#include <apr_errno.h>
#include <sys/resource.h>

/* No descriptor is left: whatever the loop needs first, it cannot have. */
static void no_descriptors_is_a_status(void) {
    struct rlimit usual, none;
    ferry_loop *const untouched = (ferry_loop *)trace;
    ferry_loop *loop = untouched;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){0, usual.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    ferry_status status = ferry_loop_create(NULL, &loop);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &usual), 0);
    CHECK(APR_STATUS_IS_EMFILE(status));
    CHECK(loop == untouched);
    loop = new_loop();
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, mark, (void *)"a", NULL), 0);
    turn(loop);
    CHECK_STRING(trace, "a");
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(no_descriptors_is_a_status),
};

FY_TEST_MAIN("no_descriptors", tests)
