/* SPDX-License-Identifier: Apache-2.0 */
/* The completion port against the contract, on sockets and on pipes, and what is the port's alone. */
#include <errno.h>

#include "backend_fixture.h"
#include "backend_win32.h"
#include "win32/iocp.h"

static const backend_kind tcp_kind = WIN32_KIND(&fy_iocp_class, tcp_make);
static const backend_kind pipe_kind = WIN32_KIND(&fy_iocp_class, pipe_make);

BACKEND_CONTRACT_SUITE(tcp)
BACKEND_CONTRACT_NET_SUITE(tcp)
BACKEND_CONTRACT_SUITE(pipe)

static void backend_is_called_iocp(void) {
    CHECK_STRING(fy_iocp_class.name, "iocp");
}

/* No plain read takes it; with SO_OOBINLINE it is one of the bytes. */
static void urgent_data_is_no_readiness(void) {
    for (BOOL is_inline = FALSE; is_inline <= TRUE; is_inline++) {
        backend_fixture f;
        char bytes[4];
        open_fixture(&f, &tcp_kind);
        CHECK_INT(setsockopt((SOCKET)f.b.handle, SOL_SOCKET, SO_OOBINLINE, (char *)&is_inline, sizeof is_inline), 0);
        fy_op polling = {.kind = FY_OP_POLL_IN, .file = &f.b};
        submit(&f, &polling);
        expect_nothing(&f);
        CHECK_INT(send((SOCKET)f.a.handle, "!", 1, MSG_OOB), 1);
        if (!is_inline) {
            expect_nothing(&f);
            CHECK_INT(send((SOCKET)f.a.handle, "x", 1, 0), 1);
        }
        await_end(&f, &polling, 0);
        fy_op reading = fy_op_read(&f.b, bytes, sizeof bytes);
        submit(&f, &reading);
        await_op(&f, &reading, 0);
        CHECK_INT(reading.count, 1);
        CHECK_INT(bytes[0], is_inline ? '!' : 'x');
        close_fixture(&f);
    }
}

static void socket_without_overlapped_calls_is_refused(void) {
    backend_fixture f;
    open_backend(&f, &tcp_kind);
    SOCKET plain = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, 0);
    CHECK(plain != INVALID_SOCKET);
    fy_file file = {.handle = (fy_handle)plain, .use = FY_FILE_OWNED};
    CHECK_STATUS(fy_iocp_class.attach(f.backend, &file), EPERM);
    CHECK_INT(closesocket(plain), 0);
    SOCKET good = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    fy_file first, again = {.handle = (fy_handle)good, .use = FY_FILE_OWNED};
    attach(&f, &first, (fy_handle)good);
    CHECK_STATUS(fy_iocp_class.attach(f.backend, &again), EEXIST);
    detach(&f, &first);
    close_backend(&f);
}

static const fy_test tests[] = {
    BACKEND_CONTRACT_ROWS(tcp)
    BACKEND_CONTRACT_NET_ROWS(tcp)
    BACKEND_CONTRACT_ROWS(pipe)
    FY_TEST(backend_is_called_iocp),
    FY_TEST(urgent_data_is_no_readiness),
    FY_TEST(socket_without_overlapped_calls_is_refused),
};

int main(int argc, char **argv) {
    win32_child_main(argc, argv);
    return fy_test_main("backend_iocp", tests, sizeof tests / sizeof tests[0], FY_TEST_DEADLINE_S, argc, argv);
}
