/* SPDX-License-Identifier: Apache-2.0 */
/* The channel between a parent and its worker: a named pipe. It decides how a call on a handle that is made for
 * overlapped calls is waited for, and how a write never waits; what a note says is none of its business.
 *
 * Both ends are overlapped: the system does one call after the other on a handle that is not, so that a worker which
 * receives could not send. Each call has an event of its own. Its lowest bit is set, which says that no packet is
 * wanted: the parent's end belongs to a completion port. */
#include "win32/notes.h"

#include <fcntl.h>
#include <io.h>
#include <string.h>

#include "win32/iocp.h"
#include "win32/status.h"

enum { CRT_STDIN = 0, TRANSFER_MAX = 1 << 30 };

/* ---- calls ---- */

static ferry_status open_call(OVERLAPPED *ret_call) {
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!event)
        return fy_last_status();
    *ret_call = (OVERLAPPED){.hEvent = (HANDLE)((ULONG_PTR)event | 1)};
    return 0;
}

static void close_call(OVERLAPPED *call) {
    CloseHandle((HANDLE)((ULONG_PTR)call->hEvent & ~(ULONG_PTR)1));
}

/* What became of the call once it is over, for which this waits. */
static DWORD await_call(HANDLE channel, OVERLAPPED *call, bool has_succeeded, DWORD *ret_count) {
    if (!has_succeeded && GetLastError() != ERROR_IO_PENDING)
        return GetLastError();
    return GetOverlappedResult(channel, call, ret_count, TRUE) ? 0 : GetLastError();
}

static bool is_end(DWORD error) {
    return error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA || error == ERROR_PIPE_NOT_CONNECTED
           || error == ERROR_HANDLE_EOF;
}

static ferry_status status_of_call(DWORD error) {
    return is_end(error) ? APR_EOF : fy_status_of(error);
}

/* ---- the parent's side ---- */

/* There is room for the first thing that is ever written, and so the system tells of it, or never does. */
static atomic_bool system_tells_room;

/* A write that is given up may have gone in part, and nobody would know: so where the system tells, none is begun that
 * would have to be. */
static bool has_no_room(HANDLE channel, DWORD size) {
    DWORD room = fy_pipe_room(channel);
    if (room)
        atomic_store_explicit(&system_tells_room, true, memory_order_relaxed);
    return room < size && atomic_load_explicit(&system_tells_room, memory_order_relaxed);
}

ferry_status fy_notes_write(HANDLE channel, const void *bytes, DWORD size) {
    OVERLAPPED call;
    DWORD count = 0;
    if (has_no_room(channel, size))
        return APR_EAGAIN;
    ferry_status status = open_call(&call);
    if (status)
        return status;
    BOOL has_succeeded = WriteFile(channel, bytes, size, NULL, &call);
    if (!has_succeeded && GetLastError() == ERROR_IO_PENDING) {
        (void)CancelIoEx(channel, &call); /* it fails if the call is over by now */
        SetLastError(ERROR_IO_PENDING);
    }
    DWORD error = await_call(channel, &call, has_succeeded, &count);
    close_call(&call);
    if (error)
        return error == ERROR_OPERATION_ABORTED ? APR_EAGAIN : fy_status_of(error);
    return count == size ? 0 : APR_EAGAIN;
}

ferry_status fy_child_send(const fy_child *child, const void *bytes, const fy_shared *shared_or_null) {
    HANDLE process = (HANDLE)child->process, theirs = INVALID_HANDLE_VALUE;
    fy_note note;
    if (shared_or_null && !DuplicateHandle(GetCurrentProcess(), (HANDLE)shared_or_null->handle, process, &theirs, 0,
                                           FALSE, DUPLICATE_SAME_ACCESS))
        return fy_last_status();
    note.shared = (int64_t)(intptr_t)theirs;
    memcpy(note.bytes, bytes, FY_NOTE_SIZE);
    ferry_status status = fy_notes_write((HANDLE)child->channel, &note, sizeof note);
    if (status && shared_or_null)
        (void)DuplicateHandle(process, theirs, NULL, NULL, 0, FALSE, DUPLICATE_CLOSE_SOURCE);
    return status;
}

/* ---- the worker's side ---- */

/* The process that fy_parent_open has met. */
static HANDLE parent_process;

static ferry_status read_all(HANDLE channel, void *bytes, DWORD size) {
    OVERLAPPED call;
    ferry_status status = open_call(&call);
    if (status)
        return status;
    HANDLE event = call.hEvent;
    for (DWORD total = 0, count = 0; !status && total < size; total += count) {
        call = (OVERLAPPED){.hEvent = event};
        BOOL has_succeeded = ReadFile(channel, (char *)bytes + total, size - total, NULL, &call);
        status = status_of_call(await_call(channel, &call, has_succeeded, &count));
    }
    close_call(&call);
    return status;
}

/* The C library's stdin is the system's, and closing the one closes the other. */
static ferry_status empty_stdin(void) {
    int empty = _open("NUL", _O_RDONLY | _O_BINARY);
    if (empty < 0)
        return fy_last_status();
    int failed = _dup2(empty, CRT_STDIN);
    (void)_close(empty);
    if (failed)
        return fy_status_of(ERROR_INVALID_HANDLE);
    return SetStdHandle(STD_INPUT_HANDLE, (HANDLE)_get_osfhandle(CRT_STDIN)) ? 0 : fy_last_status();
}

ferry_status fy_parent_open(fy_parent *ret_parent) {
    HANDLE self = GetCurrentProcess(), input = GetStdHandle(STD_INPUT_HANDLE), channel;
    fy_greeting greeting;
    if (GetFileType(input) != FILE_TYPE_PIPE || fy_handle_is_synchronous(input))
        return fy_status_of(ERROR_BAD_PIPE);
    if (!DuplicateHandle(self, input, self, &channel, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return fy_last_status();
    ferry_status status = read_all(channel, &greeting, sizeof greeting);
    if (!status)
        status = empty_stdin();
    if (status) {
        CloseHandle(channel);
        return status;
    }
    parent_process = (HANDLE)(intptr_t)greeting.parent;
    ret_parent->channel = (fy_handle)channel;
    return 0;
}

ferry_status fy_parent_receive(const fy_parent *parent, void *bytes, fy_handle *ret_handle) {
    fy_note note;
    ferry_status status = read_all((HANDLE)parent->channel, &note, sizeof note);
    if (status)
        return status;
    memcpy(bytes, note.bytes, FY_NOTE_SIZE);
    if (note.shared != -1)
        *ret_handle = (fy_handle)note.shared;
    return 0;
}

static ferry_status write_some(HANDLE channel, const char *bytes, size_t size, DWORD *ret_count) {
    OVERLAPPED call;
    ferry_status status = open_call(&call);
    if (status)
        return status;
    BOOL has_succeeded = WriteFile(channel, bytes, size < TRANSFER_MAX ? (DWORD)size : TRANSFER_MAX, NULL, &call);
    status = status_of_call(await_call(channel, &call, has_succeeded, ret_count));
    close_call(&call);
    return status;
}

ferry_status fy_parent_send(const fy_parent *parent, const void *bytes, size_t size) {
    const char *next = bytes;
    ferry_status status = 0;
    for (DWORD count = 0; !status && size; next += count, size -= count)
        status = write_some((HANDLE)parent->channel, next, size, &count);
    return status;
}

void fy_parent_wait_gone(const fy_parent *parent) {
    (void)parent;
    WaitForSingleObject(parent_process, INFINITE);
}
