/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on libevent: a bufferevent per connection, what comes in is moved to its output without a copy. */
#include "bench.h"
#include "echo.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static echo_run run;
static struct event_base *base;

static void echo(struct bufferevent *stream, void *arg)
{
    struct evbuffer *input = bufferevent_get_input(stream);
    (void)arg;
    echo_count(&run, evbuffer_get_length(input));
    BENCH_CHECK(evbuffer_add_buffer(bufferevent_get_output(stream), input) == 0);
}

static void ended(struct bufferevent *stream, short events, void *arg)
{
    (void)arg;
    BENCH_CHECK(events & (BEV_EVENT_EOF | BEV_EVENT_ERROR));
    bufferevent_free(stream);
    if (echo_closed(&run))
        event_base_loopbreak(base);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int size, void *arg)
{
    (void)listener;
    (void)address;
    (void)size;
    (void)arg;
    struct bufferevent *stream = bench_need(bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE));
    bufferevent_setcb(stream, echo, NULL, ended, NULL);
    BENCH_CHECK(bufferevent_enable(stream, EV_READ | EV_WRITE) == 0);
    if (echo_opened(&run))
        event_base_loopbreak(base);
}

static void serve(long connections, long messages)
{
    echo_begin(&run, connections, messages);
    base = bench_need(event_base_new());
    bench_need(evconnlistener_new(base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE, 0, run.listener));
    event_base_dispatch(base);
    if (messages)
        echo_end(&run);
}

ECHO_MAIN(serve)
