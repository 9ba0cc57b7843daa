/* SPDX-License-Identifier: Apache-2.0 */
/* An exception handler that keeps what it is told, and a way to read what goes to stderr where no handler is set. */
#ifndef FERRY_TESTS_SUPPORT_REPORTS_H
#define FERRY_TESTS_SUPPORT_REPORTS_H

#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>

#include "ferry/loop.h"
#include "support/harness.h"

/* ---- a handler ---- */

typedef struct report_copy {
    ferry_loop *loop;
    ferry_status status;
    char message[256];
    char origin[256];
    ferry_handle *handle;
    ferry_future *future;
} report_copy;

typedef struct report_log {
    size_t count;
    report_copy all[16];
} report_log;

static inline ferry_status keep_report(ferry_loop *loop, const ferry_report *report, void *arg) {
    report_log *log = arg;
    CHECK(log->count < sizeof log->all / sizeof log->all[0]);
    CHECK_INT(report->size, sizeof *report);
    CHECK(report->message && *report->message);
    report_copy *copy = &log->all[log->count++];
    *copy = (report_copy){loop, report->status, "", "", report->handle, report->future};
    snprintf(copy->message, sizeof copy->message, "%s", report->message);
    snprintf(copy->origin, sizeof copy->origin, "%s", report->origin ? report->origin : "");
    return 0;
}

/* The report on what was made at this line of the calling file, or NULL. */
#define report_of_line(log, line) report_of_origin(log, __FILE__, line)

static inline const report_copy *report_of_origin(const report_log *log, const char *file, int line) {
    char origin[256];
    snprintf(origin, sizeof origin, "%s:%d", file, line);
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->all[i].origin, origin) == 0)
            return &log->all[i];
    return NULL;
}

/* ---- stderr ---- */

typedef struct stderr_capture {
    apr_pool_t *pool;
    apr_file_t *stderr_file;
    apr_file_t *kept;
    apr_file_t *file;
    char text[4096];
} stderr_capture;

/* From here on stderr goes to a file, until stderr_restore puts what was written into `text`. */
static inline void stderr_divert(stderr_capture *capture) {
    char name[] = "ferry-stderr-XXXXXX";
    fflush(stderr);
    CHECK_STATUS(apr_pool_create(&capture->pool, NULL), 0);
    CHECK_STATUS(apr_file_mktemp(&capture->file, name, 0, capture->pool), 0);
    CHECK_STATUS(apr_file_open_stderr(&capture->stderr_file, capture->pool), 0);
    CHECK_STATUS(apr_file_dup(&capture->kept, capture->stderr_file, capture->pool), 0);
    CHECK_STATUS(apr_file_dup2(capture->stderr_file, capture->file, capture->pool), 0);
}

static inline void stderr_restore(stderr_capture *capture) {
    apr_off_t start = 0;
    apr_size_t size = sizeof capture->text - 1;
    fflush(stderr);
    apr_status_t status = apr_file_dup2(capture->stderr_file, capture->kept, capture->pool);
    CHECK_STATUS(status, 0);
    CHECK_STATUS(apr_file_seek(capture->file, APR_SET, &start), 0);
    if (apr_file_read(capture->file, capture->text, &size))
        size = 0;
    capture->text[size] = '\0';
    apr_pool_destroy(capture->pool);
}

/* Whether the text says the status, as a number or in words. */
static inline bool says_status(const char *text, ferry_status status) {
    char words[128], number[16];
    snprintf(number, sizeof number, "%d", status);
    return strstr(text, number) || strstr(text, ferry_strerror(status, words, sizeof words));
}

static inline size_t count_lines(const char *text) {
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

#endif
