/* SPDX-License-Identifier: Apache-2.0 */
/* W7's first hand-written limit: forked workers on bare socketpairs, nothing framed, everything in the order of
 * sending. The parent writes what it may as one block and never blocks in a send; a worker answers what it has read as
 * one block. No job can fail, be cancelled or find its worker gone. */
#include "bench.h"
#include "processes.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Bytes on their way in or out, whole messages and the beginning of one. */
typedef struct stream {
    unsigned char *bytes;
    size_t capacity, begin, end;
} stream;

typedef struct worker {
    int fd;
    pid_t pid;
    stream out, in;
    long sent, received; /* messages; sent counts those that are in `out`, too */
} worker;

enum { BLOCK = 64 * 1024 };

static worker workers[BENCH_WORKERS];
static size_t message;

static void stream_init(stream *self)
{
    *self = (stream){.capacity = message > BLOCK ? message : BLOCK};
    self->bytes = bench_need(calloc(1, self->capacity));
}

/* ---- the worker ---- */

static void send_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size) {
        ssize_t count = send(fd, bytes, size, MSG_NOSIGNAL);
        BENCH_CHECK(count > 0);
        bytes += count;
        size -= (size_t)count;
    }
}

/* Reads what there is, behind the beginning of a message that is there already. False: the other side is gone. */
static bool receive(int fd, stream *self, int flags)
{
    memmove(self->bytes, self->bytes + self->begin, self->end - self->begin);
    self->end -= self->begin;
    self->begin = 0;
    ssize_t count = recv(fd, self->bytes + self->end, self->capacity - self->end, flags);
    BENCH_CHECK(count >= 0 || errno == EAGAIN);
    self->end += count > 0 ? (size_t)count : 0;
    return count != 0;
}

static void *next_message(stream *self)
{
    if (self->end - self->begin < message)
        return NULL;
    void *next = self->bytes + self->begin;
    self->begin += message;
    return next;
}

static void worker_main(int fd)
{
    stream in;
    stream_init(&in);
    while (receive(fd, &in, 0)) {
        size_t first = in.begin;
        for (uint64_t *next; (next = next_message(&in)) != NULL;)
            process_work(next, next, message);
        send_all(fd, in.bytes + first, in.begin - first);
    }
    _exit(0);
}

/* ---- the parent ---- */

static void start(worker *self)
{
    int pair[2];
    BENCH_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    self->pid = fork();
    BENCH_CHECK(self->pid >= 0);
    if (self->pid == 0) {
        for (worker *other = workers; other <= self; other++)
            close(other == self ? pair[0] : other->fd);
        worker_main(pair[1]);
    }
    close(pair[1]);
    self->fd = pair[0];
    self->sent = self->received = 0;
    stream_init(&self->out);
    stream_init(&self->in);
}

static void stop(worker *self)
{
    int state;
    close(self->fd);
    BENCH_CHECK(waitpid(self->pid, &state, 0) == self->pid && state == 0);
    free(self->out.bytes);
    free(self->in.bytes);
}

/* The worker's job number n is the input n * workers + its own number, so the order of answers is checked as well. */
static uint64_t input_of(const worker *self, long number)
{
    return (uint64_t)number * BENCH_WORKERS + (uint64_t)(self - workers);
}

static void fill(worker *self, long total, long window)
{
    stream *out = &self->out;
    if (out->begin < out->end)
        return;
    out->begin = out->end = 0;
    while (self->sent < total && self->sent - self->received < window && out->capacity - out->end >= message) {
        process_argument((uint64_t *)(void *)(out->bytes + out->end), message, input_of(self, self->sent++));
        out->end += message;
    }
}

static void send_some(worker *self)
{
    stream *out = &self->out;
    if (out->begin == out->end)
        return;
    ssize_t count = send(self->fd, out->bytes + out->begin, out->end - out->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
    BENCH_CHECK(count > 0 || errno == EAGAIN);
    out->begin += count > 0 ? (size_t)count : 0;
}

static void collect(worker *self)
{
    BENCH_CHECK(receive(self->fd, &self->in, MSG_DONTWAIT));
    for (const uint64_t *next; (next = next_message(&self->in)) != NULL;)
        process_check(next, message, input_of(self, self->received++));
}

static void run(long size, long total_in_flight)
{
    long each = size / BENCH_WORKERS, window = total_in_flight / BENCH_WORKERS, left = each * BENCH_WORKERS;
    while (left) {
        struct pollfd polled[BENCH_WORKERS];
        for (int i = 0; i < BENCH_WORKERS; i++) {
            fill(&workers[i], each, window);
            send_some(&workers[i]);
            bool more = workers[i].out.begin < workers[i].out.end;
            polled[i] = (struct pollfd){.fd = workers[i].fd, .events = (short)(POLLIN | (more ? POLLOUT : 0))};
        }
        BENCH_CHECK(poll(polled, BENCH_WORKERS, -1) > 0);
        for (int i = 0; i < BENCH_WORKERS; i++)
            if (polled[i].revents & ~POLLOUT) {
                left += workers[i].received;
                collect(&workers[i]);
                left -= workers[i].received;
            }
    }
}

static void pipelined(long size, size_t bytes)
{
    message = bytes;
    for (int i = 0; i < BENCH_WORKERS; i++)
        start(&workers[i]);
    run(process_in_flight(bytes), process_in_flight(bytes));
    for (int i = 0; i < BENCH_WORKERS; i++)
        workers[i].sent = workers[i].received = 0;
    int64_t begin = bench_now_ns();
    run(size, process_in_flight(bytes));
    bench_print("rate", bench_rate(size / BENCH_WORKERS * BENCH_WORKERS, bench_now_ns() - begin), "jobs/s");
    for (int i = 0; i < BENCH_WORKERS; i++)
        stop(&workers[i]);
}

static void process_throughput(long size)
{
    pipelined(size, PROCESS_SMALL);
}

static void process_large(long size)
{
    pipelined(size, PROCESS_LARGE);
}

/* Ping-pong: both sides block in recv. */
static void process_latency(long size)
{
    bench_samples latency;
    uint64_t words[PROCESS_SMALL / sizeof(uint64_t)] = {0};
    bench_samples_init(&latency, size);
    message = sizeof words;
    start(&workers[0]);
    for (long i = 0; i < size; i++) {
        int64_t sent_ns = bench_now_ns();
        process_argument(words, sizeof words, (uint64_t)i);
        send_all(workers[0].fd, (const unsigned char *)words, sizeof words);
        BENCH_CHECK(recv(workers[0].fd, words, sizeof words, MSG_WAITALL) == (ssize_t)sizeof words);
        bench_sample(&latency, (double)(bench_now_ns() - sent_ns) / 1e3);
        process_check(words, sizeof words, (uint64_t)i);
    }
    stop(&workers[0]);
    bench_print("p50", bench_percentile(&latency, 50), "us");
    bench_print("p99", bench_percentile(&latency, 99), "us");
}

int main(int argc, char **argv)
{
    static const bench_workload workloads[] = {
        {"process-throughput", process_throughput},
        {"process-latency", process_latency},
        {"process-large", process_large},
        {NULL, NULL},
    };
    return bench_main(argc, argv, workloads);
}
