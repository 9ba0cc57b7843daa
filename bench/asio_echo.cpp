/* SPDX-License-Identifier: Apache-2.0 */
/* W6 on asio: async_read_some, then async_write, with lambdas; the io_context is told that one thread runs it. */
#include "bench.h"
#include "echo.h"

#include <asio.hpp>

namespace {

using tcp = asio::ip::tcp;

echo_run run;
asio::io_context *context;

struct connection {
    explicit connection(tcp::socket &&accepted) : socket(std::move(accepted)) {}

    void read()
    {
        socket.async_read_some(asio::buffer(buffer), [this](const asio::error_code &error, std::size_t count) {
            if (error) {
                delete this;
                if (echo_closed(&run))
                    context->stop();
                return;
            }
            echo_count(&run, count);
            write(count);
        });
    }

    void write(std::size_t count)
    {
        asio::async_write(socket, asio::buffer(buffer, count), [this](const asio::error_code &error, std::size_t) {
            BENCH_CHECK(!error);
            read();
        });
    }

    tcp::socket socket;
    char buffer[ECHO_BUFFER];
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](const asio::error_code &error, tcp::socket socket) {
        BENCH_CHECK(!error);
        (new connection(std::move(socket)))->read();
        if (echo_opened(&run))
            context->stop();
        accept_next(acceptor);
    });
}

void serve(long connections, long messages)
{
    echo_begin(&run, connections, messages);
    asio::io_context io(1);
    context = &io;
    tcp::acceptor acceptor(io, tcp::v4(), run.listener);
    accept_next(acceptor);
    io.run();
    if (messages)
        echo_end(&run);
}

} // namespace

ECHO_MAIN(serve)
