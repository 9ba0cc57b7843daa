/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of a thread's end: the callback of a fiber-local value runs after the thread's function has returned, and
 * after whoever wraps that function has let go. Thread-local variables still live then. */

#include "base/alloc.h"
#include "seam/platform.h"
#include "win32/status.h"

typedef struct exit_call {
    void (*run)(void *arg);
    void *arg;
} exit_call;

static DWORD slot;
static ferry_status slot_status;

/* On the heap, for the variables of a thread that is made by another C library may end before. */
static void WINAPI run_call(void *value) {
    exit_call copy = *(exit_call *)value;
    fy_free(value);
    copy.run(copy.arg);
}

static BOOL CALLBACK make_slot(PINIT_ONCE once, void *arg, void **context) {
    (void)once;
    (void)arg;
    (void)context;
    slot = FlsAlloc(run_call);
    slot_status = slot == FLS_OUT_OF_INDEXES ? fy_last_status() : 0;
    return TRUE;
}

ferry_status fy_thread_at_exit(void (*run)(void *arg), void *arg) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, make_slot, NULL, NULL);
    if (slot_status)
        return slot_status;
    exit_call *call = fy_malloc(sizeof *call);
    if (!call)
        return APR_ENOMEM;
    *call = (exit_call){run, arg};
    if (FlsSetValue(slot, call))
        return 0;
    ferry_status status = fy_last_status();
    fy_free(call);
    return status;
}
