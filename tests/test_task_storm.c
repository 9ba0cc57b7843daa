/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand tasks in locks, semaphores, task groups and timeout scopes, one in another, and all of them cancelled at
 * random moments. Whatever happens: every child ends before its group, every scope takes back just its own request, no
 * unit is lost, and each argument is freed once. */
#include <stdlib.h>

#include "ferry/sync.h"
#include "support/sanitized.h"
#include "support/tasks.h"

/* On the simulator each of many seeds has its turn, and under a sanitizer each task is dear. */
enum { TASKS = FY_SANITIZED ? 1500 : 10000, TASKS_OF_A_SEED = 300, DEPTH_MAX = 3, UNITS = 5, STEPS = 4 };

typedef struct storm {
    ferry_loop *loop;
    ferry_lock *lock;
    ferry_semaphore *semaphore;
    ferry_task **tasks;
    int count;
    int in_lock, in_semaphore;
    int made, freed, in_groups;
    uint64_t random;
} storm;

static storm all;

static int any(int limit) {
    all.random = all.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((all.random >> 33) % (uint64_t)limit);
}

typedef struct orders {
    int depth;
} orders;

static void free_orders(void *arg) {
    (void)arg;
    all.freed++;
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
    return status == FERRY_ETIMEDOUT ? 0 : status;
}

static ferry_status have_children(int depth) {
    ferry_task_group *group = NULL;
    ferry_task *children[2] = {NULL, NULL};
    const orders given = {depth + 1};
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = live, .arg = (void *)(uintptr_t)&given,
                                        .arg_size = sizeof given, .arg_free = free_orders, .eager = any(2)};
    ferry_status status = 0;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    for (int i = 0; i < 2 && !status; i++) {
        status = ferry_task_group_create_task_with(group, &options, &children[i]);
        all.made += !status;
    }
    if (status == FERRY_EINVALIDSTATE)
        status = 0; /* an eager child has failed already */
    CHECK_STATUS(status, 0);
    if (any(3))
        status = ferry_sleep(any(30));
    status = ferry_task_group_close(group, status);
    for (int i = 0; i < 2; i++)
        CHECK(!children[i] || ferry_future_done(children[i]));
    ferry_future_unref_all(children, 2);
    all.in_groups++;
    return status == FERRY_EFULL ? 0 : status; /* what a child fails with */
}

static ferry_status take_turns(int depth) {
    ferry_status status = 0;
    for (int i = 0; i < STEPS && !status; i++)
        switch (any(depth < DEPTH_MAX ? 6 : 4)) {
        case 0:
            status = hold_the_lock();
            break;
        case 1:
            status = hold_a_unit();
            break;
        case 2:
            status = ferry_sleep(any(40));
            break;
        case 3:
            status = any(2) ? ferry_task_checkpoint() : ferry_sleep(0);
            break;
        case 4:
            status = run_out_of_time(depth);
            break;
        default:
            status = have_children(depth);
        }
    return status;
}

static ferry_status live(void *arg, ferry_call *call) {
    const orders *given = arg;
    ferry_status status = take_turns(given->depth);
    CHECK(!status || status == FERRY_ECANCELED);
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

static void check_all_is_whole(void) {
    CHECK_INT(all.in_lock, 0);
    CHECK_INT(all.in_semaphore, 0);
    CHECK(!ferry_lock_locked(all.lock));
    CHECK_INT(all.freed, all.made);
    CHECK(all.in_groups > 0);
    CHECK_INT(ferry_all_tasks(all.loop, NULL, 0), 0);
}

/* No unit was lost: as many as there were may be had without a wait. */
static ferry_status take_every_unit(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    for (int i = 0; i < UNITS; i++) {
        CHECK(!ferry_semaphore_locked(all.semaphore));
        CHECK_STATUS(ferry_semaphore_acquire(all.semaphore), 0);
    }
    CHECK(ferry_semaphore_locked(all.semaphore));
    return 0;
}

static void storm_of_cancellations_leaves_everything_whole(void) {
    ferry_loop *loop = new_loop();
    bool is_simulated = ferry_sim_is_simulated(loop);
    all = (storm){.loop = loop, .count = is_simulated ? TASKS_OF_A_SEED : TASKS,
                  .random = is_simulated ? ferry_sim_random(loop) : 1};
    all.tasks = calloc((size_t)all.count, sizeof *all.tasks);
    CHECK(all.tasks);
    CHECK_STATUS(ferry_lock_create(loop, &all.lock), 0);
    CHECK_STATUS(ferry_semaphore_create(loop, UNITS, 0, &all.semaphore), 0);
    const orders given = {0};
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = live, .arg = (void *)(uintptr_t)&given,
                                        .arg_size = sizeof given, .arg_free = free_orders};
    for (int i = 0; i < all.count; i++) {
        CHECK_STATUS(ferry_task_create_with(loop, &options, &all.tasks[i]), 0);
        all.made++;
    }
    CHECK_STATUS(run_task(loop, cancel_at_random, NULL), 0);
    for (int i = 0; i < all.count; i++)
        CHECK_STATUS(ferry_loop_run_until_complete(loop, all.tasks[i]), 0);
    check_all_is_whole();
    CHECK_STATUS(run_task(loop, take_every_unit, NULL), 0);
    ferry_future_unref_all(all.tasks, (size_t)all.count);
    free(all.tasks);
    ferry_lock_unref(all.lock);
    ferry_semaphore_unref(all.semaphore);
    end_loop(loop);
}

static const fy_test tests[] = {
    FY_TEST(storm_of_cancellations_leaves_everything_whole),
};

FY_TEST_MAIN("task_storm", tests)
