/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as calls of a task: what they return, who frees it, and what becomes of them when the task is cancelled. */
#include <errno.h>
#include <string.h>

#include "ferry/run.h"
#include "support/jobs.h"
#include "support/tasks.h"

static ferry_status square(void *arg, ferry_call *call) {
    intptr_t number = (intptr_t)arg;
    return ferry_return_integer(call, number * number);
}

static ferry_status halve(void *arg, ferry_call *call) {
    return ferry_return_real(call, (double)(intptr_t)arg / 2);
}

static ferry_status call_for_numbers(void *executor, ferry_call *call) {
    int small = 0;
    int64_t large = 0;
    double real = 0;
    (void)call;
    CHECK_STATUS(ferry_to_thread(square, (void *)7, &small), 0);
    CHECK_INT(small, 49);
    CHECK_STATUS(ferry_call_in(executor, square, (void *)8, &large), 0);
    CHECK_INT(large, 64);
    CHECK_STATUS(ferry_to_thread(halve, (void *)7, &real), 0);
    CHECK(real > 3.4 && real < 3.6);
    CHECK_STATUS(ferry_to_thread(square, (void *)7, NULL), 0);
    CHECK_STATUS(ferry_to_thread(halve, (void *)7, &small), FERRY_EWRONGTYPE);
    CHECK_STATUS(ferry_to_thread(square, (void *)7, &real), FERRY_EWRONGTYPE);
    CHECK_INT(small, 49);
    return 0;
}

static void call_takes_the_value_by_its_type(void) {
    ferry_loop *loop = new_loop();
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(run_task(loop, call_for_numbers, pool), 0);
    CHECK_INT(fy_stats(pool).done, 1);
    CHECK_STATUS(ferry_executor_close(pool), 0);
    end_loop(loop);
}

static atomic_int freed;

static void free_text(void *text) {
    CHECK_STRING(text, "hello");
    atomic_fetch_add(&freed, 1);
}

static char hello[] = "hello";

static ferry_status return_text(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_pointer(call, hello, free_text);
}

static ferry_status return_bytes(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_bytes(call, hello, sizeof hello, free_text);
}

static ferry_status call_for_pointers(void *arg, ferry_call *call) {
    char *text = NULL;
    int number = 1;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_to_thread(return_text, NULL, &text), 0);
    CHECK_STRING(text, "hello");
    text = NULL;
    CHECK_STATUS(ferry_to_thread(return_bytes, NULL, &text), 0);
    CHECK_STRING(text, "hello");
    CHECK_INT(atomic_load(&freed), 0); /* they are the caller's */
    CHECK_STATUS(ferry_to_thread(return_text, NULL, NULL), 0);
    CHECK_STATUS(ferry_to_thread(return_text, NULL, &number), FERRY_EWRONGTYPE);
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_INT(atomic_load(&freed), 2);
    return 0;
}

static void pointer_that_is_taken_is_the_callers(void) {
    ferry_loop *loop = new_loop();
    atomic_store(&freed, 0);
    CHECK_STATUS(run_task(loop, call_for_pointers, NULL), 0);
    end_loop(loop);
    CHECK_INT(atomic_load(&freed), 2);
}

static ferry_status fail(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_error(call, FERRY_EFULL, "no room");
}

static ferry_status cancel_itself(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return FERRY_ECANCELED;
}

static ferry_status call_for_failures(void *arg, ferry_call *call) {
    int number = 1;
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_to_thread(fail, NULL, &number), FERRY_EFULL);
    CHECK_STATUS(ferry_to_thread(cancel_itself, NULL, &number), FERRY_EAWAITED_CANCELED);
    CHECK_STATUS(ferry_to_thread(NULL, NULL, &number), EINVAL);
    CHECK_INT(number, 1);
    ferry_executor *pool = fy_pool_of(1);
    CHECK_STATUS(ferry_executor_shutdown(pool, false, false, 0), 0);
    CHECK_STATUS(ferry_call_in(pool, square, NULL, &number), FERRY_ESHUTDOWN);
    return ferry_executor_close(pool);
}

static void failure_of_the_job_is_the_calls(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_to_thread(square, NULL, NULL), FERRY_ENOTASK);
    CHECK_STATUS(run_task(loop, call_for_failures, NULL), 0);
    end_loop(loop);
}

/* ---- cancelling ---- */

typedef struct blocking {
    fy_gate door;
    ferry_status went;
    atomic_bool saw_it;
} blocking;

static ferry_status wait_to_be_cancelled(void *arg, ferry_call *call) {
    blocking *self = arg;
    fy_gate_arrive(&self->door);
    FY_AWAIT(ferry_call_is_cancelled(call));
    atomic_store(&self->saw_it, true);
    return ferry_return_pointer(call, hello, free_text);
}

static ferry_status call_for_ever(void *arg, ferry_call *call) {
    blocking *self = arg;
    char *text = NULL;
    (void)call;
    self->went = ferry_to_thread(wait_to_be_cancelled, self, &text);
    CHECK(!text);
    return self->went;
}

static void cancelled_call_asks_the_job_to_stop(void) {
    static blocking self;
    ferry_loop *loop = new_loop();
    self = (blocking){.went = -1};
    atomic_store(&freed, 0);
    fy_gate_init(&self.door);
    ferry_task *task = new_task(loop, call_for_ever, &self);
    turn(loop);
    fy_gate_await(&self.door, 1);
    CHECK(ferry_future_cancel(task));
    CHECK_STATUS(run_until(loop, task), FERRY_ECANCELED);
    CHECK_STATUS(self.went, FERRY_ECANCELED);
    ferry_future *ended = NULL;
    CHECK_STATUS(ferry_loop_shutdown_default_executor(loop, FERRY_FOREVER, &ended), 0);
    CHECK_STATUS(run_until(loop, ended), 0);
    CHECK(atomic_load(&self.saw_it));
    CHECK_INT(atomic_load(&freed), 1); /* what it returned was dropped */
    ferry_future_unref(ended);
    ferry_future_unref(task);
    end_loop(loop);
    fy_gate_fini(&self.door);
}

static const fy_test tests[] = {
    FY_TEST(call_takes_the_value_by_its_type),
    FY_TEST(pointer_that_is_taken_is_the_callers),
    FY_TEST(failure_of_the_job_is_the_calls),
    FY_TEST(cancelled_call_asks_the_job_to_stop),
};

FY_TEST_MAIN("offload", tests)
