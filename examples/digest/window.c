/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a bounded number of files between the walk and the output, however large the tree, and puts what the jobs
 * return in any order back into the order of the walk. Everything here runs on the loop's thread. */
#include "digest.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- out of the window, in order ---- */

static void report(digest *self, const file *failed) {
    char sentence[128];
    self->failures++;
    progress_hide(&self->progress);
    fprintf(stderr, "digest: %s: %s\n", failed->path, ferry_strerror(failed->status, sentence, sizeof sentence));
}

static void retire(digest *self) {
    while (!self->stopping && self->count && self->window[self->first].done && output_has_room(&self->output)) {
        file *oldest = &self->window[self->first];
        if (oldest->status) {
            report(self, oldest);
        } else {
            ferry_status status = output_add(&self->output, oldest);
            if (status)
                digest_stop(self, status);
            self->files++;
            self->bytes += oldest->hash.size;
        }
        free(oldest->path);
        self->first = (self->first + 1) % WINDOW;
        self->count--;
    }
}

/* ---- into the window ---- */

/* A job has ended that somebody waits for: its future is dropped, its outcome told. */
static ferry_status take_status(ferry_future **future) {
    ferry_status status = ferry_future_status(*future);
    ferry_future_unref(*future);
    *future = NULL;
    return status;
}

static ferry_status unpack_hash(ferry_future *future, hash *ret_hash) {
    ferry_unpack answer;
    size_t size;
    const void *bytes = ferry_future_bytes(future, &size);
    ferry_unpack_init(&answer, bytes, size);
    ferry_unpack_struct(&answer, ret_hash, sizeof *ret_hash);
    return ferry_unpack_end(&answer);
}

/* What other processes hash is known when they have ended with it. */
static ferry_status hashed(ferry_future *future, void *arg) {
    file *self = arg;
    ferry_status unpacked = unpack_hash(future, &self->hash);
    if (self->digest->processes)
        atomic_fetch_add_explicit(&hashed_here, self->hash.size, memory_order_relaxed);
    self->status = take_status(&self->hashing);
    if (!self->status)
        self->status = unpacked;
    self->done = true;
    digest_go_on(self->digest);
    return 0;
}

/* The path is copied into the job, and on to the process that runs it. */
static ferry_status start_hashing(digest *self, file *added) {
    ferry_executor *hashers = self->processes ? self->processes : self->pool;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = hash_file, .name = added->path};
    ferry_pack path = {0};
    ferry_pack_string(&path, added->path);
    ferry_status status = ferry_pack_finish(&path, &options.arg, &options.arg_size);
    if (!status)
        status = start_job(self->loop, hashers, &options, hashed, added, &added->hashing);
    ferry_pack_fini(&path);
    return status;
}

static void admit_file(digest *self, const found *next) {
    file *added = &self->window[(self->first + self->count) % WINDOW];
    *added = (file){.path = next->path, .digest = self, .status = next->status};
    self->count++;
    if (added->status) {
        added->done = true;
        return;
    }
    ferry_status status = start_hashing(self, added);
    if (status)
        digest_stop(self, status);
}

/* While a job fills the batch it is the job's alone. */
static bool has_found(const digest *self) {
    return !self->walking && self->taken < self->batch.count;
}

static void admit(digest *self) {
    while (!self->stopping && has_found(self) && self->count < WINDOW)
        admit_file(self, &self->batch.files[self->taken++]);
}

static ferry_status walked(ferry_future *future, void *arg) {
    digest *self = arg;
    (void)future;
    ferry_status status = take_status(&self->walking);
    if (status)
        digest_stop(self, status);
    self->walked = self->batch.count == 0;
    digest_go_on(self);
    return 0;
}

static void walk_on(digest *self) {
    if (self->stopping || self->walking || self->walked || has_found(self))
        return;
    self->taken = self->batch.count = 0;
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = walk_fill_batch, .arg = &self->batch, .priority = FERRY_PRIORITY_HIGH};
    ferry_status status = start_job(self->loop, self->pool, &options, walked, self, &self->walking);
    if (status)
        digest_stop(self, status);
}

/* ---- going on, and stopping ---- */

static ferry_status written(ferry_future *future, void *arg) {
    digest *self = arg;
    (void)future;
    ferry_status status = output_written(&self->output);
    if (status)
        digest_stop(self, status);
    digest_go_on(self);
    return 0;
}

void digest_flush(digest *self) {
    ferry_status status = output_flush(&self->output, self->loop, self->pool, written, self);
    if (status)
        digest_stop(self, status);
}

/* A job that is out brings it here again: unless all is over there is one, since the window holds more than a batch. */
void digest_go_on(digest *self) {
    retire(self);
    admit(self);
    walk_on(self);
    bool over = self->stopping || (self->walked && self->count == 0);
    if (over || !output_has_room(&self->output))
        digest_flush(self);
    if (over && output_is_idle(&self->output))
        (void)ferry_loop_stop(self->loop); /* an open loop's own thread is not refused */
}

void digest_stop(digest *self, ferry_status status) {
    if (self->stopping)
        return;
    self->stopping = true;
    self->status = status;
    for (size_t i = 0; i < self->count; i++)
        ferry_future_cancel(self->window[(self->first + i) % WINDOW].hashing);
    ferry_future_cancel(self->walking);
}

void digest_clear(digest *self) {
    for (size_t i = 0; i < self->count; i++) {
        file *left = &self->window[(self->first + i) % WINDOW];
        ferry_future_unref(left->hashing);
        free(left->path);
    }
    for (size_t i = self->taken; i < self->batch.count; i++)
        free(self->batch.files[i].path);
    ferry_future_unref(self->walking);
    output_clear(&self->output);
}
