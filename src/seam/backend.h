/* SPDX-License-Identifier: Apache-2.0 */
/* The contract between the loop and a kernel: completion-shaped, nine functions, one vtable per backend. An op is
 * submitted and later handed back, once. This file decides what every backend promises and refuses to know how any of
 * them keeps it; timers, queues, futures and the cancelling of those live above it, once.
 *
 * What a backend promises (tests/backend_contract.c runs the same tests on each):
 *
 *   B1  submit and cancel never run user code and never deliver; only wait delivers.
 *   B2  Every submitted op is delivered exactly once, cancelled or not. Op and buffer belong to the backend from submit
 *       until then.
 *   B3  At most one op per direction per file is in flight; whoever wants more queues them above.
 *   B4  wake may be called from any thread, is never lost, coalesces, and is the only such function: all others belong
 *       to the one thread that owns the backend.
 *   B5  One clock, one unit: every time is microseconds on the backend's own monotonic clock. A kernel that counts in
 *       something coarser gets its timeout rounded up, so no wait ends before its deadline for the clock's sake.
 *
 * Outcomes. A delivered op has a status: 0, APR_EOF (a read met the end of the stream), FERRY_ECANCELED, or an OS code.
 * With status 0 at least one byte has moved, and `count` says how many; with any other, count is 0. Short reads and
 * short writes are the rule: whoever needs more submits again.
 *
 * Cancel. A cancelled op is delivered by a later wait, with FERRY_ECANCELED unless its outcome was already final: then
 * with that outcome. A cancelled read has taken no byte. To cancel twice, or an op that is not in flight, does nothing.
 *
 * The end of a stream. Bytes that arrived before it, or together with it, are read first. A write to a peer that is
 * gone ends with a status; no signal is raised.
 *
 * Fork. In a child made by fork the backend still belongs to the parent, which notices nothing of what the child does:
 * there, wait answers FERRY_EFORKED and delivers nothing, wake does nothing, detach closes the child's handle though
 * ops were in flight, and close frees the child's copy. Nothing else is allowed. */
#ifndef FERRY_SEAM_BACKEND_H
#define FERRY_SEAM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "ferry/base.h"
#include "native.h"

typedef struct fy_backend fy_backend;
typedef struct fy_op fy_op;

enum { FY_IN, FY_OUT, FY_DIRECTIONS };

/* What an op does. Even kinds occupy their file's incoming direction, odd ones the outgoing: a new pair of kinds
 * (accept and connect, recvfrom and sendto) goes to the end and brings its fields to fy_op, never a function to the
 * class. */
typedef enum fy_op_kind {
    FY_OP_READ,
    FY_OP_WRITE,
    FY_OP_KINDS
} fy_op_kind;

/* One open handle as a backend sees it. The caller sets `handle` and zeroes the rest before attach. */
typedef struct fy_file {
    fy_handle handle;
    fy_op *in_flight[FY_DIRECTIONS]; /* the backend writes it; the caller may ask whether it is NULL */
    void *slot;                      /* the backend's own, from attach to detach */
    fy_file_native native;           /* likewise */
} fy_file;

/*              before submit    in flight     delivered
 *   node       caller           backend       caller, from the done list on
 *   inputs     caller writes    both read     caller
 *   outputs    -                backend       caller reads
 *   native     -                backend       -              */
struct fy_op {
    fy_node node;
    fy_file *file;
    union {
        void *buffer;     /* READ: where the bytes go */
        const void *data; /* WRITE: where they come from */
    };
    size_t size;         /* at least 1 */
    size_t count;        /* out: bytes moved */
    ferry_status status; /* out */
    fy_op_kind kind;
    fy_op_native native;
};

typedef struct fy_backend_class {
    const char *name;

    /* Returns: 0 and a backend, APR_ENOMEM, or an OS code (out of descriptors). */
    ferry_status (*open)(fy_backend **ret_backend);

    /* Frees the backend. Every file has been detached, and no other thread is inside wake or will be. */
    void (*close)(fy_backend *backend);

    int64_t (*now)(fy_backend *backend);

    /* Takes the file's handle over: the backend makes it non-blocking if it needs that, and detach will close it.
     * Returns: 0, or an OS code, and then the handle is still the caller's (EPERM: a kind of file that no one can wait
     * for; EBADF: not open; ENOMEM, ENOSPC). */
    ferry_status (*attach)(fy_backend *backend, fy_file *file);

    /* Forgets the file and closes its handle. None of its ops is in flight. */
    void (*detach)(fy_backend *backend, fy_file *file);

    /* The op's file is attached, the op is not in flight, and its direction is free. */
    void (*submit)(fy_backend *backend, fy_op *op);

    /* The op has been submitted or is all zero but for file and kind; its file is attached. */
    void (*cancel)(fy_backend *backend, fy_op *op);

    /* Delivers every outcome that is final to the end of `done`. If there is none it blocks until there is one, until
     * wake, or until `deadline_us`: a time in the past does not block, 0 says so without a look at the clock, and
     * FERRY_FOREVER is no limit. It may also return early with nothing, as after a signal (EINTR).
     * Returns: 0; FERRY_EFORKED; or an OS code when the kernel refused to wait. Whatever it returns, what it put into
     * `done` is delivered. */
    ferry_status (*wait)(fy_backend *backend, int64_t deadline_us, fy_list *done);

    /* The wait that is under way returns, or else the next one does. Any number of wakes before a wait count as one. */
    void (*wake)(fy_backend *backend);
} fy_backend_class;

struct fy_backend {
    const fy_backend_class *class;

    /* What a foreign loop polls for reading so as to know when a wait would deliver something or was woken; -1: none.
     * It does not tell of `finished`. */
    intptr_t wait_handle;

    /* Outcomes that are final and that the next wait delivers. Not empty: do not sleep on wait_handle. */
    fy_list finished;
};

/* The backends built in, best first, ended by NULL. */
extern const fy_backend_class *const fy_backends[];

/* Their names, likewise. */
extern const char *const fy_backend_names[];

static inline int fy_op_direction(const fy_op *op) {
    return (int)op->kind & 1;
}

static inline bool fy_op_is_in_flight(const fy_op *op) {
    return op->file->in_flight[fy_op_direction(op)] == op;
}

/* The oldest op of a done list, or NULL. */
static inline fy_op *fy_op_list_pop(fy_list *list) {
    fy_node *node = fy_list_pop(list);
    return node ? FY_CONTAINER(node, fy_op, node) : NULL;
}

static inline fy_op fy_op_read(fy_file *file, void *buffer, size_t size) {
    return (fy_op){.kind = FY_OP_READ, .file = file, .buffer = buffer, .size = size};
}

static inline fy_op fy_op_write(fy_file *file, const void *data, size_t size) {
    return (fy_op){.kind = FY_OP_WRITE, .file = file, .data = data, .size = size};
}

#endif
