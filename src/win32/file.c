/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching: which handles can be waited for, and what the ops must know of each. Sockets are told from other handles
 * by asking Winsock. Of the others the port takes pipes that were opened for overlapped calls; disk files are never
 * waited for, and what else there is (consoles, anonymous pipes) cannot be. */
#include <errno.h>

#include <winternl.h>

#include "base/assert.h"
#include "win32/iocp.h"
#include "win32/sockets.h"
#include "win32/status.h"

#ifndef SIO_BASE_HANDLE
#define SIO_BASE_HANDLE 0x48000022
#endif

/* FileModeInformation, and the two modes of a handle whose calls all block. */
enum { MODE_INFORMATION = 16, FILE_IS_SYNCHRONOUS = 0x10 | 0x20 };

/* From now on a call which succeeds at once sends no packet. */
static bool skip_packets(HANDLE handle) {
    return SetFileCompletionNotificationModes(handle,
                                              FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE);
}

bool fy_handle_is_synchronous(HANDLE handle) {
    IO_STATUS_BLOCK block;
    ULONG mode = 0;
    NTSTATUS status =
        NtQueryInformationFile(handle, &block, &mode, sizeof mode, (FILE_INFORMATION_CLASS)MODE_INFORMATION);
    return status >= 0 && (mode & FILE_IS_SYNCHRONOUS);
}

/* It has a port already, or was not made for overlapped calls. */
static ferry_status port_status(HANDLE handle, DWORD error) {
    if (error != ERROR_INVALID_PARAMETER)
        return fy_status_of(error);
    return fy_handle_is_synchronous(handle) ? EPERM : EEXIST;
}

/* ---- sockets ---- */

/* Returns false for what is no socket. */
static bool classify_socket(fy_file *file, WSAPROTOCOL_INFOW *ret_protocol) {
    int size = sizeof *ret_protocol;
    SOCKET socket = (SOCKET)file->handle;
    if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)ret_protocol, &size) != 0)
        return false;
    file->native.is_socket = true;
    file->native.is_datagram = ret_protocol->iSocketType == SOCK_DGRAM;
    file->native.family = ret_protocol->iAddressFamily;
    DWORD written;
    if (WSAIoctl(socket, SIO_BASE_HANDLE, NULL, 0, &file->native.base, sizeof file->native.base, &written, NULL, NULL))
        file->native.base = socket;
    return true;
}

/* Only what is the kernel's own handle keeps the promise. */
static bool is_kernels(const WSAPROTOCOL_INFOW *protocol) {
    return protocol->dwServiceFlags1 & XP1_IFS_HANDLES;
}

static ferry_status attach_socket(fy_iocp *self, fy_file *file, const WSAPROTOCOL_INFOW *protocol) {
    HANDLE handle = (HANDLE)file->handle;
    u_long on = 1;
    if (ioctlsocket((SOCKET)file->handle, (long)FIONBIO, &on) != 0)
        return fy_socket_status();
    if (!CreateIoCompletionPort(handle, self->port, 0, 0))
        return port_status(handle, GetLastError());
    file->native.skips_packets = is_kernels(protocol) && skip_packets(handle);
    return 0;
}

/* ---- pipes ---- */

/* A message that is read in part is neither a success nor a failure. */
static bool has_no_messages(HANDLE pipe) {
    DWORD state;
    return GetNamedPipeHandleStateW(pipe, &state, NULL, NULL, NULL, NULL, 0) && !(state & PIPE_READMODE_MESSAGE);
}

static ferry_status attach_pipe(fy_iocp *self, fy_file *file) {
    HANDLE handle = (HANDLE)file->handle;
    DWORD type = GetFileType(handle), error = GetLastError();
    if (type == FILE_TYPE_UNKNOWN && error != NO_ERROR)
        return fy_status_of(error);
    if (type != FILE_TYPE_PIPE || fy_handle_is_synchronous(handle))
        return EPERM;
    if (!CreateIoCompletionPort(handle, self->port, 0, 0))
        return port_status(handle, GetLastError());
    file->native.tells_room = fy_pipe_room(handle) > 0; /* it is most likely empty now */
    file->native.skips_packets = has_no_messages(handle) && skip_packets(handle);
    return 0;
}

/* ---- all ---- */

static ferry_status attach_by_kind(fy_iocp *self, fy_file *file) {
    WSAPROTOCOL_INFOW protocol;
    if (!classify_socket(file, &protocol))
        return file->use == FY_FILE_BORROWED ? EPERM : attach_pipe(self, file);
    ferry_status status = fy_afd_open(self);
    if (!status && file->use == FY_FILE_OWNED)
        status = attach_socket(self, file, &protocol);
    return status;
}

ferry_status fy_iocp_attach(fy_backend *backend, fy_file *file) {
    file->native = (fy_file_native){0};
    return file->use == FY_FILE_PROCESS ? fy_child_attach(file) : attach_by_kind(fy_iocp_of(backend), file);
}

void fy_iocp_detach(fy_backend *backend, fy_file *file) {
    (void)backend;
    FY_ASSERT(!file->in_flight[FY_IN]);
    FY_ASSERT(!file->in_flight[FY_OUT]);
    if (file->use == FY_FILE_BORROWED)
        return;
    if (file->native.is_socket)
        closesocket((SOCKET)file->handle);
    else
        CloseHandle((HANDLE)file->handle);
}
