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

typedef struct heart {
    ferry_loop *loop;
    ferry_handle *next;
    int64_t due_us;
    int beats;
} heart;

/* Each beat is due 100 ms after the last one was due, so a late one does not delay the others. */
static ferry_status beat_later(heart *self);

static ferry_status beat(void *arg) {
    heart *self = arg;
    printf("heart: beat %d\n", ++self->beats);
    ferry_handle_unref(self->next);
    self->next = NULL;
    return beat_later(self);
}

static ferry_status beat_later(heart *self) {
    self->due_us += BEAT_US;
    return ferry_call_at(self->loop, self->due_us, beat, self, &self->next);
}

/* A job: it runs on a thread of the executor's, so it may block. */
static ferry_status blocks(void *arg, ferry_call *call) {
    intptr_t duration_ms = (intptr_t)arg;
    printf("job: blocks thread %s\n", ferry_call_worker(call));
    ferry_thread_sleep((int64_t)duration_ms * 1000);
    printf("job: wakes\n");
    return ferry_return_integer(call, duration_ms);
}

static ferry_status run(ferry_loop *loop, intptr_t duration_ms) {
    heart pulse = {.loop = loop, .due_us = ferry_loop_time(loop)};
    int64_t started_us = pulse.due_us;
    ferry_future *blocked = NULL;

    printf("loop: starts at 0 ms\n");
    ferry_status status = beat_later(&pulse);
    if (!status)
        status = ferry_run_in_executor(loop, NULL, blocks, (void *)duration_ms, &blocked);
    if (!status)
        status = ferry_loop_run_until_complete(loop, blocked);
    if (!status)
        status = ferry_future_status(blocked);
    if (!status)
        printf("loop: blocked for %" PRId64 " ms, finished at %" PRId64 " ms after %d beats\n",
               ferry_future_integer(blocked), (ferry_loop_time(loop) - started_us) / 1000, pulse.beats);
    ferry_future_unref(blocked);
    ferry_handle_cancel(pulse.next);
    ferry_handle_unref(pulse.next);
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
    char sentence[128];
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    ferry_loop *loop = NULL;
    ferry_status status = ferry_loop_create(NULL, &loop);
    if (!status)
        status = show_first_pool();
    if (!status)
        status = run(loop, (intptr_t)(seconds * 1000));
    ferry_loop_unref(loop);
    if (status)
        fprintf(stderr, "default_executor: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
