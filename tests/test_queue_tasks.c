/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that block in queues: a cancellation that comes in the same moment as an item or a slot loses neither, and the
 * limit holds all the while. */
#include "support/parties.h"

/* Of the running test. */
static ferry_queue *queue;

static void free_item(void *item) {
    CHECK(item);
    frees++;
}

static void begin_queue(ferry_queue_order order, size_t maxsize) {
    begin_parties();
    frees = 0;
    ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .order = order, .maxsize = maxsize, .free = free_item};
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), 0);
}

static void end_queue(void) {
    ferry_queue_unref(queue);
    end();
}

static ferry_status put(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    self->went = ferry_queue_put(queue, &self->letter);
    leave(self->letter);
    return self->went;
}

static ferry_status get(void *arg, ferry_call *call) {
    party *self = arg;
    (void)call;
    self->went = ferry_queue_get(queue, &self->got);
    leave(self->letter);
    return self->went;
}

static void *item(int number) {
    return &parties[number].letter;
}

static void put_now(int number) {
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(number)), 0);
}

/* The next item is this one. */
static void check_next(int number) {
    void *got = NULL;
    CHECK_STATUS(ferry_queue_get_nowait(queue, &got), 0);
    CHECK(got == item(number));
}

/* ---- passing items on ---- */

/* QU-001 */
static void tasks_get_items_in_the_order_of_both(void) {
    begin_queue(FERRY_QUEUE_FIFO, 0);
    start_parties(get, 0, 2);
    put_now(3);
    put_now(4);
    put_now(5);
    start_parties(get, 2, 1);
    CHECK_STRING(trace, "abc");
    for (int i = 0; i < 3; i++)
        CHECK(parties[i].got == item(3 + i));
    end_parties(3);
    end_queue();
}

/* QU-003 */
static void tasks_block_at_the_limit(void) {
    begin_queue(FERRY_QUEUE_FIFO, 1);
    start_parties(put, 0, 3);
    CHECK_STRING(trace, "a");
    check_next(0);
    CHECK(ferry_queue_full(queue)); /* the slot is taken, if not used yet */
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(5)), FERRY_EFULL);
    settle();
    CHECK_STRING(trace, "ab");
    check_next(1);
    settle();
    CHECK_STRING(trace, "abc");
    check_next(2);
    CHECK(!ferry_queue_full(queue));
    end_parties(3);
    end_queue();
}

/* ---- getters that are cancelled in that moment ---- */

/* QU-006 */
static void item_of_a_getter_cancelled_in_that_moment_is_the_next_ones(void) {
    begin_queue(FERRY_QUEUE_FIFO, 0);
    start_parties(get, 0, 2);
    put_now(4);
    cancel(0);
    end_parties(2);
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    CHECK(!parties[0].got);
    CHECK(parties[1].got == item(4));
    end_queue();
}

/* QU-006 */
static void item_that_nobody_else_wants_is_first_again(void) {
    static const ferry_queue_order orders[] = {FERRY_QUEUE_FIFO, FERRY_QUEUE_LIFO};
    for (int i = 0; i < 2; i++) {
        begin_queue(orders[i], 3);
        start_parties(get, 0, 2);
        for (int k = 2; k < 5; k++)
            put_now(k);
        CHECK_STATUS(ferry_queue_put_nowait(queue, item(5)), FERRY_EFULL);
        cancel(0);
        settle();
        CHECK(parties[1].got == item(3));
        CHECK_INT(ferry_queue_qsize(queue), 2);
        put_now(5);
        CHECK(ferry_queue_full(queue));
        end_parties(2);
        static const int expected[2][3] = {{2, 4, 5}, {5, 2, 4}};
        for (int k = 0; k < 3; k++)
            check_next(expected[i][k]);
        end_queue();
    }
}

static void limit_holds_while_items_come_back(void) {
    begin_queue(FERRY_QUEUE_FIFO, 1);
    start_parties(get, 0, 1);
    put_now(1);
    CHECK(ferry_queue_empty(queue) && ferry_queue_full(queue));
    ferry_future *putter = STARTED(ferry_queue_put_future, queue, item(2));
    cancel(0);
    settle();
    CHECK(!ferry_future_done(putter));
    CHECK_INT(ferry_queue_qsize(queue), 1);
    check_next(1);
    is_granted(putter);
    check_next(2);
    end_parties(1);
    end_queue();
}

/* ---- putters that are cancelled in that moment ---- */

/* QU-008, QU-009 */
static void slot_of_a_putter_cancelled_in_that_moment_is_the_next_ones_or_free(void) {
    begin_queue(FERRY_QUEUE_FIFO, 1);
    put_now(5);
    start_parties(put, 0, 4);
    cancel(1);
    check_next(5);
    cancel(0);
    settle();
    CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
    CHECK_STATUS(parties[1].went, FERRY_ECANCELED);
    CHECK_STATUS(parties[2].went, 0);
    check_next(2);
    cancel(3);
    end_parties(4);
    CHECK_STATUS(parties[3].went, FERRY_ECANCELED);
    CHECK(ferry_queue_empty(queue) && !ferry_queue_full(queue));
    put_now(4);
    check_next(4);
    end_queue();
}

/* ---- joining and shutting down ---- */

static ferry_status join(void *arg, ferry_call *call) {
    (void)call;
    ((party *)arg)->went = ferry_queue_join(queue);
    return 0;
}

/* QU-011 */
static void task_joins_until_all_items_are_done(void) {
    begin_queue(FERRY_QUEUE_FIFO, 0);
    put_now(3);
    put_now(4);
    start_parties(join, 0, 1);
    check_next(3);
    check_next(4);
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    settle();
    CHECK_STATUS(parties[0].went, -1);
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    settle();
    CHECK_STATUS(parties[0].went, 0);
    start_parties(join, 1, 1);
    CHECK_STATUS(parties[1].went, 0);
    end_parties(2);
    end_queue();
}

/* QU-013, QU-014 */
static void shutdown_ends_blocked_tasks(void) {
    begin_queue(FERRY_QUEUE_FIFO, 1);
    start_parties(get, 0, 2);
    CHECK_STATUS(ferry_queue_shutdown(queue, false), 0);
    start_parties(get, 2, 1);
    start_parties(put, 3, 1);
    end_parties(4);
    for (int i = 0; i < 4; i++)
        CHECK_STATUS(parties[i].went, FERRY_ESHUTDOWN);
    end_queue();
    begin_queue(FERRY_QUEUE_FIFO, 1);
    put_now(5);
    start_parties(put, 0, 2);
    check_next(5);
    CHECK_STATUS(ferry_queue_shutdown(queue, false), 0); /* one of them has its slot already */
    end_parties(2);
    CHECK_STATUS(parties[0].went, FERRY_ESHUTDOWN);
    CHECK_STATUS(parties[1].went, FERRY_ESHUTDOWN);
    CHECK(ferry_queue_empty(queue));
    end_queue();
}

/* QU-015 */
static void item_that_comes_back_to_what_was_shut_down_at_once_is_freed(void) {
    for (int way = 0; way < 2; way++) {
        begin_queue(FERRY_QUEUE_FIFO, 0);
        start_parties(get, 0, 1);
        put_now(1);
        ferry_future *all_done = STARTED(ferry_queue_join_future, queue);
        if (way == 0)
            CHECK_STATUS(ferry_queue_shutdown(queue, true), 0);
        else
            ferry_queue_unref(queue);
        cancel(0);
        end_parties(1);
        CHECK_INT(frees, 1);
        CHECK_STATUS(parties[0].went, FERRY_ECANCELED);
        ends_with(all_done, way ? FERRY_ECANCELED : 0);
        if (way == 0)
            ferry_queue_unref(queue);
        end();
    }
}

/* ---- refused ---- */

static void blocking_outside_of_a_task_is_refused(void) {
    void *got = NULL;
    begin_queue(FERRY_QUEUE_FIFO, 0);
    CHECK_STATUS(ferry_queue_put(queue, item(0)), FERRY_ENOTASK);
    CHECK_STATUS(ferry_queue_join(queue), FERRY_ENOTASK);
    put_now(1);
    CHECK_STATUS(ferry_queue_get(queue, &got), FERRY_ENOTASK);
    CHECK(!got);
    CHECK_INT(ferry_queue_qsize(queue), 1);
    end_queue();
    CHECK_INT(frees, 1);
}

static void dropping_the_queue_ends_the_waits_of_tasks(void) {
    begin_queue(FERRY_QUEUE_FIFO, 1);
    put_now(5);
    start_parties(put, 0, 2);
    start_parties(join, 2, 1);
    check_next(5); /* the first one has its slot */
    ferry_queue_unref(queue);
    end_parties(3);
    CHECK_STATUS(parties[0].went, FERRY_ESHUTDOWN);
    CHECK_STATUS(parties[1].went, FERRY_EAWAITED_CANCELED);
    CHECK_STATUS(parties[2].went, FERRY_EAWAITED_CANCELED);
    CHECK_INT(frees, 0);
    end();
}

static const fy_test tests[] = {
    FY_TEST(tasks_get_items_in_the_order_of_both),
    FY_TEST(tasks_block_at_the_limit),
    FY_TEST(item_of_a_getter_cancelled_in_that_moment_is_the_next_ones),
    FY_TEST(item_that_nobody_else_wants_is_first_again),
    FY_TEST(limit_holds_while_items_come_back),
    FY_TEST(slot_of_a_putter_cancelled_in_that_moment_is_the_next_ones_or_free),
    FY_TEST(task_joins_until_all_items_are_done),
    FY_TEST(shutdown_ends_blocked_tasks),
    FY_TEST(item_that_comes_back_to_what_was_shut_down_at_once_is_freed),
    FY_TEST(blocking_outside_of_a_task_is_refused),
    FY_TEST(dropping_the_queue_ends_the_waits_of_tasks),
};

FY_TEST_MAIN("queue_tasks", tests)
