/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of futures share: a loop whose memory is counted and whose reports are kept, callbacks that leave
 * letters, and turns made until nothing is left to run. It knows nothing of what a test wants to see. */
#ifndef FERRY_TESTS_SUPPORT_FUTURES_H
#define FERRY_TESTS_SUPPORT_FUTURES_H

#include <apr_errno.h>

#include "support/allocator.h"
#include "support/loops.h"
#include "support/reports.h"

/* Of the running test. */
static ferry_loop *loop;
static report_log reports;

static inline void begin(void) {
    allocator_refuse(0, false);
    allocator_install();
    loop = new_loop();
    reports = (report_log){0};
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &reports), 0);
}

static inline void check_nothing_is_left(void) {
    CHECK_INT(atomic_load(&live_blocks), 0);
}

/* Closes the loop: nothing may be left, and this many reports must have come. */
static inline void end_with_reports(size_t count) {
    end_loop(loop);
    CHECK_INT(reports.count, count);
    check_nothing_is_left();
}

static inline void end(void) {
    end_with_reports(0);
}

/* Makes turns until nothing is ready. */
static inline void settle(void) {
    do
        turn(loop);
    while (ferry_loop_next_deadline(loop) <= clock_of(loop));
}

/* ---- futures ---- */

static inline ferry_future *make(void) {
    return new_future(loop);
}

static inline void make_all(ferry_future **futures, size_t count) {
    for (size_t i = 0; i < count; i++)
        futures[i] = make();
}

static inline void resolve(ferry_future *future, int64_t value) {
    CHECK_STATUS(ferry_future_set_integer(future, value), 0);
}

static inline void fail(ferry_future *future, ferry_status status, const char *message) {
    CHECK_STATUS(ferry_future_set_error(future, status, "%s", message), 0);
}

static inline void run_until(ferry_future *future) {
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK(ferry_future_done(future));
}

/* ---- callbacks ---- */

static inline ferry_status mark_done(ferry_future *future, void *letter) {
    CHECK(ferry_future_done(future));
    leave(*(const char *)letter);
    return 0;
}

static inline void add_mark(ferry_future *future, const char *letter) {
    CHECK_STATUS(ferry_future_add_done_callback(future, mark_done, (void *)(uintptr_t)letter, NULL), 0);
}

/* The handle is the caller's. */
static inline ferry_handle *add_mark_handle(ferry_future *future, const char *letter) {
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_future_add_done_callback(future, mark_done, (void *)(uintptr_t)letter, &handle), 0);
    return handle;
}

/* ---- values that tell what became of them ---- */

static int frees;

static inline void count_free(void *value) {
    CHECK(value);
    frees++;
}

#endif
