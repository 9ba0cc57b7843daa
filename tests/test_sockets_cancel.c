/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling operations of sockets at each moment of their lives: queued behind others, just given to the backend, with
 * the kernel, delivered while the callback is still to run, done. Whatever the moment, nothing is lost: what a
 * cancelled operation did not take is there for the next one, and what it took is its outcome. */
#include "support/sockets.h"

/* Cancels, and sees the future end. True: as cancelled; false: it was over already. */
static bool cancel_and_end(ferry_future *future) {
    CHECK(ferry_future_cancel(future));
    run_until(future);
    bool cancelled = ferry_future_cancelled(future);
    CHECK(!ferry_future_cancel(future));
    if (!cancelled)
        CHECK_STATUS(ferry_future_status(future), 0);
    ferry_future_unref(future);
    return cancelled;
}

static void wait_in_kernel(void) {
    for (int turns = 0; turns < 3; turns++)
        turn(loop);
}

/* ---- recv ---- */

/* SK-008 */
static void cancelled_recv_leaves_its_bytes_readable(void) {
    char byte = 0;
    begin();
    socket_pair pair = open_pair();
    for (int with_turns = 0; with_turns < 2; with_turns++) {
        ferry_future *receiving = start_recv(pair.server, &byte, 1);
        if (with_turns)
            wait_in_kernel();
        CHECK(cancel_and_end(receiving));
        sendall(pair.client, "x", 1);
        check_receives(pair.server, "x");
    }
    close_pair(pair);
    end();
}

static void cancel_does_not_end_a_recv_before_the_kernel_has_let_go(void) {
    char byte;
    begin();
    socket_pair pair = open_pair();
    ferry_future *receiving = start_recv(pair.server, &byte, 1);
    add_mark(receiving, "r");
    wait_in_kernel();
    CHECK(ferry_future_cancel_with_message(receiving, "enough"));
    CHECK(!ferry_future_done(receiving));
    CHECK(ferry_future_cancel_with_message(receiving, "more than enough"));
    run_until(receiving);
    CHECK(ferry_future_cancelled(receiving));
    CHECK_STRING(ferry_future_message(receiving), "enough");
    settle();
    CHECK_STRING(trace, "r");
    ferry_future_unref(receiving);
    close_pair(pair);
    end();
}

/* The bytes were there first: they come with the recv, or with the next one. */
static void recv_that_is_over_when_it_is_cancelled_loses_nothing(void) {
    char byte = 0;
    begin();
    socket_pair pair = open_pair();
    for (int round = 0; round < 20; round++) {
        sendall(pair.client, "x", 1);
        byte = 0;
        ferry_future *receiving = start_recv(pair.server, &byte, 1);
        if (cancel_and_end(receiving))
            check_receives(pair.server, "x");
        else
            CHECK_INT(byte, 'x');
    }
    close_pair(pair);
    end();
}

static void queued_recv_that_is_cancelled_ends_at_once_and_lets_the_others_pass(void) {
    char bytes[4] = "...";
    begin();
    socket_pair pair = open_pair();
    for (int victim = 1; victim < 4; victim++) {
        ferry_future *receiving[4];
        for (int i = 0; i < 4; i++)
            receiving[i] = start_recv(pair.server, &bytes[i < victim ? i : i - 1], 1);
        CHECK(ferry_future_cancel_with_message(receiving[victim], "not this one"));
        CHECK(ferry_future_cancelled(receiving[victim]));
        CHECK_STRING(ferry_future_message(receiving[victim]), "not this one");
        sendall(pair.client, "abc", 3);
        for (int i = 0; i < 4; i++)
            if (i == victim)
                ferry_future_unref(receiving[i]);
            else
                finish(receiving[i]);
        CHECK_STRING(bytes, "abc");
    }
    close_pair(pair);
    end();
}

static void cancel_of_the_first_recv_hands_its_place_on(void) {
    char bytes[2] = "";
    begin();
    socket_pair pair = open_pair();
    ferry_future *first = start_recv(pair.server, bytes, 1);
    ferry_future *second = start_recv(pair.server, bytes, 1);
    CHECK(cancel_and_end(first));
    sendall(pair.client, "x", 1);
    finish(second);
    CHECK_STRING(bytes, "x");
    close_pair(pair);
    end();
}

static ferry_status cancel_other(ferry_future *future, void *other) {
    if (ferry_future_cancelled(future))
        return 0; /* the other one was delivered in an earlier turn */
    CHECK_STATUS(ferry_future_status(future), 0);
    CHECK(!ferry_future_cancel(future));
    ferry_future_cancel(other);
    return 0;
}

/* Both are delivered in one turn; the callback of one cancels the other, whose callback is still to run. */
static void cancel_of_one_that_is_delivered_comes_too_late(void) {
    char here, there;
    begin();
    socket_pair pair = open_pair();
    ferry_future *receiving = start_recv(pair.server, &here, 1);
    ferry_future *opposite = start_recv(pair.client, &there, 1);
    CHECK_STATUS(ferry_future_add_done_callback(receiving, cancel_other, opposite, NULL), 0);
    CHECK_STATUS(ferry_future_add_done_callback(opposite, cancel_other, receiving, NULL), 0);
    CHECK_STATUS(ferry_sock_sendall(pair.client, "x", 1, NULL), 0);
    CHECK_STATUS(ferry_sock_sendall(pair.server, "y", 1, NULL), 0);
    run_until(receiving);
    run_until(opposite);
    if (ferry_future_cancelled(opposite))
        check_receives(pair.client, "y");
    else if (ferry_future_cancelled(receiving))
        check_receives(pair.server, "x");
    else
        CHECK(here == 'x' && there == 'y');
    ferry_future_unref(receiving);
    ferry_future_unref(opposite);
    close_pair(pair);
    end();
}

/* ---- sendall ---- */

static void drain(ferry_socket *socket, size_t size) {
    unsigned char *got = malloc(FILL_CHUNK);
    CHECK(got);
    for (size_t part; size; size -= part) {
        part = size < FILL_CHUNK ? size : FILL_CHUNK;
        recv_exactly(socket, got, part);
    }
    free(got);
}

/* Of the cancelled one an unknown part has gone out: the bytes of the next one are told by their value. */
static void check_next_sendall_is_whole(socket_pair pair) {
    enum { SIZE = 300000 };
    unsigned char *data = malloc(SIZE), *got = malloc(SIZE);
    CHECK(data && got);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(1 + i % 255);
    ferry_future *sending = start_sendall(pair.client, data, SIZE);
    size_t zeros = 0, count;
    do {
        count = (size_t)recv_some(pair.server, got, SIZE);
        for (zeros = 0; zeros < count && !got[zeros];)
            zeros++;
    } while (zeros == count);
    memmove(got, got + zeros, count - zeros);
    recv_exactly(pair.server, got + count - zeros, SIZE - (count - zeros));
    CHECK(memcmp(data, got, SIZE) == 0);
    finish(sending);
    free(data);
    free(got);
}

/* SK-003 */
static void cancelled_sendall_does_not_harm_a_later_one(void) {
    size_t chunks;
    begin();
    socket_pair pair = open_pair();
    CHECK(cancel_and_end(fill(pair.client, &chunks)));
    check_next_sendall_is_whole(pair);
    close_pair(pair);
    end();
}

static void sendall_cancelled_halfway_does_not_go_on(void) {
    enum { SIZE = 32 << 20 };
    unsigned char *zeros = calloc(1, SIZE);
    CHECK(zeros);
    begin();
    socket_pair pair = open_pair();
    ferry_future *sending = start_sendall(pair.client, zeros, SIZE);
    drain(pair.server, 1 << 20);
    CHECK(cancel_and_end(sending));
    free(zeros);
    check_next_sendall_is_whole(pair);
    close_pair(pair);
    end();
}

static void queued_sendall_that_is_cancelled_sends_nothing(void) {
    size_t chunks;
    begin();
    socket_pair pair = open_pair();
    ferry_future *first = fill(pair.client, &chunks);
    ferry_future *second = start_sendall(pair.client, "two", 3);
    ferry_future *third = start_sendall(pair.client, "three", 5);
    CHECK(ferry_future_cancel(second));
    CHECK(ferry_future_cancelled(second));
    ferry_future_unref(second);
    drain(pair.server, (chunks + 1) * sizeof fill_data);
    finish(first);
    finish(third);
    CHECK_STATUS(ferry_socket_shutdown_write(pair.client), 0);
    check_receives(pair.server, "three");
    close_pair(pair);
    end();
}

/* ---- accept and connect ---- */

static void cancelled_accept_leaves_the_connection_to_the_next(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    for (int with_turns = 0; with_turns < 2; with_turns++) {
        ferry_future *accepting = start_accept(listener);
        if (with_turns)
            wait_in_kernel();
        CHECK(cancel_and_end(accepting));
        socket_pair pair = connect_to(listener, &address);
        sendall(pair.client, "x", 1);
        check_receives(pair.server, "x");
        close_pair(pair);
    }
    ferry_socket_close(listener);
    end();
}

/* The connection is there: it comes with the accept that is cancelled, or with the next one. */
static void accept_that_is_over_when_it_is_cancelled_loses_no_connection(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    for (int round = 0; round < 10; round++) {
        ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
        finish(start_connect(client, &address));
        ferry_future *accepting = start_accept(listener);
        CHECK(ferry_future_cancel(accepting));
        run_until(accepting);
        if (ferry_future_cancelled(accepting)) {
            ferry_future_unref(accepting);
            accepting = start_accept(listener);
        }
        socket_pair pair = {client, finish_accept(accepting)};
        sendall(pair.client, "x", 1);
        check_receives(pair.server, "x");
        close_pair(pair);
    }
    ferry_socket_close(listener);
    end();
}

static void listener_that_is_closed_ends_its_accepts(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    ferry_future *first = start_accept(listener), *second = start_accept(listener);
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *connecting = start_connect(client, &address);
    ferry_socket_close(listener);
    run_until(first);
    run_until(second);
    CHECK(ferry_future_cancelled(second));
    run_until(connecting);
    (void)ferry_future_status(connecting); /* connected and cut off, or refused */
    ferry_future_unref(connecting);
    ferry_future_unref(first);
    ferry_future_unref(second);
    ferry_socket_close(client);
    end();
}

static void cancelled_connect_closes_its_socket(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    for (int round = 0; round < 10; round++) {
        ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
        ferry_future *connecting = start_connect(client, &address);
        bool cancelled = cancel_and_end(connecting);
        CHECK(ferry_socket_is_closed(client) == cancelled);
        ferry_socket_close(client);
    }
    ferry_socket_close(listener);
    end();
}

static void sendall_behind_a_connect_waits_for_it(void) {
    ferry_address address;
    begin();
    ferry_socket *listener = open_listener(FERRY_INET, &address);
    ferry_future *accepting = start_accept(listener);
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    CHECK_STATUS(ferry_sock_connect(client, &address, NULL), 0);
    CHECK_STATUS(ferry_sock_sendall(client, "early", 5, NULL), 0);
    socket_pair pair = {client, finish_accept(accepting)};
    check_receives(pair.server, "early");
    close_pair(pair);
    ferry_socket_close(listener);
    end();
}

static void failed_connect_ends_what_waits_behind_it(void) {
    ferry_address address;
    begin();
    ferry_socket_close(open_listener(FERRY_INET, &address));
    ferry_socket *client = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *connecting = start_connect(client, &address);
    ferry_future *sending = start_sendall(client, "early", 5);
    finish_with(sending, FERRY_ECANCELED);
    run_until(connecting);
    CHECK(!ferry_future_cancelled(connecting));
    CHECK(ferry_future_status(connecting) != 0);
    ferry_future_unref(connecting);
    ferry_socket_close(client);
    end();
}

/* ---- everything at once ---- */

static void everything_is_cancelled_in_one_turn(void) {
    enum { COUNT = 50 };
    static char bytes[COUNT];
    socket_pair pairs[COUNT];
    ferry_future *futures[COUNT * 2];
    begin();
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = open_pair();
        futures[i * 2] = start_recv(pairs[i].server, &bytes[i], 1);
        futures[i * 2 + 1] = start_recv(pairs[i].server, &bytes[i], 1);
    }
    wait_in_kernel();
    for (int i = 0; i < COUNT * 2; i++)
        CHECK(ferry_future_cancel(futures[i]));
    for (int i = 0; i < COUNT * 2; i++)
        finish_with(futures[i], FERRY_ECANCELED);
    for (int i = 0; i < COUNT; i++) {
        sendall(pairs[i].client, "x", 1);
        check_receives(pairs[i].server, "x");
        close_pair(pairs[i]);
    }
    end();
}

static const fy_test tests[] = {
    FY_TEST(cancelled_recv_leaves_its_bytes_readable),
    FY_TEST(cancel_does_not_end_a_recv_before_the_kernel_has_let_go),
    FY_TEST(recv_that_is_over_when_it_is_cancelled_loses_nothing),
    FY_TEST(queued_recv_that_is_cancelled_ends_at_once_and_lets_the_others_pass),
    FY_TEST(cancel_of_the_first_recv_hands_its_place_on),
    FY_TEST(cancel_of_one_that_is_delivered_comes_too_late),
    FY_TEST(cancelled_sendall_does_not_harm_a_later_one),
    FY_TEST(sendall_cancelled_halfway_does_not_go_on),
    FY_TEST(queued_sendall_that_is_cancelled_sends_nothing),
    FY_TEST(cancelled_accept_leaves_the_connection_to_the_next),
    FY_TEST(accept_that_is_over_when_it_is_cancelled_loses_no_connection),
    FY_TEST(listener_that_is_closed_ends_its_accepts),
    FY_TEST(cancelled_connect_closes_its_socket),
    FY_TEST(sendall_behind_a_connect_waits_for_it),
    FY_TEST(failed_connect_ends_what_waits_behind_it),
    FY_TEST(everything_is_cancelled_in_one_turn),
};

FY_TEST_MAIN("sockets_cancel", tests)
