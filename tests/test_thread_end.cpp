/* SPDX-License-Identifier: Apache-2.0 */
/* When what C++ keeps for a thread is destroyed: with a pool's threads before a shutdown that waits returns, with the
 * kept threads of a default executor before the process's exit goes on. */
#include <cstdio>
#include <cstdlib>

#include "ferry.h"

extern "C" {
#include "support/child.h"
}

struct connection {
    bool is_open = false;
    ~connection() {
        if (is_open)
            std::printf("closed\n");
        std::fflush(stdout);
    }
};

static thread_local connection of_this_thread;

static ferry_status connect(void *, ferry_call *) {
    of_this_thread.is_open = true;
    return 0;
}

/* Ends the process on a thread that the process's end would wait for. */
struct quitter {
    bool is_armed = false;
    ~quitter() {
        if (is_armed)
            std::exit(EXIT_SUCCESS);
    }
};

static thread_local quitter quits_with_this_thread;

static ferry_status arm(void *, ferry_call *) {
    quits_with_this_thread.is_armed = true;
    return 0;
}

static void say_the_rest() {
    std::printf("exiting\n");
}

static void run_one(ferry_executor *executor, ferry_function *function) {
    ferry_loop *loop = nullptr;
    ferry_future *future = nullptr;
    CHECK_STATUS(ferry_loop_create(nullptr, &loop), 0);
    CHECK_STATUS(ferry_run_in_executor(loop, executor, function, nullptr, &future), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

static int ends_a_pool() {
    ferry_executor *pool = nullptr;
    CHECK_STATUS(ferry_thread_pool_create(nullptr, &pool), 0);
    run_one(pool, connect);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    std::printf("shut down\n");
    ferry_executor_unref(pool);
    return EXIT_SUCCESS;
}

/* What was registered before the library registers its own is called after that. */
static int exits_with_a_kept_thread() {
    CHECK(!std::atexit(say_the_rest));
    run_one(nullptr, connect);
    return EXIT_SUCCESS;
}

static int kept_thread_exits() {
    run_one(nullptr, arm);
    ferry_thread_sleep(60000000);
    return EXIT_FAILURE;
}

static int thread_of_a_pool_exits() {
    ferry_executor *pool = nullptr;
    CHECK_STATUS(ferry_thread_pool_create(nullptr, &pool), 0);
    run_one(pool, arm);
    CHECK_STATUS(ferry_executor_shutdown(pool, true, false, FERRY_FOREVER), 0);
    return EXIT_FAILURE;
}

static void check_child(const char *mode, const char *output) {
    fy_child child;
    fy_child_run(mode, &child);
    CHECK_STRING(child.output, output);
    CHECK_INT(child.code, EXIT_SUCCESS);
}

static void threads_of_a_pool_are_over_when_it_is_shut_down() {
    check_child("ends_a_pool", "closed\nshut down\n");
}

static void kept_threads_are_over_before_the_exit_goes_on() {
    check_child("exits_with_a_kept_thread", "closed\nexiting\n");
}

static void thread_that_ends_may_end_the_process() {
    check_child("kept_thread_exits", "");
    check_child("thread_of_a_pool_exits", "");
}

static const fy_test tests[] = {
    FY_TEST(threads_of_a_pool_are_over_when_it_is_shut_down),
    FY_TEST(kept_threads_are_over_before_the_exit_goes_on),
    FY_TEST(thread_that_ends_may_end_the_process),
};

static const fy_child_mode modes[] = {
    FY_CHILD_MODE(ends_a_pool),
    FY_CHILD_MODE(exits_with_a_kept_thread),
    FY_CHILD_MODE(kept_thread_exits),
    FY_CHILD_MODE(thread_of_a_pool_exits),
};

FY_CHILD_TEST_MAIN("thread_end", tests, modes)
