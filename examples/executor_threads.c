/* SPDX-License-Identifier: Apache-2.0 */
/* A task hands six jobs that block to three threads, waits for all, and prints what came of each. Every line says which
 * thread wrote it. */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>

enum { JOBS = 6, WORKERS = 3 };

#define BLOCKS_US INT64_C(100000)

/* On a thread of the pool: it may block. */
static ferry_status blocks(void *arg, ferry_call *call) {
    intptr_t n = (intptr_t)arg;
    printf("%s: blocks(%d) begins\n", ferry_call_worker(call), (int)n);
    ferry_thread_sleep(BLOCKS_US);
    printf("%s: blocks(%d) is done\n", ferry_call_worker(call), (int)n);
    return ferry_return_integer(call, n * n);
}

/* On the loop's thread: a task may wait, and must not block. */
static ferry_status run_blocking_tasks(void *pool, ferry_call *call) {
    ferry_future *jobs[JOBS] = {0};
    ferry_status status = 0;
    int64_t started_us = ferry_now();
    (void)call;
    printf("main: starts\n");
    for (intptr_t n = 0; n < JOBS && !status; n++)
        status = ferry_run_in_executor(NULL, pool, blocks, (void *)n, &jobs[n]);
    printf("main: waits for the executor's jobs\n");
    if (!status)
        status = ferry_await_all(jobs, JOBS, 0);
    if (!status) {
        printf("main: results:");
        for (int n = 0; n < JOBS; n++)
            printf(" blocks(%d)=%" PRId64, n, ferry_future_integer(jobs[n]));
        printf("\nmain: exits after %" PRId64 " ms\n", (ferry_now() - started_us) / 1000);
    }
    ferry_future_unref_all(jobs, JOBS);
    return status;
}

int main(void) {
    ferry_executor *pool = NULL;
    ferry_thread_pool_options options = {
        FERRY_THREAD_POOL_OPTIONS, .max_workers = WORKERS, .thread_name_prefix = "blocking-1"};
    ferry_status status = ferry_thread_pool_create(&options, &pool);
    if (!status)
        status = ferry_run(run_blocking_tasks, pool);
    ferry_executor_close(pool);
    return status != 0;
}
