/* SPDX-License-Identifier: Apache-2.0 */
/* W6's hand-written limit: epoll, level-triggered, one read and one write a message, nothing else. A send buffer that
 * is full ends the program. */
#include "bench.h"
#include "echo.h"

#include <sys/epoll.h>

typedef struct connection {
    int fd;
} connection;

static echo_run run;
static int epoll;
static bool ended;

static void watch(connection *self)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = self}};
    BENCH_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event) == 0);
}

static void accept_all(const connection *listener)
{
    for (int fd; (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        connection *self = bench_need(malloc(sizeof *self));
        self->fd = fd;
        watch(self);
        ended = ended || echo_opened(&run);
    }
    BENCH_CHECK(errno == EAGAIN);
}

static void echo(connection *self)
{
    char buffer[ECHO_BUFFER];
    ssize_t count = recv(self->fd, buffer, sizeof buffer, 0);
    if (count > 0) {
        BENCH_CHECK(send(self->fd, buffer, (size_t)count, MSG_NOSIGNAL) == count);
        echo_count(&run, (size_t)count);
    } else if (count == 0) {
        close(self->fd);
        free(self);
        ended = ended || echo_closed(&run);
    } else {
        BENCH_CHECK(errno == EAGAIN);
    }
}

static void serve(long connections, long messages)
{
    struct epoll_event events[256];
    connection listener;
    echo_begin(&run, connections, messages);
    epoll = epoll_create1(0);
    listener.fd = run.listener;
    watch(&listener);
    while (!ended) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &listener)
                accept_all(&listener);
            else
                echo((connection *)events[i].data.ptr);
        }
    }
    if (messages)
        echo_end(&run);
}

ECHO_MAIN(serve)
