/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness of sockets, which Winsock's documented calls tell of to one thread that does nothing else. The driver below
 * Winsock tells of it by a packet: it is asked once for each op that has to wait, and may be asked for several ops of
 * one socket. It decides which of the driver's events make a direction ready. */
#include <winternl.h>

#include "win32/iocp.h"
#include "win32/status.h"

/* The driver's request for readiness and its events, which no header names. */
#define AFD_POLL_REQUEST 0x00012024
enum {
    AFD_RECEIVE = 0x01,
    AFD_SEND = 0x04,
    AFD_DISCONNECT = 0x08,
    AFD_ABORT = 0x10,
    AFD_LOCAL_CLOSE = 0x20,
    AFD_ACCEPT = 0x80,
    AFD_CONNECT_FAIL = 0x100
};

/* Urgent data has an event of its own, which is left out: no plain read takes it, so it would be told for ever. Where
 * the socket has it among the other bytes it is an AFD_RECEIVE. */
static const ULONG events_of[] = {
    [FY_AFD_IN] = AFD_RECEIVE | AFD_ACCEPT | AFD_DISCONNECT | AFD_ABORT | AFD_LOCAL_CLOSE | AFD_CONNECT_FAIL,
    [FY_AFD_OUT] = AFD_SEND | AFD_ABORT | AFD_LOCAL_CLOSE | AFD_CONNECT_FAIL,
};

_Static_assert(sizeof(fy_afd_poll) == 32 || sizeof(void *) == 4, "the layout is the driver's");

ferry_status fy_afd_open(fy_iocp *self) {
    static const wchar_t path[] = L"\\Device\\Afd\\Ferry";
    UNICODE_STRING name = {.Length = sizeof path - sizeof path[0],
                           .MaximumLength = sizeof path,
                           .Buffer = (wchar_t *)(uintptr_t)path};
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes, .ObjectName = &name};
    IO_STATUS_BLOCK block;
    HANDLE afd;
    if (self->afd)
        return 0;
    NTSTATUS status = NtCreateFile(&afd, SYNCHRONIZE, &attributes, &block, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                   FILE_OPEN, 0, NULL, 0);
    if (status < 0)
        return fy_status_of(RtlNtStatusToDosError(status));
    if (!CreateIoCompletionPort(afd, self->port, 0, 0)) {
        ferry_status error = fy_last_status();
        CloseHandle(afd);
        return error;
    }
    self->afd = afd;
    return 0;
}

bool fy_afd_poll_begin(fy_iocp *self, fy_op *op, int direction) {
    fy_op_native *native = &op->native;
    native->overlapped = (OVERLAPPED){.Internal = (ULONG_PTR)STATUS_PENDING};
    native->poll = (fy_afd_poll){.timeout.QuadPart = INT64_MAX,
                                 .count = 1,
                                 .handle = (HANDLE)op->file->native.base,
                                 .events = events_of[direction]};
    /* An OVERLAPPED begins with the driver's status block; and its address, as context, asks for a packet. */
    NTSTATUS status = NtDeviceIoControlFile(self->afd, NULL, NULL, &native->overlapped,
                                            (IO_STATUS_BLOCK *)(void *)&native->overlapped, AFD_POLL_REQUEST,
                                            &native->poll, sizeof native->poll, &native->poll, sizeof native->poll);
    return status >= 0 ? false : fy_op_fail(op, RtlNtStatusToDosError(status));
}

LONG fy_afd_failure(const fy_op *op) {
    const fy_afd_poll *poll = &op->native.poll;
    bool has_told = (LONG)op->native.overlapped.Internal >= 0 && poll->count && (poll->events & AFD_CONNECT_FAIL);
    return has_told ? poll->status : 0;
}
