/* SPDX-License-Identifier: Apache-2.0 */
/* FERRY_AUTO: what a scope holds goes with it, by whichever way it is left. Only where the compiler has it. */
#include <string.h>

#include "ferry/io.h"
#include "ferry/sync.h"
#include "support/tasks.h"

#ifndef FERRY_AUTO
#error "this compiler has no clean-up of variables"
#endif

/* The letters of the values that have been freed, in order. */
static char freed[16];

static void note_freed(void *letter) {
    freed[strlen(freed)] = *(const char *)letter;
}

/* A future that shows when its last reference goes. */
static ferry_future *future_of(const char *letter) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_future_create(ferry_running_loop(), &future), 0);
    CHECK_STATUS(ferry_future_set_pointer(future, (void *)(uintptr_t)letter, note_freed), 0);
    return future;
}

static void leave_by(const char *way) {
    for (int i = 0; i < 1; i++) {
        FERRY_AUTO(ferry_future, inner) = future_of(way);
        if (*way == 'r')
            return;
        if (*way == 'b')
            break;
        if (*way == 'g')
            goto end;
    }
end:
    CHECK_INT(freed[0], *way);
}

static ferry_status leave_by_each(void *arg, ferry_call *call) {
    static const char *const ways[] = {"end", "return", "break", "goto"};
    (void)arg;
    (void)call;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        memset(freed, 0, sizeof freed);
        leave_by(ways[i]);
        CHECK_INT(strlen(freed), 1);
        CHECK_INT(freed[0], ways[i][0]);
    }
    return 0;
}

static void scope_gives_up_its_references_however_it_is_left(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, leave_by_each, NULL), 0);
    end_loop(loop);
}

static ferry_future *pass_on(void) {
    FERRY_AUTO(ferry_future, future) = future_of("p");
    FERRY_AUTO(ferry_future, other) = future_of("o");
    FERRY_AUTO(ferry_future, none) = NULL;
    FERRY_AUTO(ferry_future, last) = future_of("l");
    ferry_future *passed = future;
    future = NULL;
    CHECK(other && last && !none);
    return passed;
}

static ferry_status keep_what_was_passed(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    memset(freed, 0, sizeof freed);
    ferry_future *passed = pass_on();
    CHECK_STRING(freed, "lo");
    ferry_future_unref(passed);
    CHECK_STRING(freed, "lop");
    return 0;
}

static void last_one_goes_first_and_what_was_passed_on_stays(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, keep_what_was_passed, NULL), 0);
    end_loop(loop);
}

/* ---- with a cancellation ---- */

/* Holds a future, a queue with an item, and a lock that others wait for, while it waits. */
static ferry_status hold_and_wait(void *lock, ferry_call *call) {
    FERRY_AUTO(ferry_future, future) = future_of("f");
    FERRY_AUTO(ferry_queue, queue) = NULL;
    FERRY_AUTO(ferry_lock, held) = ferry_lock_ref(lock);
    const ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .free = note_freed};
    (void)call;
    CHECK_STATUS(ferry_defer(note_freed, (void *)(uintptr_t) "d"), 0);
    CHECK_STATUS(ferry_queue_create(ferry_running_loop(), &options, &queue), 0);
    CHECK_STATUS(ferry_queue_put(queue, (void *)(uintptr_t) "q"), 0);
    CHECK_STATUS(ferry_lock_acquire(held), 0);
    ferry_status status = ferry_sleep(AN_HOUR_US);
    CHECK_STRING(freed, "");
    CHECK_STATUS(ferry_lock_release(held), 0);
    return status;
}

static ferry_status take_lock(void *lock, ferry_call *call) {
    FERRY_AUTO(ferry_lock, held) = lock;
    (void)call;
    CHECK_STATUS(ferry_lock_acquire(held), 0);
    CHECK_STRING(freed, "qfd");
    return ferry_lock_release(held);
}

static ferry_status cancel_holder(void *arg, ferry_call *call) {
    ferry_lock *lock = NULL;
    ferry_loop *loop = ferry_running_loop();
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    FERRY_AUTO(ferry_task, holder) = new_task(loop, hold_and_wait, lock);
    FERRY_AUTO(ferry_task, next) = new_task(loop, take_lock, lock); /* with the reference of this function */
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK(ferry_future_cancel(holder));
    CHECK_STATUS(FERRY_AWAIT(next, NULL), 0);
    CHECK(ferry_future_cancelled(holder));
    return 0;
}

static void cancelled_task_gives_up_what_its_scopes_hold(void) {
    ferry_loop *loop = new_loop();
    memset(freed, 0, sizeof freed);
    CHECK_STATUS(run_task(loop, cancel_holder, NULL), 0);
    end_loop(loop);
}

/* ---- every type ---- */

static void every_type_has_its_form(void) {
    FERRY_AUTO(ferry_loop, loop) = new_loop(); /* goes last */
    FERRY_AUTO(ferry_as_completed, as_completed) = NULL;
    FERRY_AUTO(ferry_barrier, barrier) = NULL;
    FERRY_AUTO(ferry_condition, condition) = NULL;
    FERRY_AUTO(ferry_context, context) = NULL;
    FERRY_AUTO(ferry_context_var, variable) = NULL;
    FERRY_AUTO(ferry_event, event) = NULL;
    FERRY_AUTO(ferry_executor, executor) = NULL;
    FERRY_AUTO(ferry_handle, handle) = NULL;
    FERRY_AUTO(ferry_job, job) = NULL;
    FERRY_AUTO(ferry_jobs_as_completed, jobs) = NULL;
    FERRY_AUTO(ferry_map, map) = NULL;
    FERRY_AUTO(ferry_semaphore, semaphore) = NULL;
    FERRY_AUTO(ferry_socket, socket) = NULL;
    CHECK_STATUS(ferry_barrier_create(loop, 2, &barrier), 0);
    CHECK_STATUS(ferry_condition_create(loop, NULL, &condition), 0);
    CHECK_STATUS(ferry_context_copy(&context), 0);
    CHECK_STATUS(ferry_context_var_create("variable", NULL, &variable), 0);
    CHECK_STATUS(ferry_event_create(loop, &event), 0);
    CHECK_STATUS(ferry_thread_pool_create(NULL, &executor), 0);
    CHECK_STATUS(ferry_call_later(loop, AN_HOUR_US, mark, "a", &handle), 0);
    CHECK_STATUS(ferry_semaphore_create(loop, 1, 0, &semaphore), 0);
    CHECK(!as_completed && !job && !jobs && !map && !socket);
}

static const fy_test tests[] = {
    FY_TEST(scope_gives_up_its_references_however_it_is_left),
    FY_TEST(last_one_goes_first_and_what_was_passed_on_stays),
    FY_TEST(cancelled_task_gives_up_what_its_scopes_hold),
    FY_TEST(every_type_has_its_form),
};

FY_TEST_MAIN("auto", tests)
