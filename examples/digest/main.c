/* SPDX-License-Identifier: Apache-2.0 */
/* digest: the SHA-1 of every file under the paths, as sha1sum prints it, hashed on a pool of threads or of processes
 * while the loop stays free. It decides what the options mean, in which order things are made and ended, and the exit
 * status: 0; 1 if a file or the run failed; 2 for wrong options; 130 after Ctrl-C. */
#include "digest.h"

#include <apr_getopt.h>
#include <apr_general.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: digest [--workers N] [--processes] [--output FILE] [--progress] [--quiet] PATH...\n"
    "Prints the SHA-1 of every regular file under each PATH, in the order of a sorted walk.\n"
    "Symbolic links are followed only if they are a PATH.\n"
    "  --workers N    at most N threads, or processes\n"
    "  --processes    hash in other processes, not in threads\n"
    "  --output FILE  print to FILE\n"
    "  --progress     draw the progress bar even if stderr is no terminal\n"
    "  --quiet        no progress bar, no summary\n";

typedef struct arguments {
    size_t workers;
    const char *output;
    bool processes, progress, quiet, help;
    char **paths;
    size_t path_count;
} arguments;

/* ---- options ---- */

static bool take_option(arguments *self, int option, const char *value) {
    char *end;
    switch (option) {
    case 'w':
        self->workers = strtoul(value, &end, 10);
        return self->workers > 0 && *end == '\0' && *value != '-';
    case 'm':
        self->processes = true;
        return true;
    case 'o':
        self->output = value;
        return true;
    case 'p':
        self->progress = true;
        return true;
    case 'q':
        self->quiet = true;
        return true;
    default:
        self->help = true;
        return true;
    }
}

static bool read_arguments(arguments *self, int argc, char **argv, apr_pool_t *pool) {
    static const apr_getopt_option_t options[] = {
        {"workers", 'w', 1, NULL},  {"processes", 'm', 0, NULL}, {"output", 'o', 1, NULL},
        {"progress", 'p', 0, NULL}, {"quiet", 'q', 0, NULL},     {"help", 'h', 0, NULL},
        {NULL, 0, 0, NULL},
    };
    apr_getopt_t *reader;
    const char *value;
    int option;
    apr_status_t status = apr_getopt_init(&reader, pool, argc, (const char *const *)argv);
    while (!status && (status = apr_getopt_long(reader, options, &option, &value)) == 0)
        if (!take_option(self, option, value)) {
            fprintf(stderr, "digest: --workers wants a number above 0, not %s\n", value);
            return false;
        }
    if (!APR_STATUS_IS_EOF(status))
        return false; /* the reader has said why */
    self->paths = argv + reader->ind;
    self->path_count = (size_t)(argc - reader->ind);
    return self->help || self->path_count > 0;
}

/* APR can tell no terminal from other character devices, and no other one minds a progress bar. */
static bool is_terminal(apr_file_t *target) {
    apr_finfo_t info;
    return apr_file_info_get(&info, APR_FINFO_TYPE, target) == 0 && info.filetype == APR_CHR;
}

/* ---- the run ---- */

static apr_status_t open_output(digest *self, const char *path, apr_pool_t *pool) {
    if (!path)
        return apr_file_open_flags_stdout(&self->output.target, APR_FOPEN_BINARY, pool);
    return apr_file_open(&self->output.target, path,
                         APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE | APR_FOPEN_BINARY,
                         APR_FPROT_OS_DEFAULT, pool);
}

/* Hashing a file once more does no harm: one whose worker was killed is tried again. */
static ferry_status make_pools(digest *self, const arguments *options) {
    ferry_thread_pool_options threads = {
        FERRY_THREAD_POOL_OPTIONS, .max_workers = options->workers, .thread_name_prefix = "digest"};
    ferry_process_pool_options processes = {
        FERRY_PROCESS_POOL_OPTIONS, .max_workers = options->workers, .worker_name_prefix = "digest", .max_retries = 1};
    ferry_status status = ferry_thread_pool_create(&threads, &self->pool);
    if (!status && options->processes)
        status = ferry_process_pool_create(&processes, &self->processes);
    return status;
}

static ferry_status make(digest *self, const arguments *options, apr_pool_t *pool) {
    ferry_status status = ferry_loop_create(NULL, &self->loop);
    if (!status)
        status = make_pools(self, options);
    if (!status)
        status = walk_open(options->paths, options->path_count, false, &self->batch.walk);
    if (!status)
        status = open_output(self, options->output, pool);
    return status;
}

static ferry_status run(digest *self, const arguments *options, apr_pool_t *pool) {
    apr_file_t *errors;
    apr_status_t status = apr_file_open_stderr(&errors, pool);
    if (status)
        return status;
    bool bar = !options->quiet && (options->progress || is_terminal(errors));
    status = progress_start(self, options->paths, options->path_count, bar);
    if (status)
        return status;
    digest_go_on(self);
    status = ferry_loop_run_forever(self->loop);
    return status ? status : self->status;
}

/* The pools first: until their jobs have ended they use what is freed after them. */
static ferry_status end(digest *self) {
    progress_stop(self);
    ferry_status status = ferry_executor_close(self->processes);
    ferry_status threads_status = ferry_executor_close(self->pool);
    if (!status)
        status = threads_status;
    progress_clear(&self->progress);
    digest_clear(self);
    walk_close(self->batch.walk);
    ferry_loop_unref(self->loop);
    if (self->output.target && !status)
        status = apr_file_close(self->output.target);
    return status;
}

static void summarize(const digest *self) {
    double seconds = (double)(ferry_now() - self->progress.started_us) / 1e6;
    fprintf(stderr, "%" PRIu64 " files, %" PRIu64 " bytes in %.2f s (%.1f MB/s), %" PRIu64
            " failures, largest loop lag %.1f ms\n", self->files, self->bytes, seconds,
            (double)self->bytes / 1e6 / seconds, self->failures, (double)self->progress.largest_lag_us / 1e3);
}

static int digest_paths(const arguments *options, apr_pool_t *pool) {
    static digest self; /* the window is large for a stack */
    char sentence[128];
    ferry_status status = make(&self, options, pool);
    if (!status)
        status = run(&self, options, pool);
    bool interrupted = status == FERRY_ECANCELED;
    ferry_status ended = end(&self);
    if (!status)
        status = ended;
    if (interrupted)
        fprintf(stderr, "digest: interrupted\n");
    else if (status)
        fprintf(stderr, "digest: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    if (!options->quiet && self.progress.started_us)
        summarize(&self);
    return interrupted ? 130 : status || self.failures;
}

/* In a worker process this does not return; APR, which its jobs need, was started before. A terminal's Ctrl-C goes to
 * the workers, too, but is the parent's to heed. */
static bool init_worker(int argc, char **argv) {
    static const ferry_portable functions[] = {{"hash_file", hash_file, FERRY_IDEMPOTENT}, {NULL, NULL, 0}};
    void (*before)(int) = signal(SIGINT, SIG_IGN);
    ferry_status status = ferry_worker_init(argc, argv, functions);
    return before != SIG_ERR && signal(SIGINT, before) != SIG_ERR && !status;
}

int main(int argc, char **argv) {
    arguments options = {0};
    apr_pool_t *pool;
    if (apr_app_initialize(&argc, (const char *const **)&argv, NULL) || apr_pool_create(&pool, NULL)) {
        fprintf(stderr, "digest: APR could not be started\n");
        return 1;
    }
    if (!init_worker(argc, argv)) {
        fprintf(stderr, "digest: worker processes could not be provided for\n");
        return 1;
    }
    bool valid = read_arguments(&options, argc, argv, pool);
    int code = valid ? 0 : 2;
    if (!valid || options.help)
        fputs(usage, valid ? stdout : stderr);
    else
        code = digest_paths(&options, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return code;
}
