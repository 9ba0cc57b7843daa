/* SPDX-License-Identifier: Apache-2.0 */
/* Readers and writers. What they watch are the handles of sockets that belong to another loop, which reads and writes
 * them: so nothing here needs a system header. */
#include "support/sockets.h"

static ferry_loop *watching; /* the loop under test; `loop` owns the sockets */
static report_log watching_reports;

static void begin_watching(void) {
    begin();
    watching = NULL;
    CHECK_STATUS(ferry_loop_create(NULL, &watching), 0);
    watching_reports = (report_log){0};
    CHECK_STATUS(ferry_loop_set_exception_handler(watching, keep_report, &watching_reports), 0);
}

static void end_watching(void) {
    end_loop(watching);
    CHECK_INT(watching_reports.count, 0);
    end();
}

/* Makes turns until the callback has run this many times in all. */
static void watch_until(const int *count, int expected) {
    while (*count < expected)
        CHECK_STATUS(ferry_loop_run_once(watching, AN_HOUR_US), 0);
    CHECK_INT(*count, expected);
}

static void watch_a_few_turns(void) {
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(ferry_loop_run_once(watching, 0), 0);
}

static intptr_t handle_of(ferry_socket *socket) {
    return ferry_socket_handle(socket);
}

/* RW-001 */
static void reader_is_called_as_long_as_nobody_reads_and_at_the_end(void) {
    int calls = 0;
    char byte;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.server), count_up, &calls, NULL), 0);
    watch_a_few_turns();
    CHECK_INT(calls, 0);
    sendall(pair.client, "x", 1);
    watch_until(&calls, 3);
    recv_some(pair.server, &byte, 1);
    watch_a_few_turns(); /* one may have been under way */
    int before = calls;
    CHECK(before <= 4);
    watch_a_few_turns();
    CHECK_INT(calls, before);
    ferry_socket_close(pair.client);
    watch_until(&calls, before + 3);
    CHECK(ferry_remove_reader(watching, handle_of(pair.server)));
    before = calls;
    watch_a_few_turns();
    CHECK_INT(calls, before);
    ferry_socket_close(pair.server);
    end_watching();
}

/* RW-003 */
static void writer_is_called_until_removed_and_removed_once(void) {
    int calls = 0;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK(!ferry_remove_writer(watching, handle_of(pair.client)));
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &calls, NULL), 0);
    watch_until(&calls, 3);
    CHECK(ferry_remove_writer(watching, handle_of(pair.client)));
    CHECK(!ferry_remove_writer(watching, handle_of(pair.client)));
    CHECK(!ferry_remove_reader(watching, handle_of(pair.client)));
    watch_a_few_turns();
    CHECK_INT(calls, 3);
    close_pair(pair);
    end_watching();
}

/* RW-006 */
static void removing_the_reader_leaves_the_writer(void) {
    int reads = 0, writes = 0;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.client), count_up, &reads, NULL), 0);
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &writes, NULL), 0);
    watch_until(&writes, 2);
    CHECK(ferry_remove_reader(watching, handle_of(pair.client)));
    sendall(pair.server, "x", 1);
    watch_until(&writes, 5);
    CHECK_INT(reads, 0);
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.client), count_up, &reads, NULL), 0);
    CHECK(ferry_remove_writer(watching, handle_of(pair.client)));
    watch_until(&reads, 2);
    CHECK_INT(writes, 5);
    CHECK(ferry_remove_reader(watching, handle_of(pair.client)));
    close_pair(pair);
    end_watching();
}

typedef struct replacing {
    intptr_t handle;
    int reports, calls;
} replacing;

static ferry_status replace_from_handler(ferry_loop *reporting, const ferry_report *report, void *arg) {
    replacing *self = arg;
    CHECK_STATUS(report->status, APR_EOF);
    self->reports++;
    return ferry_add_reader(reporting, self->handle, count_up, &self->calls, NULL);
}

/* Its readiness came back together with the end that is reported. */
static void reader_can_be_replaced_from_the_exception_handler(void) {
    int calls = 0;
    char byte;
    begin_watching();
    socket_pair pair = open_pair();
    ferry_loop *owner = loop;
    loop = watching;
    socket_pair ended = open_pair();
    loop = owner;
    replacing self = {.handle = handle_of(pair.server)};
    CHECK_STATUS(ferry_loop_set_exception_handler(watching, replace_from_handler, &self), 0);
    CHECK_STATUS(ferry_sock_recv(ended.server, &byte, 1, NULL), 0);
    CHECK_STATUS(ferry_add_reader(watching, self.handle, count_up, &calls, NULL), 0);
    watch_a_few_turns();
    ferry_socket_close(ended.client);
    sendall(pair.client, "x", 1);
    watch_until(&self.reports, 1);
    calls = 0;
    watch_until(&self.calls, self.calls + 3);
    CHECK_INT(calls, 0);
    CHECK(ferry_remove_reader(watching, self.handle));
    ferry_socket_close(ended.server);
    close_pair(pair);
    end_watching();
}

static void send_datagram(const ferry_address *address) {
    ferry_socket *sender = open_socket(FERRY_INET, FERRY_SOCKET_DATAGRAM);
    ferry_future *sending = NULL;
    CHECK_STATUS(ferry_sock_sendto(sender, "x", 1, address, &sending), 0);
    finish(sending);
    ferry_socket_close(sender);
}

/* Closes it and opens another one, which most systems give the same handle. */
static ferry_socket *replace_socket(ferry_socket *socket, ferry_address *ret_address) {
    ferry_socket_close(socket);
    return open_bound(FERRY_INET, FERRY_SOCKET_DATAGRAM, ret_address);
}

/* All in one turn: the operation for the old one is not back. */
static void check_newcomer_is_watched(bool by_handle) {
    int old_calls = 0, calls = 0, writes = 0;
    ferry_address address;
    ferry_handle *handle = NULL;
    begin_watching();
    ferry_socket *socket = open_bound(FERRY_INET, FERRY_SOCKET_DATAGRAM, &address);
    CHECK_STATUS(ferry_add_reader(watching, handle_of(socket), count_up, &old_calls, &handle), 0);
    watch_a_few_turns();
    if (by_handle)
        ferry_handle_cancel(handle);
    else
        CHECK(ferry_remove_reader(watching, handle_of(socket)));
    ferry_handle_unref(handle);
    socket = replace_socket(socket, &address);
    CHECK_STATUS(ferry_add_writer(watching, handle_of(socket), count_up, &writes, NULL), 0);
    CHECK_STATUS(ferry_add_reader(watching, handle_of(socket), count_up, &calls, NULL), 0);
    watch_until(&writes, 2);
    CHECK(ferry_remove_writer(watching, handle_of(socket)));
    watch_a_few_turns();
    CHECK_INT(calls, 0);
    send_datagram(&address);
    watch_until(&calls, 2);
    CHECK(ferry_remove_reader(watching, handle_of(socket)));
    CHECK_INT(old_calls, 0);
    CHECK_INT(writes, 2);
    ferry_socket_close(socket);
    end_watching();
}

static void handle_that_is_another_one_by_now_is_watched(void) {
    check_newcomer_is_watched(false);
}

/* RW-007 */
static void handle_that_is_another_one_by_now_is_watched_after_a_cancel(void) {
    check_newcomer_is_watched(true);
}

static void handle_that_is_another_one_by_now_can_be_removed_again(void) {
    int calls = 0;
    ferry_address address;
    begin_watching();
    ferry_socket *socket = open_bound(FERRY_INET, FERRY_SOCKET_DATAGRAM, &address);
    CHECK_STATUS(ferry_add_reader(watching, handle_of(socket), count_up, &calls, NULL), 0);
    for (int with_turns = 0; with_turns < 2; with_turns++) {
        if (with_turns)
            watch_a_few_turns();
        CHECK(ferry_remove_reader(watching, handle_of(socket)));
        socket = replace_socket(socket, &address);
        CHECK_STATUS(ferry_add_writer(watching, handle_of(socket), count_up, &calls, NULL), 0);
        CHECK(ferry_remove_writer(watching, handle_of(socket)));
        CHECK_STATUS(ferry_add_reader(watching, handle_of(socket), count_up, &calls, NULL), 0);
    }
    CHECK(ferry_remove_reader(watching, handle_of(socket)));
    send_datagram(&address);
    watch_a_few_turns();
    CHECK_INT(calls, 0);
    ferry_socket_close(socket);
    end_watching();
}

static ferry_status remove_the_other(ferry_loop *reporting, const ferry_report *report, void *arg) {
    replacing *self = arg;
    CHECK(report->status && ferry_handle_cancelled(report->handle));
    CHECK(!ferry_remove_reader(reporting, self->handle) && !ferry_remove_writer(reporting, self->handle));
    self->reports++;
    return 0;
}

/* By the time that it could be watched it is none. */
static void handle_that_is_closed_by_now_is_given_up(void) {
    ferry_address address;
    begin_watching();
    ferry_socket *socket = open_bound(FERRY_INET, FERRY_SOCKET_DATAGRAM, &address);
    replacing self = {.handle = handle_of(socket)};
    CHECK_STATUS(ferry_loop_set_exception_handler(watching, remove_the_other, &self), 0);
    CHECK_STATUS(ferry_add_reader(watching, self.handle, count_up, &self.calls, NULL), 0);
    watch_a_few_turns();
    CHECK(ferry_remove_reader(watching, self.handle));
    CHECK_STATUS(ferry_add_reader(watching, self.handle, count_up, &self.calls, NULL), 0);
    CHECK_STATUS(ferry_add_writer(watching, self.handle, count_up, &self.calls, NULL), 0);
    ferry_socket_close(socket);
    watch_a_few_turns();
    CHECK_INT(self.reports, 2);
    CHECK_INT(self.calls, 0);
    end_watching();
}

/* RW-007 */
static void cancelled_handle_is_not_run_and_the_interest_dropped(void) {
    int calls = 0;
    ferry_handle *handle = NULL;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.server), count_up, &calls, &handle), 0);
    CHECK(strstr(ferry_handle_origin(handle), "test_readers.c:"));
    sendall(pair.client, "x", 1);
    watch_until(&calls, 2);
    ferry_handle_cancel(handle);
    CHECK(ferry_handle_cancelled(handle));
    CHECK(!ferry_remove_reader(watching, handle_of(pair.server)));
    ferry_handle_cancel(handle);
    watch_a_few_turns();
    CHECK_INT(calls, 2);
    ferry_handle_unref(handle);
    close_pair(pair);
    end_watching();
}

static void second_call_replaces_the_first(void) {
    int first = 0, second = 0;
    ferry_handle *handle = NULL;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &first, &handle), 0);
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &second, NULL), 0);
    CHECK(ferry_handle_cancelled(handle));
    watch_until(&second, 2);
    CHECK_INT(first, 0);
    CHECK(ferry_remove_writer(watching, handle_of(pair.client)));
    CHECK(!ferry_remove_writer(watching, handle_of(pair.client)));
    ferry_handle_unref(handle);
    close_pair(pair);
    end_watching();
}

/* ---- from inside of callbacks ---- */

typedef struct inside {
    intptr_t handle;
    int calls;
    int replaced;
} inside;

static ferry_status remove_myself(void *arg) {
    inside *self = arg;
    self->calls++;
    CHECK(ferry_remove_writer(watching, self->handle));
    return 0;
}

static ferry_status replace_myself(void *arg) {
    inside *self = arg;
    self->calls++;
    return ferry_add_writer(watching, self->handle, count_up, &self->replaced, NULL);
}

static ferry_status remove_and_add_again(void *arg) {
    inside *self = arg;
    CHECK(ferry_remove_writer(watching, self->handle));
    return replace_myself(arg);
}

static void callback_may_remove_or_replace_itself(void) {
    begin_watching();
    socket_pair pair = open_pair();
    inside self = {handle_of(pair.client), 0, 0};
    CHECK_STATUS(ferry_add_writer(watching, self.handle, remove_myself, &self, NULL), 0);
    watch_until(&self.calls, 1);
    watch_a_few_turns();
    CHECK_INT(self.calls, 1);
    CHECK_STATUS(ferry_add_writer(watching, self.handle, replace_myself, &self, NULL), 0);
    watch_until(&self.replaced, 3);
    CHECK_INT(self.calls, 2);
    CHECK_STATUS(ferry_add_writer(watching, self.handle, remove_and_add_again, &self, NULL), 0);
    watch_until(&self.replaced, 6);
    CHECK_INT(self.calls, 3);
    CHECK(ferry_remove_writer(watching, self.handle));
    close_pair(pair);
    end_watching();
}

typedef struct cancelling {
    ferry_handle *handle;
    int calls;
} cancelling;

static ferry_status cancel_myself(void *arg) {
    cancelling *self = arg;
    self->calls++;
    ferry_handle_cancel(self->handle);
    return 0;
}

static void callback_may_cancel_itself(void) {
    cancelling self = {NULL, 0};
    begin_watching();
    socket_pair pair = open_pair();
    intptr_t handle = handle_of(pair.client);
    CHECK_STATUS(ferry_add_writer(watching, handle, cancel_myself, &self, &self.handle), 0);
    watch_until(&self.calls, 1);
    watch_a_few_turns();
    CHECK_INT(self.calls, 1);
    CHECK(!ferry_remove_writer(watching, handle));
    ferry_handle_unref(self.handle);
    close_pair(pair);
    end_watching();
}

static ferry_status fail_once(void *arg) {
    return ++*(int *)arg == 1 ? APR_EGENERAL : 0;
}

static void error_of_a_callback_is_reported_and_it_goes_on(void) {
    int calls = 0;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), fail_once, &calls, NULL), 0);
    watch_until(&calls, 3);
    CHECK_INT(watching_reports.count, 1);
    watching_reports.count = 0;
    CHECK(ferry_remove_writer(watching, handle_of(pair.client)));
    close_pair(pair);
    end_watching();
}

/* LS-008 */
static void event_of_the_turn_that_stops_runs_once_in_all(void) {
    begin_watching();
    socket_pair pair = open_pair();
    inside self = {handle_of(pair.server), 0, 0};
    CHECK_STATUS(ferry_add_writer(watching, self.handle, remove_myself, &self, NULL), 0);
    CHECK_STATUS(ferry_call_soon(watching, stop_loop, watching, NULL), 0);
    CHECK_STATUS(ferry_loop_run_forever(watching), 0);
    watch_a_few_turns();
    CHECK_INT(self.calls, 1);
    close_pair(pair);
    end_watching();
}

/* ---- many, and the end ---- */

static void many_handles_are_told_apart(void) {
    enum { COUNT = 100 };
    socket_pair pairs[COUNT];
    int calls[COUNT] = {0};
    begin_watching();
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = open_pair();
        CHECK_STATUS(ferry_add_reader(watching, handle_of(pairs[i].server), count_up, &calls[i], NULL), 0);
    }
    for (int i = 0; i < COUNT; i += 7) {
        sendall(pairs[i].client, "x", 1);
        watch_until(&calls[i], 1);
        CHECK(ferry_remove_reader(watching, handle_of(pairs[i].server)));
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(calls[i], i % 7 == 0);
        CHECK(ferry_remove_reader(watching, handle_of(pairs[i].server)) == (i % 7 != 0));
        close_pair(pairs[i]);
    }
    end_watching();
}

/* RW-008 RW-009 */
static void closed_loop_watches_nothing(void) {
    int calls = 0;
    ferry_handle *handle = NULL;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.client), count_up, &calls, &handle), 0);
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &calls, NULL), 0);
    CHECK_STATUS(ferry_loop_close(watching), 0);
    CHECK(!ferry_remove_reader(watching, handle_of(pair.client)));
    CHECK(!ferry_remove_writer(watching, handle_of(pair.client)));
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.client), count_up, &calls, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &calls, NULL), FERRY_ECLOSED);
    CHECK(ferry_handle_cancelled(handle));
    ferry_handle_unref(handle);
    sendall(pair.client, "x", 1); /* the handle is as it was */
    check_receives(pair.server, "x");
    close_pair(pair);
    end_watching();
}

static void closing_drops_what_was_about_to_run(void) {
    int calls = 0;
    begin_watching();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_add_writer(watching, handle_of(pair.client), count_up, &calls, NULL), 0);
    CHECK_STATUS(ferry_add_reader(watching, handle_of(pair.client), count_up, &calls, NULL), 0);
    watch_until(&calls, 1);
    end_loop(watching); /* while the handle is still open */
    CHECK_INT(watching_reports.count, 0);
    CHECK_INT(calls, 1);
    close_pair(pair);
    end();
}

/* Where the kernel can tell, it is refused; elsewhere it is watched. */
static void handle_of_a_socket_of_the_same_loop_does_no_harm(void) {
    int calls = 0;
    begin();
    socket_pair pair = open_pair();
    bool is_added = !ferry_add_reader(loop, handle_of(pair.client), count_up, &calls, NULL);
    CHECK(ferry_remove_reader(loop, handle_of(pair.client)) == is_added);
    sendall(pair.client, "x", 1);
    check_receives(pair.server, "x");
    close_pair(pair);
    end();
}

static const fy_test tests[] = {
    FY_TEST(reader_is_called_as_long_as_nobody_reads_and_at_the_end),
    FY_TEST(writer_is_called_until_removed_and_removed_once),
    FY_TEST(removing_the_reader_leaves_the_writer),
    FY_TEST(reader_can_be_replaced_from_the_exception_handler),
    FY_TEST(handle_that_is_another_one_by_now_is_watched),
    FY_TEST(handle_that_is_another_one_by_now_is_watched_after_a_cancel),
    FY_TEST(handle_that_is_another_one_by_now_can_be_removed_again),
    FY_TEST(handle_that_is_closed_by_now_is_given_up),
    FY_TEST(cancelled_handle_is_not_run_and_the_interest_dropped),
    FY_TEST(second_call_replaces_the_first),
    FY_TEST(callback_may_remove_or_replace_itself),
    FY_TEST(callback_may_cancel_itself),
    FY_TEST(error_of_a_callback_is_reported_and_it_goes_on),
    FY_TEST(event_of_the_turn_that_stops_runs_once_in_all),
    FY_TEST(many_handles_are_told_apart),
    FY_TEST(closed_loop_watches_nothing),
    FY_TEST(closing_drops_what_was_about_to_run),
    FY_TEST(handle_of_a_socket_of_the_same_loop_does_no_harm),
};

FY_TEST_MAIN("readers", tests)
