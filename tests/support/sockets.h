/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sockets share: connected pairs over the loopback, operations that must succeed, and bytes that can
 * be told apart. On the loop of support/futures.h, with public calls alone. */
#ifndef FERRY_TESTS_SUPPORT_SOCKETS_H
#define FERRY_TESTS_SUPPORT_SOCKETS_H

#include "ferry/io.h"
#include "support/futures.h"

typedef struct socket_pair {
    ferry_socket *client;
    ferry_socket *server;
} socket_pair;

static inline ferry_address loopback(ferry_family family) {
    ferry_address address;
    CHECK_STATUS(ferry_address_parse(family == FERRY_INET6 ? "::1" : "127.0.0.1", 0, &address), 0);
    return address;
}

static inline ferry_socket *open_socket(ferry_family family, ferry_socket_type type) {
    ferry_socket *socket = NULL;
    CHECK_STATUS(ferry_socket_create(loop, family, type, &socket), 0);
    return socket;
}

/* Bound to a free port of the loopback; its address is told. */
static inline ferry_socket *open_bound(ferry_family family, ferry_socket_type type, ferry_address *ret_address) {
    ferry_socket *socket = open_socket(family, type);
    ferry_address address = loopback(family);
    CHECK_STATUS(ferry_socket_bind(socket, &address), 0);
    CHECK_STATUS(ferry_socket_local_address(socket, ret_address), 0);
    CHECK(ret_address->port);
    return socket;
}

static inline ferry_socket *open_listener(ferry_family family, ferry_address *ret_address) {
    ferry_socket *listener = open_bound(family, FERRY_SOCKET_STREAM, ret_address);
    CHECK_STATUS(ferry_socket_listen(listener, 16), 0);
    return listener;
}

/* ---- operations that must start ---- */

static inline ferry_future *start_connect(ferry_socket *socket, const ferry_address *address) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_connect(socket, address, &future), 0);
    return future;
}

static inline ferry_future *start_accept(ferry_socket *socket) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_accept(socket, &future), 0);
    return future;
}

static inline ferry_future *start_recv(ferry_socket *socket, void *buffer, size_t size) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_recv(socket, buffer, size, &future), 0);
    return future;
}

static inline ferry_future *start_sendall(ferry_socket *socket, const void *data, size_t size) {
    ferry_future *future = NULL;
    CHECK_STATUS(ferry_sock_sendall(socket, data, size, &future), 0);
    return future;
}

/* ---- ... and must succeed ---- */

static inline int64_t finish(ferry_future *future) {
    run_until(future);
    CHECK_STATUS(ferry_future_status(future), 0);
    int64_t value = ferry_future_integer(future);
    ferry_future_unref(future);
    return value;
}

/* The operation must end with this status. */
static inline void finish_with(ferry_future *future, ferry_status status) {
    run_until(future);
    CHECK_STATUS(ferry_future_status(future), status);
    ferry_future_unref(future);
}

static inline ferry_socket *finish_accept(ferry_future *future) {
    void *accepted = NULL;
    run_until(future);
    CHECK_STATUS(ferry_future_take_pointer(future, &accepted), 0);
    ferry_future_unref(future);
    CHECK(accepted);
    return accepted;
}

static inline int64_t recv_some(ferry_socket *socket, void *buffer, size_t size) {
    return finish(start_recv(socket, buffer, size));
}

static inline void sendall(ferry_socket *socket, const void *data, size_t size) {
    finish(start_sendall(socket, data, size));
}

static inline void recv_exactly(ferry_socket *socket, void *buffer, size_t size) {
    for (size_t got = 0; got < size;)
        got += (size_t)recv_some(socket, (char *)buffer + got, size - got);
}

static inline void check_receives(ferry_socket *socket, const char *text) {
    char buffer[256];
    size_t size = strlen(text);
    CHECK(size < sizeof buffer);
    recv_exactly(socket, buffer, size);
    buffer[size] = '\0';
    CHECK_STRING(buffer, text);
}

/* ---- pairs ---- */

static inline socket_pair connect_to(ferry_socket *listener, const ferry_address *address) {
    socket_pair pair;
    pair.client = open_socket((ferry_family)address->family, FERRY_SOCKET_STREAM);
    ferry_future *accepting = start_accept(listener);
    finish(start_connect(pair.client, address));
    pair.server = finish_accept(accepting);
    return pair;
}

static inline socket_pair open_pair_of(ferry_family family) {
    ferry_address address;
    ferry_socket *listener = open_listener(family, &address);
    socket_pair pair = connect_to(listener, &address);
    ferry_socket_close(listener);
    return pair;
}

static inline socket_pair open_pair(void) {
    return open_pair_of(FERRY_INET);
}

static inline void close_pair(socket_pair pair) {
    ferry_socket_close(pair.client);
    ferry_socket_close(pair.server);
}

/* ---- a direction that is full ---- */

enum { FILL_CHUNK = 65536 };

static unsigned char fill_data[FILL_CHUNK];

/* Sends until a sendall does not end at once: it is returned, pending, and with it what came before is counted. */
static inline ferry_future *fill(ferry_socket *socket, size_t *ret_chunks) {
    for (*ret_chunks = 0;; ++*ret_chunks) {
        ferry_future *sending = start_sendall(socket, fill_data, sizeof fill_data);
        for (int turns = 0; turns < 4 && !ferry_future_done(sending); turns++)
            turn(loop);
        if (!ferry_future_done(sending))
            return sending;
        finish(sending);
    }
}

#endif
