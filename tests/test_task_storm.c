/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand tasks in locks, semaphores, queues, task groups and timeout scopes, one in another, and all of them
 * cancelled at random moments. Whatever happens: every child ends before its group, every scope takes back just its
 * own request, no unit, item or slot is lost or doubled, each argument is freed once, and nobody waits for ever: for no
 * wait has a limit but a scope's, and the test ends only with its tasks. */
#include <stdlib.h>

#include "ferry/sync.h"
#include "support/sanitized.h"
#include "support/tasks.h"
#include "task/task.h"

/* On the simulator each of many seeds has its turn: 200 of them make a million steps. Under a sanitizer each task is
 * dear. */
enum { TASKS = FY_SANITIZED ? 1500 : 10000, TASKS_OF_A_SEED = 500, DEPTH_MAX = 3, UNITS = 5, STEPS = 4, SLOTS = 6 };

/* What has become of the things of one sort, by number. */
typedef struct fates {
    unsigned char *of;
    int count, size;
} fates;

enum { ARGUMENT_GIVEN = 1, ARGUMENT_FREED, ITEM_OFFERED, ITEM_KEPT, ITEM_GOT };

/* A task amid a call. */
typedef struct caller {
    struct caller *next, **link;
    const fy_task *task;
} caller;

typedef struct storm {
    ferry_loop *loop;
    ferry_lock *lock;
    ferry_semaphore *semaphore;
    ferry_queue *queue;
    ferry_task **tasks;
    int count;
    int in_lock, in_semaphore;
    int groups_opened, groups_closed;
    int timed_out, cancelled;
    fates arguments, items;
    caller *getters, *putters;
    uint64_t random;
} storm;

static storm all;

static int any(int limit) {
    all.random = all.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((all.random >> 33) % (uint64_t)limit);
}

static int add_fate(fates *things, unsigned char fate) {
    if (things->count == things->size) {
        things->size = things->size ? things->size * 2 : 1024;
        things->of = realloc(things->of, (size_t)things->size);
        CHECK(things->of);
    }
    things->of[things->count] = fate;
    return things->count++;
}

static void change_fate(fates *things, int number, unsigned char from, unsigned char to) {
    CHECK(number >= 0 && number < things->count);
    CHECK_INT(things->of[number], from);
    things->of[number] = to;
}

static void check_fates(fates *things, unsigned char one, unsigned char other) {
    for (int i = 0; i < things->count; i++)
        CHECK(things->of[i] == one || things->of[i] == other);
    free(things->of);
}

typedef struct orders {
    int depth;
    int number;
} orders;

static void free_orders(void *arg) {
    change_fate(&all.arguments, ((const orders *)arg)->number, ARGUMENT_GIVEN, ARGUMENT_FREED);
}

static ferry_status live(void *arg, ferry_call *call);

/* ---- what a task may do: each ends with 0 or its own cancellation ---- */

static ferry_status hold_the_lock(void) {
    ferry_status status = ferry_lock_acquire(all.lock);
    if (status)
        return status;
    CHECK_INT(++all.in_lock, 1);
    status = ferry_sleep(any(3) ? 0 : any(20));
    CHECK_INT(--all.in_lock, 0);
    CHECK_STATUS(ferry_lock_release(all.lock), 0);
    return status;
}

static ferry_status hold_a_unit(void) {
    ferry_status status = ferry_semaphore_acquire(all.semaphore);
    if (status)
        return status;
    CHECK(++all.in_semaphore <= UNITS);
    status = ferry_sleep(0);
    all.in_semaphore--;
    CHECK_STATUS(ferry_semaphore_release(all.semaphore), 0);
    return status;
}

static void enter_call(caller *self, caller **list) {
    *self = (caller){.next = *list, .link = list, .task = fy_task_of(ferry_current_task())};
    if (self->next)
        self->next->link = &self->next;
    *list = self;
}

static void leave_call(caller *self) {
    *self->link = self->next;
    if (self->next)
        self->next->link = self->link;
}

/* An item is its number and one. Whoever gets it may be earlier than whoever has put it. */
static ferry_status put_an_item(void) {
    caller self;
    int number = add_fate(&all.items, ITEM_OFFERED);
    enter_call(&self, &all.putters);
    ferry_status status = ferry_queue_put(all.queue, (void *)(intptr_t)(number + 1));
    leave_call(&self);
    CHECK(ferry_queue_qsize(all.queue) <= SLOTS);
    if (status)
        change_fate(&all.items, number, ITEM_OFFERED, ITEM_KEPT);
    return status;
}

static void note_item(void *item) {
    change_fate(&all.items, (int)(intptr_t)item - 1, ITEM_OFFERED, ITEM_GOT);
    CHECK_STATUS(ferry_queue_task_done(all.queue), 0);
}

static ferry_status get_an_item(void) {
    caller self;
    void *item = NULL;
    enter_call(&self, &all.getters);
    ferry_status status = ferry_queue_get(all.queue, &item);
    leave_call(&self);
    if (status)
        CHECK(!item);
    else
        note_item(item);
    return status;
}

static ferry_status take_turns(int depth);

static ferry_status run_out_of_time(int depth) {
    ferry_timeout *timeout = NULL;
    size_t before = ferry_task_cancelling(ferry_current_task());
    CHECK_STATUS(ferry_timeout_open(any(60), &timeout), 0);
    ferry_status status = take_turns(depth + 1);
    bool is_expired = ferry_timeout_expired(timeout);
    status = ferry_timeout_close(timeout, status);
    CHECK(status != FERRY_ETIMEDOUT || is_expired);
    size_t after = ferry_task_cancelling(ferry_current_task());
    CHECK(status == FERRY_ETIMEDOUT ? after == before : after >= before);
    all.timed_out += status == FERRY_ETIMEDOUT;
    return status == FERRY_ETIMEDOUT ? 0 : status;
}

static ferry_status make_child(ferry_task_group *group, int depth, ferry_task **ret_child) {
    const orders given = {depth, add_fate(&all.arguments, ARGUMENT_GIVEN)};
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = live, .arg = (void *)(uintptr_t)&given,
                                        .arg_size = sizeof given, .arg_free = free_orders, .eager = any(2)};
    ferry_status status = group ? ferry_task_group_create_task_with(group, &options, ret_child)
                                : ferry_task_create_with(all.loop, &options, ret_child);
    if (status)
        change_fate(&all.arguments, given.number, ARGUMENT_GIVEN, ARGUMENT_FREED); /* it stays the caller's */
    return status;
}

static ferry_status have_children(int depth) {
    ferry_task_group *group = NULL;
    ferry_task *children[2] = {NULL, NULL};
    ferry_status status = 0;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    all.groups_opened++;
    for (int i = 0; i < 2 && !status; i++)
        status = make_child(group, depth + 1, &children[i]);
    if (status == FERRY_EINVALIDSTATE)
        status = 0; /* an eager child has failed already */
    CHECK_STATUS(status, 0);
    if (any(3))
        status = ferry_sleep(any(30));
    status = ferry_task_group_close(group, status);
    for (int i = 0; i < 2; i++)
        CHECK(!children[i] || ferry_future_done(children[i]));
    ferry_future_unref_all(children, 2);
    all.groups_closed++;
    return status == FERRY_EFULL ? 0 : status; /* what a child fails with */
}

static ferry_status give_way(void) {
    return any(2) ? ferry_task_checkpoint() : ferry_sleep(any(3) ? 0 : any(40));
}

static ferry_status take_turns(int depth) {
    static ferry_status (*const simple[])(void) = {hold_the_lock, hold_a_unit, put_an_item, get_an_item, give_way};
    enum { SIMPLE = sizeof simple / sizeof simple[0] };
    ferry_status status = 0;
    for (int i = 0; i < STEPS && !status; i++) {
        int what = any(depth < DEPTH_MAX ? SIMPLE + 2 : SIMPLE);
        status = what < SIMPLE ? simple[what]() : what == SIMPLE ? run_out_of_time(depth) : have_children(depth);
    }
    return status;
}

static ferry_status live(void *arg, ferry_call *call) {
    const orders *given = arg;
    ferry_status status = take_turns(given->depth);
    CHECK(!status || status == FERRY_ECANCELED);
    all.cancelled += status != 0;
    if (!status && given->depth && !any(8))
        return ferry_return_error(call, FERRY_EFULL, "a child may fail");
    return status;
}

/* ---- who cancels them ---- */

static ferry_status cancel_at_random(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    for (int i = 0; i < all.count; i++) {
        ferry_task *victim = all.tasks[any(all.count)];
        if (!any(2))
            ferry_future_cancel(victim);
        if (!any(20))
            CHECK_STATUS(ferry_sleep(any(50)), 0);
    }
    return 0;
}

/* ---- who sees to it that nobody need wait in the queue for ever ---- */

static bool is_anyone_waiting(const caller *list) {
    for (; list; list = list->next)
        if (list->task->awaited && !ferry_future_done(list->task->awaited))
            return true;
    return false;
}

/* It puts only where there is nothing, and gets only where there is no room; and whoever waits, waits for that. */
static ferry_status pump(void *arg, ferry_call *call) {
    ferry_status status = 0;
    (void)arg;
    (void)call;
    while (!status) {
        CHECK(ferry_queue_empty(all.queue) || !is_anyone_waiting(all.getters));
        CHECK(ferry_queue_full(all.queue) || !is_anyone_waiting(all.putters));
        if (ferry_queue_empty(all.queue))
            status = put_an_item();
        else if (ferry_queue_full(all.queue))
            status = get_an_item();
        if (!status)
            status = ferry_sleep(any(10));
    }
    return status;
}

static void stop(ferry_task *task) {
    ferry_future_cancel(task);
    CHECK_STATUS(ferry_loop_run_until_complete(all.loop, task), 0);
    CHECK_STATUS(ferry_future_status(task), FERRY_ECANCELED);
    ferry_future_unref(task);
}

/* ---- afterwards ---- */

/* No unit, item or slot was lost: as many as there were may be had without a wait. */
static ferry_status take_everything(void *arg, ferry_call *call) {
    void *item = NULL;
    (void)arg;
    (void)call;
    for (int i = 0; i < UNITS; i++) {
        CHECK(!ferry_semaphore_locked(all.semaphore));
        CHECK_STATUS(ferry_semaphore_acquire(all.semaphore), 0);
    }
    CHECK(ferry_semaphore_locked(all.semaphore));
    while (ferry_queue_get_nowait(all.queue, &item) == 0)
        note_item(item);
    CHECK_STATUS(ferry_queue_join(all.queue), 0);
    for (int i = 0; i < SLOTS; i++)
        CHECK_STATUS(ferry_queue_put_nowait(all.queue, NULL), 0);
    CHECK(ferry_queue_full(all.queue));
    return 0;
}

static void check_all_is_whole(void) {
    CHECK_INT(ferry_all_tasks(all.loop, NULL, 0), 0);
    CHECK_INT(all.in_lock, 0);
    CHECK_INT(all.in_semaphore, 0);
    CHECK(!ferry_lock_locked(all.lock));
    CHECK_STATUS(run_task(all.loop, take_everything, NULL), 0);
    CHECK_INT(all.groups_opened, all.groups_closed);
    CHECK(all.groups_opened > 0 && all.timed_out > 0 && all.cancelled > 0);
    check_fates(&all.arguments, ARGUMENT_FREED, ARGUMENT_FREED);
    check_fates(&all.items, ITEM_GOT, ITEM_KEPT);
}

static void begin_storm(void) {
    const ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .maxsize = SLOTS};
    ferry_loop *loop = new_loop();
    bool is_simulated = ferry_sim_is_simulated(loop);
    all = (storm){.loop = loop, .count = is_simulated ? TASKS_OF_A_SEED : TASKS,
                  .random = is_simulated ? ferry_sim_random(loop) : 1};
    all.tasks = calloc((size_t)all.count, sizeof *all.tasks);
    CHECK(all.tasks);
    CHECK_STATUS(ferry_lock_create(loop, &all.lock), 0);
    CHECK_STATUS(ferry_semaphore_create(loop, UNITS, 0, &all.semaphore), 0);
    CHECK_STATUS(ferry_queue_create(loop, &options, &all.queue), 0);
}

static void end_storm(void) {
    ferry_future_unref_all(all.tasks, (size_t)all.count);
    free(all.tasks);
    ferry_lock_unref(all.lock);
    ferry_semaphore_unref(all.semaphore);
    ferry_queue_unref(all.queue);
    end_loop(all.loop);
}

static void storm_of_cancellations_leaves_everything_whole(void) {
    begin_storm();
    for (int i = 0; i < all.count; i++)
        CHECK_STATUS(make_child(NULL, 0, &all.tasks[i]), 0);
    ferry_task *pumping = new_task(all.loop, pump, NULL);
    CHECK_STATUS(run_task(all.loop, cancel_at_random, NULL), 0);
    for (int i = 0; i < all.count; i++)
        CHECK_STATUS(ferry_loop_run_until_complete(all.loop, all.tasks[i]), 0);
    stop(pumping);
    check_all_is_whole();
    end_storm();
}

static const fy_test tests[] = {
    FY_TEST(storm_of_cancellations_leaves_everything_whole),
};

FY_TEST_MAIN("task_storm", tests)
