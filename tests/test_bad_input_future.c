/* SPDX-License-Identifier: Apache-2.0 */
/* What makes no sense is refused with a status and changes nothing: NULL, absurd numbers, futures of another loop, a
 * closed loop, another thread. */
#include "support/futures.h"
#include "support/threads.h"

/* What a result is where none must be written. */
static ferry_future *const untouched = (ferry_future *)(uintptr_t)64;

static char place;

/* ---- NULL ---- */

static void null_future_is_refused_by_every_call_with_a_status(void) {
    void *pointer = &place;
    size_t size = 9;
    begin();
    CHECK_STATUS(ferry_future_status(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_future_take_pointer(NULL, &pointer), APR_EINVAL);
    CHECK_STATUS(ferry_future_take_bytes(NULL, &pointer, &size), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_result(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_integer(NULL, 1), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_real(NULL, 1.0), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_pointer(NULL, &place, count_free), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_bytes(NULL, &place, 1, count_free), APR_EINVAL);
    CHECK_STATUS(ferry_future_set_error(NULL, APR_EGENERAL, "no"), APR_EINVAL);
    CHECK_STATUS(ferry_future_add_done_callback(NULL, mark_done, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_loop_run_until_complete(NULL, NULL), APR_EINVAL);
    CHECK(pointer == &place);
    CHECK_INT(size, 9);
    end();
}

static void null_is_harmless_where_no_status_is_returned(void) {
    size_t size = 9;
    begin();
    CHECK(!ferry_future_ref(NULL));
    ferry_future_unref(NULL);
    ferry_future_unref_all(NULL, 3);
    ferry_future_unref_all(NULL, 0);
    CHECK(!ferry_future_done(NULL));
    CHECK(!ferry_future_cancelled(NULL));
    CHECK(!ferry_future_message(NULL));
    CHECK(!ferry_future_origin(NULL));
    CHECK(!ferry_future_worker(NULL));
    CHECK(!ferry_future_loop(NULL));
    CHECK_INT(ferry_future_integer(NULL), 0);
    CHECK(ferry_future_real(NULL) == 0.0);
    CHECK(!ferry_future_pointer(NULL));
    CHECK(!ferry_future_bytes(NULL, &size));
    CHECK_INT(size, 0);
    CHECK(!ferry_future_cancel(NULL));
    CHECK(!ferry_future_cancel_with_message(NULL, "no"));
    CHECK_INT(ferry_future_remove_done_callback(NULL, mark_done, NULL), 0);
    CHECK(!ferry_gather_child(NULL, 0));
    ferry_as_completed_close(NULL);
    end();
}

static void null_beside_a_future_is_refused(void) {
    ferry_handle *handle = NULL;
    begin();
    ferry_future *future = make(), *bytes = make();
    CHECK_STATUS(ferry_future_create(loop, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_future_create(NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_future_add_done_callback(future, NULL, &place, &handle), APR_EINVAL);
    CHECK(!handle);
    CHECK_INT(ferry_future_remove_done_callback(future, NULL, NULL), 0);
    CHECK_STATUS(ferry_future_set_pointer(future, &place, NULL), 0);
    CHECK_STATUS(ferry_future_set_bytes(bytes, &place, 1, NULL), 0);
    CHECK_STATUS(ferry_future_take_pointer(future, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_future_take_bytes(bytes, NULL, NULL), APR_EINVAL);
    CHECK(ferry_future_pointer(future) == &place);
    CHECK(ferry_future_bytes(bytes, NULL) == &place);
    ferry_future_unref(future);
    ferry_future_unref(bytes);
    end();
}

static void null_among_several_is_refused(void) {
    begin();
    ferry_future *futures[3] = {make(), NULL, make()}, *made = untouched;
    ferry_as_completed *iterator = (void *)untouched, *const unopened = iterator;
    CHECK_STATUS(ferry_gather(loop, futures, 3, 0, &made), APR_EINVAL);
    CHECK_STATUS(ferry_gather(loop, NULL, 3, 0, &made), APR_EINVAL);
    CHECK_STATUS(ferry_gather(NULL, futures, 1, 0, &made), APR_EINVAL);
    CHECK_STATUS(ferry_gather(loop, futures, 1, 0, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_wait(futures, 3, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(futures + 1, 2, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(NULL, 3, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(futures, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_open(loop, futures, 3, FERRY_FOREVER, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_open(loop, NULL, 3, FERRY_FOREVER, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_open(NULL, futures, 1, FERRY_FOREVER, &iterator), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_open(loop, futures, 1, FERRY_FOREVER, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_next(NULL, &made), APR_EINVAL);
    CHECK(made == untouched);
    CHECK(iterator == unopened);
    CHECK_STATUS(ferry_as_completed_open(loop, futures, 1, FERRY_FOREVER, &iterator), 0);
    CHECK_STATUS(ferry_as_completed_next(iterator, NULL), APR_EINVAL);
    ferry_as_completed_close(iterator);
    ferry_future_unref_all(futures, 3);
    end();
}

/* ---- absurd ---- */

/* WA-007 */
static void wait_that_makes_no_sense_is_refused(void) {
    begin();
    ferry_future *future = make(), *made = untouched;
    CHECK_STATUS(ferry_wait(&future, 0, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(NULL, 0, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(&future, 1, FERRY_FOREVER, (ferry_return_when)-1, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(&future, 1, FERRY_FOREVER, (ferry_return_when)3, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(&future, 1, -1, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK_STATUS(ferry_wait(&future, 1, INT64_MIN, FERRY_ALL_COMPLETED, &made), APR_EINVAL);
    CHECK(made == untouched);
    resolve(future, 1);
    settle();
    ferry_future_unref(future);
    end();
}

static void check_count_is_refused(ferry_future *future, size_t count, ferry_status expected) {
    ferry_future *made = untouched;
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_gather(loop, &future, count, 0, &made), expected);
    CHECK_STATUS(ferry_wait(&future, count, FERRY_FOREVER, FERRY_ALL_COMPLETED, &made), expected);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, count, FERRY_FOREVER, &iterator), expected);
    CHECK(made == untouched);
    CHECK(!iterator);
}

/* More pointers than there are addresses; and more than there is memory, before any of them is read. */
static void absurd_counts_are_refused(void) {
    begin();
    ferry_future *future = make();
    check_count_is_refused(future, SIZE_MAX, APR_EINVAL);
    check_count_is_refused(future, SIZE_MAX / 2, APR_EINVAL);
    check_count_is_refused(future, SIZE_MAX / sizeof(void *), APR_EINVAL);
    allocator_refuse(1, true);
    check_count_is_refused(future, SIZE_MAX / 64, APR_ENOMEM);
    allocator_refuse(0, false);
    ferry_future_unref(future);
    end();
}

static void unknown_flags_and_negative_limits_are_refused(void) {
    begin();
    ferry_future *future = make(), *made = untouched;
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_gather(loop, &future, 1, 2, &made), APR_EINVAL);
    CHECK_STATUS(ferry_gather(loop, &future, 1, -1, &made), APR_EINVAL);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, 1, -1, &iterator), APR_EINVAL);
    CHECK(made == untouched);
    CHECK(!iterator);
    ferry_future_unref(future);
    end();
}

static void limits_beyond_all_time_are_no_limit(void) {
    begin();
    ferry_future *future = make(), *waiting = NULL, *next = NULL;
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_wait(&future, 1, FERRY_FOREVER - 1, FERRY_ALL_COMPLETED, &waiting), 0);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, 1, FERRY_FOREVER - 1, &iterator), 0);
    CHECK_STATUS(ferry_as_completed_next(iterator, &next), 0);
    settle();
    CHECK(!ferry_future_done(waiting));
    CHECK(!ferry_future_done(next));
    resolve(future, 1);
    settle();
    CHECK_INT(ferry_future_integer(waiting), 1);
    CHECK(ferry_future_pointer(next) == future);
    ferry_as_completed_close(iterator);
    ferry_future_unref(next);
    ferry_future_unref(waiting);
    ferry_future_unref(future);
    end();
}

static void error_without_a_status_is_refused(void) {
    begin();
    ferry_future *future = make();
    CHECK_STATUS(ferry_future_set_error(future, 0, "no error"), APR_EINVAL);
    CHECK(!ferry_future_done(future));
    resolve(future, 1);
    ferry_future_unref(future);
    end();
}

/* ---- what is not the caller's to resolve ---- */

static void check_not_resolvable(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_result(future), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_integer(future, 1), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_real(future, 1.0), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_pointer(future, &place, NULL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_bytes(future, &place, 1, NULL), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_error(future, APR_EGENERAL, "no"), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_done(future));
}

static void futures_that_ferry_resolves_are_not_the_users_to_resolve(void) {
    begin();
    ferry_future *future = make(), *gathered = NULL, *waiting = NULL, *next = NULL;
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_gather(loop, &future, 1, 0, &gathered), 0);
    CHECK_STATUS(ferry_wait(&future, 1, FERRY_FOREVER, FERRY_ALL_COMPLETED, &waiting), 0);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, 1, FERRY_FOREVER, &iterator), 0);
    CHECK_STATUS(ferry_as_completed_next(iterator, &next), 0);
    check_not_resolvable(gathered);
    check_not_resolvable(waiting);
    check_not_resolvable(next);
    CHECK(!ferry_gather_child(future, 0));
    CHECK(!ferry_gather_child(waiting, 0));
    CHECK(!ferry_gather_child(gathered, SIZE_MAX));
    resolve(future, 1);
    settle();
    CHECK_STATUS(ferry_future_status(gathered), 0);
    CHECK_STATUS(ferry_future_status(waiting), 0);
    CHECK_STATUS(ferry_future_status(next), 0);
    ferry_as_completed_close(iterator);
    ferry_future_unref(next);
    ferry_future_unref(waiting);
    ferry_future_unref(gathered);
    ferry_future_unref(future);
    end();
}

/* ---- another loop's ---- */

static void futures_of_another_loop_are_refused_and_the_rest_are_left_alone(void) {
    begin();
    ferry_loop *other = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &other), 0);
    ferry_future *futures[] = {make(), make(), make(), new_future(other)}, *made = untouched;
    ferry_as_completed *iterator = NULL;
    resolve(futures[1], 1);
    add_mark(futures[0], "a");
    CHECK_STATUS(ferry_gather(loop, futures, 4, 0, &made), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_wait(futures, 4, 1000, FERRY_FIRST_COMPLETED, &made), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_as_completed_open(loop, futures, 4, 1000, &iterator), FERRY_EWRONGLOOP);
    CHECK_STATUS(ferry_as_completed_open(other, futures, 1, 1000, &iterator), FERRY_EWRONGLOOP);
    CHECK(made == untouched);
    CHECK(!iterator);
    CHECK_INT(ferry_loop_next_deadline(loop), FERRY_FOREVER);
    for (int i = 0; i < 4; i++) {
        add_mark(futures[i], "d");
        if (i != 1)
            resolve(futures[i], 1);
    }
    settle();
    CHECK_STRING(trace, "addd");
    turn(other);
    CHECK_STRING(trace, "adddd");
    ferry_future_unref_all(futures, 4);
    end_loop(other);
    end();
}

/* ---- closed loops ---- */

static void closed_loop_makes_nothing_new(void) {
    begin();
    ferry_future *future = make(), *made = untouched;
    ferry_as_completed *iterator = NULL;
    ferry_handle *handle = NULL;
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_future_create(loop, &made), FERRY_ECLOSED);
    CHECK_STATUS(ferry_gather(loop, &future, 1, 0, &made), FERRY_ECLOSED);
    CHECK_STATUS(ferry_gather(loop, NULL, 0, 0, &made), FERRY_ECLOSED);
    CHECK_STATUS(ferry_wait(&future, 1, 0, FERRY_ALL_COMPLETED, &made), FERRY_ECLOSED);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, 1, 0, &iterator), FERRY_ECLOSED);
    CHECK_STATUS(ferry_future_add_done_callback(future, mark_done, &place, &handle), FERRY_ECLOSED);
    CHECK_INT(ferry_future_remove_done_callback(future, mark_done, &place), 0);
    CHECK(made == untouched);
    CHECK(!iterator);
    CHECK(!handle);
    ferry_future_unref(future);
    end();
}

/* ---- wrong threads ---- */

static void try_everything_from_here(void *arg) {
    ferry_future *future = arg, *made = untouched;
    ferry_as_completed *iterator = NULL;
    CHECK_STATUS(ferry_future_create(loop, &made), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_result(future), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_integer(future, 1), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_real(future, 1.0), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_pointer(future, &place, count_free), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_bytes(future, &place, 1, count_free), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_set_error(future, APR_EGENERAL, "no"), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_future_add_done_callback(future, mark_done, &place, NULL), FERRY_EWRONGTHREAD);
    CHECK_INT(ferry_future_remove_done_callback(future, mark_done, &place), 0);
    CHECK_STATUS(ferry_gather(loop, &future, 1, 0, &made), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_wait(&future, 1, 0, FERRY_ALL_COMPLETED, &made), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_as_completed_open(loop, &future, 1, 0, &iterator), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, future), FERRY_EWRONGTHREAD);
    CHECK(made == untouched);
    CHECK(!iterator);
}

static ferry_status try_on_another_thread(void *future) {
    on_another_thread(try_everything_from_here, future);
    return 0;
}

static void another_thread_is_refused_while_the_loop_runs(void) {
    begin();
    ferry_future *future = make();
    post(loop, try_on_another_thread, future);
    turn(loop);
    CHECK(!ferry_future_done(future));
    resolve(future, 1);
    settle();
    ferry_future_unref(future);
    end();
}

static const fy_test tests[] = {
    FY_TEST(null_future_is_refused_by_every_call_with_a_status),
    FY_TEST(null_is_harmless_where_no_status_is_returned),
    FY_TEST(null_beside_a_future_is_refused),
    FY_TEST(null_among_several_is_refused),
    FY_TEST(wait_that_makes_no_sense_is_refused),
    FY_TEST(absurd_counts_are_refused),
    FY_TEST(unknown_flags_and_negative_limits_are_refused),
    FY_TEST(limits_beyond_all_time_are_no_limit),
    FY_TEST(error_without_a_status_is_refused),
    FY_TEST(futures_that_ferry_resolves_are_not_the_users_to_resolve),
    FY_TEST(futures_of_another_loop_are_refused_and_the_rest_are_left_alone),
    FY_TEST(closed_loop_makes_nothing_new),
    FY_TEST(another_thread_is_refused_while_the_loop_runs),
};

FY_TEST_MAIN("bad_input_future", tests)
