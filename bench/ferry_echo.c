/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on Ferry, in callbacks. Two buffers take turns: one is received into while the other is sent, and whether that has
 * been sent is looked at before it is used again; nobody needs to be called for it. */
#include "ferry_check.h"

#include "echo.h"

typedef struct connection {
    ferry_socket *socket;
    ferry_future *sending;
    int turn;
    char *buffers[2];
} connection;

static echo_run run;
static ferry_loop *loop;

/* What the user adds is no part of W9's figure. */
static connection *all;
static char *buffers;

static void receive(connection *self);

static ferry_status end(connection *self)
{
    ferry_future_unref(self->sending);
    ferry_socket_close(self->socket);
    return echo_closed(&run) ? ferry_loop_stop(loop) : 0;
}

static ferry_status sent_late(ferry_future *sending, void *arg)
{
    connection *self = arg;
    check(ferry_future_status(sending));
    ferry_future_unref(sending);
    receive(self);
    return 0;
}

static ferry_status received(ferry_future *receiving, void *arg)
{
    connection *self = arg;
    size_t count = (size_t)ferry_future_integer(receiving);
    ferry_status status = ferry_future_status(receiving);
    ferry_future *before = self->sending;
    ferry_future_unref(receiving);
    if (status)
        return end(self);
    echo_count(&run, count);
    check(ferry_sock_sendall(self->socket, self->buffers[self->turn], count, &self->sending));
    self->turn = !self->turn;
    if (before && !ferry_future_done(before)) {
        check(ferry_future_add_done_callback(before, sent_late, self, NULL));
        return 0;
    }
    ferry_future_unref(before);
    receive(self);
    return 0;
}

static void receive(connection *self)
{
    ferry_future *receiving;
    check(ferry_sock_recv(self->socket, self->buffers[self->turn], ECHO_BUFFER, &receiving));
    check(ferry_future_add_done_callback(receiving, received, self, NULL));
}

static void accept_next(ferry_socket *listener);

static ferry_status accepted(ferry_future *accepting, void *listener)
{
    void *socket;
    connection *self = &all[run.opened];
    char *mine = buffers + (size_t)run.opened * 2 * ECHO_BUFFER;
    check(ferry_future_take_pointer(accepting, &socket));
    ferry_future_unref(accepting);
    *self = (connection){.socket = socket, .buffers = {mine, mine + ECHO_BUFFER}};
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
    size_t size = (size_t)count * 2 * ECHO_BUFFER;
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
