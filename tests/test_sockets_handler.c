/* SPDX-License-Identifier: Apache-2.0 */
/* What an exception handler may do to operations of sockets. It is called as soon as an operation that nobody waits for
 * has failed; what came back together with that one is not looked at yet, and may be cancelled, closed or queued behind
 * as at any other moment. */
#include "support/sockets.h"

/* What a handler does, once, to an operation that came back together with the one that it is told of. */
typedef struct meddling {
    void (*meddle)(struct meddling *self);
    ferry_socket *socket;
    ferry_future *future;
} meddling;

static ferry_status meddle_once(ferry_loop *reporting, const ferry_report *report, void *arg) {
    meddling *self = arg;
    CHECK(reporting == loop);
    CHECK_STATUS(report->status, APR_EOF);
    if (self->meddle)
        self->meddle(self);
    self->meddle = NULL;
    return 0;
}

/* The handler will be called for a recv that nobody waits for: what is returned must be closed. */
static ferry_socket *report_an_end_to(meddling *self) {
    static char byte;
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, meddle_once, self), 0);
    socket_pair pair = open_pair();
    CHECK_STATUS(ferry_sock_recv(pair.server, &byte, 1, NULL), 0);
    turn(loop);
    ferry_socket_close(pair.client);
    return pair.server;
}

static void cancel_future(meddling *self) {
    (void)ferry_future_cancel(self->future);
}

static void recv_that_is_delivered_can_be_cancelled_from_the_handler(void) {
    char byte = 0;
    begin();
    socket_pair pair = open_pair();
    meddling self = {.meddle = cancel_future, .future = start_recv(pair.server, &byte, 1)};
    turn(loop);
    ferry_socket *ended = report_an_end_to(&self);
    CHECK_STATUS(ferry_sock_sendall(pair.client, "x", 1, NULL), 0);
    run_until(self.future);
    if (ferry_future_cancelled(self.future))
        check_receives(pair.server, "x");
    else
        CHECK_INT(byte, 'x');
    settle();
    ferry_future_unref(self.future);
    ferry_socket_close(ended);
    close_pair(pair);
    end();
}

enum { HALFWAY_SIZE = 8 << 20, HALFWAY_PART = 1 << 20 };

/* A sendall has got room for a part of its bytes just when the handler is called. */
static ferry_future *meddle_with_sendall(socket_pair pair, meddling *self, unsigned char *bytes) {
    CHECK_STATUS(ferry_socket_set_option(pair.client, FERRY_SOCKET_SEND_BUFFER, 65536), 0);
    CHECK_STATUS(ferry_socket_set_option(pair.server, FERRY_SOCKET_RECEIVE_BUFFER, 65536), 0);
    ferry_future *sending = start_sendall(pair.client, bytes, HALFWAY_SIZE);
    turn(loop);
    CHECK(!ferry_future_done(sending));
    ferry_socket *ended = report_an_end_to(self);
    ferry_future *receiving = start_recv(pair.server, bytes + HALFWAY_SIZE, HALFWAY_PART);
    run_until(receiving);
    (void)ferry_future_status(receiving); /* bytes, or an end that the handler has made */
    ferry_future_unref(receiving);
    while (self->meddle)
        CHECK_STATUS(ferry_loop_run_once(loop, AN_HOUR_US), 0);
    ferry_socket_close(ended);
    return sending;
}

static void send_more(meddling *self) {
    self->future = start_sendall(self->socket, "more", 4);
}

static void sendall_from_the_handler_comes_behind_one_that_is_halfway(void) {
    unsigned char *bytes = calloc(1, HALFWAY_SIZE + HALFWAY_PART);
    CHECK(bytes);
    begin();
    socket_pair pair = open_pair();
    meddling self = {.meddle = send_more, .socket = pair.client};
    ferry_future *sending = meddle_with_sendall(pair, &self, bytes);
    size_t zeros = 0, count;
    do {
        count = (size_t)recv_some(pair.server, bytes + HALFWAY_SIZE, HALFWAY_PART);
        zeros += count;
    } while (!bytes[HALFWAY_SIZE + count - 1]);
    CHECK(zeros > 4);
    CHECK(!bytes[HALFWAY_SIZE] || count <= 4);
    finish(sending);
    finish(self.future);
    close_pair(pair);
    end();
    free(bytes);
}

static void close_socket(meddling *self) {
    ferry_socket_close(self->socket);
}

static void sendall_that_is_halfway_ends_when_the_handler_closes_its_socket(void) {
    unsigned char *bytes = calloc(1, HALFWAY_SIZE + HALFWAY_PART);
    CHECK(bytes);
    begin();
    socket_pair pair = open_pair();
    meddling self = {.meddle = close_socket, .socket = pair.client};
    finish_with(meddle_with_sendall(pair, &self, bytes), FERRY_ECANCELED);
    ferry_socket_close(pair.server);
    end();
    free(bytes);
}

static const fy_test tests[] = {
    FY_TEST(recv_that_is_delivered_can_be_cancelled_from_the_handler),
    FY_TEST(sendall_from_the_handler_comes_behind_one_that_is_halfway),
    FY_TEST(sendall_that_is_halfway_ends_when_the_handler_closes_its_socket),
};

FY_TEST_MAIN("sockets_handler", tests)
