/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers in the callback list of one child, among done callbacks and tasks that come and go before and behind them: in
 * every order of a few steps, all that is left runs once, in the order in which it came, and then the gathers end. No
 * child's end needs memory for that. */
#include "support/futures.h"

#include "ferry/task.h"

enum { ADD, GATHER, GATHER_TWICE, CANCEL_OLDEST, REMOVE_NEWEST, REFUSED_GATHER, AWAIT, STEP_KINDS };
enum { STEPS = 4, STEPS_BEFORE_CLOSE = 3 };
enum { MANY = 5000 };
enum { SUCCEEDS, FAILS, IS_CANCELLED, ENDINGS };

static const char marks[] = "abcd", gather_marks[] = "ABCD";

/* What the steps have made, by step. */
static ferry_future *child;
static ferry_handle *handles[STEPS]; /* of callbacks that are not taken back */
static ferry_future *made[STEPS];    /* gathers and tasks */
static bool is_gather[STEPS];

static ferry_status await_child(void *letter, ferry_call *call) {
    (void)call;
    CHECK_STATUS(ferry_await(child), 0);
    leave(*(const char *)letter);
    return 0;
}

static void forget_handle(int step) {
    ferry_handle_unref(handles[step]);
    handles[step] = NULL;
}

static void gather_it(int step, size_t times) {
    ferry_future *children[] = {child, child};
    CHECK_STATUS(ferry_gather(loop, children, times, 0, &made[step]), 0);
    add_mark(made[step], &gather_marks[step]);
    is_gather[step] = true;
}

static void start_task(int step) {
    CHECK_STATUS(ferry_task_create(loop, await_child, (void *)(uintptr_t)&marks[step], &made[step]), 0);
    turn(loop);
}

static void cancel_oldest(void) {
    int oldest = 0;
    while (oldest < STEPS && !handles[oldest])
        oldest++;
    if (oldest == STEPS)
        return;
    ferry_handle_cancel(handles[oldest]);
    forget_handle(oldest);
}

static void remove_newest(void) {
    int newest = STEPS - 1;
    while (newest >= 0 && !handles[newest])
        newest--;
    if (newest < 0)
        return;
    CHECK_INT(ferry_future_remove_done_callback(child, mark_done, (void *)(uintptr_t)&marks[newest]), 1);
    forget_handle(newest);
}

static void refuse_gather(void) {
    ferry_future *children[] = {child, child, NULL}, *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, children, 3, 0, &gathered), APR_EINVAL);
    CHECK(!gathered);
}

static void make_step(int step, int kind) {
    made[step] = NULL;
    handles[step] = NULL;
    is_gather[step] = false;
    switch (kind) {
    case ADD:
        handles[step] = add_mark_handle(child, &marks[step]);
        break;
    case GATHER:
    case GATHER_TWICE:
        gather_it(step, kind == GATHER ? 1 : 2);
        break;
    case CANCEL_OLDEST:
        cancel_oldest();
        break;
    case REMOVE_NEWEST:
        remove_newest();
        break;
    case REFUSED_GATHER:
        refuse_gather();
        break;
    default:
        start_task(step);
    }
}

static void make_steps(int number, int steps) {
    child = make();
    for (int i = 0; i < STEPS; i++)
        handles[i] = NULL;
    for (int i = 0; i < steps; i++, number /= STEP_KINDS)
        make_step(i, number % STEP_KINDS);
}

static int count_of(int steps) {
    return steps ? STEP_KINDS * count_of(steps - 1) : 1;
}

static void end_child(int how) {
    if (how == SUCCEEDS)
        resolve(child, 1);
    else if (how == FAILS)
        fail(child, APR_EGENERAL, "words");
    else
        CHECK(ferry_future_cancel(child));
}

/* First what waits for the child, then what the gathers call. */
static void expect(char *expected) {
    for (int i = 0; i < STEPS; i++)
        if (handles[i] || (made[i] && !is_gather[i]))
            *expected++ = marks[i];
    for (int i = 0; i < STEPS; i++)
        if (is_gather[i])
            *expected++ = gather_marks[i];
    *expected = '\0';
}

static void end_steps(int how) {
    static const ferry_status outcomes[ENDINGS] = {0, APR_EGENERAL, FERRY_ECANCELED};
    char expected[2 * STEPS + 1];
    expect(expected);
    trace[0] = '\0';
    end_child(how);
    settle();
    settle();
    CHECK_STRING(trace, expected);
    for (int i = 0; i < STEPS; i++) {
        if (made[i])
            CHECK_STATUS(ferry_future_status(made[i]), is_gather[i] ? outcomes[how] : 0);
        ferry_future_unref(made[i]);
        forget_handle(i);
    }
    ferry_future_status(child);
    ferry_future_unref(child);
}

static void all_that_is_left_runs_in_order(void) {
    begin();
    for (int number = 0; number < count_of(STEPS); number++)
        for (int how = 0; how < ENDINGS; how++) {
            make_steps(number, STEPS);
            end_steps(how);
        }
    end();
}

/* A task would be cancelled by the close. */
static bool has_task(int number) {
    for (; number; number /= STEP_KINDS)
        if (number % STEP_KINDS == AWAIT)
            return true;
    return false;
}

static void let_go(bool child_first) {
    if (child_first)
        ferry_future_unref(child);
    for (int i = 0; i < STEPS_BEFORE_CLOSE; i++) {
        ferry_future_unref(made[i]);
        forget_handle(i);
    }
    if (!child_first)
        ferry_future_unref(child);
}

static void close_leaves_nothing_in_the_lists(void) {
    for (int number = 0; number < count_of(STEPS_BEFORE_CLOSE); number++)
        for (int order = 0; order < 4 && !has_task(number); order++) {
            begin();
            make_steps(number, STEPS_BEFORE_CLOSE);
            end_loop(loop);
            CHECK_STRING(trace, "");
            if (order & 2)
                resolve(child, 1);
            let_go(order & 1);
            CHECK_INT(reports.count, 0);
            check_nothing_is_left();
        }
}

static void child_given_twice_counts_twice(void) {
    begin();
    ferry_future *children[2];
    make_all(children, 2);
    resolve(children[1], 11);
    ferry_future *const given[] = {children[0], children[1], children[0], children[0], children[1]};
    ferry_future *gathered = NULL;
    CHECK_STATUS(ferry_gather(loop, given, 5, 0, &gathered), 0);
    settle();
    CHECK(!ferry_future_done(gathered));
    resolve(children[0], 10);
    settle();
    CHECK_INT(ferry_future_integer(gathered), 5);
    for (size_t i = 0; i < 5; i++)
        CHECK(ferry_gather_child(gathered, i) == given[i]);
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, 2);
    end();
}

/* ---- without memory ---- */

static ferry_future *crowd[MANY];

/* The ready queue cannot grow, so the first of the endings stand in it by themselves, and the others behind it. */
static void ends_of_many_children_need_no_memory(void) {
    for (int flags = 0; flags <= FERRY_RETURN_EXCEPTIONS; flags += FERRY_RETURN_EXCEPTIONS) {
        ferry_future *gathered = NULL;
        begin();
        make_all(crowd, MANY);
        CHECK_STATUS(ferry_gather(loop, crowd, MANY, flags, &gathered), 0);
        add_mark(gathered, "a");
        allocator_refuse(1, true);
        fail(crowd[MANY - 1], FERRY_EBROKEN, "");
        for (size_t i = 0; i < MANY - 1; i++)
            CHECK(ferry_future_cancel(crowd[i]));
        CHECK(!ferry_future_done(gathered));
        settle();
        CHECK_STRING(trace, "a");
        CHECK_STATUS(ferry_future_status(gathered), flags ? 0 : FERRY_EBROKEN);
        CHECK(atomic_load(&refusals) > 0);
        allocator_refuse(0, false);
        ferry_future_unref(gathered);
        ferry_future_unref_all(crowd, MANY);
        end();
    }
}

/* One round a turn, not one call in the other. */
static void ends_of_nested_gathers_need_no_memory(void) {
    begin();
    crowd[0] = make();
    for (size_t i = 1; i < MANY; i++)
        CHECK_STATUS(ferry_gather(loop, &crowd[i - 1], 1, 0, &crowd[i]), 0);
    allocator_refuse(1, true);
    resolve(crowd[0], 1);
    CHECK(!ferry_future_done(crowd[1]));
    for (size_t i = 1; i < MANY; i++) {
        CHECK(!ferry_future_done(crowd[i]));
        turn(loop);
        CHECK(ferry_future_done(crowd[i]));
    }
    allocator_refuse(0, false);
    ferry_future_unref_all(crowd, MANY);
    end();
}

/* Asked to end, it answers with an error, and leaves no memory for it. */
static ferry_status answer_with_an_error(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(FERRY_FOREVER), FERRY_ECANCELED);
    allocator_refuse(1, true);
    return FERRY_EBROKEN;
}

/* The cancellation that was asked for comes first, and decides nothing. */
static void error_behind_a_cancellation_needs_no_memory(void) {
    begin();
    ferry_future *children[2] = {NULL, make()}, *gathered = NULL;
    CHECK_STATUS(ferry_task_create(loop, answer_with_an_error, NULL, &children[0]), 0);
    settle();
    CHECK_STATUS(ferry_gather(loop, children, 2, 0, &gathered), 0);
    CHECK(ferry_future_cancel(gathered));
    settle();
    allocator_refuse(0, false);
    settle();
    CHECK_STATUS(ferry_future_status(gathered), FERRY_EBROKEN);
    ferry_future_unref(gathered);
    ferry_future_unref_all(children, 2);
    end();
}

static const fy_test tests[] = {
    FY_TEST(all_that_is_left_runs_in_order),
    FY_TEST(close_leaves_nothing_in_the_lists),
    FY_TEST(child_given_twice_counts_twice),
    FY_TEST(ends_of_many_children_need_no_memory),
    FY_TEST(ends_of_nested_gathers_need_no_memory),
    FY_TEST(error_behind_a_cancellation_needs_no_memory),
};

FY_TEST_MAIN("gather_lists", tests)
