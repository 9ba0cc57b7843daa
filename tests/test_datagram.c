/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams: borders and senders are kept, errors leave the socket working, and what cancelling does. */
#include "support/sockets.h"

typedef struct endpoint {
    ferry_socket *socket;
    ferry_address address;
} endpoint;

static endpoint open_endpoint(ferry_family family) {
    endpoint self;
    self.socket = open_bound(family, FERRY_SOCKET_DATAGRAM, &self.address);
    return self;
}

static void send_to(endpoint from, const endpoint *to, const char *text) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_sendto(from.socket, text, strlen(text), to ? &to->address : NULL, &future), 0);
    CHECK_INT(finish(future), strlen(text));
}

static ferry_future *start_recvfrom(endpoint at, void *buffer, size_t size, ferry_address *ret_sender) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_recvfrom(at.socket, buffer, size, ret_sender, &future), 0);
    return future;
}

static void check_datagram(endpoint at, const char *text, const endpoint *from) {
    char buffer[64] = "";
    ferry_address sender = {0};
    int64_t count = finish(start_recvfrom(at, buffer, sizeof buffer - 1, &sender));
    CHECK_INT(count, strlen(text));
    buffer[count] = '\0';
    CHECK_STRING(buffer, text);
    if (from)
        CHECK(ferry_address_equal(&sender, &from->address));
}

/* DG-001 */
static void check_reply(ferry_family family) {
    begin();
    endpoint a = open_endpoint(family), b = open_endpoint(family);
    send_to(a, &b, "ping");
    check_datagram(b, "ping", &a);
    send_to(b, &a, "pong");
    check_datagram(a, "pong", &b);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

static void datagram_comes_with_its_sender_and_is_answered(void) {
    check_reply(FERRY_INET);
}

static void datagram_comes_with_its_sender_over_ipv6(void) {
    check_reply(FERRY_INET6);
}

static void connected_socket_sends_without_an_address(void) {
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    finish(start_connect(a.socket, &b.address));
    send_to(a, NULL, "hello");
    check_datagram(b, "hello", &a);
    send_to(b, &a, "back");
    check_receives(a.socket, "back");
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

/* DG-005 */
static void datagrams_sent_in_one_go_keep_order_borders_and_addresses(void) {
    enum { COUNT = 30 };
    static char texts[COUNT][8];
    ferry_future *sending[COUNT];
    begin();
    endpoint a = open_endpoint(FERRY_INET), b[2] = {open_endpoint(FERRY_INET), open_endpoint(FERRY_INET)};
    for (int i = 0; i < COUNT; i++) {
        texts[i][0] = (char)('a' + i);
        ferry_address to = b[i % 2].address; /* is copied */
        CHECK_STATUS(ferry_sock_sendto(a.socket, texts[i], (size_t)i % 7 + 1, &to, &sending[i]), 0);
        memset(&to, 0xff, sizeof to);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(finish(sending[i]), i % 7 + 1);
    for (int i = 0; i < COUNT; i++) {
        char got[64];
        CHECK_INT(finish(start_recvfrom(b[i % 2], got, sizeof got, NULL)), i % 7 + 1);
        CHECK_INT(got[0], 'a' + i);
    }
    ferry_socket_close(a.socket);
    ferry_socket_close(b[0].socket);
    ferry_socket_close(b[1].socket);
    end();
}

/* DG-006 DG-012 */
static void empty_datagram_is_sent_and_received(void) {
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    ferry_future *sending = NULL;
    CHECK_STATUS(ferry_sock_sendto(a.socket, NULL, 0, &b.address, &sending), 0);
    CHECK_INT(finish(sending), 0);
    send_to(a, &b, "next");
    check_datagram(b, "", &a);
    check_datagram(b, "next", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

static void datagram_that_is_too_long_is_gone_and_told(void) {
    char small[4];
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    send_to(a, &b, "too long");
    send_to(a, &b, "next");
    finish_with(start_recvfrom(b, small, sizeof small, NULL), FERRY_ETRUNCATED);
    check_datagram(b, "next", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

static ferry_future *start_recv_at(endpoint at, void *buffer, size_t size) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_recv(at.socket, buffer, size, &future), 0);
    return future;
}

static void recv_takes_one_datagram_empty_or_not(void) {
    char small[4];
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    ferry_future *waiting = start_recv_at(b, small, sizeof small);
    send_to(a, &b, "");
    CHECK_INT(finish(waiting), 0);
    waiting = start_recv_at(b, small, sizeof small);
    send_to(a, &b, "too long");
    finish_with(waiting, FERRY_ETRUNCATED);
    send_to(a, &b, "too long");
    send_to(a, &b, "");
    send_to(a, &b, "next");
    finish_with(start_recv_at(b, small, sizeof small), FERRY_ETRUNCATED);
    CHECK_INT(finish(start_recv_at(b, small, sizeof small)), 0);
    CHECK_INT(finish(start_recv_at(b, small, sizeof small)), 4);
    CHECK(memcmp(small, "next", 4) == 0);
    waiting = start_recv_at(b, small, sizeof small);
    settle();
    CHECK(ferry_future_cancel(waiting));
    finish_with(waiting, FERRY_ECANCELED);
    send_to(a, &b, "kept");
    check_datagram(b, "kept", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

/* Whether and to which operation the complaint comes is the system's affair; the socket works on. */
/* DG-003 DG-004 DG-011 */
static void complaint_about_an_earlier_datagram_leaves_the_socket_working(void) {
    enum { TRIES = 4 };
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET), gone = open_endpoint(FERRY_INET);
    ferry_socket_close(gone.socket);
    finish(start_connect(a.socket, &gone.address));
    for (int i = 0; i < TRIES; i++) {
        ferry_future *sending = NULL;
        CHECK_STATUS(ferry_sock_sendto(a.socket, "x", 1, NULL, &sending), 0);
        run_until(sending);
        CHECK(!ferry_future_cancelled(sending));
        (void)ferry_future_status(sending);
        ferry_future_unref(sending);
    }
    CHECK(!ferry_socket_is_closed(a.socket));
    finish(start_connect(a.socket, &b.address));
    for (int i = 0; i < TRIES; i++) {
        ferry_future *sending = NULL;
        CHECK_STATUS(ferry_sock_sendto(a.socket, "y", 1, NULL, &sending), 0);
        run_until(sending);
        (void)ferry_future_status(sending);
        ferry_future_unref(sending);
    }
    check_datagram(b, "y", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

/* ---- cancelling ---- */

static void cancelled_recvfrom_leaves_its_datagram(void) {
    char buffer[16];
    ferry_address sender;
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    ferry_future *first = start_recvfrom(b, buffer, sizeof buffer, &sender);
    ferry_future *second = start_recvfrom(b, buffer, sizeof buffer, &sender);
    turn(loop);
    CHECK(ferry_future_cancel(second));
    CHECK(ferry_future_cancelled(second));
    CHECK(ferry_future_cancel(first));
    finish_with(first, FERRY_ECANCELED);
    ferry_future_unref(second);
    send_to(a, &b, "kept");
    check_datagram(b, "kept", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

static void sendto_that_is_cancelled_at_once_is_sent_or_not(void) {
    begin();
    endpoint a = open_endpoint(FERRY_INET), b = open_endpoint(FERRY_INET);
    ferry_future *first = NULL, *second = NULL;
    CHECK_STATUS(ferry_sock_sendto(a.socket, "1", 1, &b.address, &first), 0);
    CHECK_STATUS(ferry_sock_sendto(a.socket, "2", 1, &b.address, &second), 0);
    CHECK(ferry_future_cancel(first));
    CHECK(ferry_future_cancel(second));
    run_until(first);
    run_until(second);
    bool was_sent = !ferry_future_cancelled(first);
    CHECK(ferry_future_cancelled(second));
    ferry_future_unref(first);
    ferry_future_unref(second);
    if (was_sent)
        check_datagram(b, "1", &a);
    send_to(a, &b, "3");
    check_datagram(b, "3", &a);
    ferry_socket_close(a.socket);
    ferry_socket_close(b.socket);
    end();
}

static void close_ends_what_is_under_way(void) {
    char buffer[16];
    begin();
    endpoint a = open_endpoint(FERRY_INET);
    ferry_future *first = start_recvfrom(a, buffer, sizeof buffer, NULL);
    ferry_future *second = start_recvfrom(a, buffer, sizeof buffer, NULL);
    ferry_socket_close(a.socket);
    finish_with(first, FERRY_ECANCELED);
    finish_with(second, FERRY_ECANCELED);
    end();
}

static const fy_test tests[] = {
    FY_TEST(datagram_comes_with_its_sender_and_is_answered),
    FY_TEST(datagram_comes_with_its_sender_over_ipv6),
    FY_TEST(connected_socket_sends_without_an_address),
    FY_TEST(datagrams_sent_in_one_go_keep_order_borders_and_addresses),
    FY_TEST(empty_datagram_is_sent_and_received),
    FY_TEST(datagram_that_is_too_long_is_gone_and_told),
    FY_TEST(recv_takes_one_datagram_empty_or_not),
    FY_TEST(complaint_about_an_earlier_datagram_leaves_the_socket_working),
    FY_TEST(cancelled_recvfrom_leaves_its_datagram),
    FY_TEST(sendto_that_is_cancelled_at_once_is_sent_or_not),
    FY_TEST(close_ends_what_is_under_way),
};

FY_TEST_MAIN("datagram", tests)
