/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: a buffer that grows, to which items are appended, and the first error, after which nothing is appended any
 * more. It knows the layout and nothing of where the bytes go. */
#include "process/pack.h"

#include <apr_errno.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_CAPACITY = 128, LARGEST_HEAD = 1 + 2 * sizeof(size_t) + FY_PACK_ALIGNMENT };

/* Sees to it that so many bytes fit behind those that are there; they are then appended without another look. */
static bool reserve(ferry_pack *pack, size_t size) {
    if (pack->capacity - pack->size >= size)
        return true;
    if (size > PTRDIFF_MAX - pack->size) {
        pack->status = APR_ENOMEM;
        return false;
    }
    size_t capacity = pack->capacity ? 2 * pack->capacity : FIRST_CAPACITY;
    if (capacity < pack->size + size)
        capacity = pack->size + size;
    unsigned char *bytes = fy_realloc(pack->bytes, capacity);
    if (!bytes) {
        pack->status = APR_ENOMEM;
        return false;
    }
    pack->bytes = bytes;
    pack->capacity = capacity;
    return true;
}

static void append(ferry_pack *pack, const void *bytes, size_t size) {
    if (size)
        memcpy(pack->bytes + pack->size, bytes, size);
    pack->size += size;
}

/* Begins an item of this kind with room for its head and `size` bytes more; `sane` is whether what is to be packed
 * makes sense. Returns whether the caller is to append the rest. */
static bool begin(ferry_pack *pack, fy_pack_kind kind, bool sane, size_t size) {
    if (!pack || pack->status)
        return false;
    if (!sane || size > PTRDIFF_MAX - LARGEST_HEAD) {
        pack->status = APR_EINVAL;
        return false;
    }
    if (!reserve(pack, LARGEST_HEAD + size))
        return false;
    pack->bytes[pack->size++] = (unsigned char)kind;
    return true;
}

static void align(ferry_pack *pack) {
    size_t padding = fy_pack_padding(pack->size);
    memset(pack->bytes + pack->size, 0, padding);
    pack->size += padding;
}

/* ---- items ---- */

void ferry_pack_integer(ferry_pack *pack, int64_t value) {
    if (begin(pack, FY_PACK_INTEGER, true, sizeof value))
        append(pack, &value, sizeof value);
}

void ferry_pack_unsigned(ferry_pack *pack, uint64_t value) {
    if (begin(pack, FY_PACK_UNSIGNED, true, sizeof value))
        append(pack, &value, sizeof value);
}

void ferry_pack_real(ferry_pack *pack, double value) {
    if (begin(pack, FY_PACK_REAL, true, sizeof value))
        append(pack, &value, sizeof value);
}

void ferry_pack_bool(ferry_pack *pack, bool value) {
    unsigned char byte = value;
    if (begin(pack, FY_PACK_BOOL, true, sizeof byte))
        append(pack, &byte, sizeof byte);
}

void ferry_pack_string(ferry_pack *pack, const char *string) {
    size_t size = string ? strlen(string) + 1 : 0;
    if (begin(pack, FY_PACK_STRING, string, size)) {
        append(pack, &size, sizeof size);
        append(pack, string, size);
    }
}

static void pack_block(ferry_pack *pack, fy_pack_kind kind, bool sane, const void *bytes, size_t size) {
    if (begin(pack, kind, sane, size)) {
        append(pack, &size, sizeof size);
        align(pack);
        append(pack, bytes, size);
    }
}

void ferry_pack_bytes(ferry_pack *pack, const void *bytes, size_t size) {
    pack_block(pack, FY_PACK_BYTES, bytes || !size, bytes, size);
}

void ferry_pack_struct(ferry_pack *pack, const void *value, size_t size) {
    pack_block(pack, FY_PACK_STRUCT, value && size, value, size);
}

void ferry_pack_array(ferry_pack *pack, const void *elements, size_t element_size, size_t count) {
    bool sane = element_size && (elements || !count) && count <= PTRDIFF_MAX / element_size;
    if (begin(pack, FY_PACK_ARRAY, sane, sane ? element_size * count : 0)) {
        append(pack, &element_size, sizeof element_size);
        append(pack, &count, sizeof count);
        align(pack);
        append(pack, elements, element_size * count);
    }
}

/* ---- the whole ---- */

ferry_status ferry_pack_finish(const ferry_pack *pack, void **ret_bytes, size_t *ret_size) {
    if (!pack || !ret_bytes || !ret_size)
        return APR_EINVAL;
    if (pack->status)
        return pack->status;
    *ret_bytes = pack->bytes;
    *ret_size = pack->size;
    return 0;
}

ferry_status ferry_return_packed(ferry_call *call, ferry_pack *pack) {
    if (!call || !pack)
        return APR_EINVAL;
    ferry_status status = pack->status;
    if (status) {
        ferry_pack_fini(pack);
        return status;
    }
    status = ferry_return_bytes(call, pack->bytes, pack->size, fy_free);
    *pack = (ferry_pack){0};
    return status;
}

void ferry_pack_fini(ferry_pack *pack) {
    if (!pack)
        return;
    fy_free(pack->bytes);
    *pack = (ferry_pack){0};
}
