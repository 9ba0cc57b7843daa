/* SPDX-License-Identifier: Apache-2.0 */
/* A run that ends with work still on the default executor: it is waited for, for so long and no longer; a job that is
 * still at it then is named.
 *
 *     shutdown [SECONDS [LIMIT]]        how long the job takes, and how long it is waited for; 1 and 300 unless told */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Looks up now and then whether it is still wanted. */
static ferry_status work(void *arg, ferry_call *call) {
    ferry_status status = ferry_call_sleep(call, *(const int64_t *)arg);
    printf("job: %s\n", status ? "gives up" : "done");
    return status;
}

static ferry_status leave_work(void *arg, ferry_call *call) {
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = work, .arg = arg, .name = "the long job"};
    (void)call;
    printf("main: ends\n");
    return ferry_run_in_executor_with(NULL, NULL, &options, NULL);
}

int main(int argc, char **argv) {
    int64_t duration_us = (int64_t)(1e6 * (argc > 1 ? strtod(argv[1], NULL) : 1));
    int64_t limit_us = (int64_t)(1e6 * (argc > 2 ? strtod(argv[2], NULL) : 300));
    ferry_runner *runner = NULL;
    int64_t started_us = ferry_now();
    ferry_runner_options options = {FERRY_RUNNER_OPTIONS, .shutdown_timeout_us = limit_us};
    ferry_status status = ferry_runner_create(&options, &runner);
    if (!status)
        status = ferry_runner_run(runner, leave_work, &duration_us, NULL);
    ferry_executor *pool = ferry_executor_ref(ferry_loop_default_executor(ferry_runner_loop(runner)));
    ferry_status closed = ferry_runner_close(runner);
    printf("closed after %" PRId64 " ms\n", (ferry_now() - started_us) / 1000);
    ferry_executor_cancel_running(pool); /* the process would wait for it at its end */
    ferry_executor_unref(pool);
    return status || closed;
}
