/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the other process says: nothing of it is believed before it was copied and checked. Knows of bytes only,
 * not of processes. */
#include "process/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char fy_wire_magic[8] = {'F', 'E', 'R', 'R', 'Y', 'W', 'R', 'K'};

/* ---- the channel ---- */

ferry_status fy_hello_read(fy_hello_reader *reader, const char *bytes, size_t size) {
    size_t part = sizeof reader->hello - reader->have;
    if (part > size)
        part = size;
    memcpy((char *)&reader->hello + reader->have, bytes, part);
    reader->have += part;
    size_t magic = reader->have < sizeof fy_wire_magic ? reader->have : sizeof fy_wire_magic;
    if (memcmp(reader->hello.magic, fy_wire_magic, magic))
        return FERRY_EBROKEN;
    for (size_t i = part; i < size; i++)
        if (bytes[i] != FY_BELL)
            return FERRY_EBROKEN;
    return 0;
}

bool fy_hello_matches(const fy_hello *theirs, const fy_hello *ours, char *ret_reason, size_t reason_size) {
    if (theirs->version != ours->version)
        snprintf(ret_reason, reason_size, "it speaks version %" PRIu32 " of the protocol, this process %" PRIu32,
                 theirs->version, ours->version);
    else if (theirs->identity != ours->identity)
        snprintf(ret_reason, reason_size, "it is of another build: its program's file is not the one that this process "
                                          "was started from");
    else if (theirs->functions != ours->functions || theirs->table_hash != ours->table_hash)
        snprintf(ret_reason, reason_size, "its table of portable functions is another one");
    else
        return true;
    return false;
}

fy_note fy_note_make(uint32_t kind, uint64_t size, uint64_t number) {
    fy_note note = {.version = FY_WIRE_VERSION, .kind = kind, .size = size, .number = number};
    memcpy(note.magic, fy_wire_magic, sizeof note.magic);
    return note;
}

bool fy_note_is_sane(const fy_note *note) {
    return !memcmp(note->magic, fy_wire_magic, sizeof note->magic) && note->version == FY_WIRE_VERSION &&
           note->kind >= FY_NOTE_OPEN && note->kind <= FY_NOTE_BELL;
}

/* ---- the arena ---- */

static bool has_bytes(uint32_t kind) {
    return kind == FY_REPLY_BYTES || kind == FY_REPLY_ERROR;
}

ferry_status fy_reply_read(const fy_cell *cell, void *const places[FY_SEGMENTS], const size_t sizes[FY_SEGMENTS],
                           fy_reply *ret_reply) {
    fy_reply reply = {.bytes = NULL};
    memcpy(&reply.head, &cell->head, sizeof reply.head);
    atomic_signal_fence(memory_order_seq_cst); /* what is checked below is the copy, which the worker cannot change */
    if (reply.head.kind > FY_REPLY_ERROR || reply.head.segment > FY_IN_CELL)
        return FERRY_EBROKEN;
    if (has_bytes(reply.head.kind)) {
        bool is_in_cell = reply.head.segment == FY_IN_CELL;
        size_t room = is_in_cell ? FY_CELL_ROOM : sizes[reply.head.segment];
        if (!room || reply.head.size > room)
            return FERRY_EBROKEN;
        reply.bytes = is_in_cell ? cell->room : places[reply.head.segment];
    }
    *ret_reply = reply;
    return 0;
}
