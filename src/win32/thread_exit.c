/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of the process's exit, and of a thread's end: the callback of a fiber-local value runs after the thread's
 * function has returned, and after whoever wraps that function has let go. Thread-local variables still live then. */

#include <stdlib.h>

#include "seam/platform.h"
#include "win32/status.h"

static DWORD slot;
static ferry_status slot_status;

static void WINAPI run_call(void *value) {
    fy_exit_call *call = value;
    call->run(call->arg);
}

static BOOL CALLBACK make_slot(PINIT_ONCE once, void *arg, void **context) {
    (void)once;
    (void)arg;
    (void)context;
    slot = FlsAlloc(run_call);
    slot_status = slot == FLS_OUT_OF_INDEXES ? fy_last_status() : 0;
    return TRUE;
}

ferry_status fy_thread_at_exit(fy_exit_call *call) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, make_slot, NULL, NULL);
    if (slot_status)
        return slot_status;
    return FlsSetValue(slot, call) ? 0 : fy_last_status();
}

/* ---- the process ---- */

/* What a DLL registers by atexit is called when it is unloaded; at the exit of a process that is after the system has
 * ended all other threads. What is registered with the C library that the DLL shares with the program is called by the
 * program's exit(), before. The library must then never be unloaded. Where the program has another C library, the other
 * threads are gone, and so are their jobs. */
#if defined(_UCRT) || defined(_MSC_VER)
#define SHARED_LIBRARY L"ucrtbase.dll"
#define SHARED_CALL "_crt_atexit"
#else
#define SHARED_LIBRARY L"msvcrt.dll"
#define SHARED_CALL "_onexit"
#endif

typedef int(__cdecl *exit_call_of_program)(void);
typedef void *(__cdecl *register_call)(exit_call_of_program call);
typedef BOOLEAN(NTAPI *is_shutting_down)(void);

static void (*process_exit)(void);

/* Once the system has begun to take the process apart, nothing can be waited for. */
static bool others_are_gone(void) {
    HMODULE kernel = GetModuleHandleW(L"ntdll.dll");
    is_shutting_down ask = (is_shutting_down)(void (*)(void))GetProcAddress(kernel, "RtlDllShutdownInProgress");
    return ask && ask();
}

static int __cdecl run_process_exit(void) {
    if (!others_are_gone())
        process_exit();
    return 0;
}

static void run_at_unload(void) {
    (void)run_process_exit();
}

ferry_status fy_process_at_exit(void (*run)(void)) {
    HMODULE shared = GetModuleHandleW(SHARED_LIBRARY), own;
    FARPROC found = shared ? GetProcAddress(shared, SHARED_CALL) : NULL;
    register_call call = (register_call)(void (*)(void))found;
    process_exit = run;
    if (!call || !GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                                     (LPCWSTR)(void *)&process_exit, &own))
        return atexit(run_at_unload) ? APR_ENOMEM : 0;
    (void)call(run_process_exit); /* the answers differ, and memory for one more entry is not refused */
    return 0;
}
