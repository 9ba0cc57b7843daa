/* SPDX-License-Identifier: Apache-2.0 */
/* epoll against the contract, on two kinds of stream, and what is epoll's alone: a wait that fails. */
#include <errno.h>
#include <unistd.h>

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
    CHECK(fy_op_list_pop(&f.done) == &write);
    CHECK_INT(dup2(saved, epoll_fd), epoll_fd);
    CHECK_INT(close(saved), 0);
    expect_text(&f, &f.b, "x");
    close_fixture(&f);
}

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(socketpair)
    BACKEND_CONTRACT_ROWS(tcp)
    BACKEND_CONTRACT_NET_ROWS(tcp)
    FY_TEST(backend_is_called_epoll),
    FY_TEST(failing_wait_is_a_status_and_still_delivers),
};

FY_TEST_MAIN("backend_epoll", tests)
