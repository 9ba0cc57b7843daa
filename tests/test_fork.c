/* SPDX-License-Identifier: Apache-2.0 */
/* The host program forks: in a callback, between runs, while other threads run the loop or post to it. In the child
 * every call on the parent's loop is refused or harmless and a loop of its own works; the parent notices nothing. */
#include "support/loops.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ferry/task.h"
#include "support/forks.h"
#include "support/sanitized.h"
#include "support/threads.h"

/* ---- what a parent's loop may answer in the child ---- */

static ferry_status never(void *arg) {
    const bool reached = true;
    (void)arg;
    MUST(!reached);
    return 0;
}

static ferry_status keep_silent(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)loop;
    (void)report;
    (void)arg;
    return 0;
}

typedef struct belongings {
    ferry_loop *loop;
    ferry_future *future;
    ferry_handle *soon;
    ferry_handle *timer;
    ferry_handle *threadsafe;
} belongings;

static void own_things(belongings *own, ferry_loop *loop, int *ran) {
    own->loop = loop;
    own->future = new_future(loop);
    CHECK_STATUS(ferry_call_soon(loop, count_up, ran, &own->soon), 0);
    CHECK_STATUS(ferry_call_later(loop, 1000, count_up, ran, &own->timer), 0);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, count_up, ran, &own->threadsafe), 0);
}

static void disown_things(belongings *own) {
    ferry_future_unref(own->future);
    ferry_handle_unref(own->soon);
    ferry_handle_unref(own->timer);
    ferry_handle_unref(own->threadsafe);
}

static void expect_refusals(ferry_loop *loop, ferry_future *future) {
    ferry_handle *handle = NULL;
    ferry_future *made = NULL;
    MUST(ferry_call_soon(loop, never, NULL, NULL) == FERRY_EFORKED);
    MUST(ferry_call_soon(loop, never, NULL, &handle) == FERRY_EFORKED);
    MUST(ferry_call_soon_threadsafe(loop, never, NULL, NULL) == FERRY_EFORKED);
    MUST(ferry_call_soon_threadsafe(loop, never, NULL, &handle) == FERRY_EFORKED);
    MUST(ferry_call_later(loop, 0, never, NULL, &handle) == FERRY_EFORKED);
    MUST(ferry_call_at(loop, 0, never, NULL, &handle) == FERRY_EFORKED);
    MUST(ferry_future_create(loop, &made) == FERRY_EFORKED);
    MUST(ferry_loop_stop(loop) == FERRY_EFORKED);
    MUST(ferry_loop_run_forever(loop) == FERRY_EFORKED);
    MUST(ferry_loop_run_once(loop, FERRY_FOREVER) == FERRY_EFORKED);
    MUST(ferry_loop_run_until_complete(loop, future) == FERRY_EFORKED);
    MUST(ferry_loop_set_exception_handler(loop, keep_silent, NULL) == FERRY_EFORKED);
    MUST(ferry_loop_set_debug(loop, true) == FERRY_EFORKED);
    MUST(ferry_loop_set_slow_callback_duration(loop, 1) == FERRY_EFORKED);
    MUST(!handle && !made);
    (void)ferry_loop_next_deadline(loop);
    (void)ferry_loop_wait_handle(loop);
    (void)ferry_loop_time(loop);
    (void)ferry_loop_backend(loop);
    (void)ferry_loop_is_running(loop);
}

static void use_own_loop(void) {
    ferry_loop *own = NULL;
    int ran = 0;
    MUST(!ferry_running_loop());
    MUST(ferry_loop_create(NULL, &own) == 0);
    MUST(ferry_call_soon(own, count_up, &ran, NULL) == 0);
    MUST(ferry_call_soon_threadsafe(own, count_up, &ran, NULL) == 0);
    MUST(ferry_call_later(own, 1000, stop_loop, own, NULL) == 0);
    MUST(ferry_loop_run_forever(own) == 0);
    MUST(ran == 2);
    MUST(ferry_loop_close(own) == 0);
    ferry_loop_unref(own);
}

static _Noreturn void live_as_child(belongings *own) {
    MUST(!ferry_running_loop());
    expect_refusals(own->loop, own->future);
    ferry_handle_cancel(own->soon);
    ferry_handle_cancel(own->timer);
    ferry_handle_cancel(own->threadsafe);
    disown_things(own);
    MUST(ferry_loop_close(own->loop) == 0);
    MUST(ferry_loop_is_closed(own->loop));
    MUST(ferry_loop_close(own->loop) == 0);
    ferry_loop_unref(own->loop);
    use_own_loop();
    _exit(EXIT_SUCCESS);
}

/* ---- what the parent must still be able to do ---- */

static void post_stop(void *loop) {
    ferry_thread_sleep(5000);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stop_loop, loop, NULL), 0);
}

/* Callbacks, timers, and a post that wakes it from its poll. */
static void check_unharmed(ferry_loop *loop) {
    int ran = 0;
    helper_thread waker;
    CHECK_STATUS(ferry_call_soon(loop, count_up, &ran, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, 1000, count_up, &ran, NULL), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, never, NULL, NULL), 0);
    run_for(loop, 3000);
    CHECK_INT(ran, 2);
    thread_start(&waker, post_stop, loop);
    run_forever(loop);
    thread_join(&waker);
}

/* ---- tests ---- */

static ferry_status fork_here(void *arg) {
    belongings *own = arg;
    pid_t child = fork_now();
    if (child == 0)
        live_as_child(own);
    CHECK(ferry_running_loop() == own->loop);
    wait_for_child(child);
    return 0;
}

/* LL-015 */
static void child_of_a_callback_is_refused_and_the_parent_goes_on(void) {
    ferry_loop *loop = new_loop();
    belongings own;
    int ran = 0;
    post(loop, fork_here, &own);
    own_things(&own, loop, &ran);
    run_for(loop, 3000);
    CHECK_INT(ran, 3);
    check_unharmed(loop);
    CHECK_STATUS(ferry_call_later(loop, 0, fork_here, &own, NULL), 0);
    run_for(loop, 1000);
    check_unharmed(loop);
    disown_things(&own);
    end_loop(loop);
}

static void child_of_a_loop_at_rest_is_refused_and_the_parent_goes_on(void) {
    ferry_loop *loop = new_loop();
    belongings own;
    int ran = 0;
    own_things(&own, loop, &ran);
    pid_t child = fork_now();
    if (child == 0)
        live_as_child(&own);
    wait_for_child(child);
    run_for(loop, 3000);
    CHECK_INT(ran, 3);
    check_unharmed(loop);
    disown_things(&own);
    end_loop(loop);
}

typedef struct returning {
    ferry_loop *loop;
    pid_t child;
} returning;

static ferry_status fork_in_a_task(void *arg, ferry_call *call) {
    (void)call;
    CHECK(ferry_current_task());
    pid_t child = fork_now();
    if (!child) {
        MUST(!ferry_current_task());
        MUST(ferry_sleep(0) == FERRY_ENOTASK);
        MUST(ferry_await(arg) == FERRY_ENOTASK);
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    CHECK_STATUS(ferry_sleep(0), 0);
    return 0;
}

/* IN-003 */
static void child_of_a_task_has_no_current_task(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, fork_in_a_task, loop, &task), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, task), 0);
    CHECK_STATUS(ferry_future_status(task), 0);
    ferry_future_unref(task);
    end_loop(loop);
}

/* In the child of a task ThreadSanitizer follows that task's stack no longer, and takes what the others do once it is
 * left for races. */
#if !FY_THREAD_SANITIZED
static ferry_status sleep_a_little(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return ferry_sleep(10);
}

static void use_own_tasks(void) {
    ferry_loop *own = NULL;
    ferry_task *task = NULL;
    MUST(ferry_loop_create(NULL, &own) == 0);
    MUST(ferry_task_create(own, sleep_a_little, NULL, &task) == 0);
    MUST(ferry_loop_run_until_complete(own, task) == 0);
    MUST(ferry_future_status(task) == 0);
    ferry_future_unref(task);
    MUST(ferry_loop_close(own) == 0);
    ferry_loop_unref(own);
}

/* A task that forks, and what the child does before it returns from it. */
typedef struct forking {
    ferry_loop *loop;
    pid_t child;
    bool closes;
    ferry_timeout *timeout; /* of the task that forks */
} forking;

static ferry_status fork_and_return_from_the_task(void *arg, ferry_call *call) {
    forking *self = arg;
    CHECK_STATUS(ferry_timeout_open(FERRY_FOREVER, &self->timeout), 0);
    self->child = fork_now();
    if (self->child) {
        wait_for_child(self->child);
        CHECK_STATUS(ferry_timeout_close(self->timeout, 0), 0);
        return ferry_return_integer(call, 5);
    }
    if (self->closes)
        MUST(ferry_loop_close(self->loop) == 0);
    else
        MUST(ferry_timeout_close(self->timeout, FERRY_EFULL) == FERRY_EFULL);
    use_own_tasks();
    use_own_tasks();
    return 0;
}

/* Two tasks stand on their stacks at the moment of the fork, and one sleeps. */
static ferry_status fork_in_an_eager_task(void *arg, ferry_call *call) {
    const ferry_task_options options = {
        FERRY_TASK_OPTIONS, .function = fork_and_return_from_the_task, .arg = arg, .eager = true};
    ferry_task *inner = NULL;
    ferry_task_group *group = NULL;
    forking *self = arg;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    CHECK_STATUS(ferry_task_group_create_task(group, sleep_a_little, NULL, NULL), 0);
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_STATUS(ferry_task_group_create_task_with(group, &options, &inner), 0);
    if (!self->child) { /* of the child's copies not all are given up */
        MUST(self->closes || ferry_task_group_close(group, FERRY_EFULL) == FERRY_EFULL);
        return 0;
    }
    CHECK_INT(ferry_future_integer(inner), 5);
    ferry_future_unref(inner);
    CHECK_STATUS(ferry_task_group_close(group, 0), 0);
    return ferry_return_integer(call, 6);
}

static void fork_and_come_back(bool closes) {
    forking self = {.loop = new_loop(), .closes = closes};
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(self.loop, fork_in_an_eager_task, &self, &task), 0);
    ferry_status status = ferry_loop_run_until_complete(self.loop, task);
    if (!self.child) {
        MUST(status == FERRY_EFORKED);
        MUST(!ferry_running_loop());
        MUST(ferry_loop_close(self.loop) == 0);
        use_own_tasks();
        _exit(EXIT_SUCCESS);
    }
    CHECK_STATUS(status, 0);
    CHECK_INT(ferry_future_integer(task), 6);
    ferry_future_unref(task);
    end_loop(self.loop);
}

static void child_may_use_a_loop_of_its_own_inside_a_task_and_return(void) {
    fork_and_come_back(false);
}

static void child_may_close_the_loop_inside_a_task_and_return(void) {
    fork_and_come_back(true);
}
#endif

static ferry_status fork_and_return(void *arg) {
    returning *self = arg;
    self->child = fork_now();
    if (self->child)
        wait_for_child(self->child);
    return 0;
}

/* The child comes back from the callback into the run of its parent's loop. */
static void run_ends_in_the_child_that_returns_into_it(void) {
    returning self = {.loop = new_loop()};
    post(self.loop, fork_and_return, &self);
    CHECK_STATUS(ferry_call_later(self.loop, 1000, stop_loop, self.loop, NULL), 0);
    ferry_status status = ferry_loop_run_forever(self.loop);
    if (self.child == 0) {
        MUST(status == FERRY_EFORKED);
        MUST(!ferry_running_loop());
        MUST(ferry_loop_close(self.loop) == 0);
        ferry_loop_unref(self.loop);
        use_own_loop();
        _exit(EXIT_SUCCESS);
    }
    CHECK_STATUS(status, 0);
    check_unharmed(self.loop);
    end_loop(self.loop);
}

static void run_it(void *loop) {
    run_forever(loop);
}

static ferry_status open_gate(void *door) {
    gate_open(door);
    return 0;
}

/* The loop is in its poll, or about to be, on a thread that the child does not have. */
static void child_of_another_thread_is_refused_while_the_loop_runs(void) {
    ferry_loop *loop = new_loop();
    belongings own;
    gate running;
    helper_thread runner;
    int ran = 0;
    gate_init(&running);
    own_things(&own, loop, &ran);
    post(loop, open_gate, &running);
    thread_start(&runner, run_it, loop);
    gate_wait(&running);
    pid_t child = fork_now();
    if (child == 0)
        live_as_child(&own);
    wait_for_child(child);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stop_loop, loop, NULL), 0);
    thread_join(&runner);
    gate_fini(&running);
    check_unharmed(loop);
    disown_things(&own);
    end_loop(loop);
}

typedef struct held {
    gate entered;
    gate may_leave;
} held;

static ferry_status stay_inside(void *arg) {
    held *self = arg;
    gate_open(&self->entered);
    gate_wait(&self->may_leave);
    return 0;
}

/* The thread that runs the callback is not in the child, so nobody would ever tell that it has ended. */
static void child_does_not_wait_for_a_callback_of_the_parent(void) {
    ferry_loop *loop = new_loop();
    held self;
    ferry_handle *handle;
    helper_thread runner;
    gate_init(&self.entered);
    gate_init(&self.may_leave);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stay_inside, &self, &handle), 0);
    thread_start(&runner, run_it, loop);
    gate_wait(&self.entered);
    pid_t child = fork_now();
    if (child == 0) {
        ferry_handle_cancel(handle);
        ferry_handle_unref(handle);
        MUST(ferry_loop_close(loop) == 0);
        ferry_loop_unref(loop);
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    gate_open(&self.may_leave);
    CHECK_STATUS(ferry_call_soon_threadsafe(loop, stop_loop, loop, NULL), 0);
    thread_join(&runner);
    ferry_handle_unref(handle);
    gate_fini(&self.entered);
    gate_fini(&self.may_leave);
    end_loop(loop);
}

#if FY_FORKS_AMID_THREADS
enum { POSTERS = 2, FORKS = 30, AHEAD_MAX = 2000 };

typedef struct poster {
    ferry_loop *loop;
    atomic_bool *over;
    long posted;
    atomic_long ran;
} poster;

static ferry_status count_run(void *arg) {
    atomic_fetch_add(&((poster *)arg)->ran, 1);
    return 0;
}

static void post_until_over(void *arg) {
    poster *self = arg;
    while (!atomic_load(self->over)) {
        ferry_handle *handle = NULL;
        CHECK_STATUS(ferry_call_soon_threadsafe(self->loop, count_run, self, self->posted % 5 ? NULL : &handle), 0);
        ferry_handle_unref(handle);
        self->posted++;
        while (self->posted - atomic_load(&self->ran) > AHEAD_MAX && !atomic_load(self->over))
            ferry_thread_sleep(50);
    }
}

/* Whatever lock a thread holds at the moment of the fork stays locked in the child for ever. */
static void forks_while_threads_post_harm_neither_side(void) {
    ferry_loop *loop = new_loop();
    atomic_bool over = false;
    poster posters[POSTERS];
    helper_thread threads[POSTERS];
    int ran = 0;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        posters[i].over = &over;
        posters[i].posted = 0;
        atomic_init(&posters[i].ran, 0);
        thread_start(&threads[i], post_until_over, &posters[i]);
    }
    for (int i = 0; i < FORKS; i++) {
        belongings own;
        post(loop, fork_here, &own);
        own_things(&own, loop, &ran);
        turn(loop);
        disown_things(&own);
    }
    atomic_store(&over, true);
    for (int i = 0; i < POSTERS; i++)
        thread_join(&threads[i]);
    run_for(loop, 3000);
    for (int i = 0; i < POSTERS; i++)
        CHECK_INT(atomic_load(&posters[i].ran), posters[i].posted);
    CHECK_INT(ran, 3 * FORKS);
    end_loop(loop);
}
#endif

static const fy_test tests[] = {
    FY_TEST(child_of_a_task_has_no_current_task),
#if !FY_THREAD_SANITIZED
    FY_TEST(child_may_use_a_loop_of_its_own_inside_a_task_and_return),
    FY_TEST(child_may_close_the_loop_inside_a_task_and_return),
#endif
    FY_TEST(child_of_a_callback_is_refused_and_the_parent_goes_on),
    FY_TEST(child_of_a_loop_at_rest_is_refused_and_the_parent_goes_on),
    FY_TEST(run_ends_in_the_child_that_returns_into_it),
    FY_TEST(child_of_another_thread_is_refused_while_the_loop_runs),
    FY_TEST(child_does_not_wait_for_a_callback_of_the_parent),
#if FY_FORKS_AMID_THREADS
    FY_TEST(forks_while_threads_post_harm_neither_side),
#endif
};

FY_TEST_MAIN("fork", tests)
