/* SPDX-License-Identifier: Apache-2.0 */
/* The digest program: what its parts know of each other. A file goes walk -> window -> hash -> output; walking, hashing
 * and writing are jobs, everything else happens on the loop's thread. Walking and writing are done by a thread pool,
 * hashing by the same one or by a process pool: it is given bytes and answers with bytes, so it runs on either.
 *
 *     job.c       starts a job whose end is told to a callback
 *     walk.c      finds files, in the order of a sorted walk
 *     hash.c      hashes one file
 *     output.c    turns hashes into lines and writes them
 *     window.c    keeps a bounded number of files in flight and puts the results back in order
 *     progress.c  ten times a second: the progress bar, Ctrl-C, the loop's lag
 *     main.c      options, and what is made and ended when */
#ifndef DIGEST_H
#define DIGEST_H

#include <ferry.h>

#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_sha1.h>
#include <stdatomic.h>

/* ---- job.c ---- */

/* On failure nothing is left to be called; but where only the callback failed, the job may run all the same. */
ferry_status start_job(ferry_loop *loop, ferry_executor *pool, const ferry_job_options *options,
                       ferry_done_callback *done, void *arg, ferry_future **ret_future);

/* ---- walk.c ---- */

typedef struct walk walk;

typedef struct found {
    char *path;             /* free() it */
    uint64_t size;          /* only if the walk was opened with_sizes */
    ferry_status status;    /* not 0: why this path cannot be hashed */
} found;

enum { BATCH = 64 };

/* What the walk found last. The job that fills it is its only user until that job has ended. */
typedef struct walk_batch {
    walk *walk;
    size_t count;           /* 0 after a job: the walk is over */
    found files[BATCH];
} walk_batch;

ferry_status walk_open(char *const *paths, size_t count, bool with_sizes, walk **ret_walk);
void walk_close(walk *self);
ferry_function walk_fill_batch; /* arg: a walk_batch */
void walk_batch_clear(walk_batch *batch);

/* ---- hash.c ---- */

typedef struct hash {
    unsigned char sha1[APR_SHA1_DIGESTSIZE];
    uint64_t size;          /* bytes that were hashed */
} hash;

/* Portable. Its argument is a path, packed; its result a hash, packed. */
ferry_function hash_file;

/* Bytes that were hashed by this process so far, also of files that are not done. */
extern atomic_uint_fast64_t hashed_here;

/* ---- window.c ---- */

typedef struct file {
    char *path;
    hash hash;
    struct digest *digest;
    ferry_future *hashing;
    ferry_status status;
    bool done;
} file;

/* ---- output.c ---- */

typedef struct text {
    char *data;
    size_t size, capacity;
} text;

typedef struct output {
    apr_file_t *target;
    text filling, writing;  /* the job that writes is the only user of `writing` */
    ferry_future *job;      /* NULL: nothing is being written */
} output;

/* Whether more lines may be added: not while the target takes no more. */
bool output_has_room(const output *self);
ferry_status output_add(output *self, const file *hashed);
/* Writes what was added, if nothing is being written; `written` is then called on the loop. */
ferry_status output_flush(output *self, ferry_loop *loop, ferry_executor *pool, ferry_done_callback *written,
                          void *arg);
/* To be called by `written`: how the writing ended. */
ferry_status output_written(output *self);
bool output_is_idle(const output *self);
void output_clear(output *self);

/* ---- progress.c ---- */

typedef struct progress {
    bool bar;               /* draw one */
    bool drawn;
    ferry_handle *tick;
    int64_t due_us, started_us, largest_lag_us;
    walk_batch batch;       /* a second walk, ahead of the first, that counts what there is to do */
    ferry_future *counting;
    bool counted;
    uint64_t files, bytes;
} progress;

/* ---- window.c: the whole ---- */

enum { WINDOW = 256 };

typedef struct digest {
    ferry_loop *loop;
    ferry_executor *pool;       /* threads */
    ferry_executor *processes;  /* hash if there are any: else the threads do */
    walk_batch batch;
    size_t taken;               /* how many of the batch are in the window already */
    ferry_future *walking;
    bool walked;
    file window[WINDOW];        /* a ring: `count` files from `first` on, in the order of the walk */
    size_t first, count;
    output output;
    progress progress;
    uint64_t files, bytes, failures;
    bool stopping;
    ferry_status status;        /* why it is stopping */
} digest;

/* Does whatever can be done now. Called at the start and whenever a job has ended. */
void digest_go_on(digest *self);
/* Cancels what waits, asks what runs to stop, lets complete lines out, and stops the loop. */
void digest_stop(digest *self, ferry_status status);
/* Writes the lines that are ready, however few. */
void digest_flush(digest *self);
/* Only after the pools were closed: until then jobs may use what this frees. */
void digest_clear(digest *self);

ferry_status progress_start(digest *self, char *const *paths, size_t count, bool bar);
void progress_stop(digest *self);
/* Takes the bar off the terminal, so that a line can be printed. */
void progress_hide(progress *self);
/* Only after the pool was closed. */
void progress_clear(progress *self);

#endif
