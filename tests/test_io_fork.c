/* SPDX-License-Identifier: Apache-2.0 */
/* The host program forks while sockets, readers and signal handlers are there. In the child the parent's are refused or
 * harmless, and a loop of its own works; the parent notices nothing. */
#include "support/sockets.h"

#include "support/forks.h"

/* ---- sockets ---- */

typedef struct inherited {
    socket_pair pair;
    ferry_future *receiving;
    ferry_future *queued;
    char bytes[2];
} inherited;

static void look_at_inherited_sockets(const inherited *self) {
    char byte;
    ferry_address address;
    MUST(ferry_sock_recv(self->pair.server, &byte, 1, NULL) == FERRY_EFORKED);
    MUST(ferry_sock_sendall(self->pair.client, "?", 1, NULL) == FERRY_EFORKED);
    MUST(ferry_socket_local_address(self->pair.client, &address) == FERRY_EFORKED);
    MUST(ferry_add_reader(loop, 0, count_up, NULL, NULL) == FERRY_EFORKED);
    MUST(!ferry_future_cancel(self->receiving));
    MUST(!ferry_future_cancel(self->queued));
}

static void close_in_child(const inherited *self, bool sockets_first) {
    look_at_inherited_sockets(self);
    if (sockets_first)
        close_pair(self->pair);
    MUST(ferry_loop_close(loop) == 0);
    MUST(ferry_future_cancelled(self->receiving) && ferry_future_cancelled(self->queued));
    ferry_future_unref(self->receiving);
    ferry_future_unref(self->queued);
    if (!sockets_first)
        close_pair(self->pair);
    ferry_loop_unref(loop);
    MUST(atomic_load(&live_blocks) == 0);
}

static void use_sockets_of_ones_own(void) {
    loop = NULL;
    MUST(ferry_loop_create(NULL, &loop) == 0);
    socket_pair pair = open_pair();
    sendall(pair.client, "child", 5);
    check_receives(pair.server, "child");
    close_pair(pair);
    MUST(ferry_loop_close(loop) == 0);
    ferry_loop_unref(loop);
    MUST(atomic_load(&live_blocks) == 0);
}

static void check_sockets_over_a_fork(bool sockets_first) {
    inherited self;
    begin();
    self.pair = open_pair();
    self.receiving = start_recv(self.pair.server, &self.bytes[0], 1);
    self.queued = start_recv(self.pair.server, &self.bytes[1], 1);
    turn(loop);
    pid_t child = fork_now();
    if (!child) {
        close_in_child(&self, sockets_first);
        use_sockets_of_ones_own();
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    CHECK(!ferry_future_done(self.receiving));
    sendall(self.pair.client, "ab", 2);
    finish(self.receiving);
    finish(self.queued);
    CHECK(memcmp(self.bytes, "ab", 2) == 0);
    close_pair(self.pair);
    end();
}

static void child_closes_inherited_sockets_and_the_parent_goes_on(void) {
    check_sockets_over_a_fork(true);
}

static void child_closes_an_inherited_loop_with_sockets_and_the_parent_goes_on(void) {
    check_sockets_over_a_fork(false);
}

/* The cancelled operations are still with the kernel. */
static void child_closes_an_inherited_loop_whose_sockets_are_being_closed(void) {
    char byte;
    int calls = 0;
    begin();
    ferry_loop *watching = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &watching), 0);
    socket_pair pair = open_pair();
    ferry_future *receiving = start_recv(pair.server, &byte, 1);
    CHECK_STATUS(ferry_add_reader(watching, ferry_socket_handle(pair.client), count_up, &calls, NULL), 0);
    turn(loop);
    turn(watching);
    CHECK(ferry_remove_reader(watching, ferry_socket_handle(pair.client)));
    close_pair(pair);
    pid_t child = fork_now();
    if (!child) {
        MUST(ferry_loop_close(loop) == 0 && ferry_loop_close(watching) == 0);
        MUST(ferry_future_cancelled(receiving));
        ferry_future_unref(receiving);
        ferry_loop_unref(loop);
        ferry_loop_unref(watching);
        MUST(atomic_load(&live_blocks) == 0);
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    finish_with(receiving, FERRY_ECANCELED);
    end_loop(watching);
    end();
}

static ferry_status fork_in_handler(ferry_loop *reporting, const ferry_report *report, void *arg) {
    pid_t *child = arg;
    CHECK(reporting == loop && report->status == APR_EOF);
    *child = fork_now();
    return 0;
}

/* It was delivered together with the one whose end is reported, and not yet looked at: the child has it still. */
static void handler_that_forks_leaves_what_is_delivered_to_both(void) {
    pid_t child = -1;
    char byte = 0, bytes[2] = "";
    begin();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, fork_in_handler, &child), 0);
    socket_pair ended = open_pair(), pair = open_pair();
    CHECK_STATUS(ferry_sock_recv(ended.server, &byte, 1, NULL), 0);
    ferry_future *receiving = start_recv(pair.server, &bytes[0], 1), *queued = start_recv(pair.server, &bytes[1], 1);
    turn(loop);
    ferry_socket_close(ended.client);
    CHECK_STATUS(ferry_sock_sendall(pair.client, "ab", 2, NULL), 0);
    ferry_status status = 0;
    while (child == -1)
        status = ferry_loop_run_once(loop, AN_HOUR_US);
    if (!child) {
        MUST(status == FERRY_EFORKED);
        MUST(ferry_loop_close(loop) == 0);
        MUST(ferry_future_cancelled(receiving) && ferry_future_cancelled(queued));
        ferry_future_unref(receiving);
        ferry_future_unref(queued);
        ferry_socket_close(ended.server);
        close_pair(pair);
        ferry_loop_unref(loop);
        MUST(atomic_load(&live_blocks) == 0);
        _exit(EXIT_SUCCESS);
    }
    CHECK_STATUS(status, 0);
    wait_for_child(child);
    finish(receiving);
    finish(queued);
    CHECK(memcmp(bytes, "ab", 2) == 0);
    ferry_socket_close(ended.server);
    close_pair(pair);
    end();
}

typedef struct late_fork {
    int reports;
    pid_t child;
} late_fork;

static ferry_status fork_at_the_last_report(ferry_loop *reporting, const ferry_report *report, void *arg) {
    late_fork *self = arg;
    CHECK(reporting == loop && strstr(report->message, "still open"));
    if (++self->reports == 2)
        self->child = fork_now();
    return 0;
}

/* The operation of the socket that was reported first is with the parent's kernel, cancelled. */
static void handler_that_forks_while_the_loop_closes_ends_it_in_both(void) {
    char bytes[2];
    late_fork self = {.child = -1};
    begin();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, fork_at_the_last_report, &self), 0);
    CHECK_STATUS(ferry_loop_set_debug(loop, true), 0);
    socket_pair pair = open_pair();
    ferry_future *receiving = start_recv(pair.server, &bytes[0], 1), *opposite = start_recv(pair.client, &bytes[1], 1);
    turn(loop);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    bool is_ended = ferry_future_cancelled(receiving) && ferry_future_cancelled(opposite);
    ferry_future_unref(receiving);
    ferry_future_unref(opposite);
    close_pair(pair);
    ferry_loop_unref(loop);
    if (!self.child) {
        MUST(is_ended && atomic_load(&live_blocks) == 0);
        _exit(EXIT_SUCCESS);
    }
    CHECK_INT(self.reports, 2);
    wait_for_child(self.child);
    CHECK(is_ended);
    check_nothing_is_left();
}

/* ---- readers ---- */

static void child_closes_an_inherited_loop_with_readers_and_the_parent_goes_on(void) {
    int calls = 0;
    begin();
    ferry_loop *watching = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &watching), 0);
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_reader(watching, ferry_socket_handle(pair.server), count_up, &calls, NULL), 0);
    turn(watching);
    pid_t child = fork_now();
    if (!child) {
        MUST(!ferry_remove_reader(watching, ferry_socket_handle(pair.server)));
        MUST(ferry_loop_close(watching) == 0);
        ferry_loop_unref(watching);
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    sendall(pair.client, "x", 1);
    while (!calls)
        CHECK_STATUS(ferry_loop_run_once(watching, AN_HOUR_US), 0);
    end_loop(watching);
    close_pair(pair);
    end();
}

static ferry_status fork_in_reader(void *arg) {
    pid_t *child = arg;
    *child = fork_now();
    return *child ? ferry_loop_stop(loop) : 0;
}

static void reader_that_forks_goes_on_in_the_parent(void) {
    pid_t child = -1;
    begin();
    ferry_loop *owner = loop;
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STATUS(ferry_add_writer(loop, ferry_socket_handle(pair.client), fork_in_reader, &child, NULL), 0);
    ferry_status status = ferry_loop_run_forever(loop);
    if (!child) {
        MUST(status == FERRY_EFORKED);
        MUST(ferry_loop_close(loop) == 0);
        ferry_loop_unref(loop);
        _exit(EXIT_SUCCESS);
    }
    CHECK_STATUS(status, 0);
    wait_for_child(child);
    CHECK(ferry_remove_writer(loop, ferry_socket_handle(pair.client)));
    end_loop(loop);
    loop = owner;
    close_pair(pair);
    end();
}

/* ---- signals ---- */

static ferry_status never(void *arg) {
    const bool reached = true;
    (void)arg;
    MUST(!reached);
    return 0;
}

static void hear_signals_of_ones_own(void) {
    int calls = 0;
    loop = NULL;
    MUST(ferry_loop_create(NULL, &loop) == 0);
    MUST(ferry_add_signal_handler(loop, SIGUSR1, count_up, &calls) == 0);
    MUST(raise(SIGUSR1) == 0);
    MUST(ferry_loop_run_once(loop, 0) == 0);
    MUST(calls == 1);
    MUST(ferry_loop_close(loop) == 0);
    ferry_loop_unref(loop);
}

/* SG-010 */
static void signal_to_a_forked_child_does_not_run_the_parents_handler(void) {
    int calls = 0;
    begin();
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR1, count_up, &calls), 0);
    CHECK_STATUS(ferry_add_signal_handler(loop, SIGUSR2, never, NULL), 0);
    pid_t child = fork_now();
    if (!child) {
        MUST(raise(SIGUSR1) == 0);
        MUST(ferry_add_signal_handler(loop, SIGUSR1, never, NULL) == FERRY_EFORKED);
        MUST(!ferry_remove_signal_handler(loop, SIGUSR1));
        ferry_loop *inherited_loop = loop;
        hear_signals_of_ones_own();
        MUST(ferry_loop_close(inherited_loop) == 0);
        ferry_loop_unref(inherited_loop);
        hear_signals_of_ones_own();
        _exit(EXIT_SUCCESS);
    }
    wait_for_child(child);
    settle();
    CHECK_INT(calls, 0);
    CHECK_INT(raise(SIGUSR1), 0);
    settle();
    CHECK_INT(calls, 1);
    end();
}

static const fy_test tests[] = {
    FY_TEST(child_closes_inherited_sockets_and_the_parent_goes_on),
    FY_TEST(child_closes_an_inherited_loop_with_sockets_and_the_parent_goes_on),
    FY_TEST(child_closes_an_inherited_loop_whose_sockets_are_being_closed),
    FY_TEST(handler_that_forks_leaves_what_is_delivered_to_both),
    FY_TEST(handler_that_forks_while_the_loop_closes_ends_it_in_both),
    FY_TEST(child_closes_an_inherited_loop_with_readers_and_the_parent_goes_on),
    FY_TEST(reader_that_forks_goes_on_in_the_parent),
    FY_TEST(signal_to_a_forked_child_does_not_run_the_parents_handler),
};

FY_TEST_MAIN("io_fork", tests)
