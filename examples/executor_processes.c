/* SPDX-License-Identifier: Apache-2.0 */
/* A task hands six jobs that block to three worker processes, waits for all, and prints what came of each. Every line
 * says which process wrote it. The jobs block for 0.1 seconds, or as long as the argument says. */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef _WIN32
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

enum { JOBS = 6, WORKERS = 3 };

/* What a job is given: a copy of these bytes goes to the process that runs it. */
typedef struct order {
    int64_t n, blocks_us;
} order;

/* In a worker process, which is this program once more; what it prints comes out where the parent's does. */
static ferry_status blocks(void *arg, ferry_call *call) {
    const order *given = arg;
    printf("%s, process %d: blocks(%" PRId64 ") begins\n", ferry_call_worker(call), (int)getpid(), given->n);
    ferry_thread_sleep(given->blocks_us);
    printf("%s, process %d: blocks(%" PRId64 ") is done\n", ferry_call_worker(call), (int)getpid(), given->n);
    return ferry_return_integer(call, given->n * given->n);
}

/* The functions that processes may be asked for; they go there by name. */
static const ferry_portable functions[] = {{"blocks", blocks, 0}, {NULL, NULL, 0}};

typedef struct main_arg {
    ferry_executor *pool;
    int64_t blocks_us;
} main_arg;

static ferry_status run_blocking_tasks(void *arg, ferry_call *call) {
    const main_arg *self = arg;
    ferry_future *jobs[JOBS] = {0};
    ferry_status status = 0;
    (void)call;
    printf("main, process %d: starts\n", (int)getpid());
    for (int64_t n = 0; n < JOBS && !status; n++) {
        order given = {n, self->blocks_us};
        ferry_job_options options = {
            FERRY_JOB_OPTIONS, .function = blocks, .arg = &given, .arg_size = sizeof given};
        status = ferry_run_in_executor_with(NULL, self->pool, &options, &jobs[n]);
    }
    printf("main: waits for the executor's jobs\n");
    if (!status)
        status = ferry_await_all(jobs, JOBS, 0);
    if (!status) {
        printf("main: results:");
        for (int n = 0; n < JOBS; n++)
            printf(" blocks(%d)=%" PRId64, n, ferry_future_integer(jobs[n]));
        printf("\nmain: exits\n");
    }
    ferry_future_unref_all(jobs, JOBS);
    return status;
}

int main(int argc, char **argv) {
    main_arg arg = {.blocks_us = 100000};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* several processes write here: whole lines, when they are printed */
    ferry_status status = ferry_worker_init(argc, argv, functions); /* a worker process never comes back from here */
    if (argc > 1)
        arg.blocks_us = (int64_t)(strtod(argv[1], NULL) * 1e6);
    ferry_process_pool_options options = {
        FERRY_PROCESS_POOL_OPTIONS, .max_workers = WORKERS, .worker_name_prefix = "blocking-1"};
    if (!status)
        status = ferry_process_pool_create(&options, &arg.pool);
    if (!status)
        status = ferry_run(run_blocking_tasks, &arg);
    ferry_executor_close(arg.pool);
    return status != 0;
}
