/* SPDX-License-Identifier: Apache-2.0 */
/* What the contract's tests of sockets are written with, beside backend_fixture.h: sockets on loopback, made by the
 * backend's own net, and a line for each thing that is done with them. A test runs in each family that the machine
 * has. */
#ifndef FERRY_TESTS_BACKEND_NET_H
#define FERRY_TESTS_BACKEND_NET_H

#include "backend_fixture.h"
#include "seam/net.h"

/* ---- families ---- */

/* Any port. */
static inline ferry_address loopback(ferry_family family) {
    ferry_address address = {.family = (uint16_t)family};
    if (family == FERRY_INET) {
        address.ip[0] = 127;
        address.ip[3] = 1;
    } else {
        address.ip[15] = 1;
    }
    return address;
}

static inline bool same_address(const ferry_address *a, const ferry_address *b) {
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static inline bool has_family(const backend_kind *kind, ferry_family family) {
    fy_backend *backend;
    fy_handle handle;
    ferry_address address = loopback(family);
    bool is_there = false;
    CHECK_STATUS(kind->class->open(&backend), 0);
    if (backend->net->open(backend, family, FY_SOCKET_STREAM, &handle) == 0) {
        is_there = backend->net->bind(backend, handle, &address) == 0;
        backend->net->close(backend, handle);
    }
    kind->class->close(backend);
    return is_there;
}

/* Runs a test once per family; IPv4 is always there. */
static inline void in_each_family(const backend_kind *kind, void (*run)(const backend_kind *, ferry_family)) {
    run(kind, FERRY_INET);
    if (has_family(kind, FERRY_INET6))
        run(kind, FERRY_INET6);
}

/* ---- sockets ---- */

static inline fy_handle open_socket(backend_fixture *fixture, ferry_family family, fy_socket_type type) {
    fy_handle handle;
    CHECK_STATUS(fixture->backend->net->open(fixture->backend, family, type, &handle), 0);
    return handle;
}

static inline ferry_address local_address(backend_fixture *fixture, fy_handle handle) {
    ferry_address address;
    CHECK_STATUS(fixture->backend->net->local_address(fixture->backend, handle, &address), 0);
    return address;
}

static inline void bind_to(backend_fixture *fixture, fy_handle handle, ferry_address address) {
    CHECK_STATUS(fixture->backend->net->bind(fixture->backend, handle, &address), 0);
}

/* Attaches a socket that listens on loopback, and returns its address. */
static inline ferry_address attach_listener(backend_fixture *fixture, fy_file *file, ferry_family family) {
    fy_handle handle = open_socket(fixture, family, FY_SOCKET_STREAM);
    bind_to(fixture, handle, loopback(family));
    CHECK_STATUS(fixture->backend->net->listen(fixture->backend, handle, 64), 0);
    attach(fixture, file, handle);
    return local_address(fixture, handle);
}

static inline void attach_stream(backend_fixture *fixture, fy_file *file, ferry_family family) {
    attach(fixture, file, open_socket(fixture, family, FY_SOCKET_STREAM));
}

/* Attaches a datagram socket that is bound to loopback, and returns its address. */
static inline ferry_address attach_datagrams(backend_fixture *fixture, fy_file *file, ferry_family family) {
    fy_handle handle = open_socket(fixture, family, FY_SOCKET_DATAGRAM);
    bind_to(fixture, handle, loopback(family));
    attach(fixture, file, handle);
    return local_address(fixture, handle);
}

/* ---- ops ---- */

static inline fy_op op_of(fy_op_kind kind, fy_file *file) {
    return (fy_op){.kind = kind, .file = file};
}

static inline fy_op op_accept(fy_file *listener, ferry_address *ret_peer) {
    return (fy_op){.kind = FY_OP_ACCEPT, .file = listener, .address = ret_peer};
}

static inline fy_op op_connect(fy_file *file, ferry_address *to) {
    return (fy_op){.kind = FY_OP_CONNECT, .file = file, .address = to};
}

static inline fy_op op_receive(fy_file *file, void *buffer, size_t size, ferry_address *ret_from) {
    return (fy_op){.kind = FY_OP_RECVFROM, .file = file, .buffer = buffer, .size = size, .address = ret_from};
}

static inline fy_op op_send(fy_file *file, const void *data, size_t size, ferry_address *to) {
    return (fy_op){.kind = FY_OP_SENDTO, .file = file, .data = data, .size = size, .address = to};
}

/* Submits the op and awaits it, with this status. */
static inline void perform_op(backend_fixture *fixture, fy_op *op, ferry_status status) {
    submit(fixture, op);
    await_end(fixture, op, status);
}

/* Connects `client` through a new listener and attaches the other end as `server`. */
static inline void connect_pair(backend_fixture *fixture, fy_file *client, fy_file *server, ferry_family family) {
    fy_file listener;
    ferry_address address = attach_listener(fixture, &listener, family);
    attach_stream(fixture, client, family);
    fy_op accepting = op_accept(&listener, NULL), connecting = op_connect(client, &address);
    submit(fixture, &accepting);
    submit(fixture, &connecting);
    await_both(fixture, &accepting, &connecting);
    attach(fixture, server, accepting.accepted);
    detach(fixture, &listener);
}

/* The fixture with a and b as two ends of a connection. */
static inline void open_connected(backend_fixture *fixture, const backend_kind *kind, ferry_family family) {
    open_backend(fixture, kind);
    connect_pair(fixture, &fixture->a, &fixture->b, family);
}

#endif
