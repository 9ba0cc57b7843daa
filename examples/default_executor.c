/* SPDX-License-Identifier: Apache-2.0 */
/* A function that blocks runs on the loop's default executor while a heart beats on the loop ten times a second. It
 * decides what is printed and when; how the work reaches a thread and comes back is the library's business.
 *
 *     default_executor [SECONDS]        how long the function blocks; 5 unless told */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BEAT_US INT64_C(100000)

/* A task: each beat is due 100 ms after the last one was, so a late one does not delay the others. */
static ferry_status beat(void *arg, ferry_call *call) {
    int *beats = arg;
    int64_t due_us = ferry_loop_time(ferry_running_loop());
    (void)call;
    for (;;) {
        due_us += BEAT_US;
        ferry_status status = ferry_sleep(due_us - ferry_loop_time(ferry_running_loop()));
        if (status)
            return status;
        printf("heart: beat %d\n", ++*beats);
    }
}

/* A job: it runs on a thread of the executor's, so it may block. */
static ferry_status blocks(void *arg, ferry_call *call) {
    intptr_t duration_ms = (intptr_t)arg;
    printf("job: blocks thread %s\n", ferry_call_worker(call));
    ferry_thread_sleep((int64_t)duration_ms * 1000);
    printf("job: wakes\n");
    return ferry_return_integer(call, duration_ms);
}

static ferry_status wait_for_it(void *arg, ferry_call *call) {
    int beats = 0, blocked_ms = 0;
    int64_t started_us = ferry_loop_time(ferry_running_loop());
    ferry_task *heart = NULL;
    (void)call;
    printf("loop: starts at 0 ms\n");
    ferry_status status = ferry_task_create(NULL, beat, &beats, &heart);
    if (!status)
        status = ferry_to_thread(blocks, arg, &blocked_ms);
    if (!status)
        printf("loop: blocked for %d ms, finished at %" PRId64 " ms after %d beats\n", blocked_ms,
               (ferry_loop_time(ferry_running_loop()) - started_us) / 1000, beats);
    ferry_future_cancel(heart);
    (void)ferry_await(heart);
    ferry_future_unref(heart);
    return status;
}

/* Pools without a name are numbered as they are made. This one is made after the loop and still comes first: a loop has
 * no executor until the first job that asks for one. */
static ferry_status name_a_worker(void *arg, ferry_call *call) {
    printf("%s: thread %s\n", (const char *)arg, ferry_call_worker(call));
    return 0;
}

static ferry_status show_first_pool(void) {
    ferry_executor *pool = NULL;
    ferry_job *job = NULL;
    ferry_status status = ferry_thread_pool_create(&(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS}, &pool);
    if (!status)
        status = ferry_executor_submit(pool, name_a_worker, "pool made after the loop", &job);
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    ferry_job_unref(job);
    ferry_status closed = ferry_executor_close(pool);
    return status ? status : closed;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    ferry_runner *runner = NULL;
    ferry_status status = ferry_runner_create(NULL, &runner);
    if (!status)
        status = show_first_pool();
    if (!status)
        status = ferry_runner_run(runner, wait_for_it, (void *)(intptr_t)(seconds * 1000), NULL);
    ferry_status closed = ferry_runner_close(runner);
    return status || closed;
}
