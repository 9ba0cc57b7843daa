/* SPDX-License-Identifier: Apache-2.0 */
/* kqueue against the contract, on two kinds of stream. */
#include "backend_fixture.h"
#include "backend_posix.h"
#include "posix/reactor.h"

static const backend_kind socketpair_kind = POSIX_KIND(&fy_reactor_class, socketpair_make);
static const backend_kind tcp_kind = POSIX_KIND(&fy_reactor_class, tcp_make);

BACKEND_CONTRACT_SUITE(socketpair)
BACKEND_CONTRACT_SUITE(tcp)
BACKEND_CONTRACT_NET_SUITE(tcp)

static void backend_is_called_kqueue(void) {
    CHECK_STRING(fy_reactor_class.name, "kqueue");
}

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(socketpair)
    BACKEND_CONTRACT_ROWS(tcp)
    BACKEND_CONTRACT_NET_ROWS(tcp)
    FY_TEST(backend_is_called_kqueue),
};

FY_TEST_MAIN("backend_kqueue", tests)
