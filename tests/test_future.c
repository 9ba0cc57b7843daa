/* SPDX-License-Identifier: Apache-2.0 */
/* A future by itself: how it ends, once; what can be read from it; who is told of an error that nobody looked at. */
#include "support/futures.h"

static char value_place;

/* ---- ending, once ---- */

static void set_nothing(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_result(future), 0);
}

static void set_integer(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_integer(future, -42), 0);
}

static void set_real(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_real(future, 0.5), 0);
}

static void set_pointer(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_pointer(future, &value_place, count_free), 0);
}

static void set_bytes(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_bytes(future, &value_place, 1, count_free), 0);
}

static void set_error(ferry_future *future) {
    CHECK_STATUS(ferry_future_set_error(future, FERRY_EFULL, "no room for %d", 7), 0);
}

static void set_cancelled(ferry_future *future) {
    CHECK(ferry_future_cancel_with_message(future, "not wanted"));
}

typedef void setter(ferry_future *future);

static setter *const setters[] = {set_nothing, set_integer, set_real, set_pointer, set_bytes, set_error, set_cancelled};

enum { SETTERS = sizeof setters / sizeof setters[0] };

static void check_refuses_another_outcome(ferry_future *future) {
    ferry_status status = ferry_future_status(future);
    CHECK_STATUS(ferry_future_set_result(future), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_integer(future, 1), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_real(future, 1.5), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_pointer(future, &frees, count_free), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_bytes(future, &frees, 3, count_free), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_set_error(future, APR_EGENERAL, "another"), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_cancel(future));
    CHECK(!ferry_future_cancel_with_message(future, "another"));
    CHECK_STATUS(ferry_future_status(future), status);
}

static void check_has_first_outcome(ferry_future *future, setter *set) {
    size_t size = 9;
    bool is_pointer = set == set_pointer, is_bytes = set == set_bytes;
    CHECK_INT(ferry_future_integer(future), set == set_integer ? -42 : 0);
    CHECK(ferry_future_real(future) == (set == set_real ? 0.5 : 0.0));
    CHECK(ferry_future_pointer(future) == (is_pointer ? &value_place : NULL));
    CHECK(ferry_future_bytes(future, &size) == (is_bytes ? &value_place : NULL));
    CHECK_INT(size, is_bytes ? 1 : 0);
    if (set == set_error)
        CHECK_STRING(ferry_future_message(future), "no room for 7");
    else if (set == set_cancelled)
        CHECK_STRING(ferry_future_message(future), "not wanted");
    else
        CHECK(!ferry_future_message(future));
}

/* FU-002 */
static void second_outcome_is_refused_and_the_first_stays(void) {
    begin();
    for (int i = 0; i < SETTERS; i++) {
        ferry_future *future = make();
        frees = 0;
        setters[i](future);
        check_refuses_another_outcome(future);
        check_has_first_outcome(future, setters[i]);
        CHECK_INT(frees, 0);
        ferry_future_unref(future);
        CHECK_INT(frees, setters[i] == set_pointer || setters[i] == set_bytes);
    }
    end();
}

/* FU-003 */
static void cancel_of_pending_is_done_at_once_and_only_once(void) {
    begin();
    ferry_future *future = make();
    CHECK(!ferry_future_cancelled(future));
    CHECK(ferry_future_cancel(future));
    CHECK(ferry_future_done(future));
    CHECK(ferry_future_cancelled(future));
    CHECK(!ferry_future_cancel(future));
    CHECK(ferry_future_cancelled(future));
    ferry_future_unref(future);
    end();
}

/* FU-003 */
static void cancel_after_completion_changes_nothing(void) {
    begin();
    for (int i = 0; i < SETTERS - 1; i++) {
        ferry_future *future = make();
        setters[i](future);
        CHECK(!ferry_future_cancel(future));
        CHECK(!ferry_future_cancelled(future));
        check_has_first_outcome(future, setters[i]);
        ferry_future_unref(future);
    }
    end();
}

static void pending_future_answers_not_yet(void) {
    void *pointer = &value_place;
    size_t size = 9;
    begin();
    ferry_future *future = make();
    CHECK(!ferry_future_done(future));
    CHECK(!ferry_future_cancelled(future));
    CHECK_STATUS(ferry_future_status(future), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_message(future));
    CHECK(!ferry_future_worker(future));
    CHECK_INT(ferry_future_integer(future), 0);
    CHECK(!ferry_future_pointer(future));
    CHECK(!ferry_future_bytes(future, &size));
    CHECK_INT(size, 0);
    CHECK_STATUS(ferry_future_take_pointer(future, &pointer), FERRY_EINVALIDSTATE);
    CHECK_STATUS(ferry_future_take_bytes(future, &pointer, &size), FERRY_EINVALIDSTATE);
    CHECK(pointer == &value_place);
    resolve(future, 5);
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
    end();
}

/* ---- errors and cancellations ---- */

static void check_tells(ferry_future *future, ferry_status status, const char *message) {
    void *pointer = &value_place;
    size_t size = 9;
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_future_status(future), status);
        CHECK_STATUS(ferry_future_take_pointer(future, &pointer), status);
        CHECK_STATUS(ferry_future_take_bytes(future, &pointer, &size), status);
        CHECK(pointer == &value_place);
        CHECK_INT(size, 9);
        CHECK_INT(ferry_future_integer(future), 0);
        CHECK(!ferry_future_pointer(future));
        if (message)
            CHECK_STRING(ferry_future_message(future), message);
        else
            CHECK(!ferry_future_message(future));
    }
}

/* FU-004 */
static void cancelled_future_tells_it_by_every_accessor(void) {
    char words[] = "too late";
    begin();
    ferry_future *plain = make(), *told = make();
    CHECK(ferry_future_cancel(plain));
    CHECK(ferry_future_cancel_with_message(told, words));
    words[0] = '?';
    check_tells(plain, FERRY_ECANCELED, NULL);
    check_tells(told, FERRY_ECANCELED, "too late");
    ferry_future_unref(plain);
    ferry_future_unref(told);
    end();
}

/* FU-005 */
static void error_is_told_with_its_message(void) {
    char long_message[3000];
    begin();
    ferry_future *formatted = make(), *long_one = make(), *bare = make();
    memset(long_message, 'x', sizeof long_message - 1);
    long_message[sizeof long_message - 1] = '\0';
    CHECK_STATUS(ferry_future_set_error(formatted, APR_EGENERAL, "%s %d", "unlucky number", 13), 0);
    CHECK_STATUS(ferry_future_set_error(long_one, FERRY_EBROKEN, "%s", long_message), 0);
    CHECK_STATUS(ferry_future_set_error(bare, APR_EOF, NULL), 0);
    check_tells(formatted, APR_EGENERAL, "unlucky number 13");
    check_tells(long_one, FERRY_EBROKEN, long_message);
    check_tells(bare, APR_EOF, NULL);
    CHECK(ferry_future_done(bare));
    CHECK(!ferry_future_cancelled(bare));
    CHECK(!ferry_future_worker(bare));
    ferry_future_unref(formatted);
    ferry_future_unref(long_one);
    ferry_future_unref(bare);
    end();
}

/* An error may have the status of a cancellation: it is an error all the same. */
static void error_called_cancelled_is_no_cancellation(void) {
    begin();
    ferry_future *future = make();
    fail(future, FERRY_ECANCELED, "as if");
    CHECK(!ferry_future_cancelled(future));
    check_tells(future, FERRY_ECANCELED, "as if");
    ferry_future_unref(future);
    end();
}

/* ---- values ---- */

static void numbers_keep_their_extremes(void) {
    static const int64_t integers[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    static const double reals[] = {-1e308, -0.0, 1e-308, 1e308};
    begin();
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        ferry_future *future = make();
        resolve(future, integers[i]);
        CHECK_INT(ferry_future_integer(future), integers[i]);
        ferry_future_unref(future);
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        ferry_future *future = make();
        CHECK_STATUS(ferry_future_set_real(future, reals[i]), 0);
        CHECK(ferry_future_real(future) == reals[i]);
        CHECK_INT(ferry_future_integer(future), 0);
        ferry_future_unref(future);
    }
    end();
}

static void taken_value_is_the_takers_and_the_future_answers_null(void) {
    void *pointer = NULL, *bytes = NULL;
    size_t size = 0;
    begin();
    ferry_future *first = make(), *second = make();
    frees = 0;
    set_pointer(first);
    CHECK_STATUS(ferry_future_set_bytes(second, &value_place, 3, count_free), 0);
    CHECK_STATUS(ferry_future_take_bytes(first, &bytes, &size), FERRY_EWRONGTYPE);
    CHECK_STATUS(ferry_future_take_pointer(second, &pointer), FERRY_EWRONGTYPE);
    CHECK_STATUS(ferry_future_take_pointer(first, &pointer), 0);
    CHECK_STATUS(ferry_future_take_bytes(second, &bytes, &size), 0);
    CHECK(pointer == &value_place);
    CHECK(bytes == &value_place);
    CHECK_INT(size, 3);
    CHECK(!ferry_future_pointer(first));
    CHECK(!ferry_future_bytes(second, &size));
    CHECK_INT(size, 0);
    CHECK_STATUS(ferry_future_status(first), 0);
    ferry_future_unref(first);
    ferry_future_unref(second);
    CHECK_INT(frees, 0);
    end();
}

static void value_without_a_destructor_stays_its_makers(void) {
    void *bytes = NULL;
    begin();
    ferry_future *pointer = make(), *empty = make(), *null = make();
    frees = 0;
    CHECK_STATUS(ferry_future_set_pointer(pointer, &value_place, NULL), 0);
    CHECK_STATUS(ferry_future_set_bytes(empty, &value_place, 0, NULL), 0);
    CHECK_STATUS(ferry_future_set_pointer(null, NULL, NULL), 0);
    CHECK(ferry_future_bytes(empty, NULL) == &value_place);
    CHECK_STATUS(ferry_future_take_bytes(empty, &bytes, NULL), 0);
    CHECK(bytes == &value_place);
    CHECK_STATUS(ferry_future_status(null), 0);
    ferry_future_unref(pointer);
    ferry_future_unref(empty);
    ferry_future_unref(null);
    end();
}

/* ---- errors that nobody looked at ---- */

/* FU-013 */
static void unseen_error_is_reported_once_when_the_future_dies(void) {
    begin();
    ferry_future *future = make(), *spare = ferry_future_ref(future);
    fail(future, FERRY_EBROKEN, "it broke");
    settle();
    ferry_future_unref(future);
    CHECK_INT(reports.count, 0);
    ferry_future_unref(spare);
    CHECK_INT(reports.count, 1);
    CHECK(reports.all[0].loop == loop);
    CHECK(reports.all[0].future == future);
    CHECK_STATUS(reports.all[0].status, FERRY_EBROKEN);
    CHECK_STRING(reports.all[0].message, "it broke");
    end_with_reports(1);
}

static void report_says_where_the_future_was_made(void) {
    ferry_future *future = NULL;
    begin();
    int line = __LINE__ + 1;
    CHECK_STATUS(ferry_future_create(loop, &future), 0);
    CHECK_STATUS(ferry_future_set_error(future, APR_EGENERAL, NULL), 0);
    ferry_future_unref(future);
    CHECK(report_of_line(&reports, line));
    end_with_reports(1);
}

static void look_by_status(ferry_future *future) {
    CHECK_STATUS(ferry_future_status(future), FERRY_EFULL);
}

static void look_by_message(ferry_future *future) {
    CHECK(ferry_future_message(future));
}

static void look_by_taking(ferry_future *future) {
    void *pointer;
    CHECK_STATUS(ferry_future_take_pointer(future, &pointer), FERRY_EFULL);
}

/* FU-014 */
static void look_by_any_accessor_suppresses_the_report(void) {
    static void (*const looks[])(ferry_future *) = {look_by_status, look_by_message, look_by_taking};
    begin();
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        ferry_future *future = make();
        set_error(future);
        looks[i](future);
        ferry_future_unref(future);
        CHECK_INT(reports.count, 0);
    }
    end();
}

/* A question while it was pending was no look at an error that came later; nor is whether it is done. */
static void look_before_the_error_does_not_count(void) {
    begin();
    ferry_future *future = make();
    CHECK_STATUS(ferry_future_status(future), FERRY_EINVALIDSTATE);
    CHECK(!ferry_future_message(future));
    set_error(future);
    CHECK(ferry_future_done(future));
    CHECK(!ferry_future_cancelled(future));
    ferry_future_unref(future);
    end_with_reports(1);
}

static void results_and_cancellations_are_never_reported(void) {
    begin();
    for (int i = 0; i < SETTERS; i++) {
        ferry_future *future = make();
        if (setters[i] != set_error)
            setters[i](future);
        ferry_future_unref(future);
    }
    end();
}

static ferry_future *rescued;

static ferry_status rescue(ferry_loop *of, const ferry_report *report, void *arg) {
    (void)of;
    (void)arg;
    CHECK(ferry_future_done(report->future));
    CHECK_STATUS(ferry_future_status(report->future), FERRY_EFULL);
    rescued = ferry_future_ref(report->future);
    return 0;
}

static void handler_may_keep_the_future_it_is_told_of(void) {
    begin();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, rescue, NULL), 0);
    ferry_future *future = make();
    set_error(future);
    ferry_future_unref(future);
    CHECK(rescued == future);
    CHECK_STRING(ferry_future_message(rescued), "no room for 7");
    ferry_future_unref(rescued);
    end();
}

/* ---- life ---- */

static void future_knows_its_loop_and_its_origin(void) {
    char here[256];
    ferry_future *future = NULL;
    begin();
    snprintf(here, sizeof here, "%s:%d", __FILE__, __LINE__ + 1);
    CHECK_STATUS(ferry_future_create(loop, &future), 0);
    CHECK_STRING(ferry_future_origin(future), here);
    CHECK(ferry_future_loop(future) == loop);
    ferry_future_unref(future);
    end();
}

static void unref_all_lets_go_of_each_and_forgets_it(void) {
    ferry_future *futures[4] = {NULL};
    begin();
    for (int i = 0; i < 3; i++)
        futures[i] = make();
    ferry_future *kept = ferry_future_ref(futures[1]);
    ferry_future_unref_all(futures, 4);
    for (int i = 0; i < 4; i++)
        CHECK(!futures[i]);
    resolve(kept, 1);
    ferry_future_unref(kept);
    end();
}

static void futures_outlive_their_closed_loop(void) {
    begin();
    ferry_future *done = make(), *pending = make(), *dropped = make();
    frees = 0;
    set_pointer(done);
    end_loop(loop);
    CHECK(ferry_future_pointer(done) == &value_place);
    CHECK(!ferry_future_done(pending));
    resolve(pending, 3);
    CHECK_INT(ferry_future_integer(pending), 3);
    CHECK(ferry_future_cancel(dropped));
    CHECK(atomic_load(&live_blocks) > 0);
    ferry_future_unref(dropped);
    ferry_future_unref(pending);
    ferry_future_unref(done);
    CHECK_INT(frees, 1);
    CHECK_INT(reports.count, 0);
    check_nothing_is_left();
}

static void futures_come_and_go_by_the_thousand(void) {
    enum { CROWD = 5000 };
    static ferry_future *futures[CROWD];
    size_t bytes = 0;
    begin();
    for (int round = 0; round < 10; round++) {
        make_all(futures, CROWD);
        for (int i = 0; i < CROWD; i++) {
            setters[i % SETTERS](futures[i]);
            CHECK_STATUS(ferry_future_status(futures[i]),
                         i % SETTERS == 5 ? FERRY_EFULL : i % SETTERS == 6 ? FERRY_ECANCELED : 0);
        }
        ferry_future_unref_all(futures, CROWD);
        if (!round)
            bytes = atomic_load(&live_bytes);
        CHECK(atomic_load(&live_bytes) <= bytes);
    }
    end();
}

static const fy_test tests[] = {
    FY_TEST(second_outcome_is_refused_and_the_first_stays),
    FY_TEST(cancel_of_pending_is_done_at_once_and_only_once),
    FY_TEST(cancel_after_completion_changes_nothing),
    FY_TEST(pending_future_answers_not_yet),
    FY_TEST(cancelled_future_tells_it_by_every_accessor),
    FY_TEST(error_is_told_with_its_message),
    FY_TEST(error_called_cancelled_is_no_cancellation),
    FY_TEST(numbers_keep_their_extremes),
    FY_TEST(taken_value_is_the_takers_and_the_future_answers_null),
    FY_TEST(value_without_a_destructor_stays_its_makers),
    FY_TEST(unseen_error_is_reported_once_when_the_future_dies),
    FY_TEST(report_says_where_the_future_was_made),
    FY_TEST(look_by_any_accessor_suppresses_the_report),
    FY_TEST(look_before_the_error_does_not_count),
    FY_TEST(results_and_cancellations_are_never_reported),
    FY_TEST(handler_may_keep_the_future_it_is_told_of),
    FY_TEST(future_knows_its_loop_and_its_origin),
    FY_TEST(unref_all_lets_go_of_each_and_forgets_it),
    FY_TEST(futures_outlive_their_closed_loop),
    FY_TEST(futures_come_and_go_by_the_thousand),
};

FY_TEST_MAIN("future", tests)
