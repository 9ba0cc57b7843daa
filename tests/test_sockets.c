/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and their operations, when nothing is cancelled: connecting, bytes in order, ends of streams, queues, and
 * closing. Cancelling is in test_sockets_cancel.c, datagrams are in test_datagram.c. */
#include "support/sockets.h"

/* ---- connecting ---- */

static void check_echo(ferry_family family) {
    char buffer[64];
    begin();
    socket_pair pair = open_pair_of(family);
    sendall(pair.client, "hello", 5);
    int64_t count = recv_some(pair.server, buffer, sizeof buffer);
    CHECK(count >= 1 && count <= 5);
    recv_exactly(pair.server, buffer + count, (size_t)(5 - count));
    sendall(pair.server, buffer, 5);
    check_receives(pair.client, "hello");
    close_pair(pair);
    end();
}

static void bytes_go_there_and_back_over_ipv4(void) {
    check_echo(FERRY_INET);
}

static void bytes_go_there_and_back_over_ipv6(void) {
    check_echo(FERRY_INET6);
}

static void both_ends_know_each_other(void) {
    begin();
    ferry_address address, client, server;
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    socket_pair pair = connect_to(listener, &address);
    CHECK_STATUS(ferry_socket_peer_address(pair.client, &server), 0);
    CHECK(ferry_address_equal(&server, &address));
    CHECK_STATUS(ferry_socket_local_address(pair.client, &client), 0);
    CHECK_STATUS(ferry_socket_peer_address(pair.server, &server), 0);
    CHECK(ferry_address_equal(&server, &client));
    CHECK(ferry_socket_peer_address(listener, &server) != 0);
    CHECK(ferry_socket_handle(pair.client) >= 0);
    CHECK(ferry_socket_loop(pair.client) == loop);
    CHECK(strstr(ferry_socket_origin(pair.client), "sockets.h:"));
    close_pair(pair);
    ferry_socket_close(listener);
    end();
}

static void connect_to_nobody_is_an_error_and_closes_the_socket(void) {
    ferry_address address;
    begin();
    ferry_socket_close(open_listener(FERRY_INET, &address));
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *connecting = start_connect(client, &address);
    run_until(connecting);
    CHECK(ferry_future_status(connecting) != 0);
    CHECK(ferry_future_status(connecting) != FERRY_ECANCELED);
    ferry_future_unref(connecting);
    CHECK(ferry_socket_is_closed(client));
    CHECK_STATUS(ferry_sock_connect(client, &address, NULL), FERRY_ECLOSED);
    ferry_socket_close(client);
    end();
}

static void several_accepts_take_their_connections_in_order(void) {
    enum { COUNT = 5 };
    ferry_address address;
    ferry_future *accepting[COUNT];
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    for (int i = 0; i < COUNT; i++)
        accepting[i] = start_accept(listener);
    for (char i = 0; i < COUNT; i++) {
        char byte = 0;
        ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
        finish(start_connect(client, &address));
        sendall(client, &i, 1);
        ferry_socket *server = finish_accept(accepting[(int)i]);
        recv_some(server, &byte, 1);
        CHECK_INT(byte, i);
        ferry_socket_close(client);
        ferry_socket_close(server);
    }
    ferry_socket_close(listener);
    end();
}

static void accepted_socket_that_nobody_takes_is_closed(void) {
    char byte;
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *accepting = start_accept(listener);
    finish(start_connect(client, &address));
    run_until(accepting);
    ferry_future_unref(accepting);
    finish_with(start_recv(client, &byte, 1), APR_EOF);
    ferry_socket_close(client);
    ferry_socket_close(listener);
    end();
}

/* ---- streams ---- */

/* SK-005 */
static void a_megabyte_comes_through_partial_writes_in_order(void) {
    enum { SIZE = 4 << 20, PART = 1 << 16 };
    begin();
    socket_pair pair = open_pair();
    unsigned char *data = malloc(SIZE), *echo = malloc(SIZE), *part = malloc(PART);
    CHECK(data && echo && part);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    ferry_future *sending = start_sendall(pair.client, data, SIZE);
    size_t echoed = 0;
    while (echoed < SIZE) {
        size_t count = (size_t)recv_some(pair.server, part, PART);
        ferry_future *back = start_sendall(pair.server, part, count);
        recv_exactly(pair.client, echo + echoed, count);
        finish(back);
        echoed += count;
    }
    finish(sending);
    CHECK(memcmp(data, echo, SIZE) == 0);
    free(data);
    free(echo);
    free(part);
    close_pair(pair);
    end();
}

static void several_sendalls_go_out_in_order(void) {
    enum { COUNT = 40, SIZE = 100000 };
    unsigned char *data = malloc(SIZE * COUNT), *got = malloc(SIZE);
    ferry_future *sending[COUNT];
    CHECK(data && got);
    begin();
    socket_pair pair = open_pair();
    for (int i = 0; i < COUNT; i++) {
        memset(data + i * SIZE, i, SIZE);
        sending[i] = start_sendall(pair.client, data + i * SIZE, SIZE);
    }
    for (int i = 0; i < COUNT; i++) {
        recv_exactly(pair.server, got, SIZE);
        CHECK(memcmp(got, data + i * SIZE, SIZE) == 0);
        finish(sending[i]);
    }
    close_pair(pair);
    free(data);
    free(got);
    end();
}

static void several_recvs_are_served_in_order(void) {
    enum { COUNT = 6 };
    char bytes[COUNT] = {0};
    ferry_future *receiving[COUNT];
    begin();
    socket_pair pair = open_pair();
    for (int i = 0; i < COUNT; i++)
        receiving[i] = start_recv(pair.server, &bytes[i], 1);
    sendall(pair.client, "abcdef", COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(finish(receiving[i]), 1);
    CHECK(memcmp(bytes, "abcdef", COUNT) == 0);
    close_pair(pair);
    end();
}

static void end_of_the_stream_comes_behind_the_bytes_and_stays(void) {
    char byte;
    begin();
    socket_pair pair = open_pair();
    sendall(pair.client, "bye", 3);
    CHECK_STATUS(ferry_socket_shutdown_write(pair.client), 0);
    check_receives(pair.server, "bye");
    for (int i = 0; i < 3; i++)
        finish_with(start_recv(pair.server, &byte, 1), APR_EOF);
    sendall(pair.server, "still", 5);
    check_receives(pair.client, "still");
    close_pair(pair);
    end();
}

static void send_to_a_peer_that_is_gone_is_an_error_and_no_signal(void) {
    begin();
    socket_pair pair = open_pair();
    ferry_socket_close(pair.server);
    ferry_status status = 0;
    for (int i = 0; !status; i++) {
        CHECK(i < 10000);
        ferry_future *sending = start_sendall(pair.client, fill_data, sizeof fill_data);
        run_until(sending);
        status = ferry_future_status(sending);
        ferry_future_unref(sending);
    }
    CHECK(status != FERRY_ECANCELED && status != APR_EOF);
    ferry_socket_close(pair.client);
    end();
}

static void shutdown_while_a_sendall_is_under_way_is_refused(void) {
    size_t chunks;
    begin();
    socket_pair pair = open_pair();
    ferry_future *sending = fill(pair.client, &chunks);
    CHECK_STATUS(ferry_socket_shutdown_write(pair.client), FERRY_EINVALIDSTATE);
    unsigned char *got = malloc(sizeof fill_data);
    CHECK(got);
    for (size_t i = 0; i <= chunks; i++)
        recv_exactly(pair.server, got, sizeof fill_data);
    finish(sending);
    CHECK_STATUS(ferry_socket_shutdown_write(pair.client), 0);
    finish_with(start_recv(pair.server, got, 1), APR_EOF);
    free(got);
    close_pair(pair);
    end();
}

static void sendall_of_nothing_is_done_at_once(void) {
    ferry_future *future = NULL;
    begin();
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_sock_sendall(pair.client, NULL, 0, &future), 0);
    CHECK(ferry_future_done(future));
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
    CHECK_STATUS(ferry_sock_sendall(pair.client, "", 0, NULL), 0);
    close_pair(pair);
    end();
}

static void callbacks_are_never_called_inline(void) {
    char byte;
    begin();
    socket_pair pair = open_pair();
    sendall(pair.client, "x", 1);
    ferry_future *receiving = start_recv(pair.server, &byte, 1);
    add_mark(receiving, "r");
    ferry_future *sending = start_sendall(pair.server, "y", 1);
    add_mark(sending, "s");
    CHECK_STRING(trace, "");
    finish(receiving);
    finish(sending);
    settle();
    CHECK_INT(strlen(trace), 2);
    close_pair(pair);
    end();
}

/* The operation goes on without anybody who holds its future. */
static void dropping_a_future_does_not_cancel(void) {
    char bytes[4] = "...";
    begin();
    socket_pair pair = open_pair();
    ferry_future *receiving = start_recv(pair.server, bytes, 1);
    add_mark(receiving, "r");
    ferry_future_unref(receiving);
    CHECK_STATUS(ferry_sock_recv(pair.server, bytes + 1, 1, NULL), 0);
    ferry_future *last = start_recv(pair.server, bytes + 2, 1);
    CHECK_STATUS(ferry_sock_sendall(pair.client, "abc", 3, NULL), 0);
    finish(last);
    CHECK_STRING(bytes, "abc");
    CHECK_STRING(trace, "r");
    close_pair(pair);
    end();
}

static void error_that_nobody_asked_for_is_reported(void) {
    ferry_address address;
    begin();
    ferry_socket_close(open_listener(FERRY_INET, &address));
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    CHECK_STATUS(ferry_sock_connect(client, &address, NULL), 0);
    while (!reports.count)
        CHECK_STATUS(ferry_loop_run_once(loop, AN_HOUR_US), 0);
    ferry_socket_close(client);
    end_with_reports(1);
}

/* ---- closing ---- */

static void close_ends_what_is_under_way_and_what_is_queued(void) {
    char bytes[2];
    size_t chunks;
    begin();
    socket_pair pair = open_pair();
    ferry_future *futures[4] = {start_recv(pair.client, bytes, 1), start_recv(pair.client, bytes + 1, 1),
                                fill(pair.client, &chunks), start_sendall(pair.client, "x", 1)};
    ferry_socket_ref(pair.client);
    ferry_socket_close(pair.client);
    CHECK(ferry_socket_is_closed(pair.client));
    CHECK_INT(ferry_socket_handle(pair.client), -1);
    CHECK_STATUS(ferry_sock_recv(pair.client, bytes, 1, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_sock_sendall(pair.client, bytes, 1, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_sock_sendall(pair.client, bytes, 0, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_socket_shutdown_write(pair.client), FERRY_ECLOSED);
    for (int i = 0; i < 4; i++) {
        run_until(futures[i]);
        CHECK(ferry_future_cancelled(futures[i]));
        CHECK_STRING(ferry_future_message(futures[i]), "the socket was closed");
        ferry_future_unref(futures[i]);
    }
    ferry_socket_close(pair.client);
    ferry_socket_close(pair.server);
    end();
}

static ferry_status close_it(ferry_future *future, void *socket) {
    CHECK_STATUS(ferry_future_status(future), 0);
    ferry_socket_close(socket);
    return 0;
}

static void close_from_a_callback_of_the_socket_is_fine(void) {
    char bytes[2];
    begin();
    socket_pair pair = open_pair();
    ferry_future *first = start_recv(pair.server, bytes, 1);
    ferry_future *second = start_recv(pair.server, bytes + 1, 1);
    CHECK_STATUS(ferry_future_add_done_callback(first, close_it, pair.server, NULL), 0);
    sendall(pair.client, "a", 1);
    finish(first);
    finish_with(second, FERRY_ECANCELED);
    finish_with(start_recv(pair.client, bytes, 1), APR_EOF);
    ferry_socket_close(pair.client);
    end();
}

static void last_reference_closes(void) {
    char byte;
    begin();
    socket_pair pair = open_pair();
    CHECK(ferry_socket_ref(pair.server) == pair.server);
    ferry_socket_unref(pair.server);
    CHECK(!ferry_socket_is_closed(pair.server));
    ferry_socket_unref(pair.server);
    finish_with(start_recv(pair.client, &byte, 1), APR_EOF);
    ferry_socket_close(pair.client);
    ferry_socket_close(NULL);
    ferry_socket_unref(NULL);
    CHECK(!ferry_socket_ref(NULL));
    end();
}

/* Where the peer goes first, what comes of that (an end, a broken connection, bytes that nobody reads) may be the
 * outcome of what is under way: its cancelling comes too late. */
static void check_taken_back(ferry_future *future, bool may_be_late) {
    ferry_status status = ferry_future_status(future);
    CHECK(status == FERRY_ECANCELED || (may_be_late && ferry_sim_is_simulated(loop)));
    ferry_future_unref(future);
}

static void loop_that_closes_takes_everything_back(void) {
    char bytes[2];
    size_t chunks;
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    socket_pair pair = connect_to(listener, &address);
    ferry_future *futures[5] = {start_accept(listener), start_recv(pair.client, bytes, 1),
                                start_recv(pair.client, bytes + 1, 1), fill(pair.client, &chunks),
                                start_sendall(pair.client, "x", 1)};
    add_mark(futures[1], "!");
    CHECK_STATUS(ferry_loop_close(loop), 0);
    for (int i = 0; i < 5; i++)
        check_taken_back(futures[i], i == 1 || i == 3);
    CHECK(ferry_socket_is_closed(listener));
    CHECK_STATUS(ferry_sock_recv(pair.client, bytes, 1, NULL), FERRY_ECLOSED);
    ferry_socket_close(listener);
    close_pair(pair);
    CHECK_STRING(trace, "");
    end();
}

static void loop_that_closes_closes_what_was_accepted_and_not_taken(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *accepting = start_accept(listener);
    ferry_future *late = start_accept(listener);
    finish(start_connect(client, &address));
    run_until(accepting);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_future_unref(accepting);
    ferry_future_unref(late);
    ferry_socket_unref(client);
    ferry_socket_unref(listener);
    end();
}

static void debug_mode_names_sockets_that_are_still_open(void) {
    begin();
    CHECK_STATUS(ferry_loop_set_debug(loop, true), 0);
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_socket_close(socket);
    end_with_reports(1);
}

/* ---- options ---- */

static void options_are_kept(void) {
    static const ferry_socket_option flags[] = {FERRY_SOCKET_NO_DELAY, FERRY_SOCKET_KEEP_ALIVE};
    int value;
    begin();
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        for (int flag = 1; flag >= 0; flag--) {
            CHECK_STATUS(ferry_socket_set_option(socket, flags[i], flag), 0);
            CHECK_STATUS(ferry_socket_get_option(socket, flags[i], &value), 0);
            CHECK_INT(value, flag);
        }
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_RECEIVE_BUFFER, 65536), 0);
    CHECK_STATUS(ferry_socket_get_option(socket, FERRY_SOCKET_RECEIVE_BUFFER, &value), 0);
    CHECK(value >= 65536);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_LINGER, 3), 0);
    CHECK_STATUS(ferry_socket_get_option(socket, FERRY_SOCKET_LINGER, &value), 0);
    CHECK_INT(value, 3);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_LINGER, -1), 0);
    CHECK_STATUS(ferry_socket_get_option(socket, FERRY_SOCKET_LINGER, &value), 0);
    CHECK_INT(value, -1);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_LINGER, 70000), 0);
    CHECK_STATUS(ferry_socket_get_option(socket, FERRY_SOCKET_LINGER, &value), 0);
    CHECK(value >= 65535); /* or as long as the system can */
    ferry_socket_close(socket);
    end();
}

/* Binds a socket of each kind to one port. */
static ferry_status bind_both(ferry_socket *six, ferry_socket *four) {
    ferry_address v6, v4 = loopback(FERRY_INET);
    CHECK_STATUS(ferry_socket_set_option(six, FERRY_SOCKET_ONLY_IPV6, 1), 0);
    CHECK_STATUS(ferry_address_parse("::", 0, &v6), 0);
    CHECK_STATUS(ferry_socket_bind(six, &v6), 0);
    CHECK_STATUS(ferry_socket_local_address(six, &v6), 0);
    v4.port = v6.port;
    return ferry_socket_bind(four, &v4);
}

/* Another program may have some of IPv4's ports, but not all. */
static void only_ipv6_leaves_the_port_to_ipv4(void) {
    enum { PORTS = 20 };
    ferry_status status = FERRY_ECANCELED;
    begin();
    for (int i = 0; i < PORTS && status; i++) {
        ferry_socket *six = open_socket(FERRY_INET6, FERRY_SOCKET_STREAM);
        ferry_socket *four = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
        status = bind_both(six, four);
        ferry_socket_close(six);
        ferry_socket_close(four);
    }
    CHECK_STATUS(status, 0);
    end();
}

static const fy_test tests[] = {
    FY_TEST(bytes_go_there_and_back_over_ipv4),
    FY_TEST(bytes_go_there_and_back_over_ipv6),
    FY_TEST(both_ends_know_each_other),
    FY_TEST(connect_to_nobody_is_an_error_and_closes_the_socket),
    FY_TEST(several_accepts_take_their_connections_in_order),
    FY_TEST(accepted_socket_that_nobody_takes_is_closed),
    FY_TEST(a_megabyte_comes_through_partial_writes_in_order),
    FY_TEST(several_sendalls_go_out_in_order),
    FY_TEST(several_recvs_are_served_in_order),
    FY_TEST(end_of_the_stream_comes_behind_the_bytes_and_stays),
    FY_TEST(send_to_a_peer_that_is_gone_is_an_error_and_no_signal),
    FY_TEST(shutdown_while_a_sendall_is_under_way_is_refused),
    FY_TEST(sendall_of_nothing_is_done_at_once),
    FY_TEST(callbacks_are_never_called_inline),
    FY_TEST(dropping_a_future_does_not_cancel),
    FY_TEST(error_that_nobody_asked_for_is_reported),
    FY_TEST(close_ends_what_is_under_way_and_what_is_queued),
    FY_TEST(close_from_a_callback_of_the_socket_is_fine),
    FY_TEST(last_reference_closes),
    FY_TEST(loop_that_closes_takes_everything_back),
    FY_TEST(loop_that_closes_closes_what_was_accepted_and_not_taken),
    FY_TEST(debug_mode_names_sockets_that_are_still_open),
    FY_TEST(options_are_kept),
    FY_TEST(only_ipv6_leaves_the_port_to_ipv4),
};

FY_TEST_MAIN("sockets", tests)
