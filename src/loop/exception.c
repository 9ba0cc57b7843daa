/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that nobody handled: how they reach the loop's exception handler, and what is written where there is none. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "loop/loop.h"

enum { TEXT_MAX = 256 };

ferry_status ferry_loop_set_exception_handler(ferry_loop *loop, ferry_exception_handler *handler, void *arg) {
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    loop->exception_handler = handler;
    loop->exception_arg = arg;
    return 0;
}

ferry_status ferry_loop_default_exception_handler(ferry_loop *loop, const ferry_report *report) {
    (void)loop;
    if (!report)
        return EINVAL;
    char text[TEXT_MAX];
    int written = fprintf(stderr, "ferry: %s%s%s%s%s\n", report->message ? report->message : "an error was not handled",
                          report->status ? ": " : "",
                          report->status ? ferry_strerror(report->status, text, sizeof text) : "",
                          report->origin ? "; made at " : "", report->origin ? report->origin : "");
    return written < 0 ? EIO : 0;
}

void fy_loop_report(ferry_loop *loop, const ferry_report *report) {
    ferry_report full = *report;
    full.size = sizeof full;
    ferry_status status = EINVAL;
    if (loop->exception_handler) {
        status = loop->exception_handler(loop, &full, loop->exception_arg);
        if (!status)
            return;
        ferry_loop_default_exception_handler(loop, &(ferry_report){
            .size = sizeof full, .message = "the exception handler itself failed", .status = status});
    }
    /* If even stderr takes nothing, there is nobody left to tell. */
    ferry_loop_default_exception_handler(loop, &full);
}

void ferry_loop_call_exception_handler(ferry_loop *loop, const ferry_report *report) {
    if (loop && report)
        fy_loop_report(loop, report);
}

void fy_loop_report_callback(ferry_loop *loop, ferry_status status, const char *origin, ferry_handle *handle) {
    fy_loop_report(loop, &(ferry_report){
        .message = "a callback failed", .status = status, .origin = origin, .handle = handle});
}

void fy_loop_report_slow(ferry_loop *loop, const char *origin, int64_t took_us) {
    char message[TEXT_MAX];
    snprintf(message, sizeof message, "a callback took %" PRId64 " us, longer than the %" PRId64 " us allowed", took_us,
             loop->slow_callback_duration_us);
    fy_loop_report(loop, &(ferry_report){.message = message, .origin = origin});
}
