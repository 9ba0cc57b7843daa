/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-1 of one file, read in chunks, by a thread of this process or by another process. It decides how much is read
 * at a time and how soon a cancellation is seen. */
#include "digest.h"

enum { CHUNK = 65536 };

atomic_uint_fast64_t hashed_here;

static apr_status_t hash_chunks(hash *self, apr_file_t *source, ferry_call *call) {
    char chunk[CHUNK];
    apr_sha1_ctx_t context;
    apr_size_t size = sizeof chunk;
    apr_status_t status;
    apr_sha1_init(&context);
    while ((status = apr_file_read(source, chunk, &size)) == 0) {
        if (ferry_call_is_cancelled(call))
            return FERRY_ECANCELED;
        apr_sha1_update_binary(&context, (const unsigned char *)chunk, (unsigned)size);
        self->size += size;
        atomic_fetch_add_explicit(&hashed_here, size, memory_order_relaxed);
        size = sizeof chunk;
    }
    apr_sha1_final(self->sha1, &context);
    return APR_STATUS_IS_EOF(status) ? 0 : status;
}

static apr_status_t hash_path(hash *self, const char *path, ferry_call *call) {
    apr_pool_t *pool;
    apr_file_t *source;
    apr_status_t status = apr_pool_create(&pool, NULL);
    if (status)
        return status;
    status = apr_file_open(&source, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_FPROT_OS_DEFAULT, pool);
    if (!status)
        status = hash_chunks(self, source, call);
    apr_pool_destroy(pool); /* closes the file, too */
    return status;
}

ferry_status hash_file(void *arg, ferry_call *call) {
    hash hashed = {.size = 0};
    ferry_unpack given;
    ferry_pack answer = {0};
    ferry_unpack_init(&given, arg, ferry_call_arg_size(call));
    const char *path = ferry_unpack_string(&given);
    ferry_status status = ferry_unpack_end(&given);
    if (!status)
        status = hash_path(&hashed, path, call);
    if (status)
        return status;
    ferry_pack_struct(&answer, &hashed, sizeof hashed);
    return ferry_return_packed(call, &answer);
}
