/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is attached to a loop's backend, and the operations on it: the backend takes one per direction, the
 * others queue here, first in, first out. An operation and its future are one cell. It knows nothing of what the
 * operations are for.
 *
 * Which part of a cell means something, and who may touch it:
 *
 *   stage                    op                           future's outcome       the rest of the future
 *   queued in its file       the loop's                   -                      the loop's
 *   in flight                the backend's                -                      the loop's
 *   taken, ended             -                            the loop's             the loop's
 *
 * Since the op and the outcome are never needed at once they share their memory. The op holds one reference to the
 * future until it has ended. What passes between the two goes through memcpy and memset, which the compiler takes for
 * what they are: the same bytes as something else. */
#ifndef FERRY_IO_FILE_H
#define FERRY_IO_FILE_H

#include "ferry/io.h"
#include "future/future.h"
#include "seam/backend.h"
#include "seam/net.h"

typedef union fy_async_op {
    fy_op op;
    struct {
        char op_alone[sizeof(fy_op) - sizeof(fy_outcome)];
        ferry_future future;
    } ended;
} fy_async_op;

enum { FY_SOCKET_FREE, FY_SOCKET_OPEN, FY_SOCKET_CLOSING, FY_SOCKET_CLOSED };

/*   state     file                       queues     how it goes on
 *   OPEN      attached                   any        closed by the user, with its last reference, by a failed connect,
 *                                                   or with its loop
 *   CLOSING   attached, ops in flight    empty      CLOSED when the last op has come back
 *   CLOSED    detached, handle closed    empty      freed with the last reference */
struct ferry_socket {
    fy_file file;
    ferry_loop *loop;
    fy_op *last_queued[FY_DIRECTIONS]; /* a ring: its next is the oldest; NULL: none */
    const char *origin;
    uint32_t refs;                     /* the user's */
    uint8_t state;
};

/* Readies a loop for files, once. */
void fy_io_attach(ferry_loop *loop);

/* Makes a socket of a handle, which is the caller's still if that fails. Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_socket_wrap(const char *origin, ferry_loop *loop, fy_handle handle, ferry_socket **ret_socket);

/* Closes it, as soon as its ops are back, whoever holds references. */
void fy_socket_shut(ferry_socket *socket);

/* Hands an op to the backend, or queues it; the future comes back if it is asked for. */
void fy_async_op_start(fy_async_op *self, ferry_future **ret_future);

/* A socket's op has come back from the backend. */
void fy_async_op_delivered(fy_op *op);

/* cancel.c: the words of a cancellation, kept while the op is with the backend; without memory they are lost. */
void fy_cancel_note_keep(ferry_future *future, const char *message);

/* Ends the future as cancelled, with the words that were kept for it, or else with these. */
void fy_cancel_note_end(ferry_future *future, const char *message);

/* Nobody wants the words any more. */
void fy_cancel_note_drop(ferry_future *future);

/* watch.c */
void fy_watch_delivered(fy_op *op);
void fy_watch_run(ferry_handle *handle);
void fy_watch_cancelled(ferry_handle *handle);

/* Takes back all readers and writers, from the backend too. */
void fy_watch_shut_all(ferry_loop *loop);
void fy_watch_free_table(ferry_loop *loop);

#endif
