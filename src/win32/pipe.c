/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing pipes by overlapped calls. It decides how much a write offers: as much as the pipe has room for,
 * which ends at once, or a single byte, which waits for room. A write of more could be given up when the reader has
 * taken part of it, and nobody would know how much. Where the system does not tell of the room (Wine does not) that is
 * the risk of a write which is given up. */
#include <winternl.h>

#include "win32/iocp.h"

enum { PIPE_LOCAL_INFORMATION = 24, TRANSFER_MAX = 1 << 30, UNTOLD_MAX = 4096 };

/* FilePipeLocalInformation and its struct, which not every header has. */
typedef struct pipe_information {
    ULONG type, configuration, instances_max, instances, read_quota, read_available, write_quota, write_available,
        state, end;
} pipe_information;

static pipe_information inform(HANDLE pipe) {
    IO_STATUS_BLOCK block;
    pipe_information information = {0};
    NTSTATUS status = NtQueryInformationFile(pipe, &block, &information, sizeof information,
                                             (FILE_INFORMATION_CLASS)PIPE_LOCAL_INFORMATION);
    return status >= 0 ? information : (pipe_information){0};
}

DWORD fy_pipe_room(HANDLE pipe) {
    return inform(pipe).write_available;
}

static DWORD offered(const fy_op *op) {
    DWORD size = op->size < UNTOLD_MAX ? (DWORD)op->size : UNTOLD_MAX;
    if (!op->file->native.tells_room)
        return size;
    DWORD room = fy_pipe_room((HANDLE)op->file->handle);
    if (!room)
        return 1;
    return op->size < room ? (DWORD)op->size : room;
}

bool fy_pipe_read(fy_iocp *self, fy_op *op) {
    DWORD count = 0, size = op->size < TRANSFER_MAX ? (DWORD)op->size : TRANSFER_MAX;
    op->native.overlapped = (OVERLAPPED){0};
    BOOL has_succeeded = ReadFile((HANDLE)op->file->handle, op->buffer, size, &count, &op->native.overlapped);
    return fy_iocp_started(self, op, has_succeeded, GetLastError(), count);
}

bool fy_pipe_write(fy_iocp *self, fy_op *op) {
    DWORD count = 0;
    op->native.overlapped = (OVERLAPPED){0};
    BOOL has_succeeded =
        WriteFile((HANDLE)op->file->handle, op->data, offered(op), &count, &op->native.overlapped);
    return fy_iocp_started(self, op, has_succeeded, GetLastError(), count);
}
