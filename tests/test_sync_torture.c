/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out amid locks, queues and the like: one scenario with the Nth request refused, for every N, alone
 * or with all that follow. What is refused says so and has changed nothing, turns and items are neither lost nor
 * doubled, and nothing stays behind. */
#include "support/sync.h"

enum { EACH = 12, ITEMS = 40 };

static int refused;

/* True if it was accepted; a refusal has one reason only. */
static bool accepted(ferry_status status) {
    if (!status)
        return true;
    CHECK_STATUS(status, APR_ENOMEM);
    refused++;
    return false;
}

/* Lets go of those that are there. */
static void drop(ferry_future **futures, size_t count) {
    ferry_future_unref_all(futures, count);
}

static size_t count_granted(ferry_future *const *futures, size_t count) {
    size_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += ferry_future_done(futures[i]) && !ferry_future_cancelled(futures[i]);
    return all;
}

/* ---- steps: each leaves what it was given as it found it ---- */

static void use_event(void) {
    ferry_event *event = NULL;
    ferry_future *waits[EACH] = {NULL};
    if (!accepted(ferry_event_create(loop, &event)))
        return;
    for (int i = 0; i < EACH; i++)
        accepted(ferry_event_wait_future(event, &waits[i]));
    ferry_future_cancel(waits[3]);
    CHECK_STATUS(ferry_event_set(event), 0);
    for (int i = 0; i < EACH; i++)
        CHECK(!waits[i] || ferry_future_done(waits[i]));
    drop(waits, EACH);
    accepted(ferry_event_wait_future(event, &waits[0]));
    CHECK(!waits[0] || ferry_future_done(waits[0]));
    drop(waits, 1);
    ferry_event_unref(event);
}

/* As many releases as there are grants bring a lock back to where it was. */
static void use_lock(ferry_lock *lock) {
    ferry_future *waits[EACH] = {NULL};
    size_t released = 0;
    for (int i = 0; i < EACH; i++)
        accepted(ferry_lock_acquire_future(lock, &waits[i]));
    for (int i = 1; i < EACH; i += 4)
        if (waits[i])
            ferry_future_cancel_with_message(waits[i], "words");
    for (; ferry_lock_locked(lock); released++)
        CHECK_STATUS(ferry_lock_release(lock), 0);
    CHECK_INT(count_granted(waits, EACH), released);
    drop(waits, EACH);
}

static bool acquire(ferry_lock *lock) {
    ferry_future *future = NULL;
    bool is_acquired = accepted(ferry_lock_acquire_future(lock, &future));
    CHECK(!is_acquired || ferry_future_done(future));
    ferry_future_unref(future);
    return is_acquired;
}

static void use_condition(ferry_condition *condition, ferry_lock *lock) {
    ferry_future *waits[EACH] = {NULL};
    for (int i = 0; i < EACH && acquire(lock); i++)
        if (!accepted(ferry_condition_wait_future(condition, &waits[i])))
            CHECK_STATUS(ferry_lock_release(lock), 0);
    if (acquire(lock)) {
        CHECK_STATUS(ferry_condition_notify(condition, 2), 0);
        ferry_future_cancel_with_message(waits[0], "words");
        ferry_future_cancel_with_message(waits[EACH - 1], "words");
        CHECK_STATUS(ferry_condition_notify_all(condition), 0);
        size_t released = 0, ended = 0;
        for (; ferry_lock_locked(lock); released++)
            CHECK_STATUS(ferry_lock_release(lock), 0);
        for (int i = 0; i < EACH; i++)
            ended += ferry_future_done(waits[i]);
        CHECK_INT(released, ended + 1);
    }
    for (int i = 0; i < EACH; i++)
        if (waits[i] && ferry_future_cancel(waits[i]))
            CHECK_STATUS(ferry_lock_release(lock), 0);
    CHECK(!ferry_lock_locked(lock));
    drop(waits, EACH);
}

static void use_lock_and_condition(void) {
    ferry_lock *lock = NULL;
    ferry_condition *condition = NULL;
    if (accepted(ferry_lock_create(loop, &lock))) {
        use_lock(lock);
        if (accepted(ferry_condition_create(loop, lock, &condition)))
            use_condition(condition, lock);
        ferry_condition_unref(condition);
        ferry_lock_unref(lock);
    }
    condition = NULL;
    if (accepted(ferry_condition_create(loop, NULL, &condition)))
        use_condition(condition, ferry_condition_lock(condition));
    ferry_condition_unref(condition);
}

static void use_semaphore(void) {
    ferry_semaphore *semaphore = NULL;
    ferry_future *waits[EACH] = {NULL};
    if (!accepted(ferry_semaphore_create(loop, 3, FERRY_SEMAPHORE_BOUNDED, &semaphore)))
        return;
    for (int i = 0; i < EACH; i++)
        accepted(ferry_semaphore_acquire_future(semaphore, &waits[i]));
    ferry_future_cancel(waits[EACH / 2]);
    size_t released = 0;
    while (ferry_semaphore_release(semaphore) == 0)
        released++;
    CHECK_INT(count_granted(waits, EACH), released);
    CHECK(!ferry_semaphore_locked(semaphore));
    drop(waits, EACH);
    ferry_semaphore_unref(semaphore);
}

static void use_barrier(void) {
    ferry_barrier *barrier = NULL;
    ferry_future *waits[EACH] = {NULL};
    size_t made = 0;
    if (!accepted(ferry_barrier_create(loop, 4, &barrier)))
        return;
    for (int i = 0; i < EACH; i++)
        made += accepted(ferry_barrier_wait_future(barrier, &waits[i]));
    CHECK_INT(ferry_barrier_n_waiting(barrier), made % 4);
    CHECK_INT(count_granted(waits, EACH), made - made % 4);
    CHECK_STATUS(ferry_barrier_abort(barrier), 0);
    for (int i = 0; i < EACH; i++)
        CHECK(!waits[i] || ferry_future_status(waits[i]) == 0 || ferry_future_status(waits[i]) == FERRY_EBROKEN);
    drop(waits, EACH);
    ferry_barrier_unref(barrier);
}

/* ---- queues ---- */

static char places[ITEMS];
static int had[ITEMS]; /* how often each item came out, was freed, or stayed with who wanted to put it */

static void count_item(void *item) {
    had[(char *)item - places]++;
}

static int compare_places(const void *one, const void *other) {
    return (int)((const char *)one - (const char *)other);
}

static void fill(ferry_queue *queue, ferry_future **putters) {
    for (int i = 0; i < ITEMS; i++) {
        bool is_put = i % 3 && ferry_queue_put_nowait(queue, &places[i]) == 0;
        if (!is_put && !accepted(ferry_queue_put_future(queue, &places[i], &putters[i])))
            count_item(&places[i]);
        if (i % 5 == 4 && putters[i] && ferry_future_cancel(putters[i]))
            count_item(&places[i]);
    }
}

static void get_some(ferry_queue *queue, ferry_future **getters) {
    for (int i = 0; i < ITEMS / 2; i++) {
        void *item = NULL;
        if (i % 2 && ferry_queue_get_nowait(queue, &item) == 0)
            count_item(item);
        else
            accepted(ferry_queue_get_future(queue, &getters[i]));
        if (i % 4 == 2)
            ferry_future_cancel(getters[i]);
    }
}

/* Every item is had once: by a getter, by the free function, or by who could not put it. */
static void use_queue(ferry_queue_order order, size_t maxsize, bool gets_first) {
    ferry_queue *queue = NULL;
    ferry_future *putters[ITEMS] = {NULL}, *getters[ITEMS] = {NULL}, *join = NULL;
    ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .order = order, .maxsize = maxsize, .free = count_item,
                                   .compare = order == FERRY_QUEUE_PRIORITY ? compare_places : NULL};
    memset(had, 0, sizeof had);
    if (!accepted(ferry_queue_create(loop, &options, &queue)))
        return;
    if (gets_first)
        get_some(queue, getters);
    fill(queue, putters);
    if (!gets_first)
        get_some(queue, getters);
    CHECK(!maxsize || ferry_queue_qsize(queue) <= maxsize);
    accepted(ferry_queue_join_future(queue, &join));
    CHECK_STATUS(ferry_queue_shutdown(queue, order == FERRY_QUEUE_LIFO), 0);
    for (int i = 0; i < ITEMS; i++)
        if (putters[i] && ferry_future_status(putters[i]) == FERRY_ESHUTDOWN)
            count_item(&places[i]);
    for (int i = 0; i < ITEMS; i++)
        (void)ferry_future_status(getters[i]);
    drop(getters, ITEMS);
    drop(putters, ITEMS);
    while (ferry_queue_task_done(queue) == 0)
        ;
    CHECK(!join || ferry_future_done(join));
    ferry_future_unref(join);
    ferry_queue_unref(queue);
    for (int i = 0; i < ITEMS; i++)
        CHECK_INT(had[i], 1);
}

/* ---- tasks ---- */

typedef struct shared {
    ferry_lock *lock;
    ferry_semaphore *semaphore;
    ferry_queue *queue;
    int next_item;
} shared;

static ferry_status put_all(void *arg, ferry_call *call) {
    shared *self = arg;
    (void)call;
    while (self->next_item < ITEMS) {
        void *item = &places[self->next_item++];
        if (accepted(ferry_lock_acquire(self->lock))) {
            (void)accepted(ferry_sleep(0));
            CHECK_STATUS(ferry_lock_release(self->lock), 0);
        }
        if (!accepted(ferry_queue_put(self->queue, item)))
            count_item(item);
    }
    return 0;
}

static ferry_status get_all(void *arg, ferry_call *call) {
    shared *self = arg;
    ferry_status status = 0;
    (void)call;
    while (status != FERRY_ESHUTDOWN) {
        void *item = NULL;
        if (accepted(ferry_semaphore_acquire(self->semaphore))) {
            (void)accepted(ferry_sleep(0));
            CHECK_STATUS(ferry_semaphore_release(self->semaphore), 0);
        }
        status = ferry_queue_get(self->queue, &item);
        if (!status)
            count_item(item);
        else if (status != FERRY_ESHUTDOWN)
            (void)accepted(status);
    }
    return 0;
}

static ferry_task *start_accepted(ferry_function *function, shared *arg) {
    ferry_task *task = NULL;
    return accepted(ferry_task_create(loop, function, arg, &task)) ? task : NULL;
}

/* A task that could not be made, or for which there is no stack, is not missed; nor is a wait that was refused. */
static void run_tasks(shared *self) {
    ferry_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = start_accepted(i < 2 ? put_all : get_all, self);
    settle();
    CHECK_STATUS(ferry_queue_shutdown(self->queue, true), 0);
    settle();
    for (int i = 0; i < 4; i++) {
        CHECK(!tasks[i] || ferry_future_done(tasks[i]));
        if (tasks[i])
            (void)accepted(ferry_future_status(tasks[i]));
    }
    ferry_future_unref_all(tasks, 4);
    CHECK(!ferry_lock_locked(self->lock) && !ferry_semaphore_locked(self->semaphore));
    for (int i = 0; i < ITEMS; i++)
        CHECK_INT(had[i], i < self->next_item);
}

static int play_tasks(void) {
    const ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .maxsize = 3, .free = count_item};
    shared self = {.lock = NULL};
    refused = 0;
    loop = NULL;
    memset(had, 0, sizeof had);
    if (!accepted(ferry_loop_create(NULL, &loop)))
        return refused;
    if (accepted(ferry_lock_create(loop, &self.lock)) &&
        accepted(ferry_semaphore_create(loop, 1, FERRY_SEMAPHORE_BOUNDED, &self.semaphore)) &&
        accepted(ferry_queue_create(loop, &options, &self.queue)))
        run_tasks(&self);
    ferry_lock_unref(self.lock);
    ferry_semaphore_unref(self.semaphore);
    ferry_queue_unref(self.queue);
    end_loop(loop);
    return refused;
}

/* ---- the whole ---- */

static int play(void) {
    refused = 0;
    loop = NULL;
    if (!accepted(ferry_loop_create(NULL, &loop)))
        return refused;
    use_event();
    use_lock_and_condition();
    use_semaphore();
    use_barrier();
    for (int gets_first = 0; gets_first < 2; gets_first++) {
        use_queue(FERRY_QUEUE_FIFO, 5, gets_first);
        use_queue(FERRY_QUEUE_LIFO, 0, gets_first);
        use_queue(FERRY_QUEUE_PRIORITY, 11, gets_first);
    }
    end_loop(loop);
    return refused;
}

static void one_refused_request_loses_and_doubles_nothing(void) {
    allocator_refuse_each(play, false, 20);
}

static void every_request_refused_from_some_point_on_loses_and_doubles_nothing(void) {
    allocator_refuse_each(play, true, 20);
}

static void one_request_that_a_blocking_task_makes_is_refused(void) {
    allocator_refuse_each(play_tasks, false, 10);
}

static const fy_test tests[] = {
    FY_TEST(one_refused_request_loses_and_doubles_nothing),
    FY_TEST(every_request_refused_from_some_point_on_loses_and_doubles_nothing),
    FY_TEST(one_request_that_a_blocking_task_makes_is_refused),
};

FY_TEST_MAIN("sync_torture", tests)
