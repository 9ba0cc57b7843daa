/* SPDX-License-Identifier: Apache-2.0 */
/* Many tasks use locks, semaphores, queues, conditions, events and barriers in no order, and are cancelled at any
 * moment, not least right behind a release. Whatever happens: nobody is where another must be alone, no unit, item or
 * slot is lost or doubled, the limits hold, and whoever is notified wakes up. */
#include "support/sync.h"

enum { WORKERS = 40, STEPS = 130, UNITS = 3, QUEUE_MAX = 4, PARTIES = 3, LATE = 8 };

typedef struct world {
    ferry_lock *lock;
    ferry_semaphore *semaphore;
    ferry_queue *queue;
    ferry_condition *condition;
    ferry_event *event;
    ferry_barrier *barrier;
    ferry_task *workers[WORKERS];
    int in_lock, in_semaphore, in_condition;
    int tokens;             /* under the condition's lock */
    int items;              /* made so far */
    int cancelled, passed;  /* waits */
    unsigned char places[WORKERS * STEPS];
    bool is_put[WORKERS * STEPS], is_got[WORKERS * STEPS];
} world;

static world all;

static uint64_t random_state;

/* Below the limit; on the simulator the seed decides. */
static int any(int limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((random_state >> 33) % (uint64_t)limit);
}

/* ---- cancelling ---- */

static void cancel_somebody(void) {
    ferry_task *task = all.workers[any(WORKERS)];
    if (task != ferry_current_task())
        ferry_future_cancel(task);
}

/* The moment right behind a turn that was given to somebody. */
static void disturb(void) {
    if (!any(3))
        cancel_somebody();
}

static void pause_a_while(void) {
    if (any(2))
        (void)ferry_sleep(any(3) ? 0 : any(40));
}

/* True if it went well; nothing else than a cancellation may have happened. */
static bool went_well(ferry_status status) {
    all.passed += !status;
    all.cancelled += status == FERRY_ECANCELED;
    if (status)
        CHECK_STATUS(status, FERRY_ECANCELED);
    return !status;
}

/* ---- what a worker does ---- */

static void use_lock(void) {
    if (!went_well(ferry_lock_acquire(all.lock)))
        return;
    CHECK_INT(++all.in_lock, 1);
    pause_a_while();
    CHECK_INT(all.in_lock--, 1);
    CHECK_STATUS(ferry_lock_release(all.lock), 0);
    disturb();
}

static void use_semaphore(void) {
    if (!went_well(ferry_semaphore_acquire(all.semaphore)))
        return;
    CHECK(++all.in_semaphore <= UNITS);
    pause_a_while();
    all.in_semaphore--;
    CHECK_STATUS(ferry_semaphore_release(all.semaphore), 0);
    disturb();
}

static void put_item(void) {
    int item = all.items++;
    all.is_put[item] = went_well(ferry_queue_put(all.queue, &all.places[item]));
    CHECK(ferry_queue_qsize(all.queue) <= QUEUE_MAX);
    disturb();
}

static void note_got(void *place) {
    ptrdiff_t item = (unsigned char *)place - all.places;
    CHECK(all.is_put[item] && !all.is_got[item]);
    all.is_got[item] = true;
    CHECK_STATUS(ferry_queue_task_done(all.queue), 0);
}

static void get_item(void) {
    void *place = NULL;
    if (!went_well(ferry_queue_get(all.queue, &place))) {
        CHECK(!place);
        return;
    }
    note_got(place);
    CHECK(ferry_queue_qsize(all.queue) <= QUEUE_MAX);
    disturb();
}

static bool has_token(void *arg) {
    (void)arg;
    CHECK_INT(all.in_condition, 1);
    return all.tokens > 0;
}

static bool enter_condition(void) {
    if (!went_well(ferry_lock_acquire(ferry_condition_lock(all.condition))))
        return false;
    CHECK_INT(++all.in_condition, 1);
    return true;
}

static void leave_condition(void) {
    CHECK_INT(all.in_condition--, 1);
    CHECK_STATUS(ferry_lock_release(ferry_condition_lock(all.condition)), 0);
}

/* However the wait ends, the lock is this task's. */
static void wait_for_token(void) {
    ferry_status status = 0;
    while (!status && !has_token(NULL)) {
        all.in_condition--;
        status = ferry_condition_wait(all.condition);
        CHECK_INT(++all.in_condition, 1);
    }
    if (went_well(status))
        all.tokens--;
}

static void take_token(void) {
    if (!enter_condition())
        return;
    wait_for_token();
    pause_a_while();
    leave_condition();
    disturb();
}

static void give_token(void) {
    if (!enter_condition())
        return;
    all.tokens++;
    CHECK_STATUS(ferry_condition_notify(all.condition, 1), 0);
    disturb();
    pause_a_while();
    leave_condition();
    disturb();
}

static void use_event(void) {
    if (any(2)) {
        went_well(ferry_event_wait(all.event));
    } else {
        CHECK_STATUS(ferry_event_set(all.event), 0);
        disturb();
        CHECK_STATUS(ferry_event_clear(all.event), 0);
    }
}

static void use_barrier(void) {
    size_t index = PARTIES;
    bool is_complete = went_well(ferry_barrier_wait(all.barrier, &index));
    CHECK(is_complete ? index < PARTIES : index == PARTIES);
    CHECK(ferry_barrier_n_waiting(all.barrier) < PARTIES);
    disturb();
}

/* A limited wait for what may be given to nobody any more. */
static void try_lock(void) {
    ferry_future *wait = STARTED(ferry_lock_acquire_future, all.lock), *limited = NULL;
    CHECK_STATUS(ferry_wait_for(wait, any(30), &limited), 0);
    (void)ferry_await(limited);
    CHECK(ferry_future_done(wait));
    if (ferry_future_status(wait) == 0) {
        CHECK_INT(++all.in_lock, 1);
        all.in_lock--;
        CHECK_STATUS(ferry_lock_release(all.lock), 0);
    }
    (void)ferry_future_status(limited);
    ferry_future_unref(limited);
    ferry_future_unref(wait);
}

static ferry_status work(void *arg, ferry_call *call) {
    static void (*const steps[])(void) = {use_lock,   use_semaphore, put_item,  get_item,    take_token,
                                          give_token, use_event,     use_barrier, try_lock, pause_a_while};
    (void)arg;
    (void)call;
    for (int i = 0; i < STEPS; i++)
        steps[any(sizeof steps / sizeof steps[0])]();
    return 0;
}

static bool are_working(void) {
    for (int i = 0; i < WORKERS; i++)
        if (!ferry_future_done(all.workers[i]))
            return true;
    return false;
}

/* Until all have made their steps: some wait for what only a cancellation ends. */
static ferry_status storm(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    while (are_working()) {
        CHECK_STATUS(ferry_sleep(any(25)), 0);
        cancel_somebody();
    }
    return 0;
}

/* ---- afterwards ---- */

static void check_units(void) {
    ferry_future *waits[UNITS + 1];
    for (int i = 0; i <= UNITS; i++)
        waits[i] = STARTED(ferry_semaphore_acquire_future, all.semaphore);
    CHECK_STRING(granted(waits, UNITS + 1), "abc");
    ferry_future_unref_all(waits, UNITS + 1);
    CHECK(!ferry_lock_locked(all.lock));
    CHECK(!ferry_lock_locked(ferry_condition_lock(all.condition)));
    CHECK_INT(ferry_barrier_n_waiting(all.barrier), 0);
}

/* No slot is taken by somebody who is gone, and what was put was got. */
static void check_items(void) {
    void *place = NULL;
    while (ferry_queue_get_nowait(all.queue, &place) == 0)
        note_got(place);
    for (int i = 0; i < all.items; i++)
        CHECK(all.is_put[i] == all.is_got[i]);
    is_granted(STARTED(ferry_queue_join_future, all.queue));
    for (int i = 0; i < QUEUE_MAX; i++)
        CHECK_STATUS(ferry_queue_put_nowait(all.queue, &all.places[0]), 0);
    CHECK_STATUS(ferry_queue_put_nowait(all.queue, &all.places[0]), FERRY_EFULL);
}

static ferry_status take_one(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    if (enter_condition()) {
        wait_for_token();
        leave_condition();
    }
    return 0;
}

/* The one who is notified has the lock at once, and may be cancelled before it goes on. */
static ferry_status give_one(void *takers, ferry_call *call) {
    (void)call;
    CHECK(enter_condition());
    all.tokens++;
    CHECK_STATUS(ferry_condition_notify(all.condition, 1), 0);
    leave_condition();
    if (any(2))
        ferry_future_cancel(((ferry_task **)takers)[any(LATE)]);
    return 0;
}

/* As many notifications as tokens, and takers that are cancelled in between: nobody waits while there is a token. */
static void check_notifications(void) {
    ferry_task *takers[LATE];
    all.tokens = 0;
    for (int i = 0; i < LATE; i++)
        takers[i] = start_task(take_one, NULL);
    settle();
    for (int i = 0; i < LATE - 2; i++)
        run_task(give_one, takers);
    settle();
    for (int i = 0; i < LATE; i++)
        CHECK(!all.tokens || ferry_future_done(takers[i]));
    for (int i = 0; i < LATE; i++)
        ferry_future_cancel(takers[i]);
    settle();
    for (int i = 0; i < LATE; i++)
        ends_with(takers[i], 0);
}

static void make_world(void) {
    const ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .maxsize = QUEUE_MAX};
    memset(&all, 0, sizeof all);
    CHECK_STATUS(ferry_lock_create(loop, &all.lock), 0);
    CHECK_STATUS(ferry_semaphore_create(loop, UNITS, FERRY_SEMAPHORE_BOUNDED, &all.semaphore), 0);
    CHECK_STATUS(ferry_queue_create(loop, &options, &all.queue), 0);
    CHECK_STATUS(ferry_condition_create(loop, NULL, &all.condition), 0);
    CHECK_STATUS(ferry_event_create(loop, &all.event), 0);
    CHECK_STATUS(ferry_barrier_create(loop, PARTIES, &all.barrier), 0);
}

static void drop_world(void) {
    ferry_lock_unref(all.lock);
    ferry_semaphore_unref(all.semaphore);
    ferry_queue_unref(all.queue);
    ferry_condition_unref(all.condition);
    ferry_event_unref(all.event);
    ferry_barrier_unref(all.barrier);
}

static void storm_of_cancellations_loses_and_doubles_nothing(void) {
    begin();
    make_world();
    random_state = ferry_sim_is_simulated(loop) ? ferry_sim_random(loop) : random_state + 1;
    for (int i = 0; i < WORKERS; i++)
        all.workers[i] = start_task(work, NULL);
    run_task(storm, NULL);
    settle();
    CHECK(all.cancelled > WORKERS && all.passed > WORKERS * STEPS / 4);
    check_units();
    check_items();
    for (int i = 0; i < 20; i++)
        check_notifications();
    ferry_future_unref_all(all.workers, WORKERS);
    drop_world();
    end();
}

static const fy_test tests[] = {
    FY_TEST(storm_of_cancellations_loses_and_doubles_nothing),
};

FY_TEST_MAIN("sync_storm", tests)
