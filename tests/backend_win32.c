/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of connected sockets and of overlapped named pipes, interruptions and children, for the tests of backends on
 * Windows. */
#include "backend_win32.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/threads.h"

enum { BUFFER_SIZE = 64 * 1024, INTERRUPT_EVERY_US = 1000, CONTRACT_WITHIN_MS = 10000 };

static void limit_buffers(SOCKET socket) {
    int size = BUFFER_SIZE;
    CHECK_INT(setsockopt(socket, SOL_SOCKET, SO_SNDBUF, (const char *)&size, sizeof size), 0);
    CHECK_INT(setsockopt(socket, SOL_SOCKET, SO_RCVBUF, (const char *)&size, sizeof size), 0);
}

static SOCKET new_socket(void) {
    SOCKET made = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    CHECK(made != INVALID_SOCKET);
    return made;
}

/* One for the whole program. */
static SOCKET listener(SOCKADDR_IN *ret_address) {
    static SOCKET listening = INVALID_SOCKET;
    int size = sizeof *ret_address;
    *ret_address = (SOCKADDR_IN){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (listening == INVALID_SOCKET) {
        listening = new_socket();
        limit_buffers(listening);
        CHECK_INT(bind(listening, (SOCKADDR *)ret_address, sizeof *ret_address), 0);
        CHECK_INT(listen(listening, 8), 0);
    }
    CHECK_INT(getsockname(listening, (SOCKADDR *)ret_address, &size), 0);
    return listening;
}

void tcp_make(fy_backend *backend, fy_handle ends[2]) {
    SOCKADDR_IN address;
    BOOL on = TRUE;
    SOCKET listening = listener(&address), made[2] = {new_socket()};
    (void)backend;
    limit_buffers(made[0]);
    CHECK_INT(connect(made[0], (SOCKADDR *)&address, sizeof address), 0);
    made[1] = accept(listening, NULL, NULL);
    CHECK(made[1] != INVALID_SOCKET);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(setsockopt(made[i], IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on), 0);
        ends[i] = (fy_handle)made[i];
    }
}

void pipe_make(fy_backend *backend, fy_handle ends[2]) {
    static unsigned number;
    wchar_t name[64];
    (void)backend;
    swprintf(name, sizeof name / sizeof name[0], L"\\\\.\\pipe\\ferry-test-%lu-%u", GetCurrentProcessId(), number++);
    HANDLE server = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, BUFFER_SIZE,
                                     BUFFER_SIZE, 0, NULL);
    CHECK(server != INVALID_HANDLE_VALUE);
    HANDLE client = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    CHECK(client != INVALID_HANDLE_VALUE);
    ends[0] = (fy_handle)server;
    ends[1] = (fy_handle)client;
}

/* ---- interruptions ---- */

static helper_thread interrupter;
static atomic_bool is_interrupting;

static void CALLBACK do_nothing(ULONG_PTR arg) {
    (void)arg;
}

static void interrupt_again_and_again(void *waiter) {
    while (atomic_load(&is_interrupting)) {
        ferry_thread_sleep(INTERRUPT_EVERY_US);
        QueueUserAPC(do_nothing, (HANDLE)waiter, 0);
    }
    CloseHandle((HANDLE)waiter);
}

void apc_start_interrupting(void) {
    HANDLE self = GetCurrentProcess(), waiter;
    CHECK(DuplicateHandle(self, GetCurrentThread(), self, &waiter, 0, FALSE, DUPLICATE_SAME_ACCESS));
    atomic_store(&is_interrupting, true);
    thread_start(&interrupter, interrupt_again_and_again, waiter);
}

void apc_stop_interrupting(void) {
    atomic_store(&is_interrupting, false);
    thread_join(&interrupter);
}

/* ---- children ---- */

static const char child_flag[] = "--child-that-waits";

void win32_child_main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], child_flag) == 0)
        ExitProcess((UINT)getchar());
}

/* The child's line is the end of a pipe to write its code to; it reads the other one as its standard input. */
void win32_start_child(fy_backend *backend, backend_child *ret_child) {
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE input, line;
    wchar_t program[MAX_PATH], command[2 * MAX_PATH];
    PROCESS_INFORMATION process;
    (void)backend;
    CHECK(CreatePipe(&input, &line, &inherited, 0));
    CHECK(SetHandleInformation(line, HANDLE_FLAG_INHERIT, 0));
    CHECK(GetModuleFileNameW(NULL, program, MAX_PATH) > 0);
    swprintf(command, sizeof command / sizeof command[0], L"\"%ls\" %hs", program, child_flag);
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = input};
    CHECK(CreateProcessW(program, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process));
    CloseHandle(input);
    CloseHandle(process.hThread);
    *ret_child = (backend_child){.process = (fy_process)process.hProcess, .line = (intptr_t)line};
}

void win32_end_child(backend_child *child, int code) {
    DWORD written;
    CHECK(WriteFile((HANDLE)child->line, &(unsigned char){(unsigned char)code}, 1, &written, NULL));
    CHECK_INT(WaitForSingleObject((HANDLE)child->process, CONTRACT_WITHIN_MS), WAIT_OBJECT_0);
    CloseHandle((HANDLE)child->line);
}

int win32_reap_child(backend_child *child) {
    DWORD code;
    CHECK(GetExitCodeProcess((HANDLE)child->process, &code));
    CloseHandle((HANDLE)child->process);
    return (int)code;
}
