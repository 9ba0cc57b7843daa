/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of connected descriptors, interruptions and child processes, for the tests of POSIX backends. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "backend_posix.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/threads.h"

enum { BUFFER_SIZE = 64 * 1024, INTERRUPT_EVERY_US = 1000 };

/* The suite's crowd has about as many descriptors as some systems give a program at first. */
static void allow_many_files(void) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2048 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
}

static void limit_buffers(int fd) {
    int size = BUFFER_SIZE;
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

void socketpair_make(fy_backend *backend, fy_handle ends[2]) {
    (void)backend;
    allow_many_files();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (int i = 0; i < 2; i++)
        limit_buffers(ends[i]);
}

/* One for the whole program: connections that were closed keep their port for a minute, and so they share it. */
static int listener(struct sockaddr_in *ret_address) {
    static int fd = -1;
    socklen_t size = sizeof *ret_address;
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(fd >= 0);
        limit_buffers(fd);
        CHECK_INT(bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address), 0);
        CHECK_INT(listen(fd, 8), 0);
    }
    CHECK_INT(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

void tcp_make(fy_backend *backend, fy_handle ends[2]) {
    struct sockaddr_in address;
    int on = 1, listening = listener(&address);
    (void)backend;
    allow_many_files();
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(ends[0] >= 0);
    limit_buffers(ends[0]);
    CHECK_INT(connect(ends[0], (struct sockaddr *)&address, sizeof address), 0);
    ends[1] = accept(listening, NULL, NULL);
    CHECK(ends[1] >= 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
}

/* ---- interruptions ---- */

static helper_thread interrupter;
static atomic_bool is_interrupting;

static void ignore_signal(int number) {
    (void)number;
}

static void interrupt_again_and_again(void *waiter) {
    while (atomic_load(&is_interrupting)) {
        ferry_thread_sleep(INTERRUPT_EVERY_US);
        pthread_kill(*(pthread_t *)waiter, SIGUSR1);
    }
}

void posix_start_interrupting(void) {
    static pthread_t waiter;
    struct sigaction action = {.sa_handler = ignore_signal};
    waiter = pthread_self();
    CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
    atomic_store(&is_interrupting, true);
    thread_start(&interrupter, interrupt_again_and_again, &waiter);
}

void posix_stop_interrupting(void) {
    atomic_store(&is_interrupting, false);
    thread_join(&interrupter);
}

/* ---- children ---- */

/* The child's line is the end of a pipe to write its code to. */
void posix_start_child(fy_backend *backend, backend_child *ret_child) {
    int line[2];
    unsigned char code;
    (void)backend;
    CHECK_INT(pipe(line), 0);
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        alarm(60);
        _exit(read(line[0], &code, 1) == 1 ? code : 99);
    }
    CHECK_INT(close(line[0]), 0);
    *ret_child = (backend_child){.process = process, .line = line[1]};
}

static void await_its_end(backend_child *child) {
    siginfo_t how;
    CHECK_INT(waitid(P_PID, (id_t)child->process, &how, WEXITED | WNOWAIT), 0);
    CHECK_INT(close((int)child->line), 0);
}

void posix_end_child(backend_child *child, int code) {
    CHECK_INT(write((int)child->line, &(unsigned char){(unsigned char)code}, 1), 1);
    await_its_end(child);
}

void posix_kill_child(backend_child *child) {
    CHECK_INT(kill(child->process, SIGKILL), 0);
    await_its_end(child);
}

int posix_reap_child(backend_child *child) {
    int how = 0;
    CHECK(waitpid(child->process, &how, WNOHANG) == child->process);
    CHECK(WIFEXITED(how));
    return WEXITSTATUS(how);
}
