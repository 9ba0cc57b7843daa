/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of locks, queues and the like share: calls that must succeed, and outcomes read and let go of in one
 * line. On the loop of support/futures.h. */
#ifndef FERRY_TESTS_SUPPORT_SYNC_H
#define FERRY_TESTS_SUPPORT_SYNC_H

#include "ferry/sync.h"
#include "ferry/task.h"
#include "support/futures.h"

/* The future of a call that has one as its last argument, and must start. */
#define STARTED(call, ...) start_checked(call(__VA_ARGS__, &started), FERRY_HERE)

static ferry_future *started;

static inline ferry_future *start_checked(ferry_status status, const char *where) {
    fy_check_status(status, 0, where, __FILE__, __LINE__);
    ferry_future *future = started;
    started = NULL;
    CHECK(future);
    return future;
}

/* It must be done with this status; it is let go of. */
static inline void ends_with(ferry_future *future, ferry_status status) {
    CHECK(ferry_future_done(future));
    CHECK_STATUS(ferry_future_status(future), status);
    ferry_future_unref(future);
}

static inline void is_granted(ferry_future *future) {
    ends_with(future, 0);
}

static inline void cancel_pending(ferry_future *future) {
    CHECK(!ferry_future_done(future));
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_cancelled(future));
}

/* Which of them are done with a result, as letters: "a" the first. */
static inline const char *granted(ferry_future *const *futures, size_t count) {
    static char letters[32];
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        if (ferry_future_done(futures[i]) && ferry_future_status(futures[i]) == 0)
            letters[length++] = (char)('a' + i);
    letters[length] = '\0';
    return letters;
}

/* ---- tasks ---- */

static inline ferry_task *start_task(ferry_function *function, void *arg) {
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, function, arg, &task), 0);
    CHECK(task);
    return task;
}

static inline void run_task(ferry_function *function, void *arg) {
    ferry_task *task = start_task(function, arg);
    run_until(task);
    ends_with(task, 0);
}

#endif
