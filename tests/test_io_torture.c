/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out under sockets, readers and datagrams: a scenario with the Nth request refused, for every N,
 * alone or with all that follow. Each refusal is APR_ENOMEM, from the call or through its future; what was accepted
 * ends, and nothing stays behind. */
#include "support/sockets.h"

enum { TURNS_MAX = 2000, MANY = 40 };

typedef struct scenario {
    int refused;
    int called;
} scenario;

/* True if it was accepted; a refusal has one reason only. */
static bool accepted(scenario *self, ferry_status status) {
    if (!status)
        return true;
    CHECK_STATUS(status, APR_ENOMEM);
    self->refused++;
    return false;
}

/* Turns that may be refused memory themselves. */
static void turn_until_done(scenario *self, const ferry_future *future) {
    for (int turns = 0; !ferry_future_done(future); turns++) {
        CHECK(turns < TURNS_MAX);
        accepted(self, ferry_loop_run_once(loop, 0));
    }
}

/* Ends with success, with ENOMEM or cancelled. */
static bool end_of(scenario *self, ferry_future *future) {
    turn_until_done(self, future);
    ferry_status status = ferry_future_status(future);
    bool succeeded = !ferry_future_cancelled(future) && accepted(self, status);
    ferry_future_unref(future);
    return succeeded;
}

static bool open_bound_socket(scenario *self, ferry_socket_type type, ferry_socket **ret_socket,
                              ferry_address *address) {
    *address = loopback(FERRY_INET);
    if (!accepted(self, ferry_socket_create(loop, FERRY_INET, type, ret_socket)))
        return false;
    CHECK_STATUS(ferry_socket_bind(*ret_socket, address), 0);
    CHECK_STATUS(ferry_socket_local_address(*ret_socket, address), 0);
    return true;
}

/* ---- steps ---- */

static void exchange(scenario *self, ferry_socket *from, ferry_socket *to) {
    char byte = 0;
    ferry_future *receiving = NULL, *sending = NULL;
    bool receives = accepted(self, ferry_sock_recv(to, &byte, 1, &receiving));
    bool sends = accepted(self, ferry_sock_sendall(from, "x", 1, &sending));
    if (sends)
        end_of(self, sending);
    if (receives && !sends)
        ferry_future_cancel_with_message(receiving, "nothing comes");
    if (receives && end_of(self, receiving))
        CHECK_INT(byte, 'x');
}

static void cancel_many(scenario *self, ferry_socket *socket) {
    static char bytes[MANY];
    ferry_future *futures[MANY] = {NULL};
    for (int i = 0; i < MANY; i++)
        accepted(self, ferry_sock_recv(socket, &bytes[i], 1, &futures[i]));
    for (int i = 0; i < MANY; i++)
        if (futures[i])
            ferry_future_cancel_with_message(futures[i], "enough");
    for (int i = 0; i < MANY; i++)
        if (futures[i])
            end_of(self, futures[i]); /* with a byte, if one was sent whose recv had found no memory */
}

/* The client's connection may be there though the server's side found no memory: then it is closed. */
static void use_streams(scenario *self) {
    ferry_socket *listener = NULL, *client = NULL;
    ferry_future *accepting = NULL, *connecting = NULL;
    ferry_address address;
    void *server = NULL;
    if (!open_bound_socket(self, FERRY_SOCKET_STREAM, &listener, &address))
        return;
    CHECK_STATUS(ferry_socket_listen(listener, 4), 0);
    if (accepted(self, ferry_sock_accept(listener, &accepting)) &&
        accepted(self, ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &client)) &&
        accepted(self, ferry_sock_connect(client, &address, &connecting))) {
        end_of(self, connecting);
        turn_until_done(self, accepting);
        if (accepted(self, ferry_future_take_pointer(accepting, &server))) {
            exchange(self, client, server);
            exchange(self, server, client);
            cancel_many(self, server);
        }
    }
    ferry_socket_close(listener);
    ferry_socket_close(client);
    ferry_socket_close(server);
    if (accepting)
        turn_until_done(self, accepting);
    ferry_future_unref(accepting);
}

static void use_datagrams(scenario *self) {
    ferry_socket *a = NULL, *b = NULL;
    ferry_address a_address, b_address, sender;
    char byte = 0;
    if (open_bound_socket(self, FERRY_SOCKET_DATAGRAM, &a, &a_address) &&
        open_bound_socket(self, FERRY_SOCKET_DATAGRAM, &b, &b_address)) {
        ferry_future *sending = NULL, *receiving = NULL;
        if (accepted(self, ferry_sock_sendto(a, "y", 1, &b_address, &sending)) && end_of(self, sending) &&
            accepted(self, ferry_sock_recvfrom(b, &byte, 1, &sender, &receiving)) && end_of(self, receiving))
            CHECK(byte == 'y' && ferry_address_equal(&sender, &a_address));
    }
    ferry_socket_close(a);
    ferry_socket_close(b);
}

static ferry_status count_call(void *arg) {
    ((scenario *)arg)->called++;
    return 0;
}

static void use_writers(scenario *self, ferry_loop *owner) {
    ferry_socket *sockets[MANY] = {NULL};
    ferry_handle *handle = NULL;
    bool added = false;
    for (int i = 0; i < MANY; i++)
        if (accepted(self, ferry_socket_create(owner, FERRY_INET, FERRY_SOCKET_DATAGRAM, &sockets[i])))
            added |= accepted(self, ferry_add_writer(loop, ferry_socket_handle(sockets[i]), count_call, self, NULL));
    if (sockets[0])
        accepted(self, ferry_add_writer(loop, ferry_socket_handle(sockets[0]), count_call, self, &handle));
    self->called = 0;
    for (int turns = 0; added && self->called < MANY && turns < TURNS_MAX; turns++)
        accepted(self, ferry_loop_run_once(loop, 0));
    CHECK(!added || self->called);
    for (int i = 0; i < MANY; i += 2)
        if (sockets[i])
            ferry_remove_writer(loop, ferry_socket_handle(sockets[i]));
    CHECK_STATUS(ferry_loop_close(loop), 0); /* the others go with it, while their handles are open */
    ferry_handle_unref(handle);
    for (int i = 0; i < MANY; i++)
        ferry_socket_close(sockets[i]);
}

static ferry_status keep_silent(ferry_loop *of, const ferry_report *report, void *arg) {
    (void)of;
    (void)arg;
    CHECK_STATUS(report->status, APR_ENOMEM);
    return 0;
}

static int play(void) {
    ferry_loop *owner = NULL;
    scenario self = {0};
    loop = NULL;
    if (accepted(&self, ferry_loop_create(NULL, &loop)) && accepted(&self, ferry_loop_create(NULL, &owner))) {
        CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_silent, NULL), 0);
        use_streams(&self);
        use_datagrams(&self);
        use_writers(&self, owner);
    }
    ferry_loop_unref(loop);
    ferry_loop_unref(owner);
    return self.refused;
}

static void one_refused_request_is_a_status_and_leaks_nothing(void) {
    allocator_refuse_each(play, false, 10);
}

static void every_request_refused_from_some_point_on_is_a_status_and_leaks_nothing(void) {
    allocator_refuse_each(play, true, 10);
}

static const fy_test tests[] = {
    FY_TEST(one_refused_request_is_a_status_and_leaks_nothing),
    FY_TEST(every_request_refused_from_some_point_on_is_a_status_and_leaks_nothing),
};

FY_TEST_MAIN("io_torture", tests)
