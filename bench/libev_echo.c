/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on libev: a read watcher per connection, and what was read is sent by send(2). libev knows no buffers, so a send
 * buffer that is full ends the program. */
#include "bench.h"
#include "echo.h"

#include <ev.h>

typedef struct connection {
    ev_io reader;
} connection;

static echo_run run;

static void echo(struct ev_loop *loop, ev_io *reader, int events)
{
    char buffer[ECHO_BUFFER];
    (void)events;
    ssize_t count = recv(reader->fd, buffer, sizeof buffer, 0);
    if (count > 0) {
        BENCH_CHECK(send(reader->fd, buffer, (size_t)count, MSG_NOSIGNAL) == count);
        echo_count(&run, (size_t)count);
    } else if (count == 0) {
        ev_io_stop(loop, reader);
        close(reader->fd);
        free(reader);
        if (echo_closed(&run))
            ev_break(loop, EVBREAK_ALL);
    } else {
        BENCH_CHECK(errno == EAGAIN);
    }
}

static void accept_all(struct ev_loop *loop, ev_io *listener, int events)
{
    (void)events;
    for (int fd; (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        connection *self = bench_need(malloc(sizeof *self));
        ev_io_init(&self->reader, echo, fd, EV_READ);
        ev_io_start(loop, &self->reader);
        if (echo_opened(&run))
            ev_break(loop, EVBREAK_ALL);
    }
    BENCH_CHECK(errno == EAGAIN);
}

static void serve(long connections, long messages)
{
    ev_io listener;
    echo_begin(&run, connections, messages);
    struct ev_loop *loop = bench_need(ev_loop_new(0)); /* the default one reaps all children */
    ev_io_init(&listener, accept_all, run.listener, EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    if (messages)
        echo_end(&run);
}

ECHO_MAIN(serve)
