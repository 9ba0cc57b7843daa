/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: order, limits, who is next at either end, and that every item is had by exactly one, or freed. */
#include "support/sync.h"

/* Items are addresses in here; how often each was freed. */
static char items[256];
static int freed[256];

static void *item(int number) {
    return &items[number];
}

static int number_of(const void *pointer) {
    return (int)((const char *)pointer - items);
}

static void free_item(void *pointer) {
    freed[number_of(pointer)]++;
}

static int freed_in_all(void) {
    int all = 0;
    for (int i = 0; i < 256; i++)
        all += freed[i];
    return all;
}

static int compare_items(const void *one, const void *other) {
    return number_of(one) - number_of(other);
}

static ferry_queue *new_queue_of(ferry_queue_order order, size_t maxsize) {
    ferry_queue *queue = NULL;
    memset(freed, 0, sizeof freed);
    ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .order = order, .maxsize = maxsize, .free = free_item,
                                   .compare = order == FERRY_QUEUE_PRIORITY ? compare_items : NULL};
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), 0);
    return queue;
}

static ferry_queue *new_queue(size_t maxsize) {
    return new_queue_of(FERRY_QUEUE_FIFO, maxsize);
}

static void put(ferry_queue *queue, int number) {
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(number)), 0);
}

static int get(ferry_queue *queue) {
    void *pointer = NULL;
    CHECK_STATUS(ferry_queue_get_nowait(queue, &pointer), 0);
    return number_of(pointer);
}

static int got(ferry_future *getter) {
    void *pointer = NULL;
    CHECK(ferry_future_done(getter));
    CHECK_STATUS(ferry_future_take_pointer(getter, &pointer), 0);
    ferry_future_unref(getter);
    return number_of(pointer);
}

static void end_empty(ferry_queue *queue) {
    CHECK(ferry_queue_empty(queue));
    ferry_queue_unref(queue);
    CHECK_INT(freed_in_all(), 0);
    end();
}

/* ---- order ---- */

/* QU-001 */
static void items_come_out_as_they_went_in(void) {
    begin();
    ferry_queue *queue = new_queue(0);
    for (int round = 0, next_in = 0, next_out = 0; round < 20; round++) {
        for (int i = 0; i < 7 && next_in < 140; i++)
            put(queue, next_in++);
        for (int i = 0; i < 3 + round % 7; i++)
            if (!ferry_queue_empty(queue))
                CHECK_INT(get(queue), next_out++);
        CHECK_INT(ferry_queue_qsize(queue), next_in - next_out);
    }
    while (!ferry_queue_empty(queue))
        get(queue);
    end_empty(queue);
}

/* QU-002 */
static void stack_gives_the_newest_and_priority_the_smallest(void) {
    begin();
    ferry_queue *stack = new_queue_of(FERRY_QUEUE_LIFO, 0);
    for (int i = 0; i < 20; i++)
        put(stack, i);
    for (int i = 20; i--;)
        CHECK_INT(get(stack), i);
    ferry_queue_unref(stack);
    ferry_queue *smallest = new_queue_of(FERRY_QUEUE_PRIORITY, 0);
    for (int i = 0; i < 101; i++)
        put(smallest, i * 37 % 101);
    for (int i = 0; i < 50; i++)
        CHECK_INT(get(smallest), i);
    for (int i = 0; i < 50; i++)
        put(smallest, 49 - i);
    for (int i = 0; i < 101; i++)
        CHECK_INT(get(smallest), i);
    end_empty(smallest);
}

static void getters_get_items_in_the_order_of_their_coming(void) {
    begin();
    ferry_queue *queue = new_queue(0);
    ferry_future *getters[3];
    for (int i = 0; i < 3; i++)
        getters[i] = STARTED(ferry_queue_get_future, queue);
    put(queue, 0);
    put(queue, 1);
    CHECK_STRING(granted(getters, 3), "ab");
    CHECK(ferry_queue_empty(queue));
    put(queue, 2);
    put(queue, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(got(getters[i]), i);
    CHECK_INT(got(STARTED(ferry_queue_get_future, queue)), 3);
    end_empty(queue);
}

/* ---- limits ---- */

/* QU-003 */
static void putters_wait_at_the_limit_and_one_goes_on_per_item(void) {
    begin();
    ferry_queue *queue = new_queue(2);
    ferry_future *putters[5];
    for (int i = 0; i < 5; i++)
        putters[i] = STARTED(ferry_queue_put_future, queue, item(i));
    CHECK_STRING(granted(putters, 5), "ab");
    CHECK(ferry_queue_full(queue));
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(9)), FERRY_EFULL);
    CHECK_INT(get(queue), 0);
    CHECK_STRING(granted(putters, 5), "abc");
    CHECK_INT(ferry_queue_qsize(queue), 2);
    CHECK_INT(got(STARTED(ferry_queue_get_future, queue)), 1);
    CHECK_STRING(granted(putters, 5), "abcd");
    for (int i = 2; i < 5; i++)
        CHECK_INT(get(queue), i);
    CHECK(!ferry_queue_full(queue));
    ferry_future_unref_all(putters, 5);
    end_empty(queue);
}

static void empty_queue_says_so(void) {
    begin();
    ferry_queue *queue = new_queue(1);
    void *pointer = &items[77];
    CHECK(ferry_queue_empty(queue) && !ferry_queue_full(queue));
    CHECK_STATUS(ferry_queue_get_nowait(queue, &pointer), FERRY_EEMPTY);
    CHECK(pointer == &items[77]);
    end_empty(queue);
}

/* ---- cancelling ---- */

/* QU-006: its future has the item, and says so; dropped with it, it is freed once. */
static void item_of_a_getter_that_is_cancelled_late_is_not_lost(void) {
    begin();
    ferry_queue *queue = new_queue(0);
    ferry_future *getters[4];
    for (int i = 0; i < 4; i++)
        getters[i] = STARTED(ferry_queue_get_future, queue);
    cancel_pending(getters[1]);
    for (int i = 0; i < 3; i++)
        put(queue, i);
    CHECK_STRING(granted(getters, 4), "acd");
    CHECK(!ferry_future_cancel(getters[0]));
    CHECK_INT(got(getters[0]), 0);
    CHECK_INT(got(getters[2]), 1);
    ferry_future_unref(getters[1]);
    CHECK_INT(freed_in_all(), 0);
    ferry_future_unref(getters[3]);
    CHECK_INT(freed[2], 1);
    ferry_queue_unref(queue);
    CHECK_INT(freed_in_all(), 1);
    end();
}

/* QU-008, QU-009: a putter that leaves takes its item along. */
static void cancelled_putters_leave_the_others_in_order(void) {
    begin();
    ferry_queue *queue = new_queue(1);
    ferry_future *putters[5];
    for (int i = 0; i < 5; i++)
        putters[i] = STARTED(ferry_queue_put_future, queue, item(i));
    cancel_pending(putters[1]);
    cancel_pending(putters[3]);
    CHECK_INT(get(queue), 0);
    CHECK_STRING(granted(putters, 5), "ac");
    CHECK(!ferry_future_cancel(putters[2]));
    CHECK_INT(get(queue), 2);
    CHECK_INT(get(queue), 4);
    ferry_future_unref_all(putters, 5);
    end_empty(queue);
}

/* ---- dealing with items ---- */

/* QU-011 */
static void join_is_done_when_every_item_is(void) {
    begin();
    ferry_queue *queue = new_queue(0);
    is_granted(STARTED(ferry_queue_join_future, queue));
    CHECK_STATUS(ferry_queue_task_done(queue), FERRY_EINVALIDSTATE);
    ferry_future *getter = STARTED(ferry_queue_get_future, queue);
    put(queue, 0);
    put(queue, 1);
    ferry_future *joins[2] = {STARTED(ferry_queue_join_future, queue), STARTED(ferry_queue_join_future, queue)};
    got(getter);
    get(queue);
    CHECK_STRING(granted(joins, 2), "");
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    CHECK_STRING(granted(joins, 2), "");
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    CHECK_STRING(granted(joins, 2), "ab");
    CHECK_STATUS(ferry_queue_task_done(queue), FERRY_EINVALIDSTATE);
    ferry_future_unref_all(joins, 2);
    end_empty(queue);
}

/* ---- shutting down ---- */

static void check_refuses(ferry_queue *queue) {
    void *pointer = NULL;
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(9)), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_queue_put_future(queue, item(9), &started), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_queue_get_nowait(queue, &pointer), FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_queue_get_future(queue, &started), FERRY_ESHUTDOWN);
    CHECK(!pointer && !started);
}

/* QU-013 */
static void shutdown_of_an_empty_queue_fails_its_getters(void) {
    for (int immediate = 0; immediate < 2; immediate++) {
        begin();
        ferry_queue *queue = new_queue(0);
        ferry_future *getters[2] = {STARTED(ferry_queue_get_future, queue), STARTED(ferry_queue_get_future, queue)};
        CHECK_STATUS(ferry_queue_shutdown(queue, immediate), 0);
        ends_with(getters[0], FERRY_ESHUTDOWN);
        ends_with(getters[1], FERRY_ESHUTDOWN);
        check_refuses(queue);
        CHECK_STATUS(ferry_queue_shutdown(queue, false), 0);
        is_granted(STARTED(ferry_queue_join_future, queue));
        end_empty(queue);
    }
}

/* QU-014 */
static void graceful_shutdown_lets_the_items_be_taken(void) {
    begin();
    ferry_queue *queue = new_queue(2);
    put(queue, 0);
    put(queue, 1);
    ferry_future *putter = STARTED(ferry_queue_put_future, queue, item(2));
    ferry_future *join = STARTED(ferry_queue_join_future, queue);
    CHECK_STATUS(ferry_queue_shutdown(queue, false), 0);
    ends_with(putter, FERRY_ESHUTDOWN);
    CHECK_STATUS(ferry_queue_put_nowait(queue, item(9)), FERRY_ESHUTDOWN);
    CHECK_INT(get(queue), 0);
    CHECK_INT(got(STARTED(ferry_queue_get_future, queue)), 1);
    check_refuses(queue);
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    CHECK(!ferry_future_done(join));
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    is_granted(join);
    end_empty(queue);
}

/* QU-015 */
static void immediate_shutdown_drops_the_items_and_counts_them_as_done(void) {
    begin();
    ferry_queue *queue = new_queue(3);
    for (int i = 0; i < 3; i++)
        put(queue, i);
    CHECK_INT(get(queue), 0);
    put(queue, 3);
    ferry_future *putter = STARTED(ferry_queue_put_future, queue, item(4));
    ferry_future *join = STARTED(ferry_queue_join_future, queue);
    CHECK_STATUS(ferry_queue_shutdown(queue, true), 0);
    ends_with(putter, FERRY_ESHUTDOWN);
    check_refuses(queue);
    CHECK_INT(freed_in_all(), 3);
    CHECK(freed[1] == 1 && freed[2] == 1 && freed[3] == 1);
    CHECK(!ferry_future_done(join));
    CHECK_STATUS(ferry_queue_task_done(queue), 0);
    is_granted(join);
    ferry_queue_unref(queue);
    CHECK_INT(freed_in_all(), 3);
    end();
}

/* ---- options ---- */

static void options_that_make_no_sense_are_refused(void) {
    begin();
    ferry_queue *queue = NULL;
    ferry_queue_options options;
    ferry_queue_options_init(&options);
    options.order = FERRY_QUEUE_PRIORITY;
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), APR_EINVAL);
    options.order = FERRY_QUEUE_LIFO;
    options.compare = compare_items;
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), APR_EINVAL);
    ferry_queue_options_init(&options);
    options.order = (ferry_queue_order)7;
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), APR_EINVAL);
    ferry_queue_options_init(&options);
    options.size--;
    CHECK_STATUS(ferry_queue_create(loop, &options, &queue), APR_EINVAL);
    CHECK_STATUS(ferry_queue_create(loop, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_queue_create(NULL, NULL, &queue), APR_EINVAL);
    CHECK(!queue);
    CHECK_STATUS(ferry_queue_create(loop, NULL, &queue), 0);
    CHECK_STATUS(ferry_queue_put_nowait(queue, NULL), 0);
    ferry_queue_unref(queue);
    end();
}

/* ---- life ---- */

static void last_reference_cancels_who_waits_and_frees_the_items(void) {
    begin();
    ferry_queue *queue = new_queue(2);
    put(queue, 0);
    put(queue, 1);
    ferry_future *waits[2] = {STARTED(ferry_queue_put_future, queue, item(2)),
                              STARTED(ferry_queue_join_future, queue)};
    CHECK(ferry_queue_ref(queue) == queue);
    ferry_queue_unref(queue);
    ferry_queue_unref(queue);
    CHECK(ferry_future_cancelled(waits[0]) && ferry_future_cancelled(waits[1]));
    CHECK(freed[0] == 1 && freed[1] == 1);
    CHECK_INT(freed_in_all(), 2);
    ferry_future_unref_all(waits, 2);
    queue = new_queue(0);
    ferry_future *getter = STARTED(ferry_queue_get_future, queue);
    ferry_queue_unref(queue);
    CHECK(ferry_future_cancelled(getter));
    ferry_future_unref(getter);
    end();
}

static void closed_loop_leaves_nothing_in_any_order(void) {
    for (int order = 0; order < 2; order++) {
        begin();
        ferry_queue *queue = new_queue(1);
        void *pointer = NULL;
        ferry_future *waits[3] = {STARTED(ferry_queue_get_future, queue), NULL, NULL};
        put(queue, 0);
        put(queue, 1);
        waits[1] = STARTED(ferry_queue_put_future, queue, item(2));
        waits[2] = STARTED(ferry_queue_join_future, queue);
        end_loop(loop);
        CHECK_STATUS(ferry_queue_put_nowait(queue, item(3)), FERRY_ECLOSED);
        CHECK_STATUS(ferry_queue_get_nowait(queue, &pointer), FERRY_ECLOSED);
        CHECK_STATUS(ferry_queue_shutdown(queue, true), FERRY_ECLOSED);
        if (order)
            ferry_future_unref_all(waits, 3);
        ferry_queue_unref(queue);
        ferry_future_unref_all(waits, 3);
        CHECK(freed[0] == 1 && freed[1] == 1);
        CHECK_INT(freed_in_all(), 2);
        check_nothing_is_left();
    }
}

static ferry_queue *reentered;

static void free_and_look(void *pointer) {
    void *other = NULL;
    free_item(pointer);
    CHECK_STATUS(ferry_queue_put_nowait(reentered, item(9)), FERRY_ESHUTDOWN);
    if (ferry_queue_get_nowait(reentered, &other) == 0)
        free_item(other);
}

static void free_function_may_use_the_queue(void) {
    begin();
    memset(freed, 0, sizeof freed);
    ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .free = free_and_look};
    CHECK_STATUS(ferry_queue_create(loop, &options, &reentered), 0);
    for (int i = 0; i < 7; i++)
        put(reentered, i);
    CHECK_STATUS(ferry_queue_shutdown(reentered, true), 0);
    CHECK_INT(freed_in_all(), 7);
    ferry_queue_unref(reentered);
    end();
}

static const fy_test tests[] = {
    FY_TEST(items_come_out_as_they_went_in),
    FY_TEST(stack_gives_the_newest_and_priority_the_smallest),
    FY_TEST(getters_get_items_in_the_order_of_their_coming),
    FY_TEST(putters_wait_at_the_limit_and_one_goes_on_per_item),
    FY_TEST(empty_queue_says_so),
    FY_TEST(item_of_a_getter_that_is_cancelled_late_is_not_lost),
    FY_TEST(cancelled_putters_leave_the_others_in_order),
    FY_TEST(join_is_done_when_every_item_is),
    FY_TEST(shutdown_of_an_empty_queue_fails_its_getters),
    FY_TEST(graceful_shutdown_lets_the_items_be_taken),
    FY_TEST(immediate_shutdown_drops_the_items_and_counts_them_as_done),
    FY_TEST(options_that_make_no_sense_are_refused),
    FY_TEST(last_reference_cancels_who_waits_and_frees_the_items),
    FY_TEST(closed_loop_leaves_nothing_in_any_order),
    FY_TEST(free_function_may_use_the_queue),
};

FY_TEST_MAIN("queue", tests)
