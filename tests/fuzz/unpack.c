/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target: unpacking whatever the fuzzer brings. The first byte is a number of steps, as many bytes follow that
 * say what to ask for, and the rest is the pack. What is given must lie within the pack, and all of it is read; after
 * an error nothing may be given any more. */
#include "ferry/pack.h"

#include <stdlib.h>
#include <string.h>

#define DEMAND(condition)  \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

enum { KINDS = 9, AS_IT_SAYS = 0x80 };

static const char kinds[] = "iursBbSAA"; /* what an item begins with, in the order of the cases below */

static volatile unsigned sum; /* of what is read, so that no reading is left out */

static void read_all(const ferry_unpack *in, const void *block, size_t size) {
    const unsigned char *bytes = block;
    DEMAND(bytes || !size);
    DEMAND(!bytes || (bytes >= in->bytes && size <= (size_t)(in->bytes + in->size - bytes)));
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
}

/* What lies there: to ask for that brings the fuzzer also to the end of a long pack. */
static unsigned kind_there(const ferry_unpack *in, bool in_place) {
    const char *found = in->position < in->size ? memchr(kinds, in->bytes[in->position], KINDS) : NULL;
    unsigned kind = found ? (unsigned)(found - kinds) : 0;
    return kinds[kind] == 'A' && !in_place ? kind + 1 : kind;
}

static size_t size_there(const ferry_unpack *in) {
    size_t size = 0;
    if (in->size - in->position > sizeof size)
        memcpy(&size, in->bytes + in->position + 1, sizeof size);
    return size;
}

static void ask(ferry_unpack *in, unsigned kind, size_t size) {
    unsigned char room[32] = {0};
    size_t count = 0;
    const void *block = NULL;
    ferry_status before = in->status;
    bool is_there = in->position < in->size && in->bytes[in->position] == (unsigned char)kinds[kind];
    switch (kind) {
    case 0:
        sum += (unsigned)ferry_unpack_integer(in);
        break;
    case 1:
        sum += (unsigned)ferry_unpack_unsigned(in);
        break;
    case 2:
        sum += ferry_unpack_real(in) > 0;
        break;
    case 3:
        block = ferry_unpack_string(in);
        count = block ? strlen(block) + 1 : 0;
        break;
    case 4:
        block = ferry_unpack_bytes(in, &count);
        break;
    case 5:
        sum += ferry_unpack_bool(in);
        break;
    case 6:
        ferry_unpack_struct(in, room, size % (sizeof room + 1));
        break;
    case 7:
        block = ferry_unpack_array(in, size, &count);
        DEMAND(!count || count <= in->size / size);
        count *= size;
        break;
    default:
        count = ferry_unpack_array_into(in, room, size, size ? sizeof room / size : 0);
        DEMAND(count * size <= sizeof room);
        count = 0;
    }
    read_all(in, block, count);
    DEMAND(!before || (in->status == before && !block));
    DEMAND(in->status ? !block : is_there);
    DEMAND(in->position <= in->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t steps = size ? data[0] : 0;
    if (size < 1 + steps)
        return 0;
    size_t packed = size - 1 - steps;
    unsigned char *exactly = malloc(packed);
    ferry_unpack in;
    if (packed)
        memcpy(exactly, data + 1 + steps, packed);
    ferry_unpack_init(&in, exactly, packed);
    for (size_t i = 0; i < steps; i++) {
        unsigned step = data[1 + i];
        if (step & AS_IT_SAYS)
            ask(&in, kind_there(&in, step & 1), size_there(&in));
        else
            ask(&in, step % KINDS, step / KINDS);
    }
    DEMAND(ferry_unpack_end(&in) != 0 || in.position == packed);
    free(exactly);
    return 0;
}
