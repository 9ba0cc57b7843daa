/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-1 of one file, read in chunks. It decides how much is read at a time and how soon a cancellation is seen. */
#include "digest.h"

enum { CHUNK = 65536 };

static apr_status_t hash_chunks(file *self, apr_file_t *source, ferry_call *call) {
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
        atomic_fetch_add_explicit(self->progress, size, memory_order_relaxed);
        size = sizeof chunk;
    }
    apr_sha1_final(self->sha1, &context);
    return APR_STATUS_IS_EOF(status) ? 0 : status;
}

ferry_status hash_file(void *arg, ferry_call *call) {
    file *self = arg;
    apr_pool_t *pool;
    apr_file_t *source;
    apr_status_t status = apr_pool_create(&pool, NULL);
    if (status)
        return status;
    status = apr_file_open(&source, self->path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_FPROT_OS_DEFAULT, pool);
    if (!status)
        status = hash_chunks(self, source, call);
    apr_pool_destroy(pool); /* closes the file, too */
    return status;
}
