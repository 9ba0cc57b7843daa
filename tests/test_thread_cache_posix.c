/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may do when its loop is closed, as if no thread were kept: wait for signals that it has blocked, and
 * unload the library. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/child.h"
#include "support/jobs.h"
#include "support/loops.h"

static ferry_status look_at_the_signals(void *arg, ferry_call *call) {
    sigset_t *mask = arg;
    (void)call;
    CHECK(!pthread_sigmask(SIG_SETMASK, NULL, mask));
    return 0;
}

static ferry_status block_all_signals(void *arg, ferry_call *call) {
    sigset_t all;
    (void)arg;
    (void)call;
    sigfillset(&all);
    CHECK(!pthread_sigmask(SIG_SETMASK, &all, NULL));
    return 0;
}

static void run_a_loop(ferry_function *function, void *arg) {
    ferry_future *future, *over;
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, function, arg, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &over), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, over), 0);
    ferry_future_unref(over);
    end_loop(loop);
}

/* A child, since the signal ends the process if some thread takes it. */
static int blocks_a_signal(void) {
    sigset_t usr1, seen;
    int taken = 0;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    run_a_loop(look_at_the_signals, &seen);
    CHECK(!sigismember(&seen, SIGUSR1));
    CHECK(!pthread_sigmask(SIG_BLOCK, &usr1, NULL));
    CHECK(!kill(getpid(), SIGUSR1));
    CHECK(!sigwait(&usr1, &taken));
    CHECK_INT(taken, SIGUSR1);
    run_a_loop(look_at_the_signals, &seen);
    CHECK(sigismember(&seen, SIGUSR1));
    CHECK(!sigismember(&seen, SIGUSR2));
    return EXIT_SUCCESS;
}

static void signal_that_the_program_blocks_is_left_to_it(void) {
    fy_child child;
    fy_child_run("blocks_a_signal", &child);
    CHECK_INT(child.code, EXIT_SUCCESS);
}

static void signals_that_a_job_has_blocked_are_not_blocked_for_the_next(void) {
    sigset_t seen;
    run_a_loop(block_all_signals, NULL);
    run_a_loop(look_at_the_signals, &seen);
    CHECK(!sigismember(&seen, SIGUSR1));
}

#ifdef FY_SHARED_LIBRARY
typedef ferry_status create_function(const ferry_loop_options *options, ferry_loop **ret_loop);
typedef ferry_status submit_function(const char *origin, ferry_loop *loop, ferry_executor *executor,
                                     ferry_function *function, void *arg, ferry_future **ret_future);
typedef ferry_status run_function(ferry_loop *loop, ferry_future *future);
typedef ferry_status close_function(ferry_loop *loop);
typedef void future_function(ferry_future *future);
typedef void loop_function(ferry_loop *loop);

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    CHECK(found);
    return found;
}

/* POSIX has these be functions, which ISO C does not let be cast. */
#define SYMBOL(type, variable, name) \
    type *variable;                  \
    *(void **)(&variable) = symbol(library, name)

static int unloads_the_library(void) {
    void *library = dlopen(FY_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    CHECK(library);
    SYMBOL(create_function, create, "ferry_loop_create");
    SYMBOL(submit_function, submit, "ferry_run_in_executor_from");
    SYMBOL(run_function, run, "ferry_loop_run_until_complete");
    SYMBOL(close_function, close_loop, "ferry_loop_close");
    SYMBOL(future_function, unref_future, "ferry_future_unref");
    SYMBOL(loop_function, unref_loop, "ferry_loop_unref");
    ferry_loop *loop = NULL;
    ferry_future *future = NULL;
    CHECK_STATUS(create(NULL, &loop), 0);
    CHECK_STATUS(submit(FERRY_HERE, loop, NULL, fy_nothing, NULL, &future), 0);
    CHECK_STATUS(run(loop, future), 0);
    unref_future(future);
    CHECK_STATUS(close_loop(loop), 0);
    unref_loop(loop);
    CHECK(!dlclose(library));
    ferry_thread_sleep(200000); /* a thread that was kept ends meanwhile, in code that must still be there */
    return EXIT_SUCCESS;
}

static void library_may_be_unloaded_while_a_thread_is_kept(void) {
    fy_child child;
    fy_child_run("unloads_the_library", &child);
    CHECK_INT(child.code, EXIT_SUCCESS);
}
#endif

static const fy_test tests[] = {
    FY_TEST(signal_that_the_program_blocks_is_left_to_it),
    FY_TEST(signals_that_a_job_has_blocked_are_not_blocked_for_the_next),
#ifdef FY_SHARED_LIBRARY
    FY_TEST(library_may_be_unloaded_while_a_thread_is_kept),
#endif
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(blocks_a_signal),
#ifdef FY_SHARED_LIBRARY
    FY_CHILD_MODE(unloads_the_library),
#endif
};

FY_CHILD_TEST_MAIN("thread_cache_posix", tests, modes)
