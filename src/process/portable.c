/* SPDX-License-Identifier: Apache-2.0 */
/* The table's index by address is an open hash table twice as large as the table; its hash by name is FNV-1a, so that
 * two builds whose tables differ in a name, its place or its flags are told apart. */
#include "process/portable.h"

#include <apr_errno.h>
#include <string.h>

#include "base/alloc.h"
#include "seam/process.h"

enum { FUNCTIONS_MAX = 1 << 20 };

static const ferry_portable *table;
static uint32_t table_count;
static uint32_t *numbers; /* by address: number + 1, or 0 */
static uint32_t numbers_mask;
static fy_hello hello;

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_table(void) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < table_count; i++) {
        hash = hash_bytes(hash, table[i].name, strlen(table[i].name) + 1);
        hash = hash_bytes(hash, &table[i].flags, sizeof table[i].flags);
    }
    return hash;
}

static uint32_t place_of(ferry_function *function) {
    uint64_t bits = (uint64_t)(uintptr_t)function;
    return (uint32_t)(bits * UINT64_C(0x9e3779b97f4a7c15) >> 32) & numbers_mask;
}

bool fy_portable_find(ferry_function *function, uint32_t *ret_number) {
    if (!numbers)
        return false;
    for (uint32_t place = place_of(function); numbers[place]; place = (place + 1) & numbers_mask)
        if (table[numbers[place] - 1].function == function) {
            *ret_number = numbers[place] - 1;
            return true;
        }
    return false;
}

/* A function is looked up by its address, and told by its name. */
static bool has_twice(const ferry_portable *functions, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++)
            if (functions[i].function == functions[j].function || !strcmp(functions[i].name, functions[j].name))
                return true;
    return false;
}

/* Returns: 0, APR_EINVAL. */
static ferry_status check(const ferry_portable *functions, uint32_t *ret_count) {
    uint32_t count = 0;
    for (; functions && functions[count].name; count++)
        if (!functions[count].function || !functions[count].name[0] || count == FUNCTIONS_MAX ||
            functions[count].flags > FERRY_IDEMPOTENT)
            return APR_EINVAL;
    *ret_count = count;
    return !functions || has_twice(functions, count) ? APR_EINVAL : 0;
}

static void set_hello(void) {
    char path[FY_PROGRAM_PATH_SIZE];
    hello = (fy_hello){.version = FY_WIRE_VERSION, .functions = table_count, .table_hash = hash_table()};
    memcpy(hello.magic, fy_wire_magic, sizeof hello.magic);
    if (!fy_program_path(path))
        (void)fy_program_identity(path, &hello.identity);
}

ferry_status fy_portable_set(const ferry_portable *functions) {
    uint32_t count = 0;
    ferry_status status = check(functions, &count);
    if (status)
        return status;
    if (table)
        return FERRY_EINVALIDSTATE;
    uint32_t size = 8;
    while (size < 2 * count)
        size *= 2;
    numbers = fy_calloc(size * sizeof *numbers);
    if (!numbers)
        return APR_ENOMEM;
    numbers_mask = size - 1;
    table = functions;
    table_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = place_of(functions[i].function);
        while (numbers[place])
            place = (place + 1) & numbers_mask;
        numbers[place] = i + 1;
    }
    set_hello();
    return 0;
}

bool fy_portable_is_set(void) {
    return table != NULL;
}

fy_hello fy_portable_hello(void) {
    return hello;
}

uint32_t fy_portable_count(void) {
    return table_count;
}

const ferry_portable *fy_portable_at(uint32_t number) {
    return &table[number];
}
