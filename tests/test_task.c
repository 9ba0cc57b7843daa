/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: when they run, what they wait for, how they end, and what they are called. */
#include <errno.h>
#include <string.h>

#include "support/tasks.h"

/* ---- beginning and ending ---- */

static ferry_status return_42(void *arg, ferry_call *call) {
    leave(*(const char *)arg);
    return ferry_return_integer(call, 42);
}

/* TK-001 */
static void task_begins_in_a_later_turn_and_returns_a_value(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, return_42, "a");
    CHECK_STRING(trace, "");
    CHECK(!ferry_future_done(task));
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK(ferry_future_done(task));
    CHECK_INT(ferry_future_integer(task), 42);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status fail(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_error(call, FERRY_EFULL, "no room for %d", 7);
}

static void error_of_the_function_is_the_tasks(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, fail, NULL);
    CHECK_STATUS(run_until(loop, task), FERRY_EFULL);
    CHECK_STRING(ferry_future_message(task), "no room for 7");
    CHECK(strstr(ferry_future_origin(task), "tasks.h"));
    ferry_future_unref(task);
    end_loop(loop);
}

/* ---- awaiting ---- */

typedef struct pair {
    ferry_future *future;
    ferry_status went;
    int value;
} pair;

static ferry_status await_pair(void *arg, ferry_call *call) {
    pair *self = arg;
    leave('a');
    self->went = ferry_await(self->future);
    leave('b');
    return ferry_return_integer(call, ferry_future_integer(self->future) + 1);
}

static void await_goes_on_when_the_future_is_done(void) {
    ferry_loop *loop = new_loop();
    pair self = {.future = new_future(loop), .went = -1};
    ferry_task *task = new_task(loop, await_pair, &self);
    turn(loop);
    turn(loop);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_future_set_integer(self.future, 6), 0);
    CHECK_STRING(trace, "a");
    turn(loop);
    CHECK_STRING(trace, "ab");
    CHECK_STATUS(self.went, 0);
    CHECK_INT(ferry_future_integer(task), 7);
    ferry_future_unref(self.future);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status await_values(void *arg, ferry_call *call) {
    ferry_future *future = arg;
    int small = 5;
    if (ferry_future_integer(future) > INT32_MAX) {
        CHECK_STATUS(FERRY_AWAIT(future, &small), FERRY_EWRONGTYPE); /* too large for its place */
        CHECK_INT(small, 5);
        return 0;
    }
    int64_t large = 0;
    double real = 0;
    char *text = NULL;
    CHECK_STATUS(FERRY_AWAIT(future, &small), 0);
    CHECK_INT(small, 6);
    CHECK_STATUS(FERRY_AWAIT(future, &large), 0);
    CHECK_INT(large, 6);
    CHECK_STATUS(FERRY_AWAIT(future, &real), FERRY_EWRONGTYPE);
    CHECK_STATUS(FERRY_AWAIT(future, &text), FERRY_EWRONGTYPE);
    CHECK_STATUS(FERRY_AWAIT(future, NULL), 0);
    (void)call;
    return 0;
}

/* FU-012 */
static void await_takes_the_value_by_its_type(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    CHECK_STATUS(ferry_future_set_integer(future, 6), 0);
    CHECK_STATUS(run_task(loop, await_values, future), 0);
    ferry_future_unref(future);
    future = new_future(loop);
    CHECK_STATUS(ferry_future_set_integer(future, INT64_C(1) << 40), 0);
    CHECK_STATUS(run_task(loop, await_values, future), 0);
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_status await_cancelled(void *arg, ferry_call *call) {
    (void)call;
    CHECK_STATUS(ferry_await(arg), 0);
    return FERRY_AWAIT((ferry_future *)arg, NULL);
}

static ferry_status cancel_future(void *future) {
    CHECK(ferry_future_cancel(future));
    return 0;
}

static void cancellation_of_the_awaited_is_not_the_waiters(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    ferry_task *task = new_task(loop, await_cancelled, future);
    post(loop, cancel_future, future);
    CHECK_STATUS(run_until(loop, task), FERRY_EAWAITED_CANCELED);
    CHECK(!ferry_future_cancelled(task));
    ferry_future_unref(future);
    ferry_future_unref(task);
    end_loop(loop);
}

static ferry_status await_all_three(void *arg, ferry_call *call) {
    ferry_future **futures = arg;
    (void)call;
    CHECK_STATUS(ferry_await_all(futures, 3, FERRY_RETURN_EXCEPTIONS), 0);
    CHECK_STATUS(FERRY_AWAIT_ALL(futures[0], futures[2]), 0);
    return ferry_await_all(futures, 3, 0);
}

static void await_all_tells_the_first_failure(void) {
    ferry_loop *loop = new_loop();
    ferry_future *futures[3];
    for (int i = 0; i < 3; i++)
        futures[i] = new_future(loop);
    ferry_task *task = new_task(loop, await_all_three, futures);
    turn(loop);
    CHECK_STATUS(ferry_future_set_result(futures[2]), 0);
    turn(loop);
    CHECK_STATUS(ferry_future_set_result(futures[0]), 0);
    turn(loop);
    CHECK(!ferry_future_done(task));
    CHECK_STATUS(ferry_future_set_error(futures[1], FERRY_EFULL, "full"), 0);
    CHECK_STATUS(run_until(loop, task), FERRY_EFULL);
    ferry_future_unref_all(futures, 3);
    ferry_future_unref(task);
    end_loop(loop);
}

/* ---- misuse ---- */

static ferry_status await_itself(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_await(ferry_current_task()), FERRY_EDEADLK);
    CHECK_STATUS(ferry_await(NULL), EINVAL);
    ferry_task *self = ferry_current_task();
    CHECK_STATUS(ferry_await_all(&self, 1, 0), FERRY_EDEADLK);
    return 0;
}

static ferry_status await_from_a_callback(void *future) {
    CHECK_STATUS(ferry_await(future), FERRY_ENOTASK);
    CHECK_STATUS(FERRY_AWAIT((ferry_future *)future, NULL), FERRY_ENOTASK);
    CHECK_STATUS(ferry_sleep(1), FERRY_ENOTASK);
    CHECK_STATUS(ferry_task_checkpoint(), FERRY_ENOTASK);
    CHECK(!ferry_current_task());
    return 0;
}

static void waits_that_cannot_be_are_refused(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, await_itself, NULL), 0);
    ferry_future *future = new_future(loop);
    CHECK_STATUS(ferry_await(future), FERRY_ENOTASK);
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(ferry_await(future), FERRY_ENOTASK); /* not even one that is done */
    post(loop, await_from_a_callback, future);
    turn(loop);
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_status await_the_others_future(void *future, ferry_call *call) {
    (void)call;
    return ferry_await(future);
}

/* TK-017 */
static void future_of_another_loop_is_refused(void) {
    ferry_loop *loop = new_loop();
    ferry_loop *other = new_loop();
    ferry_future *future = new_future(other);
    CHECK_STATUS(run_task(loop, await_the_others_future, future), FERRY_EWRONGLOOP);
    ferry_future_unref(future);
    end_loop(other);
    end_loop(loop);
}

typedef struct circle {
    ferry_task *tasks[2];
} circle;

static ferry_status await_the_second(void *arg, ferry_call *call) {
    (void)call;
    return ferry_await(((circle *)arg)->tasks[1]);
}

static ferry_status await_the_first(void *arg, ferry_call *call) {
    (void)call;
    return ferry_await(((circle *)arg)->tasks[0]);
}

static void tasks_that_wait_for_each_other_are_told(void) {
    ferry_loop *loop = new_loop();
    circle self;
    self.tasks[0] = new_task(loop, await_the_second, &self);
    self.tasks[1] = new_task(loop, await_the_first, &self);
    CHECK_STATUS(run_until(loop, self.tasks[0]), 0);
    CHECK_STATUS(ferry_future_status(self.tasks[1]), FERRY_EDEADLK);
    ferry_future_unref_all(self.tasks, 2);
    end_loop(loop);
}

/* ---- sleeping ---- */

static ferry_status sleep_a_while(void *arg, ferry_call *call) {
    int64_t began_us = clock_of(ferry_running_loop());
    ferry_status status = ferry_sleep(*(const int64_t *)arg);
    CHECK(clock_of(ferry_running_loop()) - began_us >= *(const int64_t *)arg);
    return status ? status : ferry_return_integer(call, 1);
}

/* TM-008: the value is the sleeper's own, so the call has none to hand back */
static void sleep_takes_its_time(void) {
    ferry_loop *loop = new_loop();
    int64_t duration_us = 3000;
    CHECK_STATUS(run_task(loop, sleep_a_while, &duration_us), 0);
    end_loop(loop);
}

static ferry_status three_turns(void *arg, ferry_call *call) {
    (void)call;
    for (int i = 0; i < 3; i++) {
        leave(*(const char *)arg);
        CHECK_STATUS(ferry_sleep(0), 0);
    }
    return 0;
}

/* LS-010 */
static void sleep_of_nothing_gives_the_others_a_turn(void) {
    ferry_loop *loop = new_loop();
    ferry_task *first = new_task(loop, three_turns, "a");
    ferry_task *second = new_task(loop, three_turns, "b");
    post_mark(loop, "c");
    CHECK_STATUS(run_until(loop, second), 0);
    CHECK_STRING(trace, "abcabab");
    ferry_future_unref(first);
    ferry_future_unref(second);
    end_loop(loop);
}

/* ---- who is running ---- */

static ferry_status check_current(void *arg, ferry_call *call) {
    ferry_task **self = arg;
    (void)call;
    for (int i = 0; i < 3; i++) {
        CHECK(ferry_current_task() == *self);
        CHECK_STATUS(ferry_sleep(0), 0);
    }
    return 0;
}

static ferry_status check_no_current(void *arg) {
    (void)arg;
    CHECK(!ferry_current_task());
    return 0;
}

/* TK-021 */
static void current_task_is_the_one_whose_code_runs(void) {
    ferry_loop *loop = new_loop();
    ferry_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = new_task(loop, check_current, &tasks[i]);
    post(loop, check_no_current, NULL);
    CHECK(!ferry_current_task());
    CHECK_STATUS(run_until(loop, tasks[2]), 0);
    CHECK(!ferry_current_task());
    ferry_future_unref_all(tasks, 3);
    end_loop(loop);
}

static ferry_status list_tasks(void *arg, ferry_call *call) {
    ferry_task *tasks[4] = {NULL};
    (void)arg;
    (void)call;
    CHECK_INT(ferry_all_tasks(ferry_running_loop(), tasks, 4), 2);
    CHECK(tasks[0] == ferry_current_task());
    CHECK_STRING(ferry_task_name(tasks[1]), "the sleeper");
    CHECK(!tasks[2]);
    CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 2);
    return 0;
}

/* IN-001 */
static void all_tasks_are_those_that_have_not_ended(void) {
    ferry_loop *loop = new_loop();
    CHECK_INT(ferry_all_tasks(loop, NULL, 0), 0);
    ferry_task *task = new_task(loop, list_tasks, NULL);
    int64_t duration_us = 1000;
    ferry_task *sleeper = NULL;
    CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){FERRY_TASK_OPTIONS, .function = sleep_a_while,
                                                                    .arg = &duration_us, .name = "the sleeper"},
                                        &sleeper), 0);
    CHECK_STATUS(run_until(loop, sleeper), 0);
    CHECK_STATUS(ferry_future_status(task), 0);
    CHECK_INT(ferry_all_tasks(loop, NULL, 0), 0);
    ferry_future_unref(task);
    ferry_future_unref(sleeper);
    end_loop(loop);
}

static void task_has_a_name(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = new_task(loop, return_42, "a");
    CHECK(!strncmp(ferry_task_name(task), "Task-", 5));
    CHECK_STATUS(ferry_task_set_name(task, "crawler"), 0);
    CHECK_STRING(ferry_task_name(task), "crawler");
    CHECK_STATUS(ferry_task_set_name(task, NULL), EINVAL);
    ferry_future *future = new_future(loop);
    CHECK(!ferry_future_is_task(future));
    CHECK(ferry_future_is_task(task));
    CHECK(!ferry_task_name(future));
    CHECK_STATUS(ferry_task_set_name(future, "x"), EINVAL);
    ferry_future_unref(future);
    CHECK_STATUS(run_until(loop, task), 0);
    CHECK_STRING(ferry_task_name(task), "crawler");
    ferry_future_unref(task);
    end_loop(loop);
}

/* ---- arguments and stacks ---- */

typedef struct counted {
    int number;
    int *freed;
} counted;

static void free_counted(void *arg) {
    ++*((counted *)arg)->freed;
}

static ferry_status read_counted(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_sleep(0), 0);
    return ferry_return_integer(call, ((counted *)arg)->number);
}

static void argument_is_copied_and_freed_once(void) {
    ferry_loop *loop = new_loop();
    int freed = 0;
    counted arg = {5, &freed};
    ferry_task *tasks[2];
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){FERRY_TASK_OPTIONS, .function = read_counted,
                                                                        .arg = &arg, .arg_size = sizeof arg,
                                                                        .arg_free = free_counted}, &tasks[i]), 0);
        arg.number++;
    }
    CHECK(ferry_future_cancel(tasks[1])); /* before it has begun */
    CHECK_STATUS(run_until(loop, tasks[0]), 0);
    CHECK_INT(ferry_future_integer(tasks[0]), 5);
    CHECK(ferry_future_cancelled(tasks[1]));
    CHECK_INT(freed, 2);
    ferry_future_unref_all(tasks, 2);
    end_loop(loop);
}

static void options_that_make_no_sense_are_refused(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create(loop, NULL, NULL, &task), EINVAL);
    CHECK_STATUS(ferry_task_create(NULL, return_42, NULL, &task), EINVAL);
    CHECK_STATUS(ferry_task_create_with(loop, NULL, &task), EINVAL);
    CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){.function = return_42}, &task), EINVAL);
    CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){FERRY_TASK_OPTIONS, .function = return_42,
                                                                    .stack_size = 100}, &task), EINVAL);
    CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){FERRY_TASK_OPTIONS, .function = return_42,
                                                                    .arg_size = 8}, &task), EINVAL);
    CHECK(!task);
    CHECK_STATUS(ferry_loop_set_task_stack_size(loop, 1), EINVAL);
    CHECK_STATUS(ferry_loop_set_task_stack_size(NULL, 65536), EINVAL);
    end_loop(loop);
}

/* LL-013 */
static void closed_loop_takes_no_task_and_leaves_the_argument(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = NULL;
    int freed = 0;
    counted arg = {5, &freed};
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = read_counted, .arg = &arg,
                                        .arg_size = sizeof arg, .arg_free = free_counted};
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_task_create_with(loop, &options, &task), FERRY_ECLOSED);
    CHECK(!task);
    CHECK_INT(freed, 0);
    ferry_loop_unref(loop);
}

static ferry_status go_deep(void *arg, ferry_call *call) {
    enum { DEEP_BYTES = 600 * 1024 };
    volatile char room[DEEP_BYTES];
    (void)arg;
    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = 1;
    CHECK_STATUS(ferry_sleep(0), 0);
    return ferry_return_integer(call, room[1024]);
}

static void stack_is_as_large_as_was_asked_for(void) {
    ferry_loop *loop = new_loop();
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create_with(loop, &(ferry_task_options){FERRY_TASK_OPTIONS, .function = go_deep,
                                                                    .stack_size = 1024 * 1024}, &task), 0);
    CHECK_STATUS(run_until(loop, task), 0);
    ferry_future_unref(task);
    CHECK_STATUS(ferry_loop_set_task_stack_size(loop, 1024 * 1024), 0);
    CHECK_STATUS(run_task(loop, go_deep, NULL), 0);
    end_loop(loop);
}

/* ---- deferred calls ---- */

static void leave_letter(void *letter) {
    (void)ferry_sleep(0);
    leave(*(const char *)letter);
}

static ferry_status defer_two(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_defer(leave_letter, "a"), 0);
    CHECK_STATUS(ferry_defer(leave_letter, "b"), 0);
    CHECK_STATUS(ferry_defer(NULL, NULL), EINVAL);
    leave('c');
    return 0;
}

static void deferred_calls_run_last_first_and_may_wait(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_defer(leave_letter, "x"), FERRY_ENOTASK);
    CHECK_STATUS(run_task(loop, defer_two, NULL), 0);
    CHECK_STRING(trace, "cba");
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(task_begins_in_a_later_turn_and_returns_a_value),
    FY_TEST(error_of_the_function_is_the_tasks),
    FY_TEST(await_goes_on_when_the_future_is_done),
    FY_TEST(await_takes_the_value_by_its_type),
    FY_TEST(cancellation_of_the_awaited_is_not_the_waiters),
    FY_TEST(await_all_tells_the_first_failure),
    FY_TEST(waits_that_cannot_be_are_refused),
    FY_TEST(future_of_another_loop_is_refused),
    FY_TEST(tasks_that_wait_for_each_other_are_told),
    FY_TEST(sleep_takes_its_time),
    FY_TEST(sleep_of_nothing_gives_the_others_a_turn),
    FY_TEST(current_task_is_the_one_whose_code_runs),
    FY_TEST(all_tasks_are_those_that_have_not_ended),
    FY_TEST(task_has_a_name),
    FY_TEST(argument_is_copied_and_freed_once),
    FY_TEST(options_that_make_no_sense_are_refused),
    FY_TEST(closed_loop_takes_no_task_and_leaves_the_argument),
    FY_TEST(stack_is_as_large_as_was_asked_for),
    FY_TEST(deferred_calls_run_last_first_and_may_wait),
};

FY_TEST_MAIN("task", tests)
