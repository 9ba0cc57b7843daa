/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on Ferry, in callbacks: what was received is sent from the same buffer, and only if that takes time is anybody
 * called when it is done. */
#include "ferry_check.h"

#include "echo.h"

typedef struct connection {
    ferry_socket *socket;
    char *buffer;
} connection;

static echo_run run;
static ferry_loop *loop;

/* What the user adds is no part of W9's figure. */
static connection *all;
static char *buffers;

static void receive(connection *self);

static ferry_status end(connection *self)
{
    ferry_socket_close(self->socket);
    return echo_closed(&run) ? ferry_loop_stop(loop) : 0;
}

static ferry_status sent(ferry_future *sending, void *arg)
{
    check(ferry_future_status(sending));
    ferry_future_unref(sending);
    receive(arg);
    return 0;
}

static ferry_status received(ferry_future *receiving, void *arg)
{
    connection *self = arg;
    ferry_future *sending;
    size_t count = (size_t)ferry_future_integer(receiving);
    ferry_status status = ferry_future_status(receiving);
    ferry_future_unref(receiving);
    if (status)
        return end(self);
    echo_count(&run, count);
    check(ferry_sock_sendall(self->socket, self->buffer, count, &sending));
    if (ferry_future_done(sending))
        return sent(sending, self);
    check(ferry_future_add_done_callback(sending, sent, self, NULL));
    return 0;
}

static void receive(connection *self)
{
    ferry_future *receiving;
    check(ferry_sock_recv(self->socket, self->buffer, ECHO_BUFFER, &receiving));
    check(ferry_future_add_done_callback(receiving, received, self, NULL));
}

static void accept_next(ferry_socket *listener);

static ferry_status accepted(ferry_future *accepting, void *listener)
{
    void *socket;
    connection *self = &all[run.opened];
    check(ferry_future_take_pointer(accepting, &socket));
    ferry_future_unref(accepting);
    *self = (connection){.socket = socket, .buffer = buffers + (size_t)run.opened * ECHO_BUFFER};
    receive(self);
    if (echo_opened(&run))
        return ferry_loop_stop(loop);
    accept_next(listener);
    return 0;
}

static void accept_next(ferry_socket *listener)
{
    ferry_future *accepting;
    check(ferry_sock_accept(listener, &accepting));
    check(ferry_future_add_done_callback(accepting, accepted, listener, NULL));
}

static void serve(long count, long messages)
{
    ferry_socket *listener;
    size_t size = (size_t)count * ECHO_BUFFER;
    echo_begin(&run, count, messages);
    all = bench_need(malloc((size_t)count * sizeof *all));
    buffers = bench_need(malloc(size));
    memset(all, 1, (size_t)count * sizeof *all);
    memset(buffers, 1, size);
    check(ferry_loop_create(NULL, &loop));
    check(ferry_socket_adopt(loop, run.listener, &listener));
    accept_next(listener);
    check(ferry_loop_run_forever(loop));
    ferry_socket_close(listener);
    check(ferry_loop_close(loop));
    ferry_loop_unref(loop);
    if (messages)
        echo_end(&run);
}

ECHO_MAIN(serve)
