/* SPDX-License-Identifier: Apache-2.0 */
/* What a port supplies for worker processes: the program's own file, memory that two processes share, a child process
 * with one channel to it, and that child's end of the channel. Chosen at link time by folder, as platform.h is; what is
 * said over the channel is none of the port's business.
 *
 * A channel carries whole notes from the parent to the worker, each of FY_NOTE_SIZE bytes and with a shared memory or
 * without, and bare bytes from the worker to the parent. */
#ifndef FERRY_SEAM_PROCESS_H
#define FERRY_SEAM_PROCESS_H

#include "seam/platform.h"

/* ---- the program ---- */

enum { FY_PROGRAM_PATH_SIZE = 4096 };

/* The path of the file that this process runs, in UTF-8, absolute.
 * Returns: 0, FERRY_ENOTSUP (the system does not tell), APR_ENAMETOOLONG, or an OS code. Thread: any. */
ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]);

/* A number that changes when the file is replaced or written: of its size and the time of its last change.
 * Returns: 0, or an OS code. Thread: any. */
ferry_status fy_program_identity(const char *path, uint64_t *ret_identity);

/* ---- shared memory ----
 *
 * It has no name, so nothing is left of it when all who have it are gone, however they go. */

typedef struct fy_shared {
    void *address;
    size_t size;      /* a multiple of the page */
    fy_handle handle; /* for passing it on; -1: there is none, which is so of memory that was passed on */
} fy_shared;

/* Makes memory of at least that size, all zero, mapped for reading and writing; no process it is passed to can make it
 * smaller, where the system can see to that. Its handle is not inherited by processes.
 * Returns: 0, APR_EINVAL (0 or absurd), APR_ENOMEM, or an OS code. Thread: any. */
ferry_status fy_shared_create(size_t size, fy_shared *ret_shared);

/* Maps what another process made and passed on. The handle is taken over: it is closed before this returns, whatever
 * it returns. `size` is the creator's.
 * Returns: 0, APR_EINVAL (it is not that large), or an OS code. Thread: any. */
ferry_status fy_shared_map(fy_handle handle, size_t size, fy_shared *ret_shared);

/* Unmaps it and closes the handle, if it is still open. Sets it to all zero; closing that does nothing. Thread: any. */
void fy_shared_close(fy_shared *shared);

/* ---- the parent's side ---- */

typedef struct fy_child {
    fy_process process; /* for a file of FY_FILE_PROCESS, which reaps it */
    fy_handle channel;  /* for a file of FY_FILE_OWNED, from which the worker's bytes are read */
    uint64_t pid;       /* as users know it */
} fy_child;

/* A copy of this process's environment, in which `variable` ("NAME=value") is set as well: for fy_child_start, and
 * fy_free. Returns: 0, APR_ENOMEM, or an OS code. Thread: any, while no other one changes the environment. */
ferry_status fy_child_environment(const char *variable, void **ret_environment);

/* Starts `program` with argv (ended by NULL, argv[0] included) in that environment. Its stdin is the worker's end of a
 * new channel, its stdout and stderr are this process's own; where the system can, nothing else is inherited. It starts
 * with no signal blocked and each signal at its default. That the program could not be run may show only as the child's
 * early end.
 *
 * Whether other threads fork, spawn, allocate, hold locks or change the environment meanwhile makes no difference.
 * Returns: 0, APR_ENOMEM, or an OS code. Thread: any. */
ferry_status fy_child_start(const char *program, const char *const *argv, const void *environment,
                            fy_child *ret_child);

enum { FY_NOTE_SIZE = 32 };

/* Sends one note, with the memory's handle if there is one (only that is looked at), and never waits: a child that does
 * not read for so long that its channel is full has lost the note, and where only part of it has gone the child sees
 * the end of its parent's notes next. On Windows the handle is the child's own when it arrives.
 * Returns: 0, APR_EAGAIN (there is no room), or an OS code. Thread: any, one at a time for a child. */
ferry_status fy_child_send(const fy_child *child, const void *note, const fy_shared *shared_or_null);

/* Ends it: by force; or gently (SIGTERM), where the system knows of such a thing, else by force. One that has ended
 * but is not reaped bears it. On Windows the exit code is FY_KILLED_CODE.
 * Thread: any, until the process is detached from its backend. */
void fy_child_kill(const fy_child *child, bool by_force);

enum { FY_KILLED_CODE = 0xFE44 };

/* Gives back what fy_child_start made and no file has taken over: for a child whose channel could not be attached.
 * Kills it and reaps it. */
void fy_child_abandon(fy_child *child);

/* What is left to free once its files have been detached: nothing on POSIX, the process's handle on Windows. */
void fy_child_fini(fy_child *child);

/* ---- the worker's side ---- */

typedef struct fy_parent {
    fy_handle channel;
} fy_parent;

/* Takes the channel out of stdin, which reads as empty from here on; it is not inherited by this process's children.
 * Once per process. Returns: 0, or an OS code: stdin is no channel. Thread: main, before there are others. */
ferry_status fy_parent_open(fy_parent *ret_parent);

/* Blocks for the next note; *ret_handle is what came with it, the caller's, or as it was.
 * Returns: 0; APR_EOF: the parent is gone; or an OS code. Thread: one at a time, also while another one sends. */
ferry_status fy_parent_receive(const fy_parent *parent, void *note, fy_handle *ret_handle);

/* Sends bytes; may wait for the parent to read.
 * Returns: 0; APR_EOF: the parent is gone; or an OS code. Thread: one at a time. */
ferry_status fy_parent_send(const fy_parent *parent, const void *bytes, size_t size);

/* Blocks until the parent is gone; on POSIX, or has closed the channel, which elsewhere only shows when something is
 * received or sent. Takes nothing from the channel.
 * Thread: any, also while others receive and send. */
void fy_parent_wait_gone(const fy_parent *parent);

/* Ends this process at once, with nothing of what exit() does. */
_Noreturn void fy_process_end(int code);

#endif
