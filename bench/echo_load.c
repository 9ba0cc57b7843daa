/* SPDX-License-Identifier: Apache-2.0 */
/* The load of W6, the same for every peer, on raw epoll: each connection sends 64 bytes, waits until they have come
 * back, and sends the next. It decides how throughput and latency are taken, and checks every byte.
 *
 *     bench_echo_load PORT CONNECTIONS MESSAGES      MESSAGES 0: connects, and waits for the server to end */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { MESSAGE = 64, EVENTS = 256 };

typedef struct connection {
    int fd;
    int received; /* of the message that is under way */
    int64_t sent_ns;
    uint64_t number;
} connection;

static connection *connections;
static long connection_count, left, done, total;
static bench_samples latency;

static int connect_to(uint16_t port)
{
    struct sockaddr_in address;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    BENCH_CHECK(fd >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BENCH_CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    BENCH_CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    return fd;
}

static void send_next(connection *self)
{
    uint64_t message[MESSAGE / sizeof(uint64_t)];
    for (size_t i = 0; i < MESSAGE / sizeof(uint64_t); i++)
        message[i] = self->number + i;
    self->received = 0;
    self->sent_ns = bench_now_ns();
    BENCH_CHECK(send(self->fd, message, MESSAGE, 0) == MESSAGE);
}

/* Returns true when the whole message has come back. */
static bool receive(connection *self)
{
    uint64_t message[MESSAGE / sizeof(uint64_t)];
    ssize_t count = recv(self->fd, message, (size_t)(MESSAGE - self->received), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    BENCH_CHECK(count > 0);
    if (count == MESSAGE)
        BENCH_CHECK(message[0] == self->number && message[7] == self->number + 7);
    self->received += (int)count;
    return self->received == MESSAGE;
}

static void warm_up(connection *self)
{
    send_next(self);
    while (!receive(self))
        continue;
    self->number++;
}

static void came_back(connection *self)
{
    bench_sample(&latency, (double)(bench_now_ns() - self->sent_ns) / 1e3);
    self->number += 1000;
    done++;
    if (left > 0) {
        left--;
        send_next(self);
    }
}

static void run_load(int epoll)
{
    struct epoll_event events[EVENTS];
    left = total;
    int64_t begin_ns = bench_now_ns();
    for (long i = 0; i < connection_count && left > 0; i++, left--)
        send_next(&connections[i]);
    while (done < total) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        BENCH_CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            connection *self = (connection *)events[i].data.ptr;
            if (receive(self))
                came_back(self);
        }
    }
    bench_print("rate", bench_rate(total, bench_now_ns() - begin_ns), "messages/s");
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

static void wait_for_the_end(void)
{
    char byte;
    while (recv(connections[0].fd, &byte, 1, 0) > 0)
        continue;
}

int main(int argc, char **argv)
{
    BENCH_CHECK(argc == 4);
    connection_count = atol(argv[2]);
    total = atol(argv[3]);
    connections = (connection *)bench_need(calloc((size_t)connection_count, sizeof *connections));
    int epoll = epoll_create1(0);
    BENCH_CHECK(epoll >= 0);
    for (long i = 0; i < connection_count; i++) {
        connection *self = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = self}};
        self->fd = connect_to((uint16_t)atoi(argv[1]));
        self->number = (uint64_t)i << 32;
        BENCH_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event) == 0);
    }
    if (!total) {
        wait_for_the_end();
        return 0;
    }
    bench_samples_init(&latency, total);
    for (long i = 0; i < connection_count; i++)
        warm_up(&connections[i]);
    run_load(epoll);
    for (long i = 0; i < connection_count; i++)
        close(connections[i].fd);
    return fflush(stdout) != 0;
}
