/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts are fibers: the system knows their stacks, guards them, and unwinds exceptions on them. What the C++ runtime
 * of MinGW keeps for a thread, and must be each stack's own, is changed with them: of one that is a DLL, or that the
 * program has named. So are the modes of floating point: the system keeps them for a fiber that asks for it, but not
 * all of those that a compiler uses, nor everywhere; and a fiber that begins anew shall not have its own. */
#include "seam/context.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <windows.h>

#include "base/alloc.h"

/* The headers of mingw-w64 read the thread's block by an address that its compiler takes for a mistake. */
#ifdef __MINGW32__
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif

/* Which exceptions are being handled, how many are under way. The layout is the ABI's. */
typedef struct exceptions {
    void *caught;
    unsigned uncaught;
} exceptions;

/* ---- the modes of floating point ---- */

#if defined(__GNUC__) && defined(__x86_64__)
typedef struct modes {
    uint32_t sse;
    uint16_t x87;
} modes;

static modes read_modes(void) {
    enum { MODES = 0xffc0 }; /* the rest tells what has happened */
    modes now;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(now.sse), "=m"(now.x87));
    now.sse &= MODES;
    return now;
}

/* To load them takes much longer than to look. */
static void load_modes(const modes *wanted) {
    modes now = read_modes();
    if (now.sse != wanted->sse || now.x87 != wanted->x87)
        __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(wanted->sse), "m"(wanted->x87));
}
#else
#include <fenv.h>
typedef fenv_t modes;

static modes read_modes(void) {
    modes now;
    (void)fegetenv(&now); /* cannot fail where there are any */
    return now;
}

static void load_modes(const modes *wanted) {
    (void)fesetenv(wanted);
}
#endif

/* ---- */

static _Atomic(fy_exceptions_getter *) exceptions_of_thread; /* or NULL */

typedef struct context {
    fy_context base;
    void *fiber;
    exceptions exceptions;
    fy_context_entry *entry;
    modes modes;    /* with which it goes on */
    bool was_fiber; /* a thread's own: before it was opened */
} context;

static _Thread_local context own;

void fy_context_use_exceptions(fy_exceptions_getter *getter) {
    atomic_store(&exceptions_of_thread, getter);
}

static void find_exceptions(void) {
    HMODULE runtime = GetModuleHandleA("libstdc++-6.dll");
    FARPROC found = runtime ? GetProcAddress(runtime, "__cxa_get_globals") : NULL;
    fy_exceptions_getter *getter;
    memcpy(&getter, &found, sizeof getter);
    fy_context_use_exceptions(getter);
}

ferry_status fy_context_open_own(fy_context **ret_context) {
    if (!atomic_load_explicit(&exceptions_of_thread, memory_order_relaxed))
        find_exceptions();
    own = (context){.was_fiber = IsThreadAFiber()};
    own.fiber = own.was_fiber ? GetCurrentFiber() : ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH);
    if (!own.fiber)
        return ENOMEM;
    *ret_context = &own.base;
    return 0;
}

void fy_context_close_own(fy_context *context_of_thread) {
    (void)context_of_thread;
    if (!own.was_fiber)
        ConvertFiberToThread();
}

/* A stack that is used up keeps so much for whoever tells of it. */
static void CALLBACK begin(void *arg) {
    context *self = arg;
    ULONG kept = FY_STACK_MIN_BYTES / 2;
    (void)SetThreadStackGuarantee(&kept); /* refused: an overflow ends the program without a word */
    load_modes(&self->modes);
    self->entry(&self->base);
}

ferry_status fy_context_create(size_t stack_size, fy_context_entry *entry, fy_context **ret_context) {
    if (stack_size > SIZE_MAX / 2)
        return ENOMEM;
    if (stack_size < FY_STACK_MIN_BYTES)
        stack_size = FY_STACK_MIN_BYTES;
    context *self = fy_malloc(sizeof *self);
    if (!self)
        return ENOMEM;
    *self = (context){.base = {.stack_size = stack_size}, .entry = entry, .modes = read_modes()};
    self->fiber = CreateFiberEx(FY_STACK_MIN_BYTES / 2, stack_size, FIBER_FLAG_FLOAT_SWITCH, begin, self);
    if (!self->fiber) {
        fy_free(self);
        return ENOMEM;
    }
    *ret_context = &self->base;
    return 0;
}

void fy_context_destroy(fy_context *base) {
    context *self = (context *)(void *)base;
    DeleteFiber(self->fiber);
    fy_free(self);
}

void fy_context_switch(fy_context *from_base, fy_context *to_base) {
    context *from = (context *)(void *)from_base;
    context *to = (context *)(void *)to_base;
    fy_exceptions_getter *getter = atomic_load_explicit(&exceptions_of_thread, memory_order_relaxed);
    if (getter) {
        exceptions *current = getter();
        from->exceptions = *current;
        *current = to->exceptions;
    }
    from->modes = read_modes();
    SwitchToFiber(to->fiber);
    load_modes(&from->modes);
}

void fy_context_switch_begin(fy_context *from, fy_context *to_base) {
    ((context *)(void *)to_base)->modes = read_modes();
    fy_context_switch(from, to_base);
}

void fy_context_switch_alike(fy_context *from, fy_context *to) {
    fy_context_switch(from, to);
}

/* Where a fiber's stack has stopped is the system's affair. */
void fy_context_fetch(const fy_context *base) {
    (void)base;
}

/* The system moves a fiber's guard down as its stack grows, and never up again. */
void fy_context_trim(fy_context *base, size_t keep_bytes) {
    (void)base;
    (void)keep_bytes;
}

size_t fy_context_touched(const fy_context *base) {
    (void)base;
    return 0;
}

/* ---- the end of a stack ---- */

static _Atomic(fy_context_current *) current_context;
static _Atomic(fy_context_describe *) describe_context;

/* There is little stack left, so the words have a place of their own. Afterwards what happens is up to the system. */
static LONG CALLBACK on_exception(EXCEPTION_POINTERS *info) {
    static char message[512] = "ferry: stack overflow in ";
    static const size_t length = sizeof "ferry: stack overflow in " - 1;
    if (info->ExceptionRecord->ExceptionCode != EXCEPTION_STACK_OVERFLOW)
        return EXCEPTION_CONTINUE_SEARCH;
    const fy_context *self = atomic_load(&current_context)();
    if (self) {
        atomic_load(&describe_context)(self, message + length, sizeof message - length - 1);
        size_t end = strlen(message);
        message[end] = '\n';
        DWORD written;
        WriteFile(GetStdHandle(STD_ERROR_HANDLE), message, (DWORD)end + 1, &written, NULL);
    }
    return EXCEPTION_CONTINUE_SEARCH;
}

void fy_context_name_overflows(fy_context_current *current, fy_context_describe *describe) {
    atomic_store(&current_context, current);
    if (!atomic_exchange(&describe_context, describe))
        AddVectoredExceptionHandler(1, on_exception);
}
