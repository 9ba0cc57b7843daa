/* SPDX-License-Identifier: Apache-2.0 */
/* Executors with no event loop at all: submit, block for the result, a done callback, jobs in the order in which they
 * end, and the pool closed at the end of its scope. It decides nothing about threads but how many there may be. */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>

enum { JOBS = 3, WORKERS = 3 };

static ferry_status square(void *arg, ferry_call *call) {
    intptr_t number = (intptr_t)arg;
    return ferry_return_integer(call, number * number);
}

/* The greater its number, the sooner it ends. */
static ferry_status square_slowly(void *arg, ferry_call *call) {
    intptr_t number = (intptr_t)arg;
    ferry_thread_sleep((JOBS - number) * 50000);
    return square(arg, call);
}

static ferry_status fail(void *arg, ferry_call *call) {
    return ferry_return_error(call, 0, "%s is not a number", (const char *)arg);
}

/* ---- one job: submit, and block for the result ---- */

static ferry_status print_result(ferry_executor *pool) {
    ferry_job *job = NULL;
    ferry_status status = ferry_executor_submit(pool, square, (void *)12, &job);
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    if (!status)
        printf("result: %" PRId64 "\n", ferry_job_integer(job));
    ferry_job_unref(job);
    return status;
}

static ferry_status print_error(ferry_executor *pool) {
    ferry_job *job = NULL;
    ferry_status status = ferry_executor_submit(pool, fail, "seven", &job);
    if (!status)
        status = ferry_job_wait(job, FERRY_FOREVER);
    if (!status && ferry_job_status(job) != 0)
        printf("error: %s\n", ferry_job_message(job));
    ferry_job_unref(job);
    return status;
}

/* ---- a callback, called by the thread that completes the job ---- */

static ferry_status print_done(ferry_job *job, void *arg) {
    printf("%s: %" PRId64 "\n", (const char *)arg, ferry_job_integer(job));
    return ferry_job_status(job);
}

static ferry_status call_back(ferry_executor *pool) {
    ferry_job *job = NULL;
    ferry_status status = ferry_executor_submit(pool, square, (void *)9, &job);
    if (!status)
        status = ferry_job_add_done_callback(job, print_done, "callback");
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    if (!status)
        status = ferry_job_add_done_callback(job, print_done, "callback on a job that is done");
    ferry_job_unref(job);
    return status;
}

/* ---- several jobs, in the order in which they end ---- */

static ferry_status print_as_completed(ferry_job **jobs) {
    ferry_jobs_as_completed *iterator = NULL;
    ferry_job *job = NULL;
    ferry_status status = ferry_jobs_as_completed_open(jobs, JOBS, FERRY_FOREVER, &iterator);
    while (!status && (status = ferry_jobs_as_completed_next(iterator, &job)) == 0)
        printf("completed: %" PRId64 "\n", ferry_job_integer(job));
    ferry_jobs_as_completed_close(iterator);
    return status == FERRY_EEXHAUSTED ? 0 : status;
}

static ferry_status run_several(ferry_executor *pool) {
    ferry_job *jobs[JOBS] = {0};
    ferry_status status = 0;
    for (intptr_t i = 0; i < JOBS && !status; i++)
        status = ferry_executor_submit(pool, square_slowly, (void *)(i + 1), &jobs[i]);
    if (!status)
        status = print_as_completed(jobs);
    ferry_job_unref_all(jobs, JOBS);
    return status;
}

int main(void) {
    char sentence[128];
    ferry_executor *pool = NULL;
    ferry_status status = ferry_thread_pool_create(
        &(ferry_thread_pool_options){FERRY_THREAD_POOL_OPTIONS, .max_workers = WORKERS}, &pool);
    if (!status)
        status = print_result(pool);
    if (!status)
        status = print_error(pool);
    if (!status)
        status = call_back(pool);
    if (!status)
        status = run_several(pool);
    printf("a loop: %s\n", ferry_running_loop() ? "yes" : "none");
    ferry_status closed = ferry_executor_close(pool);
    if (!status)
        status = closed;
    printf("the pool is closed\n");
    if (status)
        fprintf(stderr, "jobs_without_a_loop: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
