/* SPDX-License-Identifier: Apache-2.0 */
/* Five jobs count primes on the loop's default executor and are gathered; one of them may have an unlucky number. It
 * decides what to print for a list, for an error, and for the jobs that go on after the error.
 *
 *     gather_lucky [UNLUCKY [collect]]        which job fails, 1 to 5; "collect" keeps errors in the list */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 5 };

typedef struct problem {
    int number;
    bool unlucky;
} problem;

typedef struct choice {
    int unlucky;
    int flags;
} choice;

static bool is_prime(int64_t candidate) {
    for (int64_t divisor = 2; divisor * divisor <= candidate; divisor++)
        if (candidate % divisor == 0)
            return false;
    return candidate > 1;
}

/* Counts the primes below 20,000 times the job's number. */
static ferry_status count_primes(void *arg, ferry_call *call) {
    const problem *mine = arg;
    if (mine->unlucky)
        return ferry_return_error(call, 0, "unlucky number %d", mine->number);
    int64_t primes = 0;
    for (int64_t candidate = 0; candidate < mine->number * INT64_C(20000); candidate++)
        primes += is_prime(candidate);
    return ferry_return_integer(call, primes);
}

static void print_outcome(ferry_future *future) {
    if (ferry_future_status(future) == 0)
        printf(" %" PRId64, ferry_future_integer(future));
    else
        printf(" '%s'", ferry_future_message(future));
}

/* Prints what the gatherer got. Its own failure is an outcome like any other here. */
static void print_gathered(ferry_future *gathered) {
    if (ferry_future_status(gathered) == 0) {
        printf("results:");
        for (size_t i = 0; i < JOBS; i++)
            print_outcome(ferry_gather_child(gathered, i));
    } else {
        printf("error: %s", ferry_future_message(gathered));
    }
    printf("\n");
}

/* After the first error the other jobs were neither cancelled nor lost: each still comes to its own end. */
static ferry_status print_all_ends(ferry_future **jobs) {
    ferry_status status = ferry_await_all(jobs, JOBS, FERRY_RETURN_EXCEPTIONS);
    if (status)
        return status;
    printf("all ended:");
    for (size_t i = 0; i < JOBS; i++)
        print_outcome(jobs[i]);
    printf("\n");
    return 0;
}

static ferry_status gather(const choice *mine, ferry_future **jobs, ferry_future **ret_gathered) {
    ferry_status status = 0;
    for (int i = 0; i < JOBS && !status; i++) {
        problem one = {.number = i + 1, .unlucky = i + 1 == mine->unlucky};
        ferry_job_options options = {
            FERRY_JOB_OPTIONS, .function = count_primes, .arg = &one, .arg_size = sizeof one};
        status = ferry_run_in_executor_with(NULL, NULL, &options, &jobs[i]);
    }
    return status ? status : ferry_gather(ferry_running_loop(), jobs, JOBS, mine->flags, ret_gathered);
}

static ferry_status try_luck(void *arg, ferry_call *call) {
    ferry_future *jobs[JOBS] = {0}, *gathered = NULL;
    int64_t started_us = ferry_now();
    (void)call;
    ferry_status status = gather(arg, jobs, &gathered);
    if (!status)
        status = ferry_await(gathered);
    if (!status) {
        print_gathered(gathered);
        printf("elapsed: %" PRId64 " ms\n", (ferry_now() - started_us) / 1000);
        status = print_all_ends(jobs);
    }
    ferry_future_unref(gathered);
    ferry_future_unref_all(jobs, JOBS);
    return status;
}

int main(int argc, char **argv) {
    choice mine = {.unlucky = argc > 1 ? atoi(argv[1]) : 0,
                   .flags = argc > 2 && strcmp(argv[2], "collect") == 0 ? FERRY_RETURN_EXCEPTIONS : 0};
    return ferry_run(try_luck, &mine) != 0;
}
