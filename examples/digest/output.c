/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as sha1sum writes them, collected while a job writes the ones before. It decides how a name is escaped, and
 * that only whole lines are written, a block at a time: a target that is slow holds up the window, never the loop. */
#include "digest.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536 };

bool output_has_room(const output *self) {
    return self->filling.size < BLOCK;
}

bool output_is_idle(const output *self) {
    return !self->job && self->filling.size == 0;
}

void output_clear(output *self) {
    free(self->filling.data);
    free(self->writing.data);
    self->filling = self->writing = (text){0};
}

/* ---- lines ---- */

static bool reserve(text *self, size_t size) {
    if (self->size + size <= self->capacity)
        return true;
    size_t capacity = 2 * self->capacity + size;
    char *data = realloc(self->data, capacity);
    if (!data)
        return false;
    self->data = data;
    self->capacity = capacity;
    return true;
}

static void put(text *self, char character) {
    self->data[self->size++] = character;
}

static void put_hex(text *self, const unsigned char *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        put(self, digits[bytes[i] >> 4]);
        put(self, digits[bytes[i] & 15]);
    }
}

/* A name with a newline or a backslash is escaped, and the line says so with a backslash of its own in front. */
ferry_status output_add(output *self, const file *hashed) {
    text *line = &self->filling;
    if (!reserve(line, 1 + 2 * APR_SHA1_DIGESTSIZE + 2 + 2 * strlen(hashed->path) + 1))
        return APR_ENOMEM;
    if (strpbrk(hashed->path, "\\\n"))
        put(line, '\\');
    put_hex(line, hashed->hash.sha1, sizeof hashed->hash.sha1);
    put(line, ' ');
    put(line, ' ');
    for (const char *character = hashed->path; *character; character++) {
        if (*character == '\\' || *character == '\n')
            put(line, '\\');
        put(line, *character == '\n' ? 'n' : *character);
    }
    put(line, '\n');
    return 0;
}

/* ---- writing ---- */

static ferry_status write_block(void *arg, ferry_call *call) {
    output *self = arg;
    (void)call; /* not asked whether it is cancelled: it would leave a line cut short */
    return apr_file_write_full(self->target, self->writing.data, self->writing.size, NULL);
}

ferry_status output_flush(output *self, ferry_loop *loop, ferry_executor *pool, ferry_done_callback *written,
                          void *arg) {
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = write_block, .arg = self, .priority = FERRY_PRIORITY_HIGH};
    if (self->job || self->filling.size == 0)
        return 0;
    text block = self->filling;
    self->filling = self->writing;
    self->writing = block;
    return start_job(loop, pool, &options, written, arg, &self->job);
}

ferry_status output_written(output *self) {
    ferry_status status = ferry_future_status(self->job);
    ferry_future_unref(self->job);
    self->job = NULL;
    self->writing.size = 0;
    return status;
}
