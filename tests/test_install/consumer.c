/* SPDX-License-Identifier: Apache-2.0 */
/* A user's program in C: it sees installed headers only, runs one job on a pool, and prints what came of it. */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>

static ferry_status six_times_seven(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, 6 * 7);
}

int main(void) {
    ferry_executor *pool = NULL;
    ferry_job *job = NULL;
    ferry_thread_pool_options options = {FERRY_THREAD_POOL_OPTIONS, .max_workers = 1};
    ferry_status status = ferry_thread_pool_create(&options, &pool);
    if (!status)
        status = ferry_executor_submit(pool, six_times_seven, NULL, &job);
    if (!status)
        status = ferry_job_result(job, FERRY_FOREVER);
    if (!status)
        printf("ferry %s: 6 * 7 = %" PRId64 "\n", ferry_version(), ferry_job_integer(job));
    ferry_job_unref(job);
    ferry_executor_close(pool);
    return status != 0;
}
