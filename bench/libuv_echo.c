/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on libuv: reading never stops, the buffer lies in the connection, and what was read is sent by uv_try_write, which
 * spares a request; what that leaves goes by uv_write. */
#include "bench.h"
#include "echo.h"

#include <uv.h>

typedef struct connection {
    uv_tcp_t tcp;
} connection;

static echo_run run;
static uv_loop_t *loop;
static uv_tcp_t listener;

/* One buffer serves all: it is read into and sent within one callback. */
static char shared_buffer[ECHO_BUFFER];

typedef struct late_write {
    uv_write_t request;
    char data[ECHO_BUFFER];
} late_write;

static void written(uv_write_t *request, int status)
{
    BENCH_CHECK(status == 0);
    free(request);
}

static void write_late(uv_stream_t *stream, const char *data, size_t size)
{
    late_write *late = bench_need(malloc(sizeof *late));
    memcpy(late->data, data, size);
    uv_buf_t buffer = uv_buf_init(late->data, (unsigned)size);
    BENCH_CHECK(uv_write(&late->request, stream, &buffer, 1, written) == 0);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(shared_buffer, sizeof shared_buffer);
}

static void gone(uv_handle_t *handle)
{
    free(handle);
    if (echo_closed(&run))
        uv_stop(loop);
}

static void read_some(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    if (count < 0) {
        uv_close((uv_handle_t *)stream, gone);
        return;
    }
    if (!count)
        return;
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned)count);
    int sent = uv_try_write(stream, &out, 1);
    BENCH_CHECK(sent >= 0 || sent == UV_EAGAIN);
    if (sent < count)
        write_late(stream, buffer->base + (sent > 0 ? sent : 0), (size_t)(count - (sent > 0 ? sent : 0)));
    echo_count(&run, (size_t)count);
}

static void accepted(uv_stream_t *server, int status)
{
    connection *self = bench_need(malloc(sizeof *self));
    BENCH_CHECK(status == 0);
    BENCH_CHECK(uv_tcp_init(loop, &self->tcp) == 0);
    BENCH_CHECK(uv_accept(server, (uv_stream_t *)&self->tcp) == 0);
    BENCH_CHECK(uv_read_start((uv_stream_t *)&self->tcp, give_buffer, read_some) == 0);
    if (echo_opened(&run))
        uv_stop(loop);
}

static void serve(long connections, long messages)
{
    echo_begin(&run, connections, messages);
    loop = uv_default_loop();
    BENCH_CHECK(uv_tcp_init(loop, &listener) == 0);
    BENCH_CHECK(uv_tcp_open(&listener, run.listener) == 0);
    BENCH_CHECK(uv_listen((uv_stream_t *)&listener, SOMAXCONN, accepted) == 0);
    uv_run(loop, UV_RUN_DEFAULT);
    if (messages)
        echo_end(&run);
}

ECHO_MAIN(serve)
