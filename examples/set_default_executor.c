/* SPDX-License-Identifier: Apache-2.0 */
/* A task has two strings joined by a job: once on an executor that is named in the call, once on one that was set as
 * the loop's default. It decides who owns which string: the arguments outlive the job, the joined string is the
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

/* executor NULL: the loop's default one. */
static ferry_status join_and_print(ferry_executor *executor, pair *words) {
    char *joined = NULL;
    ferry_status status = ferry_call_in(executor, join, words, &joined);
    if (!status)
        printf("main: %s\n", joined);
    free(joined);
    return status;
}

static ferry_status make_pool(const char *name, ferry_executor **ret_pool) {
    ferry_thread_pool_options options = {
        FERRY_THREAD_POOL_OPTIONS, .max_workers = 1, .thread_name_prefix = name};
    return ferry_thread_pool_create(&options, ret_pool);
}

static ferry_status join_twice(void *explicit_pool, ferry_call *call) {
    static pair to_explicit = {"Hello, ", "explicit executor"}, to_default = {"Hello, ", "default executor"};
    ferry_executor *default_pool = NULL;
    (void)call;
    ferry_status status = join_and_print(explicit_pool, &to_explicit);
    if (!status)
        status = make_pool("default", &default_pool);
    if (!status)
        status = ferry_loop_set_default_executor(ferry_running_loop(), default_pool);
    if (!status)
        status = join_and_print(NULL, &to_default);
    ferry_executor_unref(default_pool); /* the loop has it, and ferry_run shuts it down */
    return status;
}

int main(void) {
    char sentence[128];
    ferry_executor *pool = NULL;
    ferry_status status = make_pool("explicit", &pool);
    if (!status)
        status = ferry_run(join_twice, pool);
    ferry_status closed = ferry_executor_close(pool);
    if (!status)
        status = closed;
    if (status)
        fprintf(stderr, "set_default_executor: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
