/* SPDX-License-Identifier: Apache-2.0 */
/* epoll against the contract, on two kinds of stream, and what is epoll's alone: a wait that fails, and a kernel that
 * gives no timers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "backend_fixture.h"
#include "backend_posix.h"
#include "posix/reactor.h"

static const backend_kind socketpair_kind = POSIX_KIND(&fy_reactor_class, socketpair_make);
static const backend_kind tcp_kind = POSIX_KIND(&fy_reactor_class, tcp_make);

BACKEND_CONTRACT_SUITE(socketpair)
BACKEND_CONTRACT_SUITE(tcp)
BACKEND_CONTRACT_NET_SUITE(tcp)

static void backend_is_called_epoll(void) {
    CHECK_STRING(fy_reactor_class.name, "epoll");
}

/* ---- kernels that fail or refuse ---- */

/* For a moment another file stands in the place of the epoll descriptor. */
static void failing_wait_is_a_status_and_still_delivers(void) {
    backend_fixture f;
    open_fixture(&f, &socketpair_kind);
    settle(&f);
    fy_op write = fy_op_write(&f.a, "x", 1);
    submit(&f, &write);
    int epoll_fd = (int)f.backend->wait_handle, saved = dup(epoll_fd);
    CHECK(saved >= 0);
    CHECK_INT(dup2(f.a.handle, epoll_fd), epoll_fd);
    CHECK_STATUS(fy_reactor_class.wait(f.backend, FERRY_FOREVER, &f.done), EINVAL);
    CHECK(fy_op_take(&f.done) == &write);
    CHECK_INT(dup2(saved, epoll_fd), epoll_fd);
    CHECK_INT(close(saved), 0);
    expect_text(&f, &f.b, "x");
    close_fixture(&f);
}

/* Makes the kernel deny that it knows timer descriptors, for the rest of this process's life and over exec. */
static bool deny_timers(int error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_timerfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0
           && syscall(SYS_timerfd_create, -1, 0) == -1 && errno == error;
}

/* Runs one test of this program on a kernel that denies the call, and returns how it exited. */
static int run_without_timers(int error, const char *test) {
    char *arguments[] = {"test_backend_epoll", (char *)(uintptr_t)test, NULL};
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 && deny_timers(error))
            execv("/proc/self/exe", arguments);
        _exit(EXIT_FAILURE);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void kernel_without_timers_keeps_the_contract(void) {
    static const int errors[] = {ENOSYS, EPERM, EMFILE};
    static const char *const tests[] = {
        "socketpair_deadline_is_kept_and_never_early", "socketpair_read_waits_for_a_later_write",
        "socketpair_wake_works_again_and_again",       "socketpair_interrupted_wait_returns_and_loses_nothing",
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        for (size_t j = 0; j < sizeof tests / sizeof tests[0]; j++)
            CHECK_INT(run_without_timers(errors[i], tests[j]), 0);
}

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(socketpair)
    BACKEND_CONTRACT_ROWS(tcp)
    BACKEND_CONTRACT_NET_ROWS(tcp)
    FY_TEST(backend_is_called_epoll),
    FY_TEST(failing_wait_is_a_status_and_still_delivers),
    FY_TEST(kernel_without_timers_keeps_the_contract),
};

FY_TEST_MAIN("backend_epoll", tests)
