/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks that are always ready do not starve what the kernel has to tell, whatever they do meanwhile. Counted in
 * callbacks, so that a slow machine changes nothing. */
#include "support/sockets.h"

enum { CALLBACKS_MAX = 20, SLOW_CALLBACK_US = 150 };

static ferry_loop *watching; /* the loop under test; `loop` owns the sockets */

typedef struct chain {
    int events;
    int count;
} chain;

/* To make a timer is a look at the clock, and none at the kernel. */
static ferry_status go_on_with_a_timer(void *arg) {
    chain *self = arg;
    ferry_handle *timer = NULL;
    take_time(watching, SLOW_CALLBACK_US);
    CHECK_STATUS(ferry_call_later(watching, AN_HOUR_US, stop_loop, watching, &timer), 0);
    ferry_handle_cancel(timer);
    ferry_handle_unref(timer);
    if (self->events)
        return stop_loop(watching);
    self->count++;
    return ferry_call_soon(watching, go_on_with_a_timer, self, NULL);
}

static void reader_is_called_beside_slow_callbacks_that_make_timers(void) {
    chain self = {0};
    begin();
    CHECK_STATUS(ferry_loop_create(NULL, &watching), 0);
    socket_pair pair = open_pair();
    sendall(pair.client, "x", 1);
    CHECK_STATUS(ferry_add_reader(watching, ferry_socket_handle(pair.server), count_up, &self.events, NULL), 0);
    post(watching, go_on_with_a_timer, &self);
    run_forever(watching);
    CHECK(self.count <= CALLBACKS_MAX);
    CHECK(ferry_remove_reader(watching, ferry_socket_handle(pair.server)));
    close_pair(pair);
    end_loop(watching);
    end();
}

static const fy_test tests[] = {
    FY_TEST(reader_is_called_beside_slow_callbacks_that_make_timers),
};

FY_TEST_MAIN("starvation_io", tests)
