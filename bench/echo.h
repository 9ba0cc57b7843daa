/* SPDX-License-Identifier: Apache-2.0 */
/* W6 and the connections of W9, the server's side: a listener, the load generator as a process of its own, and what is
 * counted. A peer's program accepts, sends back what it reads, counts bytes and connections here, and ends when all
 * connections have closed. Include it after bench.h. */
#ifndef FERRY_BENCH_ECHO_H
#define FERRY_BENCH_ECHO_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A message, and room for what a server reads at once. */
enum { ECHO_BYTES = 64, ECHO_BUFFER = 256 };

/* W9: the first connections touch code and make what is made once. */
enum { ECHO_UNCOUNTED = 100 };

typedef struct echo_run {
    int listener; /* bound to a port of the loopback, listening, non-blocking */
    pid_t load;
    long connections, messages;
    long opened, closed;
    uint64_t bytes, begin_bytes, end_bytes;
    int64_t cpu_us;
    bench_memory memory;
} echo_run;

extern char **environ;

static inline uint16_t echo_listen(echo_run *run)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    run->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    BENCH_CHECK(run->listener >= 0);
    BENCH_CHECK(bind(run->listener, (struct sockaddr *)&address, size) == 0);
    BENCH_CHECK(listen(run->listener, SOMAXCONN) == 0);
    BENCH_CHECK(getsockname(run->listener, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

/* The generator stands beside this program; what it prints goes where ours goes. */
static inline void echo_start_load(echo_run *run, uint16_t port)
{
    char path[4096], arguments[3][32];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof "bench_echo_load");
    BENCH_CHECK(length > 0);
    path[length] = '\0';
    char *name = strrchr(path, '/');
    BENCH_CHECK(name != NULL);
    memcpy(name + 1, "bench_echo_load", sizeof "bench_echo_load");
    snprintf(arguments[0], sizeof arguments[0], "%u", (unsigned)port);
    snprintf(arguments[1], sizeof arguments[1], "%ld", run->connections);
    snprintf(arguments[2], sizeof arguments[2], "%ld", run->messages);
    char *argv[] = {path, arguments[0], arguments[1], arguments[2], NULL};
    BENCH_CHECK(posix_spawn(&run->load, path, NULL, NULL, argv, environ) == 0);
}

/* `messages` 0: connections that are idle, and what each costs in memory. */
static inline void echo_begin(echo_run *run, long connections, long messages)
{
    memset(run, 0, sizeof *run);
    run->connections = connections;
    run->messages = messages;
    /* The first message of each connection is a warm-up. */
    run->begin_bytes = (uint64_t)connections * ECHO_BYTES;
    run->end_bytes = run->begin_bytes + (uint64_t)messages * ECHO_BYTES;
    echo_start_load(run, echo_listen(run));
}

/* A connection was accepted and is being read. Returns true when all are idle and their memory was told: the server
 * ends, and with it the load. */
static inline bool echo_opened(echo_run *run)
{
    BENCH_CHECK(++run->opened <= run->connections);
    if (!run->messages && run->opened == ECHO_UNCOUNTED)
        run->memory = bench_memory_now();
    if (run->messages || run->opened < run->connections)
        return false;
    bench_print_memory(run->memory, run->connections - ECHO_UNCOUNTED);
    return true;
}

static inline void echo_count(echo_run *run, size_t bytes)
{
    run->bytes += bytes;
    if (run->bytes == run->begin_bytes)
        run->cpu_us = bench_cpu_us();
    else if (run->bytes == run->end_bytes)
        run->cpu_us = bench_cpu_us() - run->cpu_us;
}

/* A connection has ended. Returns true with the last one. */
static inline bool echo_closed(echo_run *run)
{
    return ++run->closed == run->connections;
}

static inline void echo_end(echo_run *run)
{
    int status;
    BENCH_CHECK(run->closed == run->connections && run->bytes == run->end_bytes);
    BENCH_CHECK(waitpid(run->load, &status, 0) == run->load && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bench_print("cpu", (double)run->cpu_us / (double)run->messages, "us/message");
}

/* ---- the same work for every peer ---- */

static inline void echo_serve(long connections, long messages);
static inline void echo_hold(long connections);

static inline void echo_1(long size)
{
    echo_serve(1, size);
}

static inline void echo_50(long size)
{
    echo_serve(50, size);
}

static inline void echo_1000(long size)
{
    echo_serve(1000, size);
}

static inline void echo_10000(long size)
{
    echo_serve(10000, size);
}

static inline void memory_connection(long size)
{
    echo_hold(size);
}

/* The program's main. It defines `serve(connections, messages)`, which ends with the last connection, or, without
 * messages, when echo_opened says so. */
#define ECHO_MAIN(serve)                                                                                               \
    static inline void echo_serve(long connections, long messages)                                                     \
    {                                                                                                                  \
        serve(connections, messages);                                                                                  \
    }                                                                                                                  \
    static inline void echo_hold(long connections)                                                                     \
    {                                                                                                                  \
        serve(connections, 0);                                                                                         \
    }                                                                                                                  \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        static const bench_workload workloads[] = {                                                                    \
            {"echo-1", echo_1},                                                                                        \
            {"echo-50", echo_50},                                                                                      \
            {"echo-1000", echo_1000},                                                                                  \
            {"echo-10000", echo_10000},                                                                                \
            {"memory-connection", memory_connection},                                                                  \
            {NULL, NULL},                                                                                              \
        };                                                                                                             \
        return bench_main(argc, argv, workloads);                                                                      \
    }

#endif
