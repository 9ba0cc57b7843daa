/* SPDX-License-Identifier: Apache-2.0 */
/* One program, any backend: a chain of callbacks and a job, on a loop whose backend is chosen by name. It decides what
 * work the loop gets and knows of backends only their names.
 *
 *     faster_loop [BACKEND]        else the one named in FERRY_BACKEND, else the platform's best
 *     faster_loop --list           prints the backends that are built in, a line each */
#include <ferry.h>

#include <stdio.h>
#include <string.h>

enum { CALLBACKS = 1000000 };

typedef struct chain {
    ferry_loop *loop;
    ferry_future *end;
    int left;
} chain;

static ferry_status next(void *arg) {
    chain *self = arg;
    if (--self->left == 0)
        return ferry_future_set_result(self->end);
    return ferry_call_soon(self->loop, next, self, NULL);
}

static ferry_status run_chain(ferry_loop *loop) {
    chain links = {.loop = loop, .left = CALLBACKS};
    int64_t started_us = ferry_now();
    ferry_status status = ferry_future_create(loop, &links.end);
    if (!status)
        status = ferry_call_soon(loop, next, &links, NULL);
    if (!status)
        status = ferry_loop_run_until_complete(loop, links.end);
    if (!status)
        printf("%d callbacks at %.1f million a second\n", CALLBACKS,
               (double)CALLBACKS / (double)(ferry_now() - started_us));
    ferry_future_unref(links.end);
    return status;
}

static ferry_status answer(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, 42);
}

static ferry_status run_job(ferry_loop *loop) {
    ferry_future *job = NULL;
    ferry_status status = ferry_run_in_executor(loop, NULL, answer, NULL, &job);
    if (!status)
        status = ferry_loop_run_until_complete(loop, job);
    if (!status)
        status = ferry_future_status(job);
    if (!status)
        printf("a job's answer: %d\n", (int)ferry_future_integer(job));
    ferry_future_unref(job);
    return status;
}

static int list_backends(void) {
    for (const char *const *name = ferry_backend_names(); *name; name++)
        printf("%s\n", *name);
    return 0;
}

int main(int argc, char **argv) {
    char sentence[128];
    if (argc > 1 && !strcmp(argv[1], "--list"))
        return list_backends();
    ferry_loop_options options = {FERRY_LOOP_OPTIONS, .backend = argc > 1 ? argv[1] : NULL};
    ferry_loop *loop = NULL;
    ferry_status status = ferry_loop_create(&options, &loop);
    if (status) { /* of an unknown backend the library has said more */
        fprintf(stderr, "faster_loop: no loop: %s\n", ferry_strerror(status, sentence, sizeof sentence));
        return 2;
    }
    printf("backend: %s\n", ferry_loop_backend(loop));
    status = run_chain(loop);
    if (!status)
        status = run_job(loop);
    ferry_loop_unref(loop);
    if (status)
        fprintf(stderr, "faster_loop: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
