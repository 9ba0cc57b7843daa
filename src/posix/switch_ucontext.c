/* SPDX-License-Identifier: Apache-2.0 */
/* The switch for every other processor: by ucontext, which is portable and asks the kernel about signals each time. */
#include "posix/switch.h"

#ifdef FY_SWITCH_UCONTEXT
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* What makecontext may hand on is ints. */
enum { HALF = 32 };

static uint64_t join(unsigned high, unsigned low) {
    return (uint64_t)high << HALF | low;
}

static void begin(unsigned function_high, unsigned function_low, unsigned arg_high, unsigned arg_low) {
    void (*function)(void *) = (void (*)(void *))(uintptr_t)join(function_high, function_low);
    function((void *)(uintptr_t)join(arg_high, arg_low));
}

/* The context itself lies at the end of its stack. How large that is does not matter to it: it never ends. */
void *fy_switch_prepare(void *top, void (*function)(void *arg), void *arg) {
    enum { ALIGN = 64, SOME_STACK = 8192 };
    uintptr_t place = ((uintptr_t)top - sizeof(ucontext_t)) & ~(uintptr_t)(ALIGN - 1);
    ucontext_t *context = (ucontext_t *)place;
    (void)getcontext(context);
    context->uc_stack.ss_sp = (void *)(place - SOME_STACK);
    context->uc_stack.ss_size = SOME_STACK;
    context->uc_link = NULL;
    uint64_t where = (uint64_t)(uintptr_t)function, what = (uint64_t)(uintptr_t)arg;
    makecontext(context, (void (*)(void))begin, 4, (unsigned)(where >> HALF), (unsigned)where,
                (unsigned)(what >> HALF), (unsigned)what);
    return context;
}

void fy_switch_jump(void **ret_stopped, void *to, int how) {
    (void)how;
    ucontext_t here;
    *ret_stopped = &here;
    (void)swapcontext(&here, to);
}
#else
/* An empty file is no C. */
typedef int fy_switch_is_in_assembly;
#endif
