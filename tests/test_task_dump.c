/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of who waits for whom, and how deep stacks have been. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/sync.h"
#include "support/tasks.h"

static char dumped[8192];

static void dump(ferry_loop *loop) {
    static const char path[] = "test_task_dump.out";
    FILE *file = fopen(path, "w+");
    CHECK(file);
    CHECK_STATUS(ferry_loop_dump(loop, file), 0);
    rewind(file);
    size_t size = fread(dumped, 1, sizeof dumped - 1, file);
    dumped[size] = '\0';
    fclose(file);
    remove(path);
}

static bool has(const char *text) {
    return strstr(dumped, text) != NULL;
}

static ferry_status await_it(void *future, ferry_call *call) {
    (void)call;
    return FERRY_AWAIT((ferry_future *)future, NULL);
}

static ferry_task *named_task(ferry_loop *loop, const char *name, ferry_future *awaited) {
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = await_it, .arg = awaited, .name = name};
    ferry_task *task = NULL;
    CHECK_STATUS(ferry_task_create_with(loop, &options, &task), 0);
    return task;
}

/* IN-005 */
static void tree_leads_from_the_waiter_through_gather_and_wait(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    ferry_task *inner[2] = {named_task(loop, "inner", future), named_task(loop, "brother", future)};
    ferry_future *gathered = NULL, *waited = NULL;
    CHECK_STATUS(ferry_gather(loop, inner, 2, 0, &gathered), 0);
    CHECK_STATUS(ferry_wait(&gathered, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, &waited), 0);
    ferry_task *outer = named_task(loop, "outer", waited);
    turn(loop);
    dump(loop);
    CHECK(has("3 tasks\n"));
    CHECK(has("\n  outer (")); /* nobody waits for it */
    CHECK(has("\n    wait ("));
    CHECK(has("\n      gather ("));
    CHECK(has("\n        inner ("));
    CHECK(has("\n        brother ("));
    CHECK(has("\n          future ("));
    CHECK(!has("\n  inner ("));
    CHECK(has("waits at ") && has("test_task_dump.c:"));
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(run_until(loop, outer), 0);
    dump(loop);
    CHECK(has("0 tasks\n"));
    ferry_future_unref_all(inner, 2);
    ferry_future_unref(outer);
    ferry_future_unref(waited);
    ferry_future_unref(gathered);
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_status own_a_group(void *future, ferry_call *call) {
    ferry_task_group *group = NULL;
    const ferry_task_options options = {
        FERRY_TASK_OPTIONS, .function = await_it, .arg = future, .name = "child"};
    (void)call;
    CHECK_STATUS(ferry_task_group_open(0, &group), 0);
    CHECK_STATUS(ferry_task_group_create_task_with(group, &options, NULL), 0);
    return ferry_task_group_close(group, 0);
}

static ferry_status await_both(void *futures, ferry_call *call) {
    (void)call;
    return ferry_await_all(futures, 2, 0);
}

static void all_that_are_awaited_together_stand_below_the_waiter(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    ferry_task *inner[2] = {named_task(loop, "inner", future), named_task(loop, "brother", future)};
    ferry_task *outer = new_task(loop, await_both, inner);
    CHECK_STATUS(ferry_task_set_name(outer, "outer"), 0);
    turn(loop);
    dump(loop);
    CHECK(has("\n  outer ("));
    CHECK(has("\n    await_all ("));
    CHECK(has("\n      inner ("));
    CHECK(has("\n      brother ("));
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(run_until(loop, outer), 0);
    ferry_future_unref_all(inner, 2);
    ferry_future_unref(outer);
    ferry_future_unref(future);
    end_loop(loop);
}

/* IN-004 */
static void owner_of_a_group_stands_above_its_children(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    ferry_task *owner = new_task(loop, own_a_group, future);
    CHECK_STATUS(ferry_task_set_name(owner, "owner"), 0);
    turn(loop);
    turn(loop);
    dump(loop);
    CHECK(has("\n  owner ("));
    CHECK(has("\n    child ("));
    CHECK(has("\n      future ("));
    CHECK(!has("\n  child ("));
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(run_until(loop, owner), 0);
    ferry_future_unref(owner);
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_status await_a_gather_of(void *arg, ferry_call *call) {
    ferry_task **other = arg;
    ferry_future *gathered = NULL;
    (void)call;
    CHECK_STATUS(ferry_gather(ferry_running_loop(), other, 1, 0, &gathered), 0);
    ferry_status status = FERRY_AWAIT(gathered, NULL);
    (void)ferry_future_status(gathered); /* whichever way it has ended */
    ferry_future_unref(gathered);
    return status;
}

static void circle_through_gathers_is_shown_and_ends(void) {
    ferry_loop *loop = new_loop();
    ferry_task *tasks[2] = {NULL, NULL};
    tasks[0] = new_task(loop, await_a_gather_of, &tasks[1]);
    tasks[1] = new_task(loop, await_a_gather_of, &tasks[0]);
    turn(loop);
    dump(loop);
    CHECK(has("2 tasks\n"));
    CHECK(has(", as above\n"));
    CHECK(!has("..."));
    CHECK(ferry_future_cancel(tasks[0]));
    for (int i = 0; i < 2; i++)
        CHECK(run_until(loop, tasks[i]) != 0);
    ferry_future_unref_all(tasks, 2);
    end_loop(loop);
}

static ferry_status stay_shallow(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    return 0;
}

static void dump_leaves_no_mark_on_a_task_that_has_ended(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop), *gathered = NULL, *waited = NULL;
    ferry_task *tasks[2] = {new_task(loop, stay_shallow, NULL), named_task(loop, "late", future)};
    CHECK_STATUS(ferry_gather(loop, tasks, 2, 0, &gathered), 0);
    ferry_task *outer = named_task(loop, "outer", gathered);
    turn(loop);
    CHECK(ferry_future_done(tasks[0]) && !ferry_future_done(tasks[1]));
    dump(loop);
    CHECK(has(" has ended\n") && has("\n      late ("));
    CHECK_STATUS(ferry_future_set_result(future), 0);
    CHECK_STATUS(run_until(loop, outer), 0);
    CHECK_STATUS(ferry_wait(tasks, 2, 0, FERRY_ALL_COMPLETED, &waited), 0);
    CHECK_STATUS(run_until(loop, waited), 0);
    CHECK_INT(ferry_future_integer(waited), 2);
    ferry_future_unref(waited);
    ferry_future_unref(outer);
    ferry_future_unref(gathered);
    ferry_future_unref_all(tasks, 2);
    ferry_future_unref(future);
    end_loop(loop);
}

enum { LEVELS = 6 };

typedef struct level {
    ferry_task *both[2];
    ferry_future *awaited; /* of both */
} level;

/* Each level's two tasks wait for both of the one below. */
static void tree_of_who_is_waited_for_twice_is_written_once(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop);
    level levels[LEVELS];
    size_t lines = 0;
    for (int i = 0; i < LEVELS; i++) {
        levels[i].awaited = i ? NULL : ferry_future_ref(future);
        if (i)
            CHECK_STATUS(ferry_gather(loop, levels[i - 1].both, 2, 0, &levels[i].awaited), 0);
        for (int j = 0; j < 2; j++)
            levels[i].both[j] = named_task(loop, "one", levels[i].awaited);
    }
    turn(loop);
    dump(loop);
    for (const char *at = dumped; (at = strstr(at, "one (")); at++)
        lines++;
    CHECK_INT(lines, 2 + 4 * (LEVELS - 1));
    CHECK_STATUS(ferry_future_set_result(future), 0);
    for (int i = 0; i < LEVELS; i++) {
        for (int j = 0; j < 2; j++)
            CHECK_STATUS(run_until(loop, levels[i].both[j]), 0);
        ferry_future_unref_all(levels[i].both, 2);
        ferry_future_unref(levels[i].awaited);
    }
    ferry_future_unref(future);
    end_loop(loop);
}

static void what_a_task_waits_for_has_its_name(void) {
    ferry_loop *loop = new_loop();
    ferry_future *future = new_future(loop), *shielded = NULL, *limited = NULL, *turns[2];
    ferry_lock *lock = NULL;
    CHECK_STATUS(ferry_shield(future, &shielded), 0);
    CHECK_STATUS(ferry_wait_for(future, AN_HOUR_US, &limited), 0);
    CHECK_STATUS(ferry_lock_create(loop, &lock), 0);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(ferry_lock_acquire_future(lock, &turns[i]), 0);
    ferry_task *tasks[3] = {named_task(loop, "a", shielded), named_task(loop, "b", limited),
                            named_task(loop, "c", turns[1])};
    turn(loop);
    dump(loop);
    CHECK(has("\n    shield (") && has("\n    wait_for (") && has("\n    turn ("));
    CHECK_STATUS(ferry_lock_release(lock), 0);
    CHECK_STATUS(ferry_future_set_result(future), 0);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(run_until(loop, tasks[i]), 0);
    ferry_future_unref_all(tasks, 3);
    ferry_future_unref_all(turns, 2);
    ferry_lock_unref(lock);
    ferry_future_unref(limited);
    ferry_future_unref(shielded);
    ferry_future_unref(future);
    end_loop(loop);
}

static ferry_status go_deep(void *arg, ferry_call *call) {
    enum { DEEP_BYTES = 100 * 1024 };
    volatile char room[DEEP_BYTES];
    (void)arg;
    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = 1;
    return ferry_return_integer(call, room[1024]);
}

static size_t depth_at(int line) {
    char place[64];
    snprintf(place, sizeof place, "test_task_dump.c:%d: at most ", line);
    const char *at = strstr(dumped, place);
    return at ? strtoul(at + strlen(place), NULL, 10) : 0;
}

static void debug_mode_tells_how_deep_stacks_were(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_set_debug(loop, true), 0);
    ferry_task *deep = NULL, *shallow = NULL;
    CHECK_STATUS(ferry_task_create(loop, go_deep, NULL, &deep), 0);
    int deep_line = __LINE__ - 1;
    CHECK_STATUS(run_until(loop, deep), 0);
    CHECK_STATUS(ferry_task_create(loop, stay_shallow, NULL, &shallow), 0);
    int shallow_line = __LINE__ - 1;
    CHECK_STATUS(run_until(loop, shallow), 0);
    dump(loop);
    size_t bytes = depth_at(deep_line);
    if (bytes) { /* else this system does not tell */
        CHECK(bytes >= 100 * 1024);
        CHECK(depth_at(shallow_line) && depth_at(shallow_line) < 100 * 1024);
    }
    ferry_future_unref(deep);
    ferry_future_unref(shallow);
    end_loop(loop);
}

static void dump_refuses_what_is_no_open_loop(void) {
    CHECK_STATUS(ferry_loop_dump(NULL, NULL), EINVAL);
    ferry_loop *loop = new_loop();
    dump(loop);
    CHECK(has("0 tasks\n"));
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_loop_dump(loop, NULL), FERRY_ECLOSED);
    ferry_loop_unref(loop);
}

static const fy_test tests[] = {
    FY_TEST(tree_leads_from_the_waiter_through_gather_and_wait),
    FY_TEST(all_that_are_awaited_together_stand_below_the_waiter),
    FY_TEST(owner_of_a_group_stands_above_its_children),
    FY_TEST(circle_through_gathers_is_shown_and_ends),
    FY_TEST(dump_leaves_no_mark_on_a_task_that_has_ended),
    FY_TEST(tree_of_who_is_waited_for_twice_is_written_once),
    FY_TEST(what_a_task_waits_for_has_its_name),
    FY_TEST(debug_mode_tells_how_deep_stacks_were),
    FY_TEST(dump_refuses_what_is_no_open_loop),
};

FY_TEST_MAIN("task_dump", tests)
