/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over a channel from the parent to the worker, byte by byte: a greeting, once, and then notes. Handles are
 * numbers that mean something in the worker alone. */
#ifndef FERRY_WIN32_NOTES_H
#define FERRY_WIN32_NOTES_H

#include "seam/process.h"

typedef struct fy_greeting {
    int64_t parent; /* the parent's process, to wait for */
} fy_greeting;

typedef struct fy_note {
    int64_t shared; /* the memory's handle, or -1 */
    char bytes[FY_NOTE_SIZE];
} fy_note;

/* How large a channel's buffers are: so much is sent without anybody reading. */
enum { FY_CHANNEL_SIZE = 64 * 1024 };

/* Writes all or nothing to the parent's end, at once. Returns: 0, APR_EAGAIN (there is no room), or an OS code. */
ferry_status fy_notes_write(HANDLE channel, const void *bytes, DWORD size);

#endif
