/* SPDX-License-Identifier: Apache-2.0 */
/* The host program forks while pools are at work. In the child the parent's executors and jobs answer that they are
 * the parent's, nothing hangs, and its exit waits for nobody. All of it happens in a child of the test, which forks in
 * turn: so each exit is an ordinary one. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "support/child.h"
#include "support/jobs.h"
#include "support/loops.h"
#include "support/threads.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a forked child may take before it counts as hanging. */
enum { FORKED_DEADLINE_S = 20 };

/* What the parent has when it forks. */
typedef struct belongings {
    ferry_loop *loop;
    ferry_executor *pool;
    ferry_executor *view;
    ferry_job *running;
    ferry_job *queued;
    fy_gate door;
    atomic_bool over;
    helper_thread submitters[2];
} belongings;

static bool is_forked;

/* A forked child has none of the threads whose stacks hold what they own, so a leak check there would be wrong. */
FY_SANITIZER_HOOK int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return is_forked;
}

/* Waits for each batch, lest the queue grow without end. */
static void submit_without_end(void *arg) {
    belongings *own = arg;
    while (!atomic_load(&own->over)) {
        ferry_job *last;
        for (int i = 0; i < 50; i++)
            CHECK_STATUS(ferry_executor_submit(own->pool, fy_nothing, NULL, NULL), 0);
        CHECK_STATUS(ferry_executor_submit(own->pool, fy_nothing, NULL, &last), 0);
        CHECK_STATUS(ferry_job_result(last, FERRY_FOREVER), 0);
        ferry_job_unref(last);
    }
}

static void own_things(belongings *own) {
    *own = (belongings){.loop = new_loop(), .pool = fy_pool_of(2)};
    fy_gate_init(&own->door);
    CHECK_STATUS(ferry_executor_limited(own->pool, 1, &own->view), 0);
    CHECK_STATUS(ferry_executor_submit(own->view, fy_gate_job, &own->door, &own->running), 0);
    fy_gate_await(&own->door, 1);
    CHECK_STATUS(ferry_executor_submit(own->view, fy_nothing, NULL, &own->queued), 0);
}

static void let_things_go(belongings *own) {
    fy_gate_open(&own->door);
    CHECK_STATUS(ferry_job_result(own->queued, FERRY_FOREVER), 0);
    ferry_job_unref(own->running);
    ferry_job_unref(own->queued);
    CHECK_STATUS(ferry_executor_close(own->view), 0);
    CHECK_STATUS(ferry_executor_close(own->pool), 0);
    end_loop(own->loop);
    fy_gate_fini(&own->door);
}

/* Forks, runs `in_child` there, and returns the child's exit code; a child that hangs is ended by its own alarm. */
static int in_a_fork(void (*in_child)(belongings *own), belongings *own) {
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        is_forked = true;
        alarm(FORKED_DEADLINE_S);
        in_child(own);
        exit(EXIT_SUCCESS);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- what the child does ---- */

static void do_nothing(belongings *own) {
    (void)own;
}

static ferry_status give_nothing(void *source, void **ret_arg) {
    (void)source;
    (void)ret_arg;
    return FERRY_EEXHAUSTED;
}

static void ask_everything(belongings *own) {
    ferry_future *future = NULL;
    ferry_map *map = NULL;
    ferry_map_options options = {FERRY_MAP_OPTIONS, .function = fy_nothing, .next = give_nothing};
    CHECK_STATUS(ferry_executor_submit(own->pool, fy_nothing, NULL, NULL), FERRY_EFORKED);
    CHECK_STATUS(ferry_executor_submit(own->view, fy_nothing, NULL, NULL), FERRY_EFORKED);
    CHECK_STATUS(ferry_run_in_executor(own->loop, own->pool, fy_nothing, NULL, &future), FERRY_EFORKED);
    CHECK_STATUS(ferry_run_in_executor(own->loop, NULL, fy_nothing, NULL, &future), FERRY_EFORKED);
    CHECK_STATUS(ferry_executor_map(own->pool, &options, &map), FERRY_EFORKED);
    CHECK_STATUS(ferry_job_wait(own->running, FERRY_FOREVER), FERRY_EFORKED);
    CHECK_STATUS(ferry_job_result(own->queued, FERRY_FOREVER), FERRY_EFORKED);
    CHECK_STATUS(ferry_executor_shutdown(own->pool, true, true, FERRY_FOREVER), FERRY_EFORKED);
    CHECK_STATUS(ferry_executor_shutdown(own->view, true, true, FERRY_FOREVER), FERRY_EFORKED);
    CHECK(future == NULL && map == NULL);
}

static void submit_once(belongings *own) {
    CHECK_STATUS(ferry_executor_submit(own->pool, fy_nothing, NULL, NULL), FERRY_EFORKED);
}

static void end_everything(belongings *own) {
    ferry_job_unref(own->running);
    ferry_job_unref(own->queued);
    CHECK_STATUS(ferry_executor_close(own->view), FERRY_EFORKED);
    CHECK_STATUS(ferry_executor_close(own->pool), FERRY_EFORKED);
    ferry_loop_close(own->loop);
    ferry_loop_unref(own->loop);
}

/* A loop with a job on its default executor: its thread may be one that the process keeps. */
static void run_a_loop(belongings *own) {
    (void)own;
    ferry_future *future;
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fy_nothing, NULL, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
    end_loop(loop);
}

static void run_two_loops(belongings *own) {
    run_a_loop(own);
    run_a_loop(own);
}

/* A job that forks and returns in the child, too, when its loop is closed. What is left of its thread there must leave
 * alone what other threads of the child do. */
typedef struct forking {
    fy_gate door;
    atomic_int child;
} forking;

static void run_loops_and_exit(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        run_a_loop(NULL);
        ferry_thread_sleep(60000); /* the forked thread is past all that it does, and so is one that is kept */
    }
    exit(EXIT_SUCCESS);
}

static ferry_status fork_and_return(void *arg, ferry_call *call) {
    static helper_thread other;
    forking *self = arg;
    fy_gate_job(&self->door, call);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        is_forked = true;
        alarm(FORKED_DEADLINE_S);
        thread_start(&other, run_loops_and_exit, NULL);
    } else {
        atomic_store(&self->child, (int)child);
    }
    return 0;
}

/* ---- modes ---- */

static int asks_in_the_child(void) {
    belongings own;
    own_things(&own);
    CHECK_INT(in_a_fork(ask_everything, &own), EXIT_SUCCESS);
    CHECK_INT(in_a_fork(end_everything, &own), EXIT_SUCCESS);
    CHECK_INT(in_a_fork(do_nothing, &own), EXIT_SUCCESS);
    CHECK(ferry_job_running(own.running));
    let_things_go(&own);
    return EXIT_SUCCESS;
}

static int forks_while_threads_submit(void) {
    /* A sanitizer lets each exit take a second. */
    enum { FORKS = FY_SANITIZED ? 12 : 90 };
    static void (*const acts[])(belongings *own) = {submit_once, end_everything, do_nothing};
    belongings own;
    own_things(&own);
    for (int i = 0; i < 2; i++)
        thread_start(&own.submitters[i], submit_without_end, &own);
    for (int i = 0; i < FORKS; i++)
        CHECK_INT(in_a_fork(acts[i % 3], &own), EXIT_SUCCESS);
    atomic_store(&own.over, true);
    for (int i = 0; i < 2; i++)
        thread_join(&own.submitters[i]);
    let_things_go(&own);
    return EXIT_SUCCESS;
}

static int forks_with_a_thread_kept(void) {
    for (int i = 0; i < 5; i++) {
        run_a_loop(NULL);
        CHECK_INT(in_a_fork(run_two_loops, NULL), EXIT_SUCCESS);
        CHECK_INT(in_a_fork(do_nothing, NULL), EXIT_SUCCESS);
    }
    return EXIT_SUCCESS;
}

static int job_forks_and_returns(void) {
    int status = 0;
    forking self = {.child = 0};
    ferry_loop *loop = new_loop();
    fy_gate_init(&self.door);
    CHECK_STATUS(ferry_run_in_executor(loop, NULL, fork_and_return, &self, NULL), 0);
    turn(loop);
    fy_gate_await(&self.door, 1);
    end_loop(loop);
    fy_gate_open(&self.door);
    FY_AWAIT(atomic_load(&self.child));
    CHECK(waitpid(atomic_load(&self.child), &status, 0) > 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), EXIT_SUCCESS);
    run_a_loop(NULL);
    fy_gate_fini(&self.door);
    return EXIT_SUCCESS;
}

static void check_child(const char *mode) {
    fy_child child;
    fy_child_run(mode, &child);
    CHECK_INT(child.code, 0);
}

static void parents_executors_answer_in_the_child_that_they_are_forked(void) {
    check_child("asks_in_the_child");
}

#if FY_FORKS_AMID_THREADS
static void child_has_none_of_the_threads_that_its_parent_keeps(void) {
    check_child("forks_with_a_thread_kept");
}

static void job_may_fork_and_return_in_the_child_too(void) {
    check_child("job_forks_and_returns");
}

/* ET-018 */
static void fork_while_others_submit_leaves_no_lock_held_in_the_child(void) {
    check_child("forks_while_threads_submit");
}
#endif

static const fy_test tests[] = {
    FY_TEST(parents_executors_answer_in_the_child_that_they_are_forked),
#if FY_FORKS_AMID_THREADS
    FY_TEST(child_has_none_of_the_threads_that_its_parent_keeps),
    FY_TEST(job_may_fork_and_return_in_the_child_too),
    FY_TEST(fork_while_others_submit_leaves_no_lock_held_in_the_child),
#endif
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(asks_in_the_child),
    FY_CHILD_MODE(forks_with_a_thread_kept),
    FY_CHILD_MODE(job_forks_and_returns),
    FY_CHILD_MODE(forks_while_threads_submit),
};

FY_CHILD_TEST_MAIN("executor_fork", tests, modes)
