/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of datagrams: whole ones, with addresses, in the order in which one sender has sent them on
 * loopback. */
#include "backend_contract.h"

#include "backend_net.h"

enum { SEVERAL = 8, BUFFER_SIZE = 256, TOO_LONG = 100000 };

/* a and b are bound. */
typedef struct correspondence {
    backend_fixture f;
    ferry_address a, b;
} correspondence;

static void open_correspondence(correspondence *self, const backend_kind *kind, ferry_family family) {
    open_backend(&self->f, kind);
    self->a = attach_datagrams(&self->f, &self->f.a, family);
    self->b = attach_datagrams(&self->f, &self->f.b, family);
}

static void send_datagram(backend_fixture *fixture, fy_file *file, const char *text, ferry_address *to) {
    fy_op sending = op_send(file, text, strlen(text), to);
    perform_op(fixture, &sending, 0);
    CHECK_INT(sending.count, strlen(text));
}

/* The next datagram is this one, from there. */
static void expect_datagram(backend_fixture *fixture, fy_file *file, const char *text, const ferry_address *from) {
    char received[BUFFER_SIZE];
    ferry_address sender;
    fy_op receiving = op_receive(file, received, sizeof received, &sender);
    perform_op(fixture, &receiving, 0);
    CHECK_INT(receiving.count, strlen(text));
    CHECK(memcmp(received, text, strlen(text)) == 0);
    CHECK(same_address(&sender, from));
}

static void correspond(const backend_kind *kind, ferry_family family) {
    correspondence c;
    open_correspondence(&c, kind, family);
    send_datagram(&c.f, &c.f.a, "question", &c.b);
    expect_datagram(&c.f, &c.f.b, "question", &c.a);
    send_datagram(&c.f, &c.f.b, "answer", &c.a);
    expect_datagram(&c.f, &c.f.a, "answer", &c.b);
    close_fixture(&c.f);
}

void contract_datagrams_go_both_ways_with_addresses(const backend_kind *kind) {
    in_each_family(kind, correspond);
}

void contract_receive_waits_for_a_later_datagram(const backend_kind *kind) {
    correspondence c;
    char received[BUFFER_SIZE];
    open_correspondence(&c, kind, FERRY_INET);
    for (int round = 0; round < 3; round++) {
        fy_op receiving = op_receive(&c.f.b, received, sizeof received, NULL);
        fy_op sending = op_send(&c.f.a, "late", 4, &c.b);
        submit(&c.f, &receiving);
        expect_nothing(&c.f);
        submit(&c.f, &sending);
        await_both(&c.f, &receiving, &sending);
        CHECK_INT(receiving.count, 4);
        CHECK(memcmp(received, "late", 4) == 0);
    }
    close_fixture(&c.f);
}

/* Nothing was sent, and yet it arrives; it fits into a buffer of no size. */
void contract_empty_datagram_is_delivered(const backend_kind *kind) {
    correspondence c;
    char byte = 'u';
    open_correspondence(&c, kind, FERRY_INET);
    send_datagram(&c.f, &c.f.a, "", &c.b);
    expect_datagram(&c.f, &c.f.b, "", &c.a);
    send_datagram(&c.f, &c.f.a, "", &c.b);
    fy_op receiving = op_receive(&c.f.b, &byte, 0, NULL);
    perform_op(&c.f, &receiving, 0);
    CHECK_INT(receiving.count, 0);
    CHECK_INT(byte, 'u');
    submit(&c.f, &receiving);
    expect_nothing(&c.f);
    cancel(&c.f, &receiving);
    await_end(&c.f, &receiving, FERRY_ECANCELED);
    close_fixture(&c.f);
}

void contract_datagrams_keep_order_and_borders(const backend_kind *kind) {
    static const char text[] = "abcdefgh";
    correspondence c;
    char part[SEVERAL + 1];
    open_correspondence(&c, kind, FERRY_INET);
    for (size_t i = 0; i < SEVERAL; i++)
        send_datagram(&c.f, &c.f.a, text + i, &c.b);
    for (size_t i = 0; i < SEVERAL; i++) {
        memcpy(part, text + i, sizeof text - i);
        expect_datagram(&c.f, &c.f.b, part, &c.a);
    }
    close_fixture(&c.f);
}

void contract_too_long_datagram_is_told_and_gone(const backend_kind *kind) {
    correspondence c;
    char received[4];
    open_correspondence(&c, kind, FERRY_INET);
    send_datagram(&c.f, &c.f.a, "12345", &c.b);
    send_datagram(&c.f, &c.f.a, "1234", &c.b);
    send_datagram(&c.f, &c.f.a, "1", &c.b);
    fy_op receiving = op_receive(&c.f.b, received, sizeof received, NULL);
    perform_op(&c.f, &receiving, FERRY_ETRUNCATED);
    perform_op(&c.f, &receiving, 0);
    CHECK_INT(receiving.count, 4);
    receiving.size = 0;
    perform_op(&c.f, &receiving, FERRY_ETRUNCATED);
    send_datagram(&c.f, &c.f.a, "next", &c.b);
    expect_datagram(&c.f, &c.f.b, "next", &c.a);
    close_fixture(&c.f);
}

/* No datagram is that long. */
void contract_unsendable_datagram_is_a_status(const backend_kind *kind) {
    static const char bytes[TOO_LONG];
    correspondence c;
    open_correspondence(&c, kind, FERRY_INET);
    fy_op sending = op_send(&c.f.a, bytes, sizeof bytes, &c.b);
    submit(&c.f, &sending);
    CHECK(next_done(&c.f, CONTRACT_WITHIN_US) == &sending);
    CHECK(sending.status != 0);
    CHECK(sending.status != FERRY_ECANCELED);
    CHECK_INT(sending.count, 0);
    send_datagram(&c.f, &c.f.a, "short", &c.b);
    expect_datagram(&c.f, &c.f.b, "short", &c.a);
    close_fixture(&c.f);
}

/* And a connected socket hears its peer alone. */
void contract_connected_datagrams_need_no_address(const backend_kind *kind) {
    correspondence c;
    fy_file stranger;
    open_correspondence(&c, kind, FERRY_INET);
    ferry_address strange = attach_datagrams(&c.f, &stranger, FERRY_INET);
    fy_op connecting = op_connect(&c.f.a, &c.b);
    perform_op(&c.f, &connecting, 0);
    send_datagram(&c.f, &c.f.a, "to my peer", NULL);
    expect_datagram(&c.f, &c.f.b, "to my peer", &c.a);
    send_datagram(&c.f, &stranger, "psst", &c.a);
    send_datagram(&c.f, &c.f.b, "from your peer", &c.a);
    expect_datagram(&c.f, &c.f.a, "from your peer", &c.b);
    send_datagram(&c.f, &c.f.b, "and hello", &strange);
    expect_datagram(&c.f, &stranger, "and hello", &c.b);
    detach(&c.f, &stranger);
    close_fixture(&c.f);
}

/* Nobody is at the peer's address. The complaint ends one op, and afterwards the file works as before. */
void contract_refused_datagram_is_told_once(const backend_kind *kind) {
    correspondence c;
    char received[BUFFER_SIZE];
    if (!kind->tells_of_refused_datagrams)
        return;
    open_correspondence(&c, kind, FERRY_INET);
    fy_op connecting = op_connect(&c.f.a, &c.b);
    perform_op(&c.f, &connecting, 0);
    detach(&c.f, &c.f.b);
    fy_op receiving = op_receive(&c.f.a, received, sizeof received, NULL), sending = op_send(&c.f.a, "?", 1, NULL);
    submit(&c.f, &receiving);
    expect_nothing(&c.f);
    submit(&c.f, &sending);
    await_two(&c.f);
    CHECK_STATUS(sending.status, 0);
    CHECK(receiving.status != 0);
    CHECK(receiving.status != FERRY_ECANCELED);
    submit(&c.f, &receiving);
    expect_nothing(&c.f);
    fy_handle handle = open_socket(&c.f, FERRY_INET, FY_SOCKET_DATAGRAM);
    bind_to(&c.f, handle, c.b);
    attach(&c.f, &c.f.b, handle);
    fy_op answering = op_send(&c.f.b, "here", 4, &c.a);
    submit(&c.f, &answering);
    await_both(&c.f, &receiving, &answering);
    CHECK_INT(receiving.count, 4);
    send_datagram(&c.f, &c.f.a, "good", NULL);
    expect_datagram(&c.f, &c.f.b, "good", &c.a);
    close_fixture(&c.f);
}

void contract_cancelled_receive_leaves_the_datagram(const backend_kind *kind) {
    correspondence c;
    char received[BUFFER_SIZE];
    open_correspondence(&c, kind, FERRY_INET);
    fy_op receiving = op_receive(&c.f.b, received, sizeof received, NULL), sending = op_send(&c.f.a, "kept", 4, &c.b);
    submit(&c.f, &receiving);
    expect_nothing(&c.f);
    submit(&c.f, &sending);
    cancel(&c.f, &receiving);
    await_two(&c.f);
    CHECK_STATUS(sending.status, 0);
    CHECK(receiving.status == 0 || receiving.status == FERRY_ECANCELED);
    if (receiving.status)
        expect_datagram(&c.f, &c.f.b, "kept", &c.a);
    submit(&c.f, &receiving);
    expect_nothing(&c.f);
    cancel(&c.f, &receiving);
    await_end(&c.f, &receiving, FERRY_ECANCELED);
    send_datagram(&c.f, &c.f.a, "next", &c.b);
    expect_datagram(&c.f, &c.f.b, "next", &c.a);
    close_fixture(&c.f);
}
