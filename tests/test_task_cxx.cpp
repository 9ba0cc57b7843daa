/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks written in C++: waiting inside a catch block, exceptions of several tasks at once, values of every kind. With
 * FY_CXX_LINKED_IN the C++ runtime is a part of this program where Ferry cannot find it. */
#ifdef FY_CXX_LINKED_IN
#include <cxxabi.h>
#endif
#include <exception>
#include <stdexcept>
#include <string>

#include "ferry.h"
#include "support/harness.h"

static std::string letters;

struct leaver {
    char letter;
    explicit leaver(char given) : letter(given) {}
    ~leaver() { letters += letter; }
};

static ferry_status wait_while_handling(void *arg, ferry_call *call) {
    const char *name = static_cast<const char *>(arg);
    (void)call;
    leaver last(name[0]);
    try {
        throw std::runtime_error(name);
    } catch (const std::runtime_error &error) {
        do
            CHECK_STATUS(ferry_sleep(1000), 0); /* the other one handles its own meanwhile */
        while (name[0] == 'a' && letters.empty());
        CHECK_STRING(error.what(), name);
        try {
            throw; /* what this stack handles, and no other's */
        } catch (const std::runtime_error &again) {
            CHECK_STRING(again.what(), name);
        }
        CHECK(std::current_exception() != nullptr);
    }
    CHECK(std::current_exception() == nullptr);
    return 0;
}

[[maybe_unused]] static void name_the_runtime() {
#ifdef FY_CXX_LINKED_IN
    ferry_use_cxx_runtime(reinterpret_cast<ferry_cxx_runtime *>(abi::__cxa_get_globals));
#endif
}

[[maybe_unused]] static void task_may_wait_inside_a_catch_block() {
    name_the_runtime();
    ferry_loop *loop = nullptr;
    ferry_task *tasks[2] = {nullptr, nullptr};
    char first[] = "a first one", second[] = "b second one";
    letters.clear();
    CHECK_STATUS(ferry_loop_create(nullptr, &loop), 0);
    CHECK_STATUS(ferry_task_create(loop, wait_while_handling, first, &tasks[0]), 0);
    CHECK_STATUS(ferry_task_create(loop, wait_while_handling, second, &tasks[1]), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, tasks[0]), 0);
    CHECK_STATUS(ferry_future_status(tasks[1]), 0);
    CHECK_STRING(letters.c_str(), "ba");
    CHECK(std::uncaught_exceptions() == 0);
    ferry_future_unref_all(tasks, 2);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

struct waits_when_destroyed {
    ~waits_when_destroyed() {
        CHECK(std::uncaught_exceptions() == 1);
        CHECK_STATUS(ferry_sleep(1000), 0);
        CHECK(std::uncaught_exceptions() == 1);
    }
};

static ferry_status wait_while_unwinding(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    try {
        waits_when_destroyed waits;
        throw 7;
    } catch (int number) {
        CHECK_INT(number, 7);
    }
    return 0;
}

static ferry_status see_nothing_of_it(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    for (int i = 0; i < 10; i++) {
        CHECK(std::uncaught_exceptions() == 0);
        CHECK_STATUS(ferry_sleep(200), 0);
    }
    return 0;
}

[[maybe_unused]] static void task_may_wait_while_an_exception_unwinds() {
    name_the_runtime();
    ferry_loop *loop = nullptr;
    ferry_task *tasks[2] = {nullptr, nullptr};
    CHECK_STATUS(ferry_loop_create(nullptr, &loop), 0);
    CHECK_STATUS(ferry_task_create(loop, wait_while_unwinding, nullptr, &tasks[0]), 0);
    CHECK_STATUS(ferry_task_create(loop, see_nothing_of_it, nullptr, &tasks[1]), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, tasks[1]), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, tasks[0]), 0);
    ferry_future_unref_all(tasks, 2);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

static ferry_status await_values(void *arg, ferry_call *call) {
    ferry_future *number = static_cast<ferry_future *>(arg);
    int small = 0;
    int64_t large = 0;
    double real = 0;
    const char *text = nullptr;
    (void)call;
    CHECK_STATUS(FERRY_AWAIT(number, &small), 0);
    CHECK_INT(small, 12);
    CHECK_STATUS(FERRY_AWAIT(number, &large), 0);
    CHECK_INT(large, 12);
    CHECK_STATUS(FERRY_AWAIT(number, nullptr), 0);
    CHECK_STATUS(FERRY_AWAIT(number, &real), FERRY_EWRONGTYPE);
    CHECK_STATUS(FERRY_AWAIT(number, &text), FERRY_EWRONGTYPE);
    return FERRY_AWAIT_ALL(number, number);
}

static void await_knows_the_type_of_its_value() {
    ferry_loop *loop = nullptr;
    ferry_future *number = nullptr;
    ferry_task *task = nullptr;
    CHECK_STATUS(ferry_loop_create(nullptr, &loop), 0);
    CHECK_STATUS(ferry_future_create(loop, &number), 0);
    CHECK_STATUS(ferry_future_set_integer(number, 12), 0);
    CHECK_STATUS(ferry_task_create(loop, await_values, number, &task), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, task), 0);
    CHECK_STATUS(ferry_future_status(task), 0);
    ferry_future_unref(task);
    ferry_future_unref(number);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

static const fy_test tests[] = {
#ifndef _MSC_VER /* not tried: docs/platforms.md */
    FY_TEST(task_may_wait_inside_a_catch_block),
    FY_TEST(task_may_wait_while_an_exception_unwinds),
#endif
    FY_TEST(await_knows_the_type_of_its_value),
};

FY_TEST_MAIN("task_cxx", tests)
