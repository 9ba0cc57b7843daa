/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand connections at once, from a process of their own: each is opened, echoes and is closed, and not one is
 * lost. And how much memory an idle one takes. For POSIX, since a child is forked and limits are asked for. */
#include <sys/resource.h>

#include "io/file.h"
#include "support/forks.h"
#include "support/sockets.h"

enum { WANTED = 10000, SPARE = 100, ROUNDS = 2, IDLE_BYTES_MAX = 270 };

/* As many as each of two processes may have descriptors for. */
static long connection_count(void) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(limit.rlim_cur > 2 * SPARE);
    return limit.rlim_cur < WANTED + SPARE ? (long)limit.rlim_cur - SPARE : WANTED;
}

typedef struct crowd {
    ferry_socket *listener;
    long count;
    long opened;
    long echoed;
    long closed;
} crowd;

typedef struct member {
    ferry_socket *socket;
    char byte;
} member;

static crowd all;
static member members[WANTED];

/* ---- the server ---- */

static ferry_status on_byte(ferry_future *receiving, void *arg) {
    member *self = arg;
    ferry_status status = ferry_future_status(receiving);
    ferry_future_unref(receiving);
    if (status == APR_EOF) {
        ferry_socket_close(self->socket);
        return ++all.closed == all.count ? ferry_loop_stop(loop) : 0;
    }
    CHECK_STATUS(status, 0);
    all.echoed++;
    CHECK_STATUS(ferry_sock_sendall(self->socket, &self->byte, 1, NULL), 0);
    ferry_future *next = start_recv(self->socket, &self->byte, 1);
    return ferry_future_add_done_callback(next, on_byte, self, NULL);
}

static ferry_status on_connection(ferry_future *accepting, void *arg) {
    void *socket = NULL;
    CHECK_STATUS(ferry_future_take_pointer(accepting, &socket), 0);
    ferry_future_unref(accepting);
    member *self = &members[all.opened++];
    self->socket = socket;
    ferry_future *receiving = start_recv(self->socket, &self->byte, 1);
    CHECK_STATUS(ferry_future_add_done_callback(receiving, on_byte, self, NULL), 0);
    if (all.opened == all.count)
        return 0;
    return ferry_future_add_done_callback(start_accept(all.listener), on_connection, arg, NULL);
}

/* ---- the clients, in a child ---- */

static void echo_all(long count, char byte) {
    for (long i = 0; i < count; i++)
        MUST(ferry_sock_sendall(members[i].socket, &byte, 1, NULL) == 0);
    for (long i = 0; i < count; i++) {
        ferry_future *receiving = NULL;
        members[i].byte = 0;
        MUST(ferry_sock_recv(members[i].socket, &members[i].byte, 1, &receiving) == 0);
        MUST(ferry_loop_run_until_complete(loop, receiving) == 0);
        MUST(ferry_future_status(receiving) == 0 && members[i].byte == byte);
        ferry_future_unref(receiving);
    }
}

static void be_the_clients(long count, const ferry_address *address) {
    loop = NULL;
    MUST(ferry_loop_create(NULL, &loop) == 0);
    for (long i = 0; i < count; i++) {
        ferry_future *connecting = NULL;
        MUST(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &members[i].socket) == 0);
        MUST(ferry_sock_connect(members[i].socket, address, &connecting) == 0);
        MUST(ferry_loop_run_until_complete(loop, connecting) == 0);
        MUST(ferry_future_status(connecting) == 0);
        ferry_future_unref(connecting);
    }
    for (char round = 1; round <= ROUNDS; round++)
        echo_all(count, round);
    for (long i = 0; i < count; i++)
        ferry_socket_close(members[i].socket);
    ferry_loop_unref(loop);
}

static void ten_thousand_connections_open_echo_and_close(void) {
    ferry_address address;
    begin();
    all = (crowd){.count = connection_count()};
    all.listener = open_listener(FERRY_INET, &address);
    CHECK_STATUS(ferry_socket_listen(all.listener, 0), 0);
    CHECK_STATUS(ferry_future_add_done_callback(start_accept(all.listener), on_connection, NULL, NULL), 0);
    pid_t child = fork_now();
    if (!child) {
        ferry_loop_unref(loop);
        be_the_clients(all.count, &address);
        _exit(EXIT_SUCCESS);
    }
    run_forever(loop);
    wait_for_child(child);
    CHECK_INT(all.opened, all.count);
    CHECK_INT(all.echoed, all.count * ROUNDS);
    CHECK_INT(all.closed, all.count);
    ferry_socket_close(all.listener);
    end();
}

/* ---- memory ---- */

static ferry_status ignore(ferry_future *future, void *arg) {
    (void)future;
    (void)arg;
    return 0;
}

/* Slabs have something ready; the cells are what counts, and a bound on all. */
static void idle_connection_takes_at_most_270_bytes(void) {
    enum { COUNT = 2000 };
    ferry_future *receiving[COUNT];
    size_t cells = sizeof(ferry_socket) + sizeof(fy_async_op) + sizeof(ferry_handle);
    CHECK(cells <= IDLE_BYTES_MAX);
    begin();
    size_t before = atomic_load(&live_bytes);
    for (int i = 0; i < COUNT; i++) {
        members[i].socket = open_socket(FERRY_INET, FERRY_SOCKET_DATAGRAM);
        receiving[i] = start_recv(members[i].socket, &members[i].byte, 1);
        CHECK_STATUS(ferry_future_add_done_callback(receiving[i], ignore, NULL, NULL), 0);
    }
    turn(loop);
    CHECK((atomic_load(&live_bytes) - before) / COUNT <= IDLE_BYTES_MAX * 4 / 3);
    for (int i = 0; i < COUNT; i++) {
        ferry_socket_close(members[i].socket);
        finish_with(receiving[i], FERRY_ECANCELED);
    }
    end();
}

static const fy_test tests[] = {
    FY_TEST(ten_thousand_connections_open_echo_and_close),
    FY_TEST(idle_connection_takes_at_most_270_bytes),
};

FY_TEST_MAIN("many_connections", tests)
