/* SPDX-License-Identifier: Apache-2.0 */
/* The completion port against the contract, on sockets and on pipes, and what is the port's alone. */
#include "backend_fixture.h"
#include "backend_win32.h"
#include "win32/iocp.h"

static const backend_kind tcp_kind = {
    .class = &fy_iocp_class,
    .has_threads = true,
    .make_pair = tcp_make,
    .start_interrupting = apc_start_interrupting,
    .stop_interrupting = apc_stop_interrupting,
};

static const backend_kind pipe_kind = {
    .class = &fy_iocp_class,
    .has_threads = true,
    .make_pair = pipe_make,
    .start_interrupting = apc_start_interrupting,
    .stop_interrupting = apc_stop_interrupting,
};

BACKEND_CONTRACT_SUITE(tcp)
BACKEND_CONTRACT_SUITE(pipe)

static void backend_is_called_iocp(void) {
    CHECK_STRING(fy_iocp_class.name, "iocp");
}

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(tcp)
    BACKEND_CONTRACT_ROWS(pipe)
    FY_TEST(backend_is_called_iocp),
};

FY_TEST_MAIN("backend_iocp", tests)
