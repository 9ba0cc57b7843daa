/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: a scenario over the loop's API with the Nth request refused, for every N, alone or with all
 * that follow. Each refusal is APR_ENOMEM, what was accepted still runs exactly once, and nothing stays behind. */
#include "support/loops.h"

#include <apr_errno.h>

#include "support/allocator.h"

enum { ROUNDS = 40, EACH = 9, TURNS_MAX = 1000 };

typedef struct scenario {
    ferry_loop *loop;
    int accepted;
    int ran;
    int refused;
} scenario;

static ferry_status run_one(void *arg) {
    ((scenario *)arg)->ran++;
    return 0;
}

static ferry_status never(void *arg) {
    const bool reached = true;
    (void)arg;
    CHECK(!reached);
    return 0;
}

/* True if it was accepted; a refusal has one reason only. */
static bool accepted(scenario *self, ferry_status status) {
    if (!status)
        return true;
    CHECK_STATUS(status, APR_ENOMEM);
    self->refused++;
    return false;
}

/* ---- steps ---- */

static void post_plain(scenario *self) {
    self->accepted += accepted(self, ferry_call_soon(self->loop, run_one, self, NULL));
    self->accepted += accepted(self, ferry_call_soon_threadsafe(self->loop, run_one, self, NULL));
    self->accepted += accepted(self, ferry_call_later(self->loop, -1, run_one, self, NULL));
}

static void post_with_handles(scenario *self) {
    ferry_handle *handle = NULL;
    self->accepted += accepted(self, ferry_call_soon(self->loop, run_one, self, &handle));
    ferry_handle_unref(handle);
    handle = NULL;
    self->accepted += accepted(self, ferry_call_soon_threadsafe(self->loop, run_one, self, &handle));
    ferry_handle_unref(handle);
    handle = NULL;
    self->accepted += accepted(self, ferry_call_at(self->loop, 1, run_one, self, &handle));
    ferry_handle_unref(handle);
}

static void post_and_cancel(scenario *self) {
    ferry_handle *handles[3] = {NULL, NULL, NULL};
    accepted(self, ferry_call_soon(self->loop, never, NULL, &handles[0]));
    accepted(self, ferry_call_soon_threadsafe(self->loop, never, NULL, &handles[1]));
    accepted(self, ferry_call_later(self->loop, AN_HOUR_US, never, NULL, &handles[2]));
    for (int i = 0; i < 3; i++) {
        ferry_handle_cancel(handles[i]);
        ferry_handle_unref(handles[i]);
    }
}

static void turn_until_all_has_run(scenario *self) {
    for (int turns = 0; self->ran < self->accepted; turns++) {
        CHECK(turns < TURNS_MAX);
        accepted(self, ferry_loop_run_once(self->loop, 0));
    }
    CHECK_INT(self->ran, self->accepted);
}

static ferry_status resolve(void *future) {
    return ferry_future_set_integer(future, 7);
}

static void run_until_complete(scenario *self) {
    ferry_future *future = NULL;
    if (!accepted(self, ferry_future_create(self->loop, &future)))
        return;
    if (accepted(self, ferry_call_soon(self->loop, resolve, future, NULL))
        && accepted(self, ferry_loop_run_until_complete(self->loop, future)))
        CHECK_INT(ferry_future_integer(future), 7);
    accepted(self, ferry_loop_run_once(self->loop, 0));
    ferry_future_unref(future);
}

static ferry_status fail(void *arg) {
    (void)arg;
    return FERRY_EFULL;
}

static ferry_status count_report(ferry_loop *loop, const ferry_report *report, void *arg) {
    (void)loop;
    CHECK_STATUS(report->status, FERRY_EFULL);
    ++*(int *)arg;
    return 0;
}

static void report_an_error(scenario *self) {
    int reports = 0;
    if (!accepted(self, ferry_loop_set_exception_handler(self->loop, count_report, &reports)))
        return;
    bool posted = accepted(self, ferry_call_soon(self->loop, fail, NULL, NULL));
    accepted(self, ferry_loop_run_once(self->loop, 0));
    CHECK_INT(reports, posted);
    CHECK_STATUS(ferry_loop_set_exception_handler(self->loop, NULL, NULL), 0);
}

static void run_and_stop(scenario *self) {
    if (accepted(self, ferry_call_soon(self->loop, stop_loop, self->loop, NULL)))
        accepted(self, ferry_loop_run_forever(self->loop));
}

static void leave_some_for_close(scenario *self) {
    ferry_handle *handle = NULL;
    accepted(self, ferry_call_soon(self->loop, never, NULL, NULL));
    accepted(self, ferry_call_soon_threadsafe(self->loop, never, NULL, NULL));
    accepted(self, ferry_call_later(self->loop, 0, never, NULL, &handle));
    CHECK_STATUS(ferry_loop_close(self->loop), 0);
    ferry_handle_unref(handle);
}

/* ---- the whole ---- */

static void use_loop(scenario *self) {
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++)
            post_plain(self);
        post_with_handles(self);
        post_and_cancel(self);
        if (round % 8 == 7)
            turn_until_all_has_run(self);
    }
    turn_until_all_has_run(self);
    run_until_complete(self);
    report_an_error(self);
    run_and_stop(self);
    turn_until_all_has_run(self);
    leave_some_for_close(self);
}

static int play(void) {
    scenario self = {0};
    if (accepted(&self, ferry_loop_create(NULL, &self.loop)))
        use_loop(&self);
    ferry_loop_unref(self.loop);
    CHECK(self.refused <= atomic_load(&refusals));
    return self.refused;
}

static void one_refused_request_is_a_status_and_leaks_nothing(void) {
    allocator_refuse_each(play, false, 5);
}

static void every_request_refused_from_some_point_on_is_a_status_and_leaks_nothing(void) {
    allocator_refuse_each(play, true, 5);
}

static const fy_test tests[] = {
    FY_TEST(one_refused_request_is_a_status_and_leaks_nothing),
    FY_TEST(every_request_refused_from_some_point_on_is_a_status_and_leaks_nothing),
};

FY_TEST_MAIN("loop_torture", tests)
