/* SPDX-License-Identifier: Apache-2.0 */
/* What nearly every test of process pools needs: the portable functions that its workers run, pools made with checks,
 * and jobs whose argument is one number. A main made by FY_PROCESS_TEST_MAIN is a worker's main, too. It decides
 * nothing about how a pool should behave. */
#ifndef FERRY_TESTS_SUPPORT_PROCESSES_H
#define FERRY_TESTS_SUPPORT_PROCESSES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_errno.h>

#include "ferry/process.h"
#include "support/board.h"
#include "support/gate.h"
#include "support/sanitized.h"
#include "support/system.h"

/* ---- portable functions; the argument is one number, unless said otherwise ---- */

static inline int64_t fy_number(const void *arg) {
    int64_t number;
    memcpy(&number, arg, sizeof number);
    return number;
}

static inline ferry_status fy_idle(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return 0;
}

static inline ferry_status fy_square(void *arg, ferry_call *call) {
    return ferry_return_integer(call, fy_number(arg) * fy_number(arg));
}

static inline ferry_status fy_half(void *arg, ferry_call *call) {
    return ferry_return_real(call, (double)fy_number(arg) / 2);
}

/* The argument: how many bytes there are, then they. */
static inline ferry_status fy_echo_bytes(void *arg, ferry_call *call) {
    return ferry_return_bytes(call, (char *)arg + sizeof(int64_t), (size_t)fy_number(arg), NULL);
}

/* That many bytes, each made of its place. */
static inline char fy_pattern(size_t place) {
    return (char)(place * 131 % 251);
}

static inline ferry_status fy_make_bytes(void *arg, ferry_call *call) {
    size_t size = (size_t)fy_number(arg);
    char *bytes = malloc(size ? size : 1);
    if (!bytes)
        return ferry_return_error(call, APR_ENOMEM, "no memory");
    for (size_t i = 0; i < size; i++)
        bytes[i] = fy_pattern(i);
    return ferry_return_bytes(call, bytes, size, free);
}

static inline ferry_status fy_return_a_pointer(void *arg, ferry_call *call) {
    return ferry_return_pointer(call, arg, NULL);
}

static inline ferry_status fy_fail_with_words(void *arg, ferry_call *call) {
    return ferry_return_error(call, APR_EGENERAL, "unlucky number %d", (int)fy_number(arg));
}

static inline ferry_status fy_fail_silently(void *arg, ferry_call *call) {
    (void)call;
    return (ferry_status)fy_number(arg);
}

static inline ferry_status fy_pid(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, fy_system_process_id());
}

static inline ferry_status fy_worker_name(void *arg, ferry_call *call) {
    (void)arg;
    const char *name = ferry_call_worker(call);
    return ferry_return_bytes(call, (void *)(uintptr_t)name, strlen(name) + 1, NULL);
}

/* How often this process has run it. */
static inline ferry_status fy_count_here(void *arg, ferry_call *call) {
    static int64_t count;
    (void)arg;
    return ferry_return_integer(call, ++count);
}

/* Of the board: begins run i. */
static inline ferry_status fy_note_run(void *arg, ferry_call *call) {
    atomic_fetch_add(&fy_board()->runs[fy_number(arg)], 1);
    return ferry_return_integer(call, fy_number(arg));
}

/* Passes that door. */
static inline ferry_status fy_pass_door(void *arg, ferry_call *call) {
    fy_door_pass((int)fy_number(arg));
    return ferry_return_integer(call, fy_system_process_id());
}

static inline ferry_status fy_open_door(void *arg, ferry_call *call) {
    (void)call;
    fy_door_open((int)fy_number(arg));
    return 0;
}

static inline ferry_status fy_say(void *arg, ferry_call *call) {
    (void)call;
    printf("said %d\n", (int)fy_number(arg));
    return 0;
}

/* ---- these end their process ---- */

static inline ferry_status fy_abort_here(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    abort();
}

static inline ferry_status fy_exit_here(void *arg, ferry_call *call) {
    (void)call;
    exit((int)fy_number(arg));
}

static inline ferry_status fy_quit_here(void *arg, ferry_call *call) {
    (void)call;
    _Exit((int)fy_number(arg));
}

static inline ferry_status fy_kill_here(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    fy_system_kill(fy_system_process_id());
    ferry_thread_sleep(60000000);
    return 0;
}

/* Of the board: the first so many runs of job 0 die, the next one succeeds. */
static inline ferry_status fy_die_at_first(void *arg, ferry_call *call) {
    int64_t run = atomic_fetch_add(&fy_board()->runs[0], 1);
    return run < fy_number(arg) ? fy_kill_here(arg, call) : ferry_return_integer(call, run);
}

/* ---- initializers ---- */

static inline ferry_status fy_set_up(void *arg, ferry_call *call) {
    (void)call;
    atomic_fetch_add(&fy_board()->notes[fy_number(arg)], 1);
    return 0;
}

/* ---- the table ---- */

static const ferry_portable fy_portables[] = {
    {"idle", fy_idle, 0},
    {"square", fy_square, 0},
    {"half", fy_half, 0},
    {"echo_bytes", fy_echo_bytes, 0},
    {"make_bytes", fy_make_bytes, 0},
    {"return_a_pointer", fy_return_a_pointer, 0},
    {"fail_with_words", fy_fail_with_words, 0},
    {"fail_silently", fy_fail_silently, 0},
    {"pid", fy_pid, 0},
    {"worker_name", fy_worker_name, 0},
    {"count_here", fy_count_here, 0},
    {"note_run", fy_note_run, 0},
    {"pass_door", fy_pass_door, 0},
    {"open_door", fy_open_door, 0},
    {"say", fy_say, 0},
    {"abort_here", fy_abort_here, 0},
    {"exit_here", fy_exit_here, 0},
    {"quit_here", fy_quit_here, 0},
    {"kill_here", fy_kill_here, 0},
    {"die_at_first", fy_die_at_first, FERRY_IDEMPOTENT},
    {"set_up", fy_set_up, 0},
#ifdef FY_MORE_PORTABLES
    FY_MORE_PORTABLES
#endif
    {NULL, NULL, 0},
};

/* ---- main ---- */

/* Outside of a test, where no check can be made. */
static inline void fy_become_worker_or_go_on(int argc, char **argv) {
    if (!ferry_worker_init(argc, argv, fy_portables))
        return;
    fprintf(stderr, "the table of portable functions was refused\n");
    exit(EXIT_FAILURE);
}

#define FY_PROCESS_TEST_MAIN(suite, tests)                                                                           \
    int main(int argc, char **argv) {                                                                                \
        fy_become_worker_or_go_on(argc, argv);                                                                       \
        fy_board_open();                                                                                             \
        int code = fy_test_main(suite, tests, sizeof(tests) / sizeof(tests[0]), FY_TEST_DEADLINE_S, argc, argv);     \
        fy_board_remove();                                                                                           \
        return code;                                                                                                 \
    }

/* As FY_CHILD_TEST_MAIN of support/child.h, which must be included as well: a mode may have a pool. */
#define FY_PROCESS_CHILD_TEST_MAIN(suite, tests, modes)                                                              \
    int main(int argc, char **argv) {                                                                                \
        int code;                                                                                                    \
        fy_become_worker_or_go_on(argc, argv);                                                                       \
        if (fy_child_main(argc, argv, modes, sizeof(modes) / sizeof(modes[0]), &code))                               \
            return code;                                                                                             \
        fy_board_open();                                                                                             \
        code = fy_test_main(suite, tests, sizeof(tests) / sizeof(tests[0]), FY_TEST_DEADLINE_S, argc, argv);         \
        fy_board_remove();                                                                                           \
        return code;                                                                                                 \
    }

/* ---- pools ---- */

static inline ferry_executor *fy_processes_with(const ferry_process_pool_options *options) {
    ferry_executor *pool = NULL;
    fy_board_clear();
    CHECK_STATUS(ferry_process_pool_create(options, &pool), 0);
    CHECK(pool != NULL);
    return pool;
}

static inline ferry_executor *fy_processes_of(size_t max_workers) {
    ferry_process_pool_options options = {FERRY_PROCESS_POOL_OPTIONS, .max_workers = max_workers};
    return fy_processes_with(&options);
}

static inline void fy_processes_end(ferry_executor *pool) {
    CHECK_STATUS(ferry_executor_close(pool), 0);
}

static inline ferry_executor_stats fy_stats_of(ferry_executor *pool) {
    ferry_executor_stats stats = {.size = sizeof stats};
    CHECK_STATUS(ferry_executor_get_stats(pool, &stats), 0);
    return stats;
}

/* ---- jobs ---- */

static inline ferry_job_options fy_number_options(ferry_function *function, const int64_t *number) {
    return (ferry_job_options){FERRY_JOB_OPTIONS, .function = function, .arg = (void *)(uintptr_t)number,
                               .arg_size = sizeof *number};
}

static inline ferry_status fy_try_send(ferry_executor *pool, ferry_function *function, int64_t number,
                                       ferry_job **ret_job) {
    ferry_job_options options = fy_number_options(function, &number);
    return ferry_executor_submit_with(pool, &options, ret_job);
}

static inline ferry_job *fy_send(ferry_executor *pool, ferry_function *function, int64_t number) {
    ferry_job *job = NULL;
    CHECK_STATUS(fy_try_send(pool, function, number, &job), 0);
    return job;
}

/* Waits for it; its status. The job stays the caller's. */
static inline ferry_status fy_outcome_of(ferry_job *job) {
    CHECK_STATUS(ferry_job_wait(job, FERRY_FOREVER), 0);
    return ferry_job_status(job);
}

/* Waits for success; its number. */
static inline int64_t fy_take_integer(ferry_job *job) {
    CHECK_STATUS(fy_outcome_of(job), 0);
    int64_t integer = ferry_job_integer(job);
    ferry_job_unref(job);
    return integer;
}

static inline int64_t fy_call(ferry_executor *pool, ferry_function *function, int64_t number) {
    return fy_take_integer(fy_send(pool, function, number));
}

/* Waits for this failure. */
static inline void fy_take_failure(ferry_job *job, ferry_status status, const char *words) {
    CHECK_STATUS(fy_outcome_of(job), status);
    if (words) {
        CHECK(ferry_job_message(job) != NULL);
        if (!strstr(ferry_job_message(job), words))
            CHECK_STRING(ferry_job_message(job), words);
    }
    ferry_job_unref(job);
}

/* Occupies a worker until the door is opened; returns when the job stands there. `arrivals` counts this one. */
static inline ferry_job *fy_occupy_worker(ferry_executor *pool, int door, int64_t arrivals) {
    ferry_job *job = fy_send(pool, fy_pass_door, door);
    fy_door_await(door, arrivals);
    return job;
}

#endif
