/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, their operations, readers and writers, called with what is NULL, absurd or too late: each call is refused
 * with a clear status, leaves its outputs alone and harms nothing. */
#include "support/sockets.h"

#include "support/threads.h"

static void null_and_absurd_arguments_are_refused(void) {
    ferry_socket *socket = NULL;
    ferry_address address;
    char byte;
    int value;
    begin();
    CHECK_STATUS(ferry_address_parse("127.0.0.1", 80, &address), 0);
    CHECK_STATUS(ferry_socket_create(NULL, FERRY_INET, FERRY_SOCKET_STREAM, &socket), APR_EINVAL);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_UNSPEC, FERRY_SOCKET_STREAM, &socket), APR_EINVAL);
    CHECK_STATUS(ferry_socket_create(loop, (ferry_family)77, FERRY_SOCKET_STREAM, &socket), APR_EINVAL);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, (ferry_socket_type)77, &socket), APR_EINVAL);
    CHECK_STATUS(ferry_socket_adopt(NULL, 0, &socket), APR_EINVAL);
    CHECK_STATUS(ferry_socket_adopt(loop, 0, NULL), APR_EINVAL);
    CHECK(ferry_socket_adopt(loop, -1, &socket) != 0);
    CHECK(!socket);
    CHECK_STATUS(ferry_socket_bind(NULL, &address), APR_EINVAL);
    CHECK_STATUS(ferry_socket_listen(NULL, 1), APR_EINVAL);
    CHECK_STATUS(ferry_socket_local_address(NULL, &address), APR_EINVAL);
    CHECK_STATUS(ferry_socket_peer_address(NULL, &address), APR_EINVAL);
    CHECK_STATUS(ferry_socket_set_option(NULL, FERRY_SOCKET_NO_DELAY, 1), APR_EINVAL);
    CHECK_STATUS(ferry_socket_get_option(NULL, FERRY_SOCKET_NO_DELAY, &value), APR_EINVAL);
    CHECK_STATUS(ferry_socket_shutdown_write(NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_connect(NULL, &address, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_accept(NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_recv(NULL, &byte, 1, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_sendall(NULL, &byte, 1, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_sendall(NULL, NULL, 0, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_recvfrom(NULL, &byte, 1, NULL, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_sendto(NULL, &byte, 1, NULL, NULL), APR_EINVAL);
    CHECK(ferry_socket_is_closed(NULL));
    CHECK_INT(ferry_socket_handle(NULL), -1);
    CHECK(!ferry_socket_loop(NULL) && !ferry_socket_origin(NULL));
    end();
}

static void absurd_operations_of_a_good_socket_are_refused(void) {
    ferry_future *future = NULL;
    char byte;
    int value = 5;
    begin();
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    CHECK_STATUS(ferry_socket_bind(socket, NULL), APR_EINVAL);
    CHECK(ferry_socket_bind(socket, &(ferry_address){0}) != 0);
    CHECK_STATUS(ferry_socket_local_address(socket, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_socket_peer_address(socket, NULL), APR_EINVAL);
    CHECK_STATUS(ferry_sock_connect(socket, NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_sock_recv(socket, NULL, 1, &future), APR_EINVAL);
    CHECK_STATUS(ferry_sock_recv(socket, &byte, 0, &future), APR_EINVAL);
    CHECK_STATUS(ferry_sock_sendall(socket, NULL, 1, &future), APR_EINVAL);
    CHECK_STATUS(ferry_sock_recvfrom(socket, NULL, 1, NULL, &future), APR_EINVAL);
    CHECK_STATUS(ferry_sock_sendto(socket, NULL, 1, NULL, &future), APR_EINVAL);
    CHECK(!future);
    CHECK_STATUS(ferry_socket_set_option(socket, (ferry_socket_option)77, 1), APR_EINVAL);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_NO_DELAY, 2), APR_EINVAL);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_SEND_BUFFER, 0), APR_EINVAL);
    CHECK_STATUS(ferry_socket_set_option(socket, FERRY_SOCKET_LINGER, -2), APR_EINVAL);
    CHECK_STATUS(ferry_socket_get_option(socket, (ferry_socket_option)-1, &value), APR_EINVAL);
    CHECK_STATUS(ferry_socket_get_option(socket, FERRY_SOCKET_NO_DELAY, NULL), APR_EINVAL);
    CHECK_INT(value, 5);
    ferry_socket_close(socket);
    end();
}

/* A connected one would send it to its peer, where the system takes it for no address. */
static void address_of_no_family_is_refused(void) {
    static const ferry_address nobody[2] = {{.family = FERRY_UNSPEC, .port = 80}, {.family = 77, .port = 80}};
    ferry_future *future = NULL;
    ferry_address address;
    begin();
    ferry_socket *peer = open_bound(FERRY_INET, FERRY_SOCKET_DATAGRAM, &address);
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_DATAGRAM);
    finish(start_connect(socket, &address));
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ferry_sock_sendto(socket, "x", 1, &nobody[i], &future), APR_EINVAL);
        CHECK_STATUS(ferry_sock_connect(socket, &nobody[i], &future), APR_EINVAL);
    }
    CHECK(!future);
    CHECK(!ferry_socket_is_closed(socket));
    ferry_socket_close(socket);
    ferry_socket_close(peer);
    end();
}

/* What only the system can know comes through the future. (An accept without a listen is left out: Wine waits.) */
static void operation_that_the_system_refuses_ends_with_its_word(void) {
    char byte;
    begin();
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    ferry_future *futures[2] = {start_recv(socket, &byte, 1), start_sendall(socket, "x", 1)};
    for (int i = 0; i < 2; i++) {
        run_until(futures[i]);
        CHECK(ferry_future_status(futures[i]) != 0);
        ferry_future_unref(futures[i]);
    }
    ferry_socket_close(socket);
    end();
}

static void closed_loop_refuses(void) {
    char byte;
    ferry_socket *socket = NULL;
    begin();
    ferry_socket *kept = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &socket), FERRY_ECLOSED);
    CHECK_STATUS(ferry_socket_adopt(loop, 0, &socket), FERRY_ECLOSED);
    CHECK_STATUS(ferry_sock_recv(kept, &byte, 1, NULL), FERRY_ECLOSED);
    CHECK_STATUS(ferry_socket_listen(kept, 1), FERRY_ECLOSED);
    CHECK_STATUS(ferry_add_signal_handler(loop, 2, count_up, NULL), FERRY_ECLOSED);
    CHECK(!ferry_remove_signal_handler(loop, 2));
    CHECK(ferry_socket_is_closed(kept));
    ferry_socket_close(kept);
    end();
}

static void readers_with_absurd_arguments_are_refused(void) {
    ferry_handle *handle = NULL;
    begin();
    CHECK_STATUS(ferry_add_reader(NULL, 0, count_up, NULL, &handle), APR_EINVAL);
    CHECK_STATUS(ferry_add_reader(loop, 0, NULL, NULL, &handle), APR_EINVAL);
    CHECK(ferry_add_reader(loop, -1, count_up, NULL, &handle) != 0);
    CHECK(ferry_add_writer(loop, INTPTR_MAX, count_up, NULL, &handle) != 0);
    CHECK(ferry_add_writer(loop, 654321, count_up, NULL, &handle) != 0);
    CHECK(!handle);
    CHECK(!ferry_remove_reader(NULL, 0));
    CHECK(!ferry_remove_reader(loop, -1));
    CHECK(!ferry_remove_writer(loop, 654321));
    CHECK(!ferry_remove_writer(loop, INTPTR_MAX));
    end();
}

/* ---- threads ---- */

static void use_from_elsewhere(void *arg) {
    ferry_socket *socket = arg, *made = NULL;
    char byte;
    CHECK_STATUS(ferry_sock_recv(socket, &byte, 1, NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_sock_sendall(socket, &byte, 1, NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_socket_listen(socket, 1), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &made), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_add_reader(loop, 0, count_up, NULL, NULL), FERRY_EWRONGTHREAD);
    CHECK_STATUS(ferry_add_signal_handler(loop, 2, count_up, NULL), FERRY_EWRONGTHREAD);
    CHECK(!ferry_remove_reader(loop, 0));
}

static ferry_status look_from_elsewhere(void *socket) {
    on_another_thread(use_from_elsewhere, socket);
    return 0;
}

static void calls_from_another_thread_while_it_runs_are_refused(void) {
    begin();
    ferry_socket *socket = open_socket(FERRY_INET, FERRY_SOCKET_STREAM);
    post(loop, look_from_elsewhere, socket);
    settle();
    ferry_socket_close(socket);
    end();
}

static const fy_test tests[] = {
    FY_TEST(null_and_absurd_arguments_are_refused),
    FY_TEST(absurd_operations_of_a_good_socket_are_refused),
    FY_TEST(address_of_no_family_is_refused),
    FY_TEST(operation_that_the_system_refuses_ends_with_its_word),
    FY_TEST(closed_loop_refuses),
    FY_TEST(readers_with_absurd_arguments_are_refused),
    FY_TEST(calls_from_another_thread_while_it_runs_are_refused),
};

FY_TEST_MAIN("bad_input_io", tests)
