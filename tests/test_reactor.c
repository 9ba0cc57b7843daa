/* SPDX-License-Identifier: Apache-2.0 */
/* The reactor beyond the contract: what only POSIX descriptors do. Pipes and their SIGPIPE, half-closed and urgent TCP,
 * borders of messages, the wait handle, descriptors that nobody can wait for, borrowed ones, duplicates, and fork. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "posix/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend_fixture.h"
#include "backend_posix.h"

static const backend_kind socketpair_kind = POSIX_KIND(&fy_reactor_class, socketpair_make);
static const backend_kind tcp_kind = POSIX_KIND(&fy_reactor_class, tcp_make);

static void pipe_make(fy_backend *backend, fy_handle ends[2]) {
    (void)backend;
    CHECK_INT(pipe(ends), 0);
}

/* a is the end to read from, b the one to write to. */
static const backend_kind pipe_kind = POSIX_KIND(&fy_reactor_class, pipe_make);

/* ---- pipes ---- */

static void pipe_carries_bytes_and_its_end(void) {
    backend_fixture f;
    char bytes[16];
    open_fixture(&f, &pipe_kind);
    send_text(&f, &f.b, "through");
    expect_text(&f, &f.a, "through");
    fy_op read = fy_op_read(&f.a, bytes, sizeof bytes), write = fy_op_write(&f.b, "last", 4);
    submit(&f, &read);
    settle(&f);
    submit(&f, &write);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    detach(&f, &f.b);
    await_op(&f, &read, 0);
    CHECK_INT(read.count, 4);
    perform(&f, &read, APR_EOF);
    detach(&f, &f.a);
    close_backend(&f);
}

#if defined(__linux__)
/* Packets end a read each, with more behind them. */
static void pipe_of_packets_loses_none(void) {
    backend_fixture f;
    int ends[2];
    char bytes[16];
    open_backend(&f, &pipe_kind);
    CHECK_INT(pipe2(ends, O_DIRECT), 0);
    attach(&f, &f.a, ends[0]);
    attach(&f, &f.b, ends[1]);
    send_text(&f, &f.b, "one");
    send_text(&f, &f.b, "two");
    settle(&f);
    fy_op read = fy_op_read(&f.a, bytes, sizeof bytes);
    perform(&f, &read, 0);
    CHECK_INT(read.count, 3);
    perform(&f, &read, 0);
    CHECK(memcmp(bytes, "two", 3) == 0);
    close_fixture(&f);
}
#endif

static void expect_broken_pipe(void) {
    backend_fixture f;
    open_fixture(&f, &pipe_kind);
    detach(&f, &f.a);
    fy_op write = fy_op_write(&f.b, "x", 1);
    perform(&f, &write, EPIPE);
    detach(&f, &f.b);
    close_backend(&f);
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number) {
    (void)number;
    sigpipes++;
}

static bool sigpipe_is(int (*ask)(sigset_t *set)) {
    sigset_t set;
    CHECK_INT(ask(&set), 0);
    return sigismember(&set, SIGPIPE) == 1;
}

static int ask_mask(sigset_t *set) {
    return sigprocmask(SIG_SETMASK, NULL, set);
}

static void broken_pipe_raises_no_signal(void) {
    expect_broken_pipe(); /* the default action would end the program */
    struct sigaction before, counting = {.sa_handler = count_sigpipe};
    CHECK_INT(sigaction(SIGPIPE, &counting, &before), 0);
    sigpipes = 0;
    expect_broken_pipe();
    CHECK(!sigpipe_is(sigpending));
    CHECK(!sigpipe_is(ask_mask));
    CHECK_INT(sigpipes, 0);
    CHECK_INT(sigaction(SIGPIPE, &before, NULL), 0);
}

static void broken_pipe_leaves_the_programs_own_sigpipe(void) {
    sigset_t sigpipe, mask;
    struct sigaction before, counting = {.sa_handler = count_sigpipe};
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    CHECK_INT(sigaction(SIGPIPE, &counting, &before), 0);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &sigpipe, &mask), 0);
    expect_broken_pipe();
    CHECK(!sigpipe_is(sigpending)); /* blocked, none pending: none is left behind */
    CHECK_INT(pthread_kill(pthread_self(), SIGPIPE), 0);
    expect_broken_pipe();
    CHECK(sigpipe_is(sigpending)); /* blocked, one pending: it is still there */
    CHECK(sigpipe_is(ask_mask));
    sigpipes = 0;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
    CHECK_INT(sigpipes, 1);
    CHECK_INT(sigaction(SIGPIPE, &before, NULL), 0);
}

/* ---- sockets ---- */

/* One direction ends, together with bytes, while the other goes on. */
static void half_closed(const backend_kind *kind) {
    backend_fixture f;
    char bytes[16];
    open_fixture(&f, kind);
    settle(&f);
    send_text(&f, &f.a, "question");
    CHECK_INT(shutdown(f.a.handle, SHUT_WR), 0);
    settle(&f);
    fy_op read = fy_op_read(&f.b, bytes, sizeof bytes);
    perform(&f, &read, 0);
    CHECK_INT(read.count, strlen("question"));
    perform(&f, &read, APR_EOF);
    send_text(&f, &f.b, "answer");
    expect_text(&f, &f.a, "answer");
    close_fixture(&f);
}

static void half_closed_stream_still_answers(void) {
    half_closed(&socketpair_kind);
    half_closed(&tcp_kind);
}

/* A read ends where urgent data stands, with bytes behind it that no later edge will announce. */
static void bytes_behind_urgent_data_are_read(void) {
    for (int reader_waits = 0; reader_waits <= 1; reader_waits++) {
        backend_fixture f;
        char bytes[16];
        open_fixture(&f, &tcp_kind);
        settle(&f);
        fy_op read = fy_op_read(&f.b, bytes, sizeof bytes);
        if (reader_waits)
            submit(&f, &read);
        CHECK_INT(send(f.a.handle, "before!", 7, MSG_OOB), 7);
        CHECK_INT(send(f.a.handle, "behind", 6, 0), 6);
        if (!reader_waits) {
            settle(&f);
            submit(&f, &read);
        }
        await_op(&f, &read, 0);
        CHECK(memcmp(bytes, "before", 6) == 0);
        CHECK_INT(read.count, 6);
        expect_text(&f, &f.b, "behind");
        close_fixture(&f);
    }
}

/* On a local socket a read ends behind bytes that carried a descriptor. */
static void bytes_behind_a_passed_descriptor_are_read(void) {
    backend_fixture f;
    char bytes[16];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec with = {.iov_base = "with", .iov_len = 4};
    struct msghdr message = {
        .msg_iov = &with, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    open_fixture(&f, &socketpair_kind);
    settle(&f);
    memcpy(CMSG_DATA(&control.header), &(int){STDERR_FILENO}, sizeof(int));
    CHECK_INT(sendmsg(f.a.handle, &message, 0), 4);
    CHECK_INT(send(f.a.handle, "behind", 6, 0), 6);
    settle(&f);
    fy_op read = fy_op_read(&f.b, bytes, sizeof bytes);
    perform(&f, &read, 0);
    CHECK_INT(read.count, 4);
    expect_text(&f, &f.b, "behind");
    close_fixture(&f);
}

/* ---- the wait handle ---- */

static bool is_readable(intptr_t handle) {
    struct pollfd poller = {.fd = (int)handle, .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

static void wait_handle_tells_of_bytes_and_wakes(void) {
    backend_fixture f;
    char byte;
    open_fixture(&f, &socketpair_kind);
    settle(&f);
    intptr_t handle = f.backend->wait_handle;
    CHECK(!is_readable(handle));
    wake(&f);
    CHECK(is_readable(handle));
    settle(&f);
    CHECK(!is_readable(handle));
    fy_op read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    send_text(&f, &f.a, "x");
    CHECK(is_readable(handle) || !fy_list_is_empty(&f.done));
    await_op(&f, &read, 0);
    settle(&f);
    CHECK(!is_readable(handle));
    close_fixture(&f);
}

/* What is final without the kernel's help is not in the handle: the list says it. */
static void finished_says_what_the_wait_handle_does_not(void) {
    backend_fixture f;
    open_fixture(&f, &socketpair_kind);
    settle(&f);
    fy_op write = fy_op_write(&f.a, "x", 1);
    CHECK(fy_list_is_empty(&f.backend->finished));
    submit(&f, &write);
    CHECK(!fy_list_is_empty(&f.backend->finished));
    await_op(&f, &write, 0);
    CHECK(fy_list_is_empty(&f.backend->finished));
    close_fixture(&f);
}

/* ---- descriptors ---- */

static void attach_makes_nonblocking(void) {
    backend_fixture f;
    open_fixture(&f, &socketpair_kind);
    CHECK(fcntl(f.a.handle, F_GETFL) & O_NONBLOCK);
    close_fixture(&f);
}

static void attach_refuses_what_cannot_be_waited_for(void) {
    backend_fixture f;
    open_fixture(&f, &socketpair_kind);
    int plain = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(plain >= 0);
    fy_file file = {.handle = plain};
    CHECK_STATUS(fy_reactor_class.attach(f.backend, &file), EPERM);
    CHECK(!(fcntl(plain, F_GETFL) & O_NONBLOCK)); /* still open, and as it was */
    CHECK_INT(close(plain), 0);
    CHECK_STATUS(fy_reactor_class.attach(f.backend, &file), EBADF);
    close_fixture(&f);
}

/* The duplicate keeps the open file alive in the kernel; nothing of it may reach the memory of the detached file. */
static void detached_file_is_forgotten_though_a_duplicate_lives(void) {
    backend_fixture f;
    char byte;
    open_fixture(&f, &socketpair_kind);
    int duplicate = dup(f.b.handle);
    CHECK(duplicate >= 0);
    detach(&f, &f.b);
    fy_op canary = fy_op_read(&f.b, &byte, 1);
    f.b.in_flight[FY_IN] = &canary;
    CHECK_INT(send(f.a.handle, "x", 1, 0), 1);
    settle(&f);
    CHECK_INT(recv(duplicate, &byte, 1, 0), 1);
    attach(&f, &f.b, duplicate);
    close_fixture(&f);
}

static void attach_refuses_a_descriptor_that_it_has(void) {
    backend_fixture f;
    open_fixture(&f, &socketpair_kind);
    for (int use = FY_FILE_OWNED; use <= FY_FILE_BORROWED; use++) {
        fy_file again = {.handle = f.a.handle, .use = (fy_file_use)use};
        CHECK_STATUS(fy_reactor_class.attach(f.backend, &again), EEXIST);
    }
    send_text(&f, &f.b, "mine");
    settle(&f);
    expect_text(&f, &f.a, "mine");
    close_fixture(&f);
}

static void borrowed_descriptor_keeps_its_modes(void) {
    backend_fixture f;
    int ends[2];
    open_backend(&f, &socketpair_kind);
    socketpair_make(f.backend, ends);
    attach_borrowed(&f, &f.a, ends[0]);
    CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
    detach(&f, &f.a);
    CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
    CHECK_INT(close(ends[0]), 0);
    attach(&f, &f.a, ends[1]);
    detach(&f, &f.a);
    close_backend(&f);
}

/* Its owner has closed it while a duplicate keeps the open file alive: nothing of it may reach the detached file. */
static void closed_borrowed_file_is_forgotten_though_a_duplicate_lives(void) {
    backend_fixture f;
    int ends[2];
    open_backend(&f, &socketpair_kind);
    socketpair_make(f.backend, ends);
    attach_borrowed(&f, &f.a, ends[0]);
    int duplicate = dup(ends[0]);
    CHECK(duplicate >= 0);
    CHECK_INT(close(ends[0]), 0);
    detach(&f, &f.a);
    fy_op canary = {.kind = FY_OP_POLL_IN, .file = &f.a};
    f.a.in_flight[FY_IN] = &canary;
    CHECK_INT(send(ends[1], "x", 1, 0), 1);
    settle(&f);
    CHECK_INT(close(duplicate), 0);
    CHECK_INT(close(ends[1]), 0);
    close_backend(&f);
}

static void closed_borrowed_descriptor_is_a_status(void) {
    backend_fixture f;
    int ends[2];
    open_backend(&f, &socketpair_kind);
    socketpair_make(f.backend, ends);
    attach_borrowed(&f, &f.a, ends[0]);
    CHECK_INT(close(ends[0]), 0);
    fy_op polling = {.kind = FY_OP_POLL_IN, .file = &f.a};
    submit(&f, &polling);
    await_end(&f, &polling, EBADF);
    detach(&f, &f.a);
    CHECK_INT(close(ends[1]), 0);
    close_backend(&f);
}

/* ---- processes ---- */

static void attach_refuses_a_process_that_is_gone(void) {
    backend_fixture f;
    backend_child child;
    open_backend(&f, &socketpair_kind);
    posix_start_child(f.backend, &child);
    posix_end_child(&child, 0);
    CHECK_INT(posix_reap_child(&child), 0);
    f.a = (fy_file){.use = FY_FILE_PROCESS, .process = child.process};
    CHECK_STATUS(fy_reactor_class.attach(f.backend, &f.a), ESRCH);
    close_backend(&f);
}

static void child_that_somebody_else_reaped_is_a_status(void) {
    backend_fixture f;
    backend_child child;
    open_backend(&f, &socketpair_kind);
    posix_start_child(f.backend, &child);
    f.a = (fy_file){.use = FY_FILE_PROCESS, .process = child.process};
    CHECK_STATUS(fy_reactor_class.attach(f.backend, &f.a), 0);
    fy_op op = {.kind = FY_OP_CHILD, .file = &f.a};
    submit(&f, &op);
    settle(&f);
    posix_end_child(&child, 5);
    CHECK_INT(posix_reap_child(&child), 5);
    await_end(&f, &op, ECHILD);
    detach(&f, &f.a);
    close_backend(&f);
}

/* ---- fork ---- */

static bool child_sees_a_foreign_backend(backend_fixture *f) {
    bool is_refused = fy_reactor_class.wait(f->backend, 0, &f->done) == FERRY_EFORKED;
    fy_reactor_class.wake(f->backend);
    detach(f, &f->a);
    detach(f, &f->b);
    fy_reactor_class.close(f->backend);
    return is_refused && fy_list_is_empty(&f->done);
}

static void let_a_child_end_its_copy(backend_fixture *f) {
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(child_sees_a_foreign_backend(f) ? EXIT_SUCCESS : EXIT_FAILURE);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
}

/* It forks twice: with a read waiting, and with an edge and an outcome that the parent has not seen yet. */
static void child_of_fork_changes_nothing_for_its_parent(void) {
    backend_fixture f;
    char byte;
    open_fixture(&f, &socketpair_kind);
    settle(&f);
    fy_op read = fy_op_read(&f.b, &byte, 1), write = fy_op_write(&f.a, "x", 1);
    submit(&f, &read);
    let_a_child_end_its_copy(&f);
    int64_t deadline_us = ferry_now() + CONTRACT_MOMENT_US;
    wait_until(&f, deadline_us);
    CHECK(ferry_now() >= deadline_us); /* the child's wake did not come through */
    submit(&f, &write);
    let_a_child_end_its_copy(&f);
    await_two(&f);
    CHECK_STATUS(read.status, 0);
    CHECK_STATUS(write.status, 0);
    send_text(&f, &f.a, "still");
    expect_text(&f, &f.b, "still");
    close_fixture(&f);
}

static const fy_test tests[] = {
    FY_TEST(pipe_carries_bytes_and_its_end),
#if defined(__linux__)
    FY_TEST(pipe_of_packets_loses_none),
#endif
    FY_TEST(broken_pipe_raises_no_signal),
    FY_TEST(broken_pipe_leaves_the_programs_own_sigpipe),
    FY_TEST(half_closed_stream_still_answers),
    FY_TEST(bytes_behind_urgent_data_are_read),
    FY_TEST(bytes_behind_a_passed_descriptor_are_read),
    FY_TEST(wait_handle_tells_of_bytes_and_wakes),
    FY_TEST(finished_says_what_the_wait_handle_does_not),
    FY_TEST(attach_makes_nonblocking),
    FY_TEST(attach_refuses_what_cannot_be_waited_for),
    FY_TEST(detached_file_is_forgotten_though_a_duplicate_lives),
    FY_TEST(attach_refuses_a_descriptor_that_it_has),
    FY_TEST(borrowed_descriptor_keeps_its_modes),
    FY_TEST(closed_borrowed_file_is_forgotten_though_a_duplicate_lives),
    FY_TEST(closed_borrowed_descriptor_is_a_status),
    FY_TEST(attach_refuses_a_process_that_is_gone),
    FY_TEST(child_that_somebody_else_reaped_is_a_status),
    FY_TEST(child_of_fork_changes_nothing_for_its_parent),
};

FY_TEST_MAIN("reactor", tests)
