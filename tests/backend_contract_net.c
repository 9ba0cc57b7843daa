/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of connections: listening, connecting, accepting, and what the backend's net says and does of
 * sockets. They use loopback alone. */
#include "backend_contract.h"

#include "backend_net.h"

enum { CROWD = 20, GONE = 3 };

/* ---- connections ---- */

static void make_a_stream(const backend_kind *kind, ferry_family family) {
    backend_fixture f;
    fy_file listener;
    ferry_address peer, seen;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, family);
    attach_stream(&f, &f.a, family);
    fy_op accepting = op_accept(&listener, &peer), connecting = op_connect(&f.a, &address);
    submit(&f, &accepting);
    expect_nothing(&f);
    submit(&f, &connecting);
    await_both(&f, &accepting, &connecting);
    attach(&f, &f.b, accepting.accepted);
    ferry_address local = local_address(&f, f.a.handle);
    CHECK(same_address(&peer, &local));
    CHECK_STATUS(f.backend->net->peer_address(f.backend, f.a.handle, &seen), 0);
    CHECK(same_address(&seen, &address));
    CHECK_STATUS(f.backend->net->peer_address(f.backend, f.b.handle, &seen), 0);
    CHECK(same_address(&seen, &local));
    send_text(&f, &f.a, "there");
    send_text(&f, &f.b, "and back");
    expect_text(&f, &f.b, "there");
    expect_text(&f, &f.a, "and back");
    detach(&f, &listener);
    close_fixture(&f);
}

void contract_connect_and_accept_make_a_stream(const backend_kind *kind) {
    in_each_family(kind, make_a_stream);
}

/* The connection is made while nobody accepts. */
void contract_accept_takes_a_connection_that_was_there(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    settle(&f);
    attach_stream(&f, &f.a, FERRY_INET);
    fy_op connecting = op_connect(&f.a, &address), accepting = op_accept(&listener, NULL);
    perform_op(&f, &connecting, 0);
    settle(&f);
    submit(&f, &accepting);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &accepting);
    CHECK_STATUS(accepting.status, 0);
    attach(&f, &f.b, accepting.accepted);
    send_text(&f, &f.a, "hello");
    expect_text(&f, &f.b, "hello");
    detach(&f, &listener);
    close_fixture(&f);
}

/* Takes the next connection of the listener; its bytes are to begin with who the client is. */
static int accept_and_ask(backend_fixture *fixture, fy_op *accepting) {
    fy_file server;
    char name;
    submit(fixture, accepting);
    CHECK(next_done(fixture, CONTRACT_WITHIN_US) == accepting);
    CHECK_STATUS(accepting->status, 0);
    attach(fixture, &server, accepting->accepted);
    fy_op read = fy_op_read(&server, &name, 1);
    perform(fixture, &read, 0);
    detach(fixture, &server);
    return name;
}

/* Many connect at the same time, and one op accepts them one after the other. */
void contract_each_connection_is_accepted_once(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener, clients[CROWD];
    fy_op connecting[CROWD];
    int seen[CROWD] = {0};
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    for (int i = 0; i < CROWD; i++) {
        attach_stream(&f, &clients[i], FERRY_INET);
        connecting[i] = op_connect(&clients[i], &address);
        submit(&f, &connecting[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        fy_op *op = next_done(&f, CONTRACT_WITHIN_US);
        CHECK(op);
        CHECK_STATUS(op->status, 0);
    }
    for (int i = 0; i < CROWD; i++)
        send_text(&f, &clients[i], (char[]){(char)('a' + i), '\0'});
    fy_op accepting = op_accept(&listener, NULL);
    for (int i = 0; i < CROWD; i++) {
        int name = accept_and_ask(&f, &accepting) - 'a';
        CHECK(name >= 0 && name < CROWD);
        CHECK_INT(seen[name]++, 0);
    }
    submit(&f, &accepting);
    expect_nothing(&f);
    cancel(&f, &accepting);
    await_end(&f, &accepting, FERRY_ECANCELED);
    for (int i = 0; i < CROWD; i++)
        detach(&f, &clients[i]);
    detach(&f, &listener);
    close_backend(&f);
}

static void be_refused(const backend_kind *kind, ferry_family family) {
    backend_fixture f;
    fy_file listener;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, family);
    detach(&f, &listener);
    attach_stream(&f, &f.a, family);
    fy_op connecting = op_connect(&f.a, &address);
    submit(&f, &connecting);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &connecting);
    CHECK(connecting.status != 0);
    CHECK(connecting.status != FERRY_ECANCELED);
    expect_nothing(&f);
    detach(&f, &f.a);
    close_backend(&f);
}

void contract_refused_connect_gets_a_status(const backend_kind *kind) {
    in_each_family(kind, be_refused);
}

/* ---- cancelling ---- */

/* Once it is cancelled long before anybody connects, once when a connection is under way. */
void contract_cancelled_accept_takes_no_connection(const backend_kind *kind) {
    enum { CLOSE_ROUNDS = 12 }; /* the kernel decides which of the two is first */
    for (int round = 0; round <= CLOSE_ROUNDS; round++) {
        bool is_close = round > 0;
        backend_fixture f;
        fy_file listener;
        open_backend(&f, kind);
        ferry_address address = attach_listener(&f, &listener, FERRY_INET);
        attach_stream(&f, &f.a, FERRY_INET);
        fy_op accepting = op_accept(&listener, NULL), connecting = op_connect(&f.a, &address);
        submit(&f, &accepting);
        expect_nothing(&f);
        if (is_close)
            submit(&f, &connecting);
        cancel(&f, &accepting);
        if (!is_close) {
            await_end(&f, &accepting, FERRY_ECANCELED);
            submit(&f, &connecting);
            await_end(&f, &connecting, 0);
        } else {
            await_two(&f);
            CHECK_STATUS(connecting.status, 0);
        }
        if (accepting.status) {
            CHECK_STATUS(accepting.status, FERRY_ECANCELED);
            settle(&f);
            submit(&f, &accepting);
            CHECK(next_done(&f, CONTRACT_WITHIN_US) == &accepting);
            CHECK_STATUS(accepting.status, 0);
        }
        attach(&f, &f.b, accepting.accepted);
        send_text(&f, &f.a, "kept");
        expect_text(&f, &f.b, "kept");
        detach(&f, &listener);
        close_fixture(&f);
    }
}

void contract_cancelled_connect_is_delivered_once(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    attach_stream(&f, &f.a, FERRY_INET);
    fy_op connecting = op_connect(&f.a, &address);
    submit(&f, &connecting);
    cancel(&f, &connecting);
    CHECK(fy_op_is_in_flight(&connecting));
    cancel(&f, &connecting);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &connecting);
    CHECK(connecting.status == 0 || connecting.status == FERRY_ECANCELED);
    expect_nothing(&f);
    detach(&f, &f.a);
    expect_nothing(&f);
    detach(&f, &listener);
    close_backend(&f);
}

/* ---- ends ---- */

/* Clients that connect and go away before anybody accepts. Whether the accept still sees them is the kernel's affair;
 * it comes to the one that has stayed. */
void contract_gone_connection_does_not_hide_the_next(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener;
    ferry_address peer;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    for (int i = 0; i < GONE; i++) {
        attach_stream(&f, &f.a, FERRY_INET);
        CHECK_STATUS(f.backend->net->set_option(f.backend, f.a.handle, FY_SOCKET_LINGER, 0), 0);
        fy_op connecting = op_connect(&f.a, &address);
        perform_op(&f, &connecting, 0);
        detach(&f, &f.a);
    }
    attach_stream(&f, &f.a, FERRY_INET);
    fy_op connecting = op_connect(&f.a, &address), accepting = op_accept(&listener, &peer);
    perform_op(&f, &connecting, 0);
    ferry_address stayed = local_address(&f, f.a.handle);
    for (int i = 0;; i++) {
        CHECK(i <= GONE);
        submit(&f, &accepting);
        CHECK(next_done(&f, CONTRACT_WITHIN_US) == &accepting);
        CHECK_STATUS(accepting.status, 0);
        if (same_address(&peer, &stayed))
            break;
        f.backend->net->close(f.backend, accepting.accepted);
    }
    attach(&f, &f.b, accepting.accepted);
    send_text(&f, &f.b, "still here");
    expect_text(&f, &f.a, "still here");
    detach(&f, &listener);
    close_fixture(&f);
}

void contract_shut_write_ends_one_direction(const backend_kind *kind) {
    backend_fixture f;
    open_connected(&f, kind, FERRY_INET);
    settle(&f);
    send_text(&f, &f.a, "question");
    CHECK_STATUS(f.backend->net->shut_write(f.backend, f.a.handle), 0);
    expect_text(&f, &f.b, "question");
    expect_end(&f, &f.b);
    send_text(&f, &f.b, "answer");
    expect_text(&f, &f.a, "answer");
    close_fixture(&f);
}

/* ---- what the net says ---- */

void contract_taken_address_is_refused(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    fy_handle second = open_socket(&f, FERRY_INET, FY_SOCKET_STREAM);
    ferry_status status = f.backend->net->bind(f.backend, second, &address);
    if (!status)
        status = f.backend->net->listen(f.backend, second, 1);
    CHECK(status != 0);
    f.backend->net->close(f.backend, second);
    detach(&f, &listener);
    close_backend(&f);
}

void contract_unknown_family_is_refused(const backend_kind *kind) {
    backend_fixture f;
    fy_handle handle;
    open_backend(&f, kind);
    CHECK(f.backend->net->open(f.backend, FERRY_UNSPEC, FY_SOCKET_STREAM, &handle) != 0);
    handle = open_socket(&f, FERRY_INET, FY_SOCKET_STREAM);
    CHECK(f.backend->net->bind(f.backend, handle, &(ferry_address){.family = FERRY_UNSPEC}) != 0);
    f.backend->net->close(f.backend, handle);
    close_backend(&f);
}

/* A system need not have each of them. */
static void keep_option(backend_fixture *fixture, fy_handle handle, fy_socket_option option, int value) {
    const fy_net_class *net = fixture->backend->net;
    int kept = ~value;
    ferry_status status = net->set_option(fixture->backend, handle, option, value);
    if (status == FERRY_ENOTSUP)
        return;
    CHECK_STATUS(status, 0);
    CHECK_STATUS(net->get_option(fixture->backend, handle, option, &kept), 0);
    CHECK(option == FY_SOCKET_SEND_BUFFER || option == FY_SOCKET_RECEIVE_BUFFER ? kept >= value : kept == value);
}

void contract_options_are_kept(const backend_kind *kind) {
    static const fy_socket_option flags[] = {FY_SOCKET_NO_DELAY, FY_SOCKET_KEEP_ALIVE};
    backend_fixture f;
    int value;
    open_backend(&f, kind);
    fy_handle stream = open_socket(&f, FERRY_INET, FY_SOCKET_STREAM);
    fy_handle datagrams = open_socket(&f, FERRY_INET, FY_SOCKET_DATAGRAM);
    for (int on = 1; on >= 0; on--) {
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            keep_option(&f, stream, flags[i], on);
        keep_option(&f, datagrams, FY_SOCKET_BROADCAST, on);
    }
    keep_option(&f, stream, FY_SOCKET_SEND_BUFFER, 20000);
    keep_option(&f, stream, FY_SOCKET_RECEIVE_BUFFER, 20000);
    keep_option(&f, stream, FY_SOCKET_LINGER, 5);
    keep_option(&f, stream, FY_SOCKET_LINGER, -1);
    CHECK_STATUS(f.backend->net->set_option(f.backend, stream, FY_SOCKET_OPTIONS, 1), FERRY_ENOTSUP);
    CHECK_STATUS(f.backend->net->get_option(f.backend, stream, FY_SOCKET_OPTIONS, &value), FERRY_ENOTSUP);
    f.backend->net->close(f.backend, stream);
    f.backend->net->close(f.backend, datagrams);
    close_backend(&f);
}
