/* SPDX-License-Identifier: Apache-2.0 */
/* Windows, and Wine, would ask somebody what to do with a program that crashed, let its children live on, and turn each
 * line end into two bytes. */
#include "support/system.h"

#include <winsock2.h>
#include <windows.h>
#include <tlhelp32.h>

#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ABORTED = 134 };

static LONG WINAPI end_crashed(EXCEPTION_POINTERS *what) {
    fprintf(stderr, "\ncrashed with %08lx\n", what->ExceptionRecord->ExceptionCode);
    TerminateProcess(GetCurrentProcess(), what->ExceptionRecord->ExceptionCode);
    return EXCEPTION_EXECUTE_HANDLER;
}

static void end_aborted(int number) {
    (void)number;
    TerminateProcess(GetCurrentProcess(), ABORTED);
}

/* The handle stays open: the job, and with it whatever is in it, ends when this process does. One that is in a job
 * already, its parent's, may be refused, and is ended with that. */
static void take_children_along(void) {
    HANDLE job = CreateJobObjectW(NULL, NULL);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (job && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit))
        (void)AssignProcessToJobObject(job, GetCurrentProcess());
}

void fy_system_prepare(void) {
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    SetUnhandledExceptionFilter(end_crashed);
    signal(SIGABRT, end_aborted);
    signal(SIGSEGV, SIG_DFL);
    take_children_along();
}

typedef HRESULT(WINAPI *get_description)(HANDLE thread, PWSTR *ret_description);

void fy_system_thread_name(char *ret_name, size_t size) {
    PWSTR wide;
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "GetThreadDescription");
    get_description get = (get_description)(void (*)(void))found;
    ret_name[0] = '\0';
    if (!get || get(GetCurrentThread(), &wide) < 0)
        return;
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, ret_name, (int)size, NULL, NULL);
    LocalFree(wide);
}

unsigned fy_system_thread_count(void) {
    THREADENTRY32 thread = {.dwSize = sizeof thread};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    unsigned count = 0;
    for (BOOL is_there = Thread32First(all, &thread); is_there; is_there = Thread32Next(all, &thread))
        count += thread.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return count;
}

/* Under Wine: there each start and each end of a thread is several calls to a server process. */
bool fy_system_threads_are_dear(void) {
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

static BOOL WINAPI is_interrupt(DWORD event) {
    return event == CTRL_C_EVENT;
}

/* Ctrl-C reaches whatever runs on a console, so it becomes one that only this process and its children have; the
 * standard handles stay, for they may be pipes and files. A handler is not inherited, as being deaf to Ctrl-C would be;
 * a process that is deaf by inheritance hears again. */
bool fy_system_begin_interrupts(void) {
    static const DWORD names[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    static bool begun;
    HANDLE handles[3];
    if (begun)
        return true;
    for (int i = 0; i < 3; i++)
        handles[i] = GetStdHandle(names[i]);
    FreeConsole();
    if (!AllocConsole())
        return false;
    for (int i = 0; i < 3; i++)
        SetStdHandle(names[i], handles[i]);
    begun = SetConsoleCtrlHandler(NULL, FALSE) && SetConsoleCtrlHandler(is_interrupt, TRUE);
    return begun;
}

bool fy_system_interrupt(long long process_id) {
    (void)process_id;
    return GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
}

bool fy_system_kill(long long process_id) {
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)process_id);
    bool is_ended = process && TerminateProcess(process, ABORTED);
    if (process)
        CloseHandle(process);
    return is_ended;
}

bool fy_system_has_children(void) {
    PROCESSENTRY32 process = {.dwSize = sizeof process};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    bool has_children = false;
    for (BOOL is_there = Process32First(all, &process); is_there; is_there = Process32Next(all, &process))
        has_children |= process.th32ParentProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return has_children;
}

unsigned fy_system_handle_count(void) {
    DWORD count = 0;
    return GetProcessHandleCount(GetCurrentProcess(), &count) ? count : 0;
}

static long long hundred_ns(FILETIME time) {
    return (long long)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
}

long long fy_system_cpu_us(void) {
    FILETIME began, ended, in_kernel, in_user;
    if (!GetProcessTimes(GetCurrentProcess(), &began, &ended, &in_kernel, &in_user))
        return 0;
    return (hundred_ns(in_kernel) + hundred_ns(in_user)) / 10;
}

unsigned fy_system_shared_memory_count(void) {
    return 0;
}

long long fy_system_process_id(void) {
    return (long long)GetCurrentProcessId();
}

bool fy_system_is_alive(long long process_id) {
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)process_id);
    bool is_alive = process && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    if (process)
        CloseHandle(process);
    return is_alive;
}

bool fy_system_has_signals(void) {
    return false;
}
