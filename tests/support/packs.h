/* SPDX-License-Identifier: Apache-2.0 */
/* A pack with some of everything, for the tests of packing and of unpacking. */
#ifndef FERRY_TESTS_SUPPORT_PACKS_H
#define FERRY_TESTS_SUPPORT_PACKS_H

#include "ferry/pack.h"
#include "support/harness.h"

enum { WORDS = 5 };

typedef struct point {
    int x;
    double y;
} point;

static const uint32_t words[WORDS] = {1, 2, 3, 0xffffffff, 5};

/* Some of everything. */
static inline void pack_all(ferry_pack *pack) {
    static const point place = {.x = 7, .y = 0.5};
    ferry_pack_integer(pack, INT64_MIN);
    ferry_pack_unsigned(pack, UINT64_MAX);
    ferry_pack_string(pack, "a word");
    ferry_pack_bool(pack, true);
    ferry_pack_real(pack, -2.25);
    ferry_pack_bytes(pack, "b\0c", 3);
    ferry_pack_struct(pack, &place, sizeof place);
    ferry_pack_array(pack, words, sizeof words[0], WORDS);
    ferry_pack_string(pack, "");
    ferry_pack_bytes(pack, NULL, 0);
    ferry_pack_array(pack, NULL, 8, 0);
    ferry_pack_bool(pack, false);
}

static inline void begin_reading(const ferry_pack *pack, ferry_unpack *in) {
    void *bytes;
    size_t size;
    CHECK_STATUS(ferry_pack_finish(pack, &bytes, &size), 0);
    ferry_unpack_init(in, bytes, size);
}

#endif
