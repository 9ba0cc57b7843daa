/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a worker process, and ending it. It decides what a worker inherits: the handles on a list, and no others;
 * and that it ends when this process does, by a job that the system ends with it. It knows nothing of what is said over
 * the channel but the greeting.
 *
 * The handles on the list must be inheritable for as long as the start takes. A program that starts processes without a
 * list meanwhile, and lets them inherit, gives them these as well. */
#define _CRT_RAND_S /* declares rand_s, which asks the system for each number */
#include <stdlib.h>

#include "seam/process.h"

#include <string.h>
#include <wchar.h>

#include "win32/command.h"
#include "win32/notes.h"
#include "win32/status.h"
#include "win32/text.h"

enum { CHANNEL_NAME_SIZE = 80 };

/* What a worker inherits, as the first three. */
typedef enum worker_handle { WORKER_INPUT, WORKER_OUTPUT, WORKER_ERRORS, WORKER_HANDLES } worker_handle;

typedef struct start {
    HANDLE channel; /* the parent's end */
    HANDLE handles[WORKER_HANDLES]; /* or NULL */
    wchar_t *program, *line;
    const void *environment;
    PROCESS_INFORMATION process;
} start;

/* ---- the channel ---- */

/* Nobody can guess it, and so nobody else is connected. */
static ferry_status invent_name(wchar_t name[CHANNEL_NAME_SIZE]) {
    unsigned random[4];
    for (int i = 0; i < 4; i++)
        if (rand_s(&random[i]) != 0)
            return fy_status_of(ERROR_GEN_FAILURE);
    swprintf(name, CHANNEL_NAME_SIZE, L"\\\\.\\pipe\\ferry-%lu-%08x%08x%08x%08x", GetCurrentProcessId(), random[0],
             random[1], random[2], random[3]);
    return 0;
}

static ferry_status open_channel(start *self) {
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    wchar_t name[CHANNEL_NAME_SIZE];
    ferry_status status = invent_name(name);
    if (status)
        return status;
    HANDLE end = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                  PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                                  FY_CHANNEL_SIZE, FY_CHANNEL_SIZE, 0, NULL);
    if (end == INVALID_HANDLE_VALUE)
        return fy_last_status();
    self->channel = end;
    end = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, &inherited, OPEN_EXISTING,
                      FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
    if (end == INVALID_HANDLE_VALUE)
        return fy_last_status();
    self->handles[WORKER_INPUT] = end;
    return 0;
}

/* ---- what the worker inherits ---- */

/* Where this process has no stdout, or a closed one, the worker has none. */
static void copy_standard(start *self, worker_handle which, DWORD name) {
    HANDLE process = GetCurrentProcess(), mine = GetStdHandle(name), copy;
    if (mine && mine != INVALID_HANDLE_VALUE
        && DuplicateHandle(process, mine, process, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
        self->handles[which] = copy;
}

static DWORD list_handles(const start *self, HANDLE list[WORKER_HANDLES]) {
    DWORD count = 0;
    for (int i = 0; i < WORKER_HANDLES; i++)
        if (self->handles[i])
            list[count++] = self->handles[i];
    return count;
}

static ferry_status create_suspended(start *self, LPPROC_THREAD_ATTRIBUTE_LIST attributes) {
    STARTUPINFOEXW startup = {
        .StartupInfo = {.cb = sizeof startup,
                        .dwFlags = STARTF_USESTDHANDLES,
                        .hStdInput = self->handles[WORKER_INPUT],
                        .hStdOutput = self->handles[WORKER_OUTPUT],
                        .hStdError = self->handles[WORKER_ERRORS]},
        .lpAttributeList = attributes,
    };
    DWORD flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    void *environment = (void *)(uintptr_t)self->environment;
    return CreateProcessW(self->program, self->line, NULL, NULL, TRUE, flags, environment, NULL, &startup.StartupInfo,
                          &self->process) ? 0 : fy_last_status();
}

static ferry_status create_with_list(start *self) {
    HANDLE list[WORKER_HANDLES];
    SIZE_T size = 0;
    DWORD count = list_handles(self, list);
    (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = malloc(size);
    if (!attributes)
        return APR_ENOMEM;
    if (!InitializeProcThreadAttributeList(attributes, 1, 0, &size)) {
        ferry_status refused = fy_last_status();
        free(attributes);
        return refused;
    }
    ferry_status status;
    if (UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list, count * sizeof list[0],
                                  NULL, NULL))
        status = create_suspended(self, attributes);
    else
        status = fy_last_status();
    DeleteProcThreadAttributeList(attributes);
    free(attributes);
    return status;
}

/* ---- ends with its parent ---- */

static HANDLE job; /* open for as long as this process lives; NULL: the system gives none */

/* What a worker starts by itself is not in the job. */
static BOOL CALLBACK open_job(INIT_ONCE *once, void *arg, void **ret_context) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    (void)once, (void)arg, (void)ret_context;
    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    job = CreateJobObjectW(NULL, NULL);
    if (job && !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit)) {
        CloseHandle(job);
        job = NULL;
    }
    return TRUE;
}

/* A system that refuses leaves it to the worker to see its parent gone. */
static void tie_to_this_process(HANDLE process) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, open_job, NULL, NULL);
    if (job)
        (void)AssignProcessToJobObject(job, process);
}

static ferry_status greet(const start *self) {
    HANDLE process = GetCurrentProcess(), theirs;
    if (!DuplicateHandle(process, process, self->process.hProcess, &theirs, SYNCHRONIZE, FALSE, 0))
        return fy_last_status();
    fy_greeting greeting = {.parent = (int64_t)(intptr_t)theirs};
    return fy_notes_write(self->channel, &greeting, sizeof greeting);
}

/* ---- life ---- */

static ferry_status prepare(start *self, const char *program, const char *const *argv) {
    ferry_status status = fy_text_widen(program, &self->program);
    if (!status)
        status = fy_command_line(argv, &self->line);
    if (!status)
        status = open_channel(self);
    return status;
}

static ferry_status launch(start *self) {
    copy_standard(self, WORKER_OUTPUT, STD_OUTPUT_HANDLE);
    copy_standard(self, WORKER_ERRORS, STD_ERROR_HANDLE);
    ferry_status status = create_with_list(self);
    if (status)
        return status;
    tie_to_this_process(self->process.hProcess);
    status = greet(self);
    if (!status && ResumeThread(self->process.hThread) == (DWORD)-1)
        status = fy_last_status();
    if (status) {
        (void)TerminateProcess(self->process.hProcess, FY_KILLED_CODE);
        CloseHandle(self->process.hProcess);
    }
    CloseHandle(self->process.hThread);
    return status;
}

static void clean_up(start *self) {
    for (int i = 0; i < WORKER_HANDLES; i++)
        if (self->handles[i])
            CloseHandle(self->handles[i]);
    free(self->program);
    free(self->line);
}

ferry_status fy_child_start(const char *program, const char *const *argv, const void *environment,
                            fy_child *ret_child) {
    start self = {.environment = environment};
    ferry_status status = prepare(&self, program, argv);
    if (!status)
        status = launch(&self);
    clean_up(&self);
    if (status && self.channel)
        CloseHandle(self.channel);
    if (!status)
        *ret_child = (fy_child){.process = (fy_process)self.process.hProcess,
                                .channel = (fy_handle)self.channel,
                                .pid = self.process.dwProcessId};
    return status;
}

void fy_child_kill(const fy_child *child, bool by_force) {
    (void)by_force;
    (void)TerminateProcess((HANDLE)child->process, FY_KILLED_CODE);
}

void fy_child_abandon(fy_child *child) {
    CloseHandle((HANDLE)child->channel);
    (void)TerminateProcess((HANDLE)child->process, FY_KILLED_CODE);
    WaitForSingleObject((HANDLE)child->process, INFINITE);
    CloseHandle((HANDLE)child->process);
}

void fy_child_fini(fy_child *child) {
    CloseHandle((HANDLE)child->process);
}

/* ExitProcess would have DLLs, and so C libraries, take their leave. */
_Noreturn void fy_process_end(int code) {
    for (;;)
        (void)TerminateProcess(GetCurrentProcess(), (UINT)code);
}
