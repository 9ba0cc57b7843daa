/* SPDX-License-Identifier: Apache-2.0 */
/* TCP echo in callbacks, both sides of it: asyncio's echo server and client without coroutines.
 *
 *     echo serve [PORT [CONNECTIONS]]    sends back what comes; ends with Ctrl-C, or after that many connections
 *     echo send PORT TEXT                sends the text and prints what comes back */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ferry.h"

static ferry_loop *loop;

/* ---- the server ---- */

typedef struct echo_connection echo_connection;

typedef struct echo_server {
    ferry_socket *listener;
    ferry_future *accepting;
    echo_connection *connections;
    long limit; /* 0: none */
    long ended;
    int64_t bytes;
} echo_server;

struct echo_connection {
    echo_connection *next, **link; /* in the server's list */
    echo_server *server;
    ferry_socket *socket;
    ferry_future *pending; /* what it waits for */
    char buffer[4096];     /* received into, then sent; never both */
};

static ferry_status receive(echo_connection *self);

static echo_connection *open_connection(echo_server *server, ferry_socket *socket) {
    echo_connection *self = malloc(sizeof *self);
    if (!self) {
        ferry_socket_close(socket);
        return NULL;
    }
    self->server = server;
    self->socket = socket;
    self->pending = NULL;
    self->next = server->connections;
    self->link = &server->connections;
    if (self->next)
        self->next->link = &self->next;
    server->connections = self;
    return self;
}

static void close_connection(echo_connection *self) {
    *self->link = self->next;
    if (self->next)
        self->next->link = self->link;
    ferry_future_unref(self->pending);
    ferry_socket_close(self->socket);
    free(self);
}

static ferry_status end_connection(echo_connection *self, ferry_status reason) {
    echo_server *server = self->server;
    char text[128];
    if (reason)
        fprintf(stderr, "echo: a connection has failed: %s\n", ferry_strerror(reason, text, sizeof text));
    close_connection(self);
    return ++server->ended == server->limit ? ferry_loop_stop(loop) : 0;
}

/* `status` is of the call that made self->pending. */
static ferry_status wait_for(echo_connection *self, ferry_status status, ferry_done_callback *callback) {
    if (!status)
        status = ferry_future_add_done_callback(self->pending, callback, self, NULL);
    return status ? end_connection(self, status) : 0;
}

static void take_pending(echo_connection *self) {
    ferry_future_unref(self->pending);
    self->pending = NULL;
}

static ferry_status on_sent(ferry_future *sending, void *arg) {
    ferry_status status = ferry_future_status(sending);
    take_pending(arg);
    return status ? end_connection(arg, status) : receive(arg);
}

static ferry_status on_received(ferry_future *receiving, void *arg) {
    echo_connection *self = arg;
    ferry_status status = ferry_future_status(receiving);
    size_t count = (size_t)ferry_future_integer(receiving);
    take_pending(self);
    if (status) /* most often the end of the stream */
        return end_connection(self, 0);
    self->server->bytes += (int64_t)count;
    return wait_for(self, ferry_sock_sendall(self->socket, self->buffer, count, &self->pending), on_sent);
}

static ferry_status receive(echo_connection *self) {
    return wait_for(self, ferry_sock_recv(self->socket, self->buffer, sizeof self->buffer, &self->pending),
                    on_received);
}

static ferry_status accept_next(echo_server *self);

static ferry_status on_accepted(ferry_future *accepting, void *arg) {
    echo_server *self = arg;
    void *socket = NULL;
    ferry_status status = ferry_future_take_pointer(accepting, &socket);
    ferry_future_unref(accepting);
    self->accepting = NULL;
    if (status)
        return status;
    echo_connection *connection = open_connection(self, socket);
    status = accept_next(self);
    if (connection && !status)
        status = receive(connection);
    return status;
}

static ferry_status accept_next(echo_server *self) {
    ferry_status status = ferry_sock_accept(self->listener, &self->accepting);
    return status ? status : ferry_future_add_done_callback(self->accepting, on_accepted, self, NULL);
}

static ferry_status open_listener(echo_server *self, uint16_t port) {
    char text[FERRY_ADDRESS_TEXT_MAX];
    ferry_address address;
    ferry_status status = ferry_address_parse("127.0.0.1", port, &address);
    if (!status)
        status = ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &self->listener);
    if (!status)
        status = ferry_socket_set_option(self->listener, FERRY_SOCKET_REUSE_ADDRESS, 1);
    if (!status)
        status = ferry_socket_bind(self->listener, &address);
    if (!status)
        status = ferry_socket_listen(self->listener, 0);
    if (!status)
        status = ferry_socket_local_address(self->listener, &address);
    if (!status)
        fprintf(stderr, "echo: listening on %s\n", ferry_address_format(&address, text, sizeof text));
    return status;
}

static ferry_status on_interrupt(void *arg) {
    (void)arg;
    fprintf(stderr, "echo: interrupted\n");
    return ferry_loop_stop(loop);
}

static ferry_status serve(uint16_t port, long limit) {
    echo_server self = {.limit = limit};
    ferry_status status = open_listener(&self, port);
    if (!status)
        status = ferry_add_signal_handler(loop, SIGINT, on_interrupt, NULL);
    if (!status)
        status = accept_next(&self);
    if (!status)
        status = ferry_loop_run_forever(loop);
    if (!status)
        printf("%ld connections, %" PRId64 " bytes\n", self.ended, self.bytes);
    while (self.connections)
        close_connection(self.connections);
    ferry_future_unref(self.accepting);
    ferry_socket_close(self.listener);
    return status;
}

/* ---- the client ---- */

typedef struct echo_client {
    ferry_socket *socket;
    ferry_status status;
    size_t left;
    char buffer[256];
} echo_client;

static ferry_status end_client(echo_client *self, ferry_status status) {
    self->status = status;
    return ferry_loop_stop(loop);
}

static ferry_status receive_reply(echo_client *self);

static ferry_status on_reply(ferry_future *receiving, void *arg) {
    echo_client *self = arg;
    ferry_status status = ferry_future_status(receiving);
    size_t count = (size_t)ferry_future_integer(receiving);
    ferry_future_unref(receiving);
    if (status)
        return end_client(self, status);
    fwrite(self->buffer, 1, count, stdout);
    self->left -= count;
    return self->left ? receive_reply(self) : end_client(self, 0);
}

static ferry_status receive_reply(echo_client *self) {
    ferry_future *receiving = NULL;
    size_t size = self->left < sizeof self->buffer ? self->left : sizeof self->buffer;
    ferry_status status = ferry_sock_recv(self->socket, self->buffer, size, &receiving);
    if (!status)
        status = ferry_future_add_done_callback(receiving, on_reply, self, NULL);
    return status ? end_client(self, status) : 0;
}

/* What is sent goes behind the connect by itself: operations of one direction queue. */
static ferry_status send_text(uint16_t port, const char *text) {
    echo_client self = {.left = strlen(text)};
    ferry_address address;
    ferry_future *connecting = NULL;
    ferry_future *sending = NULL;
    ferry_status status = ferry_address_parse("127.0.0.1", port, &address);
    if (!status)
        status = ferry_socket_create(loop, FERRY_INET, FERRY_SOCKET_STREAM, &self.socket);
    if (!status)
        status = ferry_sock_connect(self.socket, &address, &connecting);
    if (!status)
        status = ferry_sock_sendall(self.socket, text, self.left, &sending);
    if (!status)
        status = ferry_loop_run_until_complete(loop, connecting);
    if (!status)
        status = ferry_future_status(connecting);
    if (!status && self.left)
        status = receive_reply(&self);
    if (!status && self.left)
        status = ferry_loop_run_forever(loop);
    printf("\n");
    ferry_future_unref(connecting);
    ferry_future_unref(sending);
    ferry_socket_close(self.socket);
    return status ? status : self.status;
}

/* ---- the program ---- */

static int usage(void) {
    fprintf(stderr, "usage: echo serve [PORT [CONNECTIONS]] | echo send PORT TEXT\n");
    return 2;
}

int main(int argc, char **argv) {
    char sentence[128];
    bool serves = argc >= 2 && argc <= 4 && !strcmp(argv[1], "serve");
    bool sends = argc == 4 && !strcmp(argv[1], "send");
    long port = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if ((!serves && !sends) || port < 0 || port > UINT16_MAX)
        return usage();
    ferry_status status = ferry_loop_create(NULL, &loop);
    if (!status)
        status = serves ? serve((uint16_t)port, argc > 3 ? strtol(argv[3], NULL, 10) : 0)
                        : send_text((uint16_t)port, argv[3]);
    ferry_loop_unref(loop);
    if (status)
        fprintf(stderr, "echo: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status != 0;
}
