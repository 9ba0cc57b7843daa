/* SPDX-License-Identifier: Apache-2.0 */
/* Two tasks print and sleep in turns, on one thread.
 *
 *     two_tasks [SCALE]        how long a second is; 1 unless told */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct ticker {
    const char *name;
    int times;
    int64_t period_us;
} ticker;

static ferry_status tick(void *arg, ferry_call *call) {
    const ticker *self = arg;
    ferry_status status = 0;
    (void)call;
    for (int i = 1; i <= self->times && !status; i++) {
        printf("%s: %d of %d\n", self->name, i, self->times);
        status = ferry_sleep(self->period_us);
    }
    return status;
}

static ferry_status run_both(void *arg, ferry_call *call) {
    double second_us = 1e6 * *(const double *)arg;
    ticker slow = {"slow", 10, (int64_t)(1.5 * second_us)}, fast = {"fast", 15, (int64_t)second_us};
    ferry_task *tasks[2] = {NULL, NULL};
    int64_t started_us = ferry_now();
    (void)call;
    ferry_status status = ferry_task_create(NULL, tick, &slow, &tasks[0]);
    if (!status)
        status = ferry_task_create(NULL, tick, &fast, &tasks[1]);
    if (!status)
        status = FERRY_AWAIT_ALL(tasks[0], tasks[1]);
    if (!status)
        printf("both have ended after %" PRId64 " ms\n", (ferry_now() - started_us) / 1000);
    ferry_future_unref_all(tasks, 2);
    return status;
}

int main(int argc, char **argv) {
    double scale = argc > 1 ? strtod(argv[1], NULL) : 1;
    return ferry_run(run_both, &scale) != 0;
}
