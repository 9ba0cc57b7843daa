/* SPDX-License-Identifier: Apache-2.0 */
/* The backend on an I/O completion port, in several files: iocp.c is its life, waiting and waking; file.c attaches;
 * ops.c begins ops and takes their packets, with pipe.c, afd.c and child.c for the kinds that are none of the port's
 * own.
 *
 * An op is in one of these states:
 *
 *   idle       not in flight
 *   pending    the kernel has its OVERLAPPED, and will queue exactly one packet that points to it
 *   final      (is_final) the outcome stands; the op is in `finished` until a wait delivers it
 *
 * Only a packet leads from pending to final: a cancelled op stays pending until the kernel has said how it ended. A
 * call that ends at once leads from idle to final, unless the kernel sends its packet all the same. */
#ifndef FERRY_WIN32_IOCP_H
#define FERRY_WIN32_IOCP_H

#include <stdatomic.h>

#include "seam/backend.h"

typedef struct fy_iocp {
    fy_backend base;
    HANDLE port;
    HANDLE afd;   /* tells of the readiness of sockets; NULL until the first one is attached */
    HANDLE timer; /* keeps microseconds; NULL: there is none */
    bool timer_has_fired;
    atomic_bool is_wake_posted; /* a wake's packet is in the port */
} fy_iocp;

extern const fy_backend_class fy_iocp_class;

static inline fy_iocp *fy_iocp_of(fy_backend *backend) {
    return (fy_iocp *)backend;
}

/* A wake is worth waiting for: without it somebody would sleep for ever. So where the kernel has no memory for a packet
 * it is asked again. Thread: any. */
void fy_iocp_post(HANDLE port, OVERLAPPED *overlapped);

ferry_status fy_iocp_attach(fy_backend *backend, fy_file *file);
void fy_iocp_detach(fy_backend *backend, fy_file *file);

/* Whether each call on the handle blocks, and all others on it meanwhile. */
bool fy_handle_is_synchronous(HANDLE handle);

/* The next three return true when the outcome stands. The first starts the op, the second is told that its packet has
 * come, the third asks the kernel to give it up. */
bool fy_iocp_begin(fy_iocp *self, fy_op *op);
bool fy_iocp_continue(fy_iocp *self, fy_op *op);
bool fy_iocp_give_up(fy_iocp *self, fy_op *op);

/* What every kind ends with. */
static inline bool fy_op_end(fy_op *op, ferry_status status, size_t count) {
    op->status = status;
    op->count = count;
    return true;
}

/* The op failed, or was cancelled before it could. */
bool fy_op_fail(fy_op *op, DWORD error);

/* After a call that was given the op's OVERLAPPED: goes on as if the packet had come if none will. */
bool fy_iocp_started(fy_iocp *self, fy_op *op, bool has_succeeded, DWORD error, DWORD count);

/* What has become of a pending call: 0, or the error that it would have had at once. *ret_count is set. */
DWORD fy_iocp_result(const fy_op *op, DWORD *ret_count);

/* ---- afd.c ---- */

enum { FY_AFD_IN, FY_AFD_OUT };

ferry_status fy_afd_open(fy_iocp *self);

/* Has a packet sent when the op's socket is ready in this direction. Returns true if the kernel refuses, with the op's
 * outcome. */
bool fy_afd_poll_begin(fy_iocp *self, fy_op *op, int direction);

/* What the packet has told of the socket's failure; not negative: nothing. */
LONG fy_afd_failure(const fy_op *op);

/* ---- child.c ---- */

ferry_status fy_child_attach(fy_file *file);
bool fy_child_begin(fy_iocp *self, fy_op *op);
bool fy_child_continue(fy_op *op);
bool fy_child_give_up(fy_op *op);

/* ---- pipe.c ---- */

/* How many bytes can be written to this pipe at once; 0 also where the system does not tell. */
DWORD fy_pipe_room(HANDLE pipe);

bool fy_pipe_read(fy_iocp *self, fy_op *op);
bool fy_pipe_write(fy_iocp *self, fy_op *op);

#endif
