/* SPDX-License-Identifier: Apache-2.0 */
/* A job joins two strings: once on an executor that is named in the call, once on one that was set as the loop's
 * default. It decides who owns which string: the pair of arguments is copied into the job, the joined string is the
 * caller's to free. */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    const char *left, *right;
} pair;

static ferry_status join(void *arg, ferry_call *call) {
    const pair *words = arg;
    size_t left = strlen(words->left), right = strlen(words->right);
    char *joined = malloc(left + right + 1);
    if (!joined)
        return ferry_return_error(call, 0, "no memory for %zu bytes", left + right + 1);
    memcpy(joined, words->left, left);
    memcpy(joined + left, words->right, right + 1);
    printf("%s joins\n", ferry_call_worker(call));
    return ferry_return_pointer(call, joined, free);
}

/* executor NULL: the loop's default one. *ret_joined is the caller's to free. */
static ferry_status join_on(ferry_loop *loop, ferry_executor *executor, pair words, void **ret_joined) {
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = join, .arg = &words, .arg_size = sizeof words};
    ferry_future *future = NULL;
    ferry_status status = ferry_run_in_executor_with(loop, executor, &options, &future);
    if (!status)
        status = ferry_loop_run_until_complete(loop, future);
    if (!status)
        status = ferry_future_take_pointer(future, ret_joined);
    ferry_future_unref(future);
    return status;
}

static ferry_status join_and_print(ferry_loop *loop, ferry_executor *executor, pair words) {
    void *joined = NULL;
    ferry_status status = join_on(loop, executor, words, &joined);
    if (!status)
        printf("main: %s\n", (char *)joined);
    free(joined);
    return status;
}

static ferry_status make_pool(const char *name, ferry_executor **ret_pool) {
    ferry_thread_pool_options options = {
        FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .thread_name_prefix = name};
    return ferry_thread_pool_create(&options, ret_pool);
}

int main(void) {
    char sentence[128];
    ferry_loop *loop = NULL;
    ferry_executor *explicit_pool = NULL, *default_pool = NULL;

    ferry_status status = ferry_loop_create(NULL, &loop);
    if (!status)
        status = make_pool("explicit", &explicit_pool);
    if (!status)
        status = make_pool("default", &default_pool);
    if (!status)
        status = join_and_print(loop, explicit_pool, (pair){"Hello, ", "explicit executor"});
    if (!status)
        status = ferry_loop_set_default_executor(loop, default_pool);
    if (!status)
        status = join_and_print(loop, NULL, (pair){"Hello, ", "default executor"});

    ferry_status closed = ferry_executor_close(explicit_pool);
    if (!status)
        status = closed;
    closed = ferry_executor_close(default_pool);
    if (!status)
        status = closed;
    ferry_loop_unref(loop);
    if (status)
        fprintf(stderr, "set_default_executor: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
