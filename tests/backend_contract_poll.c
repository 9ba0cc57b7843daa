/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of readiness, on handles of the backend's own and on borrowed ones. Readiness is a level: who
 * asks while it holds is told at once, however often. */
#include "backend_contract.h"

#include "backend_net.h"

enum { CHUNK = 65536, CHUNKS_MAX = 1000, BUFFER_SIZE = 16384 };

/* ---- handles of the backend's own ---- */

void contract_poll_in_tells_of_bytes_while_they_are_there(const backend_kind *kind) {
    backend_fixture f;
    open_connected(&f, kind, FERRY_INET);
    fy_op polling = op_of(FY_OP_POLL_IN, &f.b);
    for (int round = 0; round < 2; round++) {
        submit(&f, &polling);
        expect_nothing(&f);
        fy_op write = fy_op_write(&f.a, "bytes", 5);
        submit(&f, &write);
        await_both(&f, &write, &polling);
        send_text(&f, &f.a, &"bytes"[write.count]);
        for (int again = 0; again < 3; again++) {
            settle(&f);
            perform_op(&f, &polling, 0);
        }
        expect_text(&f, &f.b, "byt");
        perform_op(&f, &polling, 0);
        expect_text(&f, &f.b, "es");
    }
    submit(&f, &polling);
    expect_nothing(&f);
    cancel(&f, &polling);
    await_end(&f, &polling, FERRY_ECANCELED);
    close_fixture(&f);
}

void contract_poll_in_tells_of_the_end_each_time(const backend_kind *kind) {
    backend_fixture f;
    open_connected(&f, kind, FERRY_INET);
    fy_op polling = op_of(FY_OP_POLL_IN, &f.b);
    submit(&f, &polling);
    expect_nothing(&f);
    detach(&f, &f.a);
    await_end(&f, &polling, 0);
    perform_op(&f, &polling, 0);
    expect_end(&f, &f.b);
    perform_op(&f, &polling, 0);
    detach(&f, &f.b);
    close_backend(&f);
}

void contract_poll_in_tells_of_a_connection(const backend_kind *kind) {
    backend_fixture f;
    fy_file listener;
    open_backend(&f, kind);
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    fy_op polling = op_of(FY_OP_POLL_IN, &listener), accepting = op_accept(&listener, NULL);
    submit(&f, &polling);
    expect_nothing(&f);
    attach_stream(&f, &f.a, FERRY_INET);
    fy_op connecting = op_connect(&f.a, &address);
    submit(&f, &connecting);
    await_both(&f, &polling, &connecting);
    submit(&f, &accepting);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &accepting);
    CHECK_STATUS(accepting.status, 0);
    f.backend->net->close(f.backend, accepting.accepted);
    detach(&f, &f.a);
    detach(&f, &listener);
    close_backend(&f);
}

/* Writes until a write stays in flight, and cancels that one. */
static void fill(backend_fixture *fixture) {
    static const char chunk[CHUNK];
    fy_op write = fy_op_write(&fixture->a, chunk, sizeof chunk);
    submit(fixture, &write);
    for (int i = 0; next_done(fixture, CONTRACT_MOMENT_US); i++) {
        CHECK(i < CHUNKS_MAX);
        CHECK_STATUS(write.status, 0);
        submit(fixture, &write);
    }
    cancel(fixture, &write);
    CHECK(next_done(fixture, CONTRACT_WITHIN_US) == &write);
}

/* The reader takes bytes until the poll has been told. */
void contract_poll_out_tells_of_room(const backend_kind *kind) {
    static char chunk[CHUNK];
    backend_fixture f;
    bool is_told = false;
    open_connected(&f, kind, FERRY_INET);
    CHECK_STATUS(f.backend->net->set_option(f.backend, f.a.handle, FY_SOCKET_SEND_BUFFER, BUFFER_SIZE), 0);
    CHECK_STATUS(f.backend->net->set_option(f.backend, f.b.handle, FY_SOCKET_RECEIVE_BUFFER, BUFFER_SIZE), 0);
    fy_op polling = op_of(FY_OP_POLL_OUT, &f.a);
    perform_op(&f, &polling, 0);
    settle(&f);
    perform_op(&f, &polling, 0);
    fill(&f);
    submit(&f, &polling);
    expect_nothing(&f);
    while (!is_told) {
        fy_op read = fy_op_read(&f.b, chunk, sizeof chunk);
        submit(&f, &read);
        fy_op *first = next_done(&f, CONTRACT_WITHIN_US);
        CHECK(first);
        CHECK_STATUS(first->status, 0);
        is_told = first == &polling;
        if (is_told && fy_op_is_in_flight(&read)) {
            cancel(&f, &read);
            CHECK(next_done(&f, CONTRACT_WITHIN_US) == &read);
        }
    }
    close_fixture(&f);
}

void contract_cancelled_poll_is_delivered_once(const backend_kind *kind) {
    backend_fixture f;
    open_connected(&f, kind, FERRY_INET);
    fy_op polling = op_of(FY_OP_POLL_IN, &f.b);
    submit(&f, &polling);
    expect_nothing(&f);
    cancel(&f, &polling);
    cancel(&f, &polling);
    await_end(&f, &polling, FERRY_ECANCELED);
    send_text(&f, &f.a, "x");
    expect_nothing(&f);
    perform_op(&f, &polling, 0);
    expect_text(&f, &f.b, "x");
    close_fixture(&f);
}

/* ---- borrowed handles ---- */

/* What arrives while it is borrowed is there for whoever reads it afterwards. */
void contract_borrowed_handle_is_polled_and_left_open(const backend_kind *kind) {
    backend_fixture f;
    open_backend(&f, kind);
    fy_file listener;
    ferry_address address = attach_listener(&f, &listener, FERRY_INET);
    attach_stream(&f, &f.a, FERRY_INET);
    fy_op accepting = op_accept(&listener, NULL), connecting = op_connect(&f.a, &address);
    submit(&f, &accepting);
    submit(&f, &connecting);
    await_both(&f, &accepting, &connecting);
    attach_borrowed(&f, &f.b, accepting.accepted);
    fy_op polling_in = op_of(FY_OP_POLL_IN, &f.b), polling_out = op_of(FY_OP_POLL_OUT, &f.b);
    submit(&f, &polling_in);
    perform_op(&f, &polling_out, 0);
    expect_nothing(&f);
    fy_op write = fy_op_write(&f.a, "here", 4);
    submit(&f, &write);
    await_both(&f, &write, &polling_in);
    send_text(&f, &f.a, &"here"[write.count]);
    perform_op(&f, &polling_in, 0);
    detach(&f, &f.b);
    expect_nothing(&f);
    attach(&f, &f.b, accepting.accepted);
    expect_text(&f, &f.b, "here");
    detach(&f, &listener);
    close_fixture(&f);
}

/* The number of a closed handle may be another one's by the time the borrowed file is detached; that one goes on. */
void contract_borrowed_handle_may_be_closed_first(const backend_kind *kind) {
    backend_fixture f;
    fy_file borrowed;
    char byte;
    open_connected(&f, kind, FERRY_INET);
    settle(&f);
    fy_handle handle = open_socket(&f, FERRY_INET, FY_SOCKET_DATAGRAM);
    bind_to(&f, handle, loopback(FERRY_INET));
    attach_borrowed(&f, &borrowed, handle);
    fy_op polling = op_of(FY_OP_POLL_IN, &borrowed);
    submit(&f, &polling);
    expect_nothing(&f);
    cancel(&f, &polling);
    await_end(&f, &polling, FERRY_ECANCELED);
    f.backend->net->close(f.backend, handle);
    expect_nothing(&f);
    if (kind->keeps_closed_handles)
        detach(&f, &borrowed);
    fy_file newcomer;
    ferry_address address = attach_datagrams(&f, &newcomer, FERRY_INET);
    CHECK(!kind->reuses_handles || newcomer.handle == handle);
    settle(&f);
    fy_op receiving = op_receive(&newcomer, &byte, 1, NULL);
    submit(&f, &receiving);
    if (!kind->keeps_closed_handles)
        detach(&f, &borrowed);
    expect_nothing(&f);
    fy_file sender;
    (void)attach_datagrams(&f, &sender, FERRY_INET);
    fy_op sending = op_send(&sender, "n", 1, &address);
    submit(&f, &sending);
    await_both(&f, &sending, &receiving);
    CHECK_INT(byte, 'n');
    detach(&f, &sender);
    detach(&f, &newcomer);
    send_text(&f, &f.a, "as before");
    expect_text(&f, &f.b, "as before");
    close_fixture(&f);
}
