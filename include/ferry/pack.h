/* SPDX-License-Identifier: Apache-2.0 */
/* Values as bytes, for the arguments and results of jobs that may run in another process: numbers, strings, structs and
 * arrays go into a pack one after the other and come out again in the same order.
 *
 *     ferry_pack pack = {0};                              ferry_unpack in;
 *     ferry_pack_string(&pack, path);                     ferry_unpack_init(&in, arg, ferry_call_arg_size(call));
 *     ferry_pack_integer(&pack, width);                   const char *path = ferry_unpack_string(&in);
 *     status = ferry_pack_finish(&pack, &options.arg,     int64_t width = ferry_unpack_integer(&in);
 *                                &options.arg_size);      status = ferry_unpack_end(&in);
 *     ... submit ...
 *     ferry_pack_fini(&pack);
 *
 * An error stays: what is packed or unpacked after it does nothing, so the last call tells of the first that failed.
 * Whatever the bytes are, unpacking reads nothing outside of them: they may come from anybody.
 *
 * The bytes are those of this machine and this build (order, sizes, layout of structs): for another process of the same
 * program, and neither for a file nor for another machine. A struct or an array goes as it lies in memory, so pointers
 * in it mean nothing on the other side. */
#ifndef FERRY_PACK_H
#define FERRY_PACK_H

#include "ferry/job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- packing ---- */

/* All zero: empty. The fields are Ferry's; one thread at a time uses a pack. */
typedef struct ferry_pack {
    unsigned char *bytes;
    size_t size, capacity;
    ferry_status status;
} ferry_pack;

/* Each appends one item, or notes why not, which ferry_pack_finish tells: APR_ENOMEM; APR_EINVAL for a NULL where there
 * are bytes to take, or for a size of 0 where there must be one. What is pointed to is copied.
 *
 * Units:  bytes; an array's count is of elements.
 * Thread: any. */
FERRY_API void ferry_pack_integer(ferry_pack *pack, int64_t value);
FERRY_API void ferry_pack_unsigned(ferry_pack *pack, uint64_t value);
FERRY_API void ferry_pack_real(ferry_pack *pack, double value);
FERRY_API void ferry_pack_bool(ferry_pack *pack, bool value);
FERRY_API void ferry_pack_string(ferry_pack *pack, const char *string);
FERRY_API void ferry_pack_bytes(ferry_pack *pack, const void *bytes, size_t size);
FERRY_API void ferry_pack_struct(ferry_pack *pack, const void *value, size_t size);
FERRY_API void ferry_pack_array(ferry_pack *pack, const void *elements, size_t element_size, size_t count);

/* The bytes so far, for a job's `arg` and `arg_size`; NULL and 0 if nothing was packed.
 *
 * Owns:    borrowed, until something more is packed or the pack ends.
 * Returns: 0, APR_ENOMEM, APR_EINVAL: of the first call that failed.
 * Thread:  any. */
FERRY_API ferry_status ferry_pack_finish(const ferry_pack *pack, void **ret_bytes, size_t *ret_size);

/* Makes the bytes the function's result, to be used as `return ferry_return_packed(call, &pack);`.
 *
 * Owns:    the bytes are the job's; the pack is empty.
 * Returns: as ferry_pack_finish.
 * Thread:  the function's. */
FERRY_API ferry_status ferry_return_packed(ferry_call *call, ferry_pack *pack);

/* Frees the bytes; the pack is empty, and good again. Takes NULL. Thread: any. */
FERRY_API void ferry_pack_fini(ferry_pack *pack);

/* ---- unpacking ---- */

/* Where one reads. The fields are Ferry's, but `status` may be looked at: 0, or what the first call that failed met:
 * FERRY_ETRUNCATED (there are fewer bytes), FERRY_EWRONGTYPE (another item lies here than the one asked for), or
 * what the call says. One thread at a time uses it. */
typedef struct ferry_unpack {
    const unsigned char *bytes;
    size_t size, position;
    ferry_status status;
} ferry_unpack;

/* Begins with the first item. `bytes` may be NULL if size is 0.
 *
 * Owns:   the bytes stay yours and must live while what is borrowed from them is used.
 * Thread: any. */
FERRY_API void ferry_unpack_init(ferry_unpack *unpack, const void *bytes, size_t size);

/* Each takes the next item out; 0, 0.0, false or NULL from the first one that fails.
 *
 * Owns:   a string (terminated, as it was packed) and bytes are borrowed from what is unpacked.
 * Thread: any. */
FERRY_API int64_t ferry_unpack_integer(ferry_unpack *unpack);
FERRY_API uint64_t ferry_unpack_unsigned(ferry_unpack *unpack);
FERRY_API double ferry_unpack_real(ferry_unpack *unpack);
FERRY_API bool ferry_unpack_bool(ferry_unpack *unpack);
FERRY_API const char *ferry_unpack_string(ferry_unpack *unpack);
FERRY_API const void *ferry_unpack_bytes(ferry_unpack *unpack, size_t *ret_size);

/* Copies a struct out; one that was packed with another size is FERRY_EWRONGTYPE. A
 * NULL or a size of 0 is APR_EINVAL. Untouched on failure. Thread: any. */
FERRY_API void ferry_unpack_struct(ferry_unpack *unpack, void *ret_value, size_t size);

/* An array in place, whose elements were packed with that size. They are aligned for any type if the bytes are, as a
 * job's copied argument is. Bytes that lie so that the elements could not be read are APR_EINVAL, as is a size of 0;
 * ferry_unpack_array_into bears the former.
 *
 * Owns:   borrowed. *ret_count is 0 on failure; an empty array is not NULL.
 * Thread: any. */
FERRY_API const void *ferry_unpack_array(ferry_unpack *unpack, size_t element_size, size_t *ret_count);

/* Copies an array out and returns its count; of one with more than `capacity` elements nothing is copied, and it is
 * FERRY_EFULL. Thread: any. */
FERRY_API size_t ferry_unpack_array_into(ferry_unpack *unpack, void *elements, size_t element_size, size_t capacity);

/* Whether all was as asked for.
 *
 * Returns: 0; the first error; FERRY_EWRONGTYPE if there is an item that nobody has asked for.
 * Thread:  any. */
FERRY_API ferry_status ferry_unpack_end(const ferry_unpack *unpack);

#ifdef __cplusplus
}
#endif
#endif
