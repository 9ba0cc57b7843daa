/* SPDX-License-Identifier: Apache-2.0 */
/* Two runners wait for the start gun, an event that a timer of the loop fires after a tenth of a second. */
#include <ferry.h>

#include <stdio.h>

#define FIRES_AFTER_US INT64_C(100000)

typedef struct runner {
    const char *name;
    ferry_event *gun;
} runner;

static ferry_status run(void *arg, ferry_call *call) {
    const runner *self = arg;
    (void)call;
    printf("%s waits\n", self->name);
    ferry_status status = ferry_event_wait(self->gun);
    if (!status)
        printf("%s runs\n", self->name);
    return status;
}

/* A callback of the loop, no task. */
static ferry_status fire(void *gun) {
    printf("bang\n");
    return ferry_event_set(gun);
}

static ferry_status race(void *arg, ferry_call *call) {
    ferry_event *gun = NULL;
    ferry_task *tasks[2] = {NULL, NULL};
    (void)arg;
    (void)call;
    ferry_status status = ferry_event_create(ferry_running_loop(), &gun);
    runner one = {"runner 1", gun}, two = {"runner 2", gun};
    if (!status)
        status = ferry_task_create(NULL, run, &one, &tasks[0]);
    if (!status)
        status = ferry_task_create(NULL, run, &two, &tasks[1]);
    if (!status)
        status = ferry_call_later(ferry_running_loop(), FIRES_AFTER_US, fire, gun, NULL);
    if (!status)
        status = FERRY_AWAIT_ALL(tasks[0], tasks[1]);
    ferry_future_unref_all(tasks, 2);
    ferry_event_unref(gun);
    return status;
}

int main(void) {
    return ferry_run(race, NULL) != 0;
}
