/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking: a place in bytes that may be anything, and the first error, after which nothing is read any more. No
 * number that is found in the bytes is used before it was compared with how many bytes are left. */
#include <apr_errno.h>
#include <string.h>

#include "process/pack.h"

void ferry_unpack_init(ferry_unpack *unpack, const void *bytes, size_t size) {
    if (unpack)
        *unpack = (ferry_unpack){.bytes = bytes, .size = size, .status = bytes || !size ? 0 : APR_EINVAL};
}

static void fail(ferry_unpack *unpack, ferry_status status) {
    if (unpack && !unpack->status)
        unpack->status = status;
}

/* The next `size` bytes, or NULL if there are not as many. */
static const unsigned char *take(ferry_unpack *unpack, size_t size) {
    if (unpack->size - unpack->position < size) {
        fail(unpack, FERRY_ETRUNCATED);
        return NULL;
    }
    const unsigned char *taken = unpack->bytes + unpack->position;
    unpack->position += size;
    return taken;
}

static bool take_into(ferry_unpack *unpack, void *target, size_t size) {
    const unsigned char *taken = take(unpack, size);
    if (taken)
        memcpy(target, taken, size);
    return taken;
}

/* Goes past the byte that says the kind, if it says this one. */
static bool begin(ferry_unpack *unpack, fy_pack_kind kind) {
    unsigned char found;
    if (!unpack || unpack->status || !take_into(unpack, &found, sizeof found))
        return false;
    if (found != kind)
        fail(unpack, FERRY_EWRONGTYPE);
    return found == kind;
}

/* ---- items of one size ---- */

int64_t ferry_unpack_integer(ferry_unpack *unpack) {
    int64_t value = 0;
    if (begin(unpack, FY_PACK_INTEGER))
        take_into(unpack, &value, sizeof value);
    return value;
}

uint64_t ferry_unpack_unsigned(ferry_unpack *unpack) {
    uint64_t value = 0;
    if (begin(unpack, FY_PACK_UNSIGNED))
        take_into(unpack, &value, sizeof value);
    return value;
}

double ferry_unpack_real(ferry_unpack *unpack) {
    double value = 0;
    if (begin(unpack, FY_PACK_REAL))
        take_into(unpack, &value, sizeof value);
    return value;
}

bool ferry_unpack_bool(ferry_unpack *unpack) {
    unsigned char value = 0;
    if (!begin(unpack, FY_PACK_BOOL) || !take_into(unpack, &value, sizeof value))
        return false;
    if (value > 1)
        fail(unpack, FERRY_EWRONGTYPE);
    return value == 1;
}

/* ---- items that say their size ---- */

const char *ferry_unpack_string(ferry_unpack *unpack) {
    size_t size;
    if (!begin(unpack, FY_PACK_STRING) || !take_into(unpack, &size, sizeof size))
        return NULL;
    const unsigned char *string = take(unpack, size);
    if (!string)
        return NULL;
    if (size && memchr(string, '\0', size) == string + size - 1)
        return (const char *)string;
    fail(unpack, FERRY_EWRONGTYPE);
    return NULL;
}

static const unsigned char *take_aligned(ferry_unpack *unpack, size_t size) {
    return take(unpack, fy_pack_padding(unpack->position)) ? take(unpack, size) : NULL;
}

const void *ferry_unpack_bytes(ferry_unpack *unpack, size_t *ret_size) {
    size_t size = 0;
    const unsigned char *bytes = NULL;
    if (begin(unpack, FY_PACK_BYTES) && take_into(unpack, &size, sizeof size))
        bytes = take_aligned(unpack, size);
    if (ret_size)
        *ret_size = bytes ? size : 0;
    return bytes;
}

void ferry_unpack_struct(ferry_unpack *unpack, void *ret_value, size_t size) {
    size_t found;
    if (!ret_value || !size) {
        fail(unpack, APR_EINVAL);
        return;
    }
    if (!begin(unpack, FY_PACK_STRUCT) || !take_into(unpack, &found, sizeof found))
        return;
    const unsigned char *value = take_aligned(unpack, found);
    if (!value)
        return;
    if (found == size)
        memcpy(ret_value, value, size);
    else
        fail(unpack, FERRY_EWRONGTYPE);
}

/* ---- arrays ---- */

/* The elements and their count, which fits into what is there. */
static const unsigned char *take_array(ferry_unpack *unpack, size_t element_size, size_t *ret_count) {
    size_t found, count;
    if (!element_size)
        fail(unpack, APR_EINVAL);
    if (!begin(unpack, FY_PACK_ARRAY) || !take_into(unpack, &found, sizeof found) ||
        !take_into(unpack, &count, sizeof count))
        return NULL;
    if (found != element_size)
        fail(unpack, FERRY_EWRONGTYPE);
    else if (count > unpack->size / element_size)
        fail(unpack, FERRY_ETRUNCATED);
    const unsigned char *elements = unpack->status ? NULL : take_aligned(unpack, count * element_size);
    if (elements)
        *ret_count = count;
    return elements;
}

/* Whether elements of this size can be read there: no type asks for more than what its size is a multiple of. */
static bool is_aligned(const void *elements, size_t element_size) {
    size_t alignment = element_size & (~element_size + 1);
    if (alignment > FY_PACK_ALIGNMENT)
        alignment = FY_PACK_ALIGNMENT;
    return (uintptr_t)elements % alignment == 0;
}

const void *ferry_unpack_array(ferry_unpack *unpack, size_t element_size, size_t *ret_count) {
    size_t count = 0;
    const unsigned char *elements = take_array(unpack, element_size, &count);
    if (elements && !is_aligned(elements, element_size)) {
        fail(unpack, APR_EINVAL);
        elements = NULL;
    }
    if (ret_count)
        *ret_count = elements ? count : 0;
    return elements;
}

size_t ferry_unpack_array_into(ferry_unpack *unpack, void *elements, size_t element_size, size_t capacity) {
    size_t count = 0;
    if (!elements && capacity)
        fail(unpack, APR_EINVAL);
    const unsigned char *found = take_array(unpack, element_size, &count);
    if (found && count > capacity) {
        fail(unpack, FERRY_EFULL);
        return 0;
    }
    if (found && count)
        memcpy(elements, found, count * element_size);
    return count;
}

ferry_status ferry_unpack_end(const ferry_unpack *unpack) {
    if (!unpack)
        return APR_EINVAL;
    if (unpack->status)
        return unpack->status;
    return unpack->position == unpack->size ? 0 : FERRY_EWRONGTYPE;
}
