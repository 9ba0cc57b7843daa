/* SPDX-License-Identifier: Apache-2.0 */
/* What makes no sense is refused by locks, queues and the like with a status, and changes nothing: NULL, and another
 * thread while the loop runs. */
#include "support/sync.h"
#include "support/threads.h"

/* Of the running test. */
static ferry_event *event;
static ferry_lock *lock;
static ferry_condition *condition;
static ferry_semaphore *semaphore;
static ferry_barrier *barrier;
static ferry_queue *queue;

static void begin_with_all(void) {
    begin();
    CHECK_STATUS(ferry_event_create(loop, &event), 0);
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    CHECK_STATUS(ferry_condition_create(loop, lock, &condition), 0);
    CHECK_STATUS(ferry_semaphore_create(loop, 1, 0, &semaphore), 0);
    CHECK_STATUS(ferry_barrier_create(loop, 2, &barrier), 0);
    CHECK_STATUS(ferry_queue_create(loop, NULL, &queue), 0);
}

static void end_with_all(void) {
    ferry_event_unref(event);
    ferry_lock_unref(lock);
    ferry_condition_unref(condition);
    ferry_semaphore_unref(semaphore);
    ferry_barrier_unref(barrier);
    ferry_queue_unref(queue);
    end();
}

static void null_where_something_is_to_be_made_is_refused(void) {
    begin_with_all();
    CHECK_STATUS(ferry_event_create(NULL, &event), APR_EINVAL);
    CHECK_STATUS(ferry_event_create(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_lock_create(NULL, &lock), APR_EINVAL);
    CHECK_STATUS(ferry_lock_create(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_condition_create(NULL, NULL, &condition), APR_EINVAL);
    CHECK_STATUS(ferry_condition_create(NULL, lock, &condition), APR_EINVAL);
    CHECK_STATUS(ferry_condition_create(loop, lock, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_create(NULL, 1, 0, &semaphore), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_create(loop, 1, 0, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_create(NULL, 1, &barrier), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_create(loop, 1, NULL), APR_EINVAL);
    ferry_queue_options_init(NULL);
    end_with_all();
}

static void null_future_is_refused_by_every_wait(void) {
    begin_with_all();
    CHECK_STATUS(ferry_event_wait_future(event, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_lock_acquire_future(lock, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_condition_wait_future(condition, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_acquire_future(semaphore, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_wait_future(barrier, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_put_future(queue, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_get_future(queue, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_get_nowait(queue, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_join_future(queue, NULL), APR_EINVAL);
    CHECK(!ferry_lock_locked(lock) && !ferry_semaphore_locked(semaphore) && ferry_queue_empty(queue));
    end_with_all();
}

static void null_is_refused_by_every_call_with_a_status(void) {
    void *item = NULL;
    begin();
    CHECK_STATUS(ferry_event_set(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_event_clear(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_event_wait(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_event_wait_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_lock_acquire(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_lock_acquire_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_lock_release(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_condition_wait(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_condition_wait_for(NULL, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_condition_wait_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_condition_notify(NULL, 1), APR_EINVAL);
    CHECK_STATUS(ferry_condition_notify_all(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_acquire(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_acquire_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_semaphore_release(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_wait(NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_wait_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_reset(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_barrier_abort(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_put(NULL, &item), APR_EINVAL);
    CHECK_STATUS(ferry_queue_put_future(NULL, &item, &started), APR_EINVAL);
    CHECK_STATUS(ferry_queue_put_nowait(NULL, &item), APR_EINVAL);
    CHECK_STATUS(ferry_queue_get(NULL, &item), APR_EINVAL);
    CHECK_STATUS(ferry_queue_get_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_queue_get_nowait(NULL, &item), APR_EINVAL);
    CHECK_STATUS(ferry_queue_task_done(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_join(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_join_future(NULL, &started), APR_EINVAL);
    CHECK_STATUS(ferry_queue_shutdown(NULL, true), APR_EINVAL);
    CHECK(!started && !item);
    end();
}

static void null_is_harmless_where_no_status_is_returned(void) {
    begin();
    CHECK(!ferry_event_ref(NULL) && !ferry_lock_ref(NULL) && !ferry_condition_ref(NULL));
    CHECK(!ferry_semaphore_ref(NULL) && !ferry_barrier_ref(NULL) && !ferry_queue_ref(NULL));
    ferry_event_unref(NULL);
    ferry_lock_unref(NULL);
    ferry_condition_unref(NULL);
    ferry_semaphore_unref(NULL);
    ferry_barrier_unref(NULL);
    ferry_queue_unref(NULL);
    CHECK(!ferry_event_is_set(NULL) && !ferry_lock_locked(NULL) && !ferry_condition_lock(NULL));
    CHECK(!ferry_semaphore_locked(NULL) && !ferry_barrier_broken(NULL));
    CHECK(!ferry_barrier_parties(NULL) && !ferry_barrier_n_waiting(NULL));
    CHECK(!ferry_queue_qsize(NULL) && ferry_queue_empty(NULL) && !ferry_queue_full(NULL));
    end();
}

static void use_from_elsewhere(void *arg) {
    void *item = arg;
    CHECK_STATUS(ferry_event_set(event), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_event_wait(event), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_lock_acquire(lock), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_lock_acquire_future(lock, &started), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_condition_wait(condition), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_condition_notify(condition, 1), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_semaphore_acquire(semaphore), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_semaphore_release(semaphore), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_barrier_wait(barrier, NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_barrier_abort(barrier), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_queue_put_nowait(queue, item), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_queue_get(queue, &item), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_queue_shutdown(queue, true), FERRY_EWRONGTHREAD);
}

static ferry_status call_from_elsewhere(void *arg) {
    on_another_thread(use_from_elsewhere, arg);
    return stop_loop(loop);
}

static void another_thread_is_refused_while_the_loop_runs(void) {
    begin_with_all();
    post(loop, call_from_elsewhere, NULL);
    run_forever(loop);
    CHECK(!ferry_event_is_set(event) && !ferry_barrier_broken(barrier) && ferry_queue_empty(queue));
    end_with_all();
}

static const fy_test tests[] = {
    FY_TEST(null_where_something_is_to_be_made_is_refused),
    FY_TEST(null_future_is_refused_by_every_wait),
    FY_TEST(null_is_refused_by_every_call_with_a_status),
    FY_TEST(null_is_harmless_where_no_status_is_returned),
    FY_TEST(another_thread_is_refused_while_the_loop_runs),
};

FY_TEST_MAIN("bad_input_sync", tests)
