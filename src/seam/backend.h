/* SPDX-License-Identifier: Apache-2.0 */
/* The contract between the loop and a kernel: completion-shaped, nine functions, one vtable per backend. An op is
 * submitted and later handed back, once. This file decides what every backend promises and refuses to know how any of
 * them keeps it; timers, queues, futures and the cancelling of those live above it, once.
 *
 * What a backend promises (tests/backend_contract.c runs the same tests on each):
 *
 *   B1  submit and cancel never run user code and never deliver; only wait delivers.
 *   B2  Every submitted op is delivered exactly once, cancelled or not. Op and buffer belong to the backend from submit
 *       until then. The op is in flight, and its direction taken, until the caller takes it from the done list: what
 *       runs for those in front of it finds it as it was, with an outcome that is final.
 *   B3  At most one op per direction per file is in flight; whoever wants more queues them above.
 *   B4  wake may be called from any thread, is never lost, coalesces, and is the only such function: all others belong
 *       to the one thread that owns the backend.
 *   B5  One clock, one unit: every time is microseconds on the backend's own monotonic clock. A kernel that counts in
 *       something coarser gets its timeout rounded up, so no wait ends before its deadline for the clock's sake.
 *
 * Outcomes. A delivered op has a status: 0, APR_EOF (a read met the end of the stream), FERRY_ECANCELED, or an OS code.
 * With any but 0, count is 0. With status 0, by kind:
 *
 *   READ WRITE        `count`, at least 1, says how many bytes have moved. Short reads and short writes are the rule:
 *                     whoever needs more submits again. A READ of a datagram socket is a RECVFROM that does not ask
 *                     from where.
 *   RECVFROM SENDTO   One datagram, of `count` bytes, which may be 0; never part of one: a datagram that is too long
 *                     for its buffer is gone, with the status FERRY_ETRUNCATED. A complaint about an earlier datagram
 *                     (port unreachable) is an error status of the next op, and the file goes on working.
 *   ACCEPT            `accepted` is a connected handle, not attached, closed on exec, the deliverer's to close. Where
 *                     the other side has gone before it could be accepted, the op waits for the next one.
 *   CONNECT           Connected. After another status the file must be detached.
 *   POLL_IN POLL_OUT  A read, or a write, would not block now: it moves bytes, or tells an end or an error.
 *   CHILD             The process has ended, and was reaped where the system has such a thing: `exit` tells how.
 *
 * Cancel. A cancelled op is delivered by a later wait, with FERRY_ECANCELED unless its outcome was already final: then
 * with that outcome. A cancelled read has taken no byte, a cancelled accept no connection, a cancelled child was not
 * reaped. To cancel twice, or an op that is not in flight, does nothing.
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
#include "ferry/address.h"
#include "ferry/base.h"
#include "native.h"

typedef struct fy_backend fy_backend;
typedef struct fy_net_class fy_net_class;
typedef struct fy_op fy_op;

enum { FY_IN, FY_OUT, FY_DIRECTIONS };

/* What an op does. Even kinds occupy their file's incoming direction, odd ones the outgoing: a new pair of kinds goes
 * to the end and brings its fields to fy_op, never a function to the class. */
typedef enum fy_op_kind {
    FY_OP_READ,
    FY_OP_WRITE,
    FY_OP_RECVFROM,
    FY_OP_SENDTO,
    FY_OP_ACCEPT,
    FY_OP_CONNECT,
    FY_OP_POLL_IN,
    FY_OP_POLL_OUT,
    FY_OP_CHILD,
    FY_OP_KINDS
} fy_op_kind;

/* What a file is to the backend. */
typedef enum fy_file_use {
    FY_FILE_OWNED,    /* detach closes the handle */
    FY_FILE_BORROWED, /* attach leaves its modes and detach the handle as they are; only POLL ops, on descriptors or,
                       * where the system has them, sockets. The owner may close it before detach. */
    FY_FILE_PROCESS   /* `process` is watched, for one CHILD op; `handle` is the backend's */
} fy_file_use;

/* One open handle as a backend sees it. The caller sets `handle`, `use` and `process` and zeroes the rest before
 * attach. */
typedef struct fy_file {
    fy_handle handle;
    fy_file_use use;
    fy_process process;              /* FY_FILE_PROCESS: a child of this process that nobody else waits for */
    fy_op *in_flight[FY_DIRECTIONS]; /* submit sets it, fy_op_take clears it; the caller may ask whether it is NULL */
    void *slot;                      /* the backend's own, from attach to detach */
    fy_file_native native;           /* likewise */
} fy_file;

/* How a process ended. */
typedef struct fy_exit {
    int32_t code;   /* what it returned or passed to exit; 0 if a signal ended it */
    int32_t signal; /* the signal that ended it, or 0 */
} fy_exit;

/*              before submit    in flight     taken
 *   node       caller           backend, then caller
 *                               the done list
 *   inputs     caller writes    both read     caller
 *   outputs    -                backend       caller reads
 *   native     -                backend       -              */
struct fy_op {
    fy_node node;
    fy_file *file;
    union {
        void *buffer;     /* READ, RECVFROM: where the bytes go */
        const void *data; /* WRITE, SENDTO: where they come from */
    };
    size_t size;             /* READ, WRITE: at least 1; RECVFROM, SENDTO: may be 0 */
    union {
        size_t count;        /* out, READ WRITE RECVFROM SENDTO: bytes moved */
        fy_handle accepted;  /* out, ACCEPT */
        fy_exit exit;        /* out, CHILD */
    };
    ferry_address *address;  /* SENDTO, CONNECT: where to (SENDTO on a connected socket: NULL); RECVFROM, ACCEPT: where
                              * the peer's address goes, or NULL. It lives as long as the buffer. */
    ferry_status status;     /* out */
    fy_op_kind kind;
    bool may_end_at_once;    /* a WRITE that need not come back through wait: see submit */
    fy_op_native native;
};

/* A deadline: does not block, nor look for anything new. */
#define FY_FINISHED INT64_MIN

typedef struct fy_backend_class {
    const char *name;

    /* Returns: 0 and a backend, APR_ENOMEM, or an OS code (out of descriptors). */
    ferry_status (*open)(fy_backend **ret_backend);

    /* Frees the backend. Every file has been detached, and no other thread is inside wake or will be. */
    void (*close)(fy_backend *backend);

    int64_t (*now)(fy_backend *backend);

    /* Takes the file's handle over, as its use says: the backend makes an owned one non-blocking if it needs that.
     * Returns: 0, or an OS code, and then the handle is still the caller's (EPERM: a kind of file that no one can wait
     * for; EBADF: not open; EEXIST: attached already; ESRCH: no such process; ENOMEM, ENOSPC). */
    ferry_status (*attach)(fy_backend *backend, fy_file *file);

    /* Forgets the file and closes its handle if it is owned. None of its ops is in flight. */
    void (*detach)(fy_backend *backend, fy_file *file);

    /* The op's file is attached, the op is not in flight, and its direction is free. False: it is in flight now, and a
     * wait will deliver it. True, only for one that may end at once: its outcome stands, and nothing is delivered. */
    bool (*submit)(fy_backend *backend, fy_op *op);

    /* The op has been submitted or is all zero but for file and kind; its file is attached. */
    void (*cancel)(fy_backend *backend, fy_op *op);

    /* Delivers every outcome that is final to the end of `done`. If there is none it blocks until there is one, until
     * wake, or until `deadline_us`: a time in the past does not block, 0 says so without a look at the clock, and
     * FERRY_FOREVER is no limit; with FY_FINISHED it delivers what is in `finished`, need not ask the kernel, and
     * takes no wake: that ends the next wait that would block. It may also return early with nothing, as after a signal
     * (EINTR).
     * Returns: 0; FERRY_EFORKED; or an OS code when the kernel refused to wait. Whatever it returns, what it put into
     * `done` is delivered. */
    ferry_status (*wait)(fy_backend *backend, int64_t deadline_us, fy_list *done);

    /* The wait that is under way returns, or else the next one does. Any number of wakes before a wait count as one. */
    void (*wake)(fy_backend *backend);
} fy_backend_class;

struct fy_backend {
    const fy_backend_class *class;

    /* How handles for it are made: the system's sockets, or a simulator's own. */
    const fy_net_class *net;

    /* What a foreign loop polls for reading so as to know when a wait would deliver something or was woken; -1: none.
     * It does not tell of `finished`. */
    intptr_t wait_handle;

    /* Outcomes that are final and that the next wait delivers. Not empty: do not sleep on wait_handle. */
    fy_list finished;

    /* `now` is a clock of the backend's own, that has nothing to do with the port's. */
    bool has_virtual_time;

    /* Tasks are given a time to end in, and nobody is there to move it on: a clock that stands goes on meanwhile. */
    bool is_ending;

    /* The loop says before a wait when the next one will most likely end, or 0: a kernel that is told of two deadlines
     * at once is asked for less in between. It is a guess, and no deadline. */
    int64_t next_wait_us;

    /* The wait handle becomes readable for the deadline of a wait that is over, unless another wait comes before. */
    bool has_old_deadline;

    /* The loop says before a wait how many messages it expects from elsewhere, so that virtual time can wait for real
     * work. */
    size_t work_elsewhere;

    /* Whether what other threads have sent shall lie until the next turn. NULL: never; and it may not say so for
     * ever. */
    bool (*holds_posts)(fy_backend *backend);
};

/* The backends built in, best first, ended by NULL. The last one is the simulator, fy_sim_class: nobody gets it
 * unasked. */
extern const fy_backend_class *const fy_backends[];
extern const fy_backend_class fy_sim_class;
extern const char fy_sim_name[];

/* Their names, likewise. */
extern const char *const fy_backend_names[];

static inline int fy_op_direction(const fy_op *op) {
    return (int)op->kind & 1;
}

static inline bool fy_op_is_in_flight(const fy_op *op) {
    return op->file->in_flight[fy_op_direction(op)] == op;
}

static inline bool fy_file_is_idle(const fy_file *file) {
    return !file->in_flight[FY_IN] && !file->in_flight[FY_OUT];
}

/* Takes the oldest op from a done list, or returns NULL. From here on it is not in flight. */
static inline fy_op *fy_op_take(fy_list *done) {
    fy_node *node = fy_list_pop(done);
    if (!node)
        return NULL;
    fy_op *op = FY_CONTAINER(node, fy_op, node);
    op->file->in_flight[fy_op_direction(op)] = NULL;
    return op;
}

static inline fy_op fy_op_read(fy_file *file, void *buffer, size_t size) {
    return (fy_op){.kind = FY_OP_READ, .file = file, .buffer = buffer, .size = size};
}

static inline fy_op fy_op_write(fy_file *file, const void *data, size_t size) {
    return (fy_op){.kind = FY_OP_WRITE, .file = file, .data = data, .size = size};
}

#endif
