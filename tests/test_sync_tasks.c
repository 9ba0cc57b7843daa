/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that block in locks, events, semaphores and barriers: who goes on when, what a cancellation leaves behind that
 * comes in the same moment as the turn, and what is refused. */
#include "support/parties.h"

/* Of the running test. */
static ferry_event *event;
static ferry_lock *lock;
static ferry_condition *condition;
static ferry_semaphore *semaphore;
static ferry_barrier *barrier;

/* ---- events ---- */

static ferry_status wait_for_event(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    self->went = ferry_event_wait(event);
    leave(self->letter);
    return self->went;
}

/* EV-003, EV-004 */
static void set_event_wakes_tasks_though_it_is_cleared_and_one_is_cancelled(void) {
    begin_parties();
    CHECK_STATUS(ferry_event_create(loop, &event), 0);
    start_parties(wait_for_event, 0, 3);
    cancel(1);
    CHECK_STATUS(ferry_event_set(event), 0);
    CHECK_STATUS(ferry_event_clear(event), 0);
    settle();
    CHECK_STRING(trace, "bac");
    CHECK_STATUS(parties[0].went, 0);
    CHECK_STATUS(parties[1].went, FERRY_ECANCELED);
    CHECK_STATUS(ferry_event_set(event), 0);
    start_parties(wait_for_event, 3, 1);
    CHECK_STATUS(parties[3].went, 0);
    end_parties(4);
    ferry_event_unref(event);
    end();
}

/* ---- locks ---- */

static ferry_status use_lock(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    for (int i = self->rounds; i >= 0; i--) {
        self->went = ferry_lock_acquire(lock);
        leave(self->letter);
        if (self->went)
            return self->went;
        CHECK_STATUS(ferry_sleep(0), 0);
        CHECK_STATUS(ferry_lock_release(lock), 0);
    }
    return 0;
}

static void begin_locked(void) {
    begin_parties();
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    is_granted(STARTED(ferry_lock_acquire_future, lock));
}

static void end_unlocked(void) {
    CHECK(!ferry_lock_locked(lock));
    ferry_lock_unref(lock);
    end();
}

/* LK-001 */
static void tasks_take_turns_with_a_lock(void) {
    begin_locked();
    for (int i = 0; i < 3; i++)
        parties[i].rounds = 2;
    start_parties(use_lock, 0, 3);
    CHECK_STRING(trace, "");
    CHECK_STATUS(ferry_lock_release(lock), 0);
    end_parties(3);
    CHECK_STRING(trace, "abcabcabc");
    end_unlocked();
}

/* LK-003 */
static void lock_of_a_task_cancelled_in_that_moment_is_the_next_ones(void) {
    begin_locked();
    start_parties(use_lock, 0, 3);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    cancel(0);
    end_parties(3);
    CHECK_STRING(trace, "abc");
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    CHECK_STATUS(parties[1].went, 0);
    CHECK_STATUS(parties[2].went, 0);
    end_unlocked();
    begin_locked();
    start_parties(use_lock, 0, 1);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    cancel(0);
    end_parties(1);
    end_unlocked();
}

/* LK-004 */
static void task_cancelled_just_before_the_release_is_passed_over(void) {
    begin_locked();
    start_parties(use_lock, 0, 3);
    cancel(0);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    end_parties(3);
    CHECK_STRING(trace, "abc");
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    CHECK_STATUS(parties[1].went, 0);
    end_unlocked();
}

static ferry_status release_what_another_has(void *arg, ferry_call *call) {
    (void)call;
    CHECK_STATUS(ferry_lock_release(arg), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_condition_notify(condition, 1), FERRY_EINVALIDSTATE);
    return 0;
}

/* LK-006, CN-008 */
static ferry_status hold_lock(void *arg, ferry_call *call) {
    (void)call;
    (void)arg;
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_condition_wait(condition), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_lock_acquire(lock), 0);
    CHECK_STATUS(ferry_lock_acquire(lock), FERRY_EDEADLK);
    ferry_task *other = start_task(release_what_another_has, lock);
    CHECK_STATUS(ferry_await(other), 0);
    ends_with(other, 0);
    ferry_future *again = STARTED(ferry_lock_acquire_future, lock);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    is_granted(again);
    CHECK_STATUS(ferry_condition_notify(condition, 1), 0);
    return ferry_sleep(1000);
}

/* LK-006 */
static void lock_is_released_by_the_task_that_has_it_alone(void) {
    begin();
    CHECK_STATUS(ferry_condition_create(loop, NULL, &condition), 0);
    lock = ferry_condition_lock(condition);
    ferry_task *holder = start_task(hold_lock, NULL);
    settle();
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    run_until(holder);
    ends_with(holder, 0);
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    CHECK(ferry_lock_locked(lock));
    ferry_condition_unref(condition);
    end();
}

static ferry_status keep_lock(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return ferry_lock_acquire(lock);
}

static ferry_status try_what_is_the_holders(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_lock_release(lock), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_condition_notify_all(condition), FERRY_EINVALIDSTATE);
    return 0;
}

/* Both loops have given their task the same number. LK-006 */
static void task_of_another_loop_never_has_the_lock(void) {
    begin();
    CHECK_STATUS(ferry_condition_create(loop, NULL, &condition), 0);
    lock = ferry_condition_lock(condition);
    ferry_task *holder = start_task(keep_lock, NULL);
    settle();
    ends_with(holder, 0);
    ferry_loop *other = new_loop(), *own = loop;
    loop = other;
    run_task(try_what_is_the_holders, NULL);
    loop = own;
    CHECK(ferry_lock_locked(lock));
    end_loop(other);
    ferry_condition_unref(condition);
    end();
}

/* ---- semaphores ---- */

static ferry_status take_unit(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    self->went = ferry_semaphore_acquire(semaphore);
    leave(self->letter);
    return self->went;
}

/* SE-001, SE-002 */
static void units_go_to_tasks_in_order(void) {
    begin_parties();
    CHECK_STATUS(ferry_semaphore_create(loop, 1, 0, &semaphore), 0);
    start_parties(take_unit, 0, 3);
    CHECK_STRING(trace, "a");
    CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
    parties[3].task = start_task(take_unit, &parties[3]);
    CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
    settle();
    CHECK_STRING(trace, "abc");
    CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
    end_parties(4);
    CHECK_STRING(trace, "abcd");
    ferry_semaphore_unref(semaphore);
    end();
}

/* SE-004, SE-005 */
static void unit_of_a_cancelled_task_is_the_next_ones_or_free(void) {
    for (int first = 0; first < 2; first++) {
        begin_parties();
        CHECK_STATUS(ferry_semaphore_create(loop, 0, 0, &semaphore), 0);
        start_parties(take_unit, 0, 2);
        if (first)
            cancel(0);
        CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
        if (!first)
            cancel(0);
        settle();
        CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
        CHECK_STATUS(parties[1].went, 0);
        CHECK(ferry_semaphore_locked(semaphore));
        start_parties(take_unit, 2, 1);
        CHECK_STATUS(ferry_semaphore_release(semaphore), 0);
        cancel(2);
        end_parties(3);
        CHECK(!ferry_semaphore_locked(semaphore));
        is_granted(STARTED(ferry_semaphore_acquire_future, semaphore));
        CHECK(ferry_semaphore_locked(semaphore));
        ferry_semaphore_unref(semaphore);
        end();
    }
}

/* ---- barriers ---- */

static ferry_status meet(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    for (int i = self->rounds; i >= 0; i--) {
        self->went = ferry_barrier_wait(barrier, &self->index);
        leave(self->letter);
        if (self->went)
            return self->went;
    }
    return 0;
}

/* BA-001, BA-002, BA-003, BA-004 */
static void tasks_meet_round_after_round(void) {
    begin_parties();
    CHECK_STATUS(ferry_barrier_create(loop, 3, &barrier), 0);
    parties[1].rounds = parties[2].rounds = parties[3].rounds = 1;
    start_parties(meet, 0, 2);
    cancel(0);
    settle();
    CHECK_STRING(trace, "a");
    CHECK_INT(ferry_barrier_n_waiting(barrier), 1);
    start_parties(meet, 2, 2);
    end_parties(4);
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    unsigned indices = 0;
    for (int i = 1; i < 4; i++) {
        CHECK_STATUS(parties[i].went, 0);
        indices |= 1u << parties[i].index;
    }
    CHECK_INT(indices, 7);
    CHECK_INT(strlen(trace), 7);
    CHECK_INT(ferry_barrier_n_waiting(barrier), 0);
    ferry_barrier_unref(barrier);
    end();
}

/* BA-007 */
static void reset_concerns_those_inside_alone(void) {
    begin_parties();
    CHECK_STATUS(ferry_barrier_create(loop, 2, &barrier), 0);
    parties[0].rounds = 1;
    start_parties(meet, 0, 1);
    parties[1].task = start_task(meet, &parties[1]);
    settle();
    CHECK_INT(ferry_barrier_n_waiting(barrier), 1);
    CHECK_STATUS(parties[1].went, 0);
    CHECK_STATUS(ferry_barrier_abort(barrier), 0);
    start_parties(meet, 2, 1);
    end_parties(3);
    CHECK_STATUS(parties[0].went, FERRY_EBROKEN);
    CHECK_STATUS(parties[2].went, FERRY_EBROKEN);
    ferry_barrier_unref(barrier);
    end();
}

/* ---- refused and dropped ---- */

/* CN-011 */
static ferry_status block_on_another_loop(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_lock_acquire(lock), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_event_wait(event), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_semaphore_acquire(semaphore), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_barrier_wait(barrier, NULL), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_condition_wait(condition), FERRY_EWRONGLOOP);
    return 0;
}

/* CN-011 */
static void blocking_outside_of_a_task_of_the_loop_is_refused(void) {
    begin();
    ferry_loop *other = new_loop(), *own = loop;
    CHECK_STATUS(ferry_event_create(other, &event), 0);
    CHECK_STATUS(ferry_semaphore_create(other, 1, 0, &semaphore), 0);
    CHECK_STATUS(ferry_barrier_create(other, 1, &barrier), 0);
    CHECK_STATUS(ferry_condition_create(other, NULL, &condition), 0);
    lock = ferry_condition_lock(condition);
    CHECK_STATUS(ferry_lock_acquire(lock), FERRY_ENOTASK);
    CHECK_STATUS(ferry_event_wait(event), FERRY_ENOTASK);
    CHECK_STATUS(ferry_semaphore_acquire(semaphore), FERRY_ENOTASK);
    CHECK_STATUS(ferry_barrier_wait(barrier, NULL), FERRY_ENOTASK);
    CHECK_STATUS(ferry_condition_wait(condition), FERRY_ENOTASK);
    run_task(block_on_another_loop, NULL);
    CHECK(!ferry_lock_locked(lock) && !ferry_semaphore_locked(semaphore));
    ferry_event_unref(event);
    ferry_semaphore_unref(semaphore);
    ferry_barrier_unref(barrier);
    ferry_condition_unref(condition);
    end_loop(other);
    loop = own;
    end();
}

static void dropping_what_tasks_wait_for_ends_their_waits(void) {
    begin_locked();
    start_parties(use_lock, 0, 2);
    ferry_lock_unref(lock);
    end_parties(2);
    CHECK_STATUS(parties[0].went, FERRY_EAWAITED_CANCELED);
    CHECK_STATUS(parties[1].went, FERRY_EAWAITED_CANCELED);
    end();
    begin_locked();
    start_parties(use_lock, 0, 1);
    CHECK_STATUS(ferry_lock_release(lock), 0);
    cancel(0);
    ferry_lock_unref(lock); /* its turn goes to nobody */
    end_parties(1);
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    end();
}

static const fy_test tests[] = {
    FY_TEST(set_event_wakes_tasks_though_it_is_cleared_and_one_is_cancelled),
    FY_TEST(tasks_take_turns_with_a_lock),
    FY_TEST(lock_of_a_task_cancelled_in_that_moment_is_the_next_ones),
    FY_TEST(task_cancelled_just_before_the_release_is_passed_over),
    FY_TEST(lock_is_released_by_the_task_that_has_it_alone),
    FY_TEST(task_of_another_loop_never_has_the_lock),
    FY_TEST(units_go_to_tasks_in_order),
    FY_TEST(unit_of_a_cancelled_task_is_the_next_ones_or_free),
    FY_TEST(tasks_meet_round_after_round),
    FY_TEST(reset_concerns_those_inside_alone),
    FY_TEST(blocking_outside_of_a_task_of_the_loop_is_refused),
    FY_TEST(dropping_what_tasks_wait_for_ends_their_waits),
};

FY_TEST_MAIN("sync_tasks", tests)
