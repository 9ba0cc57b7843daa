/* SPDX-License-Identifier: Apache-2.0 */
/* The exit of a process, which is a signal of its handle and no packet: a thread of the system's waits for it and posts
 * the packet. It decides who finishes the op when it is given up at the same moment. */
#include <errno.h>

#include "win32/iocp.h"
#include "win32/status.h"

/* A copy of the handle, so that the caller may close his own. */
ferry_status fy_child_attach(fy_file *file) {
    HANDLE self = GetCurrentProcess(), copy;
    if (!DuplicateHandle(self, (HANDLE)file->process, self, &copy, SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION,
                         FALSE, 0))
        return GetLastError() == ERROR_INVALID_HANDLE ? ESRCH : fy_last_status();
    if (!GetProcessId(copy)) {
        CloseHandle(copy);
        return ESRCH;
    }
    file->handle = (fy_handle)copy;
    return 0;
}

static void CALLBACK post_exit(void *arg, BOOLEAN has_timed_out) {
    fy_op *op = arg;
    (void)has_timed_out;
    atomic_store_explicit(&op->native.child.has_ended, true, memory_order_release);
    fy_iocp_post(op->native.child.port, &op->native.overlapped);
}

bool fy_child_begin(fy_iocp *self, fy_op *op) {
    op->native.child.port = self->port;
    atomic_store_explicit(&op->native.child.has_ended, false, memory_order_relaxed);
    if (RegisterWaitForSingleObject(&op->native.child.wait, (HANDLE)op->file->handle, post_exit, op, INFINITE,
                                    WT_EXECUTEONLYONCE))
        return false;
    return fy_op_fail(op, GetLastError());
}

/* Afterwards post_exit runs no more. An op that is given up too late comes here twice. */
static void stop_waiting(fy_op *op) {
    if (op->native.child.wait)
        UnregisterWaitEx(op->native.child.wait, INVALID_HANDLE_VALUE);
    op->native.child.wait = NULL;
}

bool fy_child_continue(fy_op *op) {
    DWORD code = 0;
    stop_waiting(op);
    if (!GetExitCodeProcess((HANDLE)op->file->handle, &code))
        return fy_op_fail(op, GetLastError());
    op->status = 0;
    op->exit = (fy_exit){.code = (int32_t)code};
    return true;
}

/* Either the wait has seen the exit by now, and its packet comes, or it never will. */
bool fy_child_give_up(fy_op *op) {
    stop_waiting(op);
    if (atomic_load_explicit(&op->native.child.has_ended, memory_order_acquire))
        return false;
    return fy_op_end(op, FERRY_ECANCELED, 0);
}
