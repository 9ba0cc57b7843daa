/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool and a worker process say to each other, and where.
 *
 * Over the channel: from the pool notes, from the worker one hello and then bells, a byte each. A byte that is anything
 * else ends the worker: there is no way back into step, by design.
 *
 * In the arena, a memory that the two share, lie the cells: a ring in which the pool fills one after the other and the
 * worker serves them in that order. A cell holds a job's argument and then its result; what is too large for it lies in
 * a segment, another shared memory, that the pool has made and announced by a note; a large one that an idle worker has
 * not used for a moment is given back. A cell's state says whose it is:
 *
 *   state        whose    how it goes on
 *   FREE         pool     fills it: OFFERED
 *   OFFERED      neither  worker: TAKEN, by CAS; pool: RETRACTED, by CAS
 *   TAKEN        worker   DONE, or NEEDS_ROOM for a result that is too large for the cell's places
 *   NEEDS_ROOM   pool     ROOM_GIVEN: the result segment is large enough now; or ROOM_REFUSED
 *   ROOM_GIVEN   worker   DONE
 *   ROOM_REFUSED worker   DONE, with an error
 *   RETRACTED    neither  worker: PASSED
 *   DONE PASSED  pool     FREE, in the order of the cells
 *
 * Nobody has an index that the other could falsify: the pool knows how many it has filled and freed, the worker how
 * many it has served. What the pool reads of a cell is copied once and checked before it is used. A result that is DONE
 * stays readable when the worker has died.
 *
 * Sleep. Who finds nothing to do sets its flag, looks again, and then sleeps at the channel; who has changed a cell
 * looks at the other's flag after it and, if it can reset it, rings: a note, or a bell. All four are sequentially
 * consistent, so either the one sees the cell or the other the flag. */
#ifndef FERRY_PROCESS_WIRE_H
#define FERRY_PROCESS_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry/base.h"

enum {
    FY_WIRE_VERSION = 2,
    FY_CELLS = 64,
    FY_CELL_SIZE = 16384, /* measured: docs/architecture.md */
    FY_ARGUMENT_SEGMENTS = 2,
    FY_RESULT_SEGMENT = FY_ARGUMENT_SEGMENTS, /* for results without a place of their own */
    FY_SEGMENTS,
    FY_IN_CELL = FY_SEGMENTS,                 /* a segment's number: none */
    FY_WORKER_NAME_SIZE = 64
};

/* ---- the channel ---- */

enum { FY_NOTE_OPEN = 1, FY_NOTE_SEGMENT, FY_NOTE_FORGET, FY_NOTE_BELL };

/* With OPEN comes the arena, with SEGMENT that segment; FORGET takes it away, and nothing comes with it. */
typedef struct fy_note {
    char magic[8];
    uint32_t version;
    uint32_t kind;
    uint64_t size;   /* of the memory */
    uint64_t number; /* SEGMENT, FORGET: FY_NOTE_SEGMENT_OF */
} fy_note;

/* Which segment, and which memory of that number; a cell that uses it names the serial in head.integer. */
#define FY_NOTE_SEGMENT_OF(number, serial) ((uint64_t)(serial) << 8 | (number))
#define FY_NOTE_SEGMENT_NUMBER(both) ((both) & 0xff)
#define FY_NOTE_SEGMENT_SERIAL(both) ((both) >> 8)

typedef struct fy_hello {
    char magic[8];
    uint32_t version;
    uint32_t functions;  /* in the table */
    uint64_t table_hash; /* of their names */
    uint64_t identity;   /* of the program's file */
} fy_hello;

extern const char fy_wire_magic[8];

enum { FY_BELL = 'b' };

/* What was read of a worker's bytes. */
typedef struct fy_hello_reader {
    fy_hello hello;
    size_t have;
} fy_hello_reader;

static inline bool fy_hello_is_complete(const fy_hello_reader *reader) {
    return reader->have == sizeof reader->hello;
}

/* Reads on. Returns: 0; FERRY_EBROKEN: that is no hello, or no bell. */
ferry_status fy_hello_read(fy_hello_reader *reader, const char *bytes, size_t size);

/* Whether the worker is of the same build. If not, a sentence about it. */
bool fy_hello_matches(const fy_hello *theirs, const fy_hello *ours, char *ret_reason, size_t reason_size);

fy_note fy_note_make(uint32_t kind, uint64_t size, uint64_t number);

/* Whether a note is one. */
bool fy_note_is_sane(const fy_note *note);

/* ---- the arena ---- */

enum {
    FY_CELL_FREE,
    FY_CELL_OFFERED,
    FY_CELL_TAKEN,
    FY_CELL_NEEDS_ROOM,
    FY_CELL_ROOM_GIVEN,
    FY_CELL_ROOM_REFUSED,
    FY_CELL_RETRACTED,
    FY_CELL_PASSED,
    FY_CELL_DONE
};

/* Instead of a function's number: the worker shall end. */
#define FY_CELL_QUIT UINT32_MAX

enum { FY_REPLY_NONE, FY_REPLY_INTEGER, FY_REPLY_REAL, FY_REPLY_BYTES, FY_REPLY_ERROR };

typedef struct fy_cell_head {
    uint32_t function; /* in: its number in the table */
    uint32_t segment;  /* where the argument lies; then where the result lies; FY_IN_CELL */
    uint64_t size;     /* of the argument; then of the result's bytes or the error's sentence */
    union {
        int64_t integer;
        double real;
    };
    uint64_t run_ns;   /* out: how long the function ran */
    int32_t status;    /* out, ERROR */
    uint32_t kind;     /* out: FY_REPLY_... */
} fy_cell_head;

enum { FY_CELL_ROOM = FY_CELL_SIZE - 8 - sizeof(fy_cell_head) };

typedef struct fy_cell {
    _Atomic uint32_t state;
    char apart[4];
    fy_cell_head head;
    char room[FY_CELL_ROOM];
} fy_cell;

_Static_assert(sizeof(fy_cell) == FY_CELL_SIZE && offsetof(fy_cell, room) % 16 == 0,
               "an argument in a cell is aligned for any type");

typedef struct fy_arena {
    _Atomic uint32_t worker_sleeps;
    char apart[60];
    _Atomic uint32_t pool_sleeps;
    char name[FY_WORKER_NAME_SIZE - 4];
    fy_cell cells[FY_CELLS];
} fy_arena;

/* A cell's reply, copied and found in order. */
typedef struct fy_reply {
    fy_cell_head head;
    const char *bytes; /* where it lies; NULL: none */
} fy_reply;

/* Copies the reply of a cell that is DONE. places[i] is the memory of segment i as far as the worker may answer in it,
 * sizes[i] its size, 0 where it may not.
 * Returns: 0; FERRY_EBROKEN: it says what cannot be. */
ferry_status fy_reply_read(const fy_cell *cell, void *const places[FY_SEGMENTS], const size_t sizes[FY_SEGMENTS],
                           fy_reply *ret_reply);

#endif
