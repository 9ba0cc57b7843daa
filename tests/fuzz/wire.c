/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target: what a pool reads of a worker. The first byte chooses. A hello and bells, in pieces; or a cell with a
 * reply, and segments of the sizes that follow. What is accepted must lie where it may, and all of it is read. */
#include <stdlib.h>
#include <string.h>

#include "process/wire.h"

#define DEMAND(condition)  \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

enum { SEGMENT_MAX = 300 };

static volatile unsigned sum; /* of what is read, so that no reading is left out */

static void read_stream(const uint8_t *data, size_t size) {
    fy_hello ours = {.version = FY_WIRE_VERSION, .functions = 2, .table_hash = 3, .identity = 4};
    fy_hello_reader reader = {.have = 0};
    char reason[64];
    while (size > 1) {
        size_t part = 1 + data[0] % (size - 1);
        if (fy_hello_read(&reader, (const char *)data + 1, part))
            return;
        DEMAND(reader.have <= sizeof reader.hello);
        data += 1 + part;
        size -= 1 + part;
    }
    if (fy_hello_is_complete(&reader) && !fy_hello_matches(&reader.hello, &ours, reason, sizeof reason))
        DEMAND(strlen(reason) > 0);
}

static bool lies_in(const char *bytes, size_t size, const char *place, size_t room) {
    return bytes >= place && size <= room && (size_t)(bytes - place) <= room - size;
}

static void check_reply(const fy_reply *reply, const fy_cell *cell, void *const places[], const size_t sizes[]) {
    size_t size = (size_t)reply->head.size;
    DEMAND(reply->head.kind <= FY_REPLY_ERROR);
    if (!reply->bytes)
        return;
    bool is_placed = lies_in(reply->bytes, size, cell->room, FY_CELL_ROOM);
    for (size_t i = 0; i < FY_SEGMENTS; i++)
        is_placed |= places[i] && lies_in(reply->bytes, size, places[i], sizes[i]);
    DEMAND(is_placed);
    for (size_t i = 0; i < size; i++)
        sum += (unsigned char)reply->bytes[i];
}

static void read_reply(const uint8_t *data, size_t size) {
    void *places[FY_SEGMENTS] = {NULL};
    size_t sizes[FY_SEGMENTS] = {0};
    fy_reply reply;
    if (size < FY_SEGMENTS)
        return;
    fy_cell *cell = calloc(1, sizeof *cell);
    DEMAND(cell);
    for (size_t i = 0; i < FY_SEGMENTS; i++) {
        sizes[i] = data[i] % SEGMENT_MAX;
        places[i] = sizes[i] ? calloc(1, sizes[i]) : NULL;
    }
    size_t rest = size - FY_SEGMENTS;
    memcpy(&cell->head, data + FY_SEGMENTS, rest < sizeof cell->head ? rest : sizeof cell->head);
    if (!fy_reply_read(cell, places, sizes, &reply))
        check_reply(&reply, cell, places, sizes);
    for (size_t i = 0; i < FY_SEGMENTS; i++)
        free(places[i]);
    free(cell);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size && data[0] % 2)
        read_stream(data + 1, size - 1);
    else if (size)
        read_reply(data + 1, size - 1);
    return 0;
}
