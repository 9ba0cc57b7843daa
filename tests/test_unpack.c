/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking what does not fit: another item than the one asked for is refused, an error stays, and no bytes whatever
 * make the reader look outside of them. */
#include "support/packs.h"

#include <apr_errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/alignment.h"

enum { MUTATIONS = 100000 };

/* ---- another item ---- */

enum { KINDS = 9 };

static void pack_kind(ferry_pack *pack, int kind) {
    switch (kind) {
    case 0:
        ferry_pack_integer(pack, 1);
        break;
    case 1:
        ferry_pack_unsigned(pack, 1);
        break;
    case 2:
        ferry_pack_real(pack, 1);
        break;
    case 3:
        ferry_pack_bool(pack, true);
        break;
    case 4:
        ferry_pack_string(pack, "string");
        break;
    case 5:
        ferry_pack_bytes(pack, words, 8);
        break;
    case 6:
        ferry_pack_struct(pack, words, 8);
        break;
    default:
        ferry_pack_array(pack, words, 8, 1);
    }
}

/* Whether it answered as an item that fails must: with nothing. */
static bool unpack_kind(ferry_unpack *in, int kind) {
    uint64_t two = 0;
    size_t size = 9;
    switch (kind) {
    case 0:
        return ferry_unpack_integer(in) == 0;
    case 1:
        return ferry_unpack_unsigned(in) == 0;
    case 2: {
        double real = ferry_unpack_real(in);
        return real >= 0 && real <= 0;
    }
    case 3:
        return !ferry_unpack_bool(in);
    case 4:
        return !ferry_unpack_string(in);
    case 5:
        return !ferry_unpack_bytes(in, &size) && !size;
    case 6:
        ferry_unpack_struct(in, &two, sizeof two);
        return !two;
    case 7:
        return !ferry_unpack_array(in, 8, &size) && !size;
    default:
        return !ferry_unpack_array_into(in, &two, 8, 1) && !two;
    }
}

static void another_kind_is_refused_and_the_error_stays(void) {
    for (int packed = 0; packed < KINDS; packed++) {
        for (int asked = 0; asked < KINDS; asked++) {
            bool same = packed == asked || packed + asked == 7 + 8;
            ferry_pack pack = {0};
            ferry_unpack in;
            pack_kind(&pack, packed);
            pack_kind(&pack, packed);
            begin_reading(&pack, &in);
            CHECK_INT(unpack_kind(&in, asked), !same);
            CHECK_STATUS(in.status, same ? 0 : FERRY_EWRONGTYPE);
            CHECK_INT(unpack_kind(&in, packed), !same);
            CHECK_STATUS(ferry_unpack_end(&in), same ? 0 : FERRY_EWRONGTYPE);
            CHECK(unpack_kind(&in, packed));
            CHECK_STATUS(ferry_unpack_end(&in), same ? FERRY_ETRUNCATED : FERRY_EWRONGTYPE);
            ferry_pack_fini(&pack);
        }
    }
}

static void another_size_is_refused(void) {
    ferry_pack pack = {0};
    ferry_unpack in;
    size_t count;
    uint64_t value = 77;
    ferry_pack_struct(&pack, words, 4);
    begin_reading(&pack, &in);
    ferry_unpack_struct(&in, &value, sizeof value);
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_EWRONGTYPE);
    CHECK_INT(value, 77);
    ferry_pack_fini(&pack);
    ferry_pack_array(&pack, words, 4, 4);
    begin_reading(&pack, &in);
    CHECK(ferry_unpack_array(&in, 8, &count) == NULL);
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_EWRONGTYPE);
    ferry_pack_fini(&pack);
}

static void item_that_nobody_asked_for_is_told(void) {
    ferry_pack pack = {0};
    ferry_unpack in;
    ferry_pack_integer(&pack, 1);
    ferry_pack_bool(&pack, true);
    begin_reading(&pack, &in);
    CHECK_INT(ferry_unpack_integer(&in), 1);
    CHECK_STATUS(in.status, 0);
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_EWRONGTYPE);
    CHECK(ferry_unpack_bool(&in));
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_pack_fini(&pack);
}

/* A head with numbers as the test wants them, and `rest` zeros behind it. */
static ferry_status read_forged(char kind, size_t first, size_t second, size_t rest) {
    static fy_max_align place[64];
    unsigned char *bytes = (unsigned char *)place;
    size_t size = 1, count;
    ferry_unpack in;
    memset(place, 0, sizeof place);
    bytes[0] = (unsigned char)kind;
    memcpy(bytes + size, &first, sizeof first);
    size += sizeof first;
    if (kind == 'A') {
        memcpy(bytes + size, &second, sizeof second);
        size += sizeof second;
    }
    CHECK(size + rest <= sizeof place);
    ferry_unpack_init(&in, bytes, size + rest);
    if (kind == 's')
        (void)ferry_unpack_string(&in);
    else if (kind == 'B')
        (void)ferry_unpack_bytes(&in, NULL);
    else
        (void)ferry_unpack_array(&in, first, &count);
    return in.status;
}

static void sizes_beyond_the_end_are_refused(void) {
    CHECK_STATUS(read_forged('B', 0, 0, 7), 0);
    CHECK_STATUS(read_forged('B', SIZE_MAX, 0, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('B', SIZE_MAX - 8, 0, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('B', 100, 0, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('s', SIZE_MAX, 0, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('s', 101, 0, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('A', 8, SIZE_MAX, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('A', 8, SIZE_MAX / 8 + 2, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('A', SIZE_MAX, SIZE_MAX, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('A', SIZE_MAX / 2 + 1, 2, 100), FERRY_ETRUNCATED);
    CHECK_STATUS(read_forged('A', 8, 13, 100), FERRY_ETRUNCATED);
}

static void string_must_end_where_it_says(void) {
    CHECK_STATUS(read_forged('s', 1, 0, 1), 0);
    CHECK_STATUS(read_forged('s', 0, 0, 1), FERRY_EWRONGTYPE);
    CHECK_STATUS(read_forged('s', 2, 0, 2), FERRY_EWRONGTYPE);
    ferry_pack pack = {0};
    ferry_unpack in;
    ferry_pack_string(&pack, "abc");
    pack.bytes[pack.size - 1] = 'd';
    begin_reading(&pack, &in);
    CHECK(ferry_unpack_string(&in) == NULL);
    CHECK_STATUS(in.status, FERRY_EWRONGTYPE);
    ferry_pack_fini(&pack);
}

static void bool_is_0_or_1(void) {
    ferry_unpack in;
    ferry_unpack_init(&in, "b\2", 2);
    CHECK(!ferry_unpack_bool(&in));
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_EWRONGTYPE);
}

static void senseless_unpacking_is_refused(void) {
    ferry_pack pack = {0};
    ferry_unpack in;
    uint32_t word;
    size_t count;
    ferry_unpack_init(&in, NULL, 1);
    CHECK_INT(ferry_unpack_integer(&in), 0);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    pack_all(&pack);
    begin_reading(&pack, &in);
    ferry_unpack_struct(&in, NULL, 8);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    begin_reading(&pack, &in);
    ferry_unpack_struct(&in, &word, 0);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    begin_reading(&pack, &in);
    CHECK(ferry_unpack_array(&in, 0, &count) == NULL);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    begin_reading(&pack, &in);
    CHECK_INT(ferry_unpack_array_into(&in, NULL, 4, 1), 0);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    ferry_pack_fini(&pack);
}

static void null_is_borne(void) {
    void *bytes;
    size_t size;
    ferry_pack pack = {0};
    pack_all(NULL);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(unpack_kind(NULL, kind));
    ferry_unpack_init(NULL, NULL, 0);
    ferry_pack_fini(NULL);
    CHECK_STATUS(ferry_unpack_end(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_pack_finish(NULL, &bytes, &size), APR_EINVAL);
    CHECK_STATUS(ferry_pack_finish(&pack, NULL, &size), APR_EINVAL);
    CHECK_STATUS(ferry_pack_finish(&pack, &bytes, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_return_packed(NULL, &pack), APR_EINVAL);
}

/* ---- any bytes ---- */

static volatile size_t sum; /* of what is read, so that no reading is left out */

/* Reads all of that in its order and uses every byte that it is given; returns what ferry_unpack_end says. */
static ferry_status unpack_all(const void *bytes, size_t size) {
    ferry_unpack in;
    point place = {0};
    size_t byte_count, word_count, empty_count;
    ferry_unpack_init(&in, bytes, size);
    sum += (size_t)ferry_unpack_integer(&in);
    sum += (size_t)ferry_unpack_unsigned(&in);
    const char *word = ferry_unpack_string(&in);
    sum += word ? strlen(word) : 0;
    sum += ferry_unpack_bool(&in);
    sum += ferry_unpack_real(&in) > 0;
    const unsigned char *block = ferry_unpack_bytes(&in, &byte_count);
    for (size_t i = 0; i < byte_count; i++)
        sum += block[i];
    ferry_unpack_struct(&in, &place, sizeof place);
    const uint32_t *array = ferry_unpack_array(&in, sizeof *array, &word_count);
    for (size_t i = 0; i < word_count; i++)
        sum += array[i];
    (void)ferry_unpack_string(&in);
    (void)ferry_unpack_bytes(&in, NULL);
    (void)ferry_unpack_array(&in, 8, &empty_count);
    sum += ferry_unpack_bool(&in);
    return ferry_unpack_end(&in);
}

/* Reads a copy that ends where a sanitizer watches. */
static ferry_status unpack_exactly(const unsigned char *bytes, size_t size) {
    unsigned char *copy = malloc(size ? size : 1);
    CHECK(copy != NULL);
    if (size)
        memcpy(copy, bytes, size);
    ferry_status status = unpack_all(copy, size);
    free(copy);
    return status;
}

static void every_beginning_of_a_pack_is_too_short(void) {
    ferry_pack pack = {0};
    pack_all(&pack);
    CHECK_STATUS(unpack_exactly(pack.bytes, pack.size), 0);
    for (size_t size = 0; size < pack.size; size++)
        CHECK_STATUS(unpack_exactly(pack.bytes, size), FERRY_ETRUNCATED);
    ferry_pack_fini(&pack);
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void any_mutation_is_borne(void) {
    ferry_pack pack = {0};
    unsigned char mutated[512];
    uint64_t seed = UINT64_C(20260101);
    int refused = 0;
    pack_all(&pack);
    CHECK(pack.size <= sizeof mutated);
    for (int i = 0; i < MUTATIONS; i++) {
        size_t size = next_random(&seed) % 4 ? pack.size : next_random(&seed) % (pack.size + 1);
        memcpy(mutated, pack.bytes, pack.size);
        for (uint64_t changes = 1 + next_random(&seed) % 4; changes; changes--)
            mutated[next_random(&seed) % pack.size] = (unsigned char)(next_random(&seed) >> 20);
        ferry_status status = unpack_exactly(mutated, size);
        CHECK(!status || status == FERRY_ETRUNCATED || status == FERRY_EWRONGTYPE);
        refused += status != 0;
    }
    CHECK(refused > MUTATIONS / 10 && refused < MUTATIONS);
    ferry_pack_fini(&pack);
}

static const fy_test tests[] = {
    FY_TEST(another_kind_is_refused_and_the_error_stays),
    FY_TEST(another_size_is_refused),
    FY_TEST(item_that_nobody_asked_for_is_told),
    FY_TEST(sizes_beyond_the_end_are_refused),
    FY_TEST(string_must_end_where_it_says),
    FY_TEST(bool_is_0_or_1),
    FY_TEST(senseless_unpacking_is_refused),
    FY_TEST(null_is_borne),
    FY_TEST(every_beginning_of_a_pack_is_too_short),
    FY_TEST(any_mutation_is_borne),
};

FY_TEST_MAIN("unpack", tests)
