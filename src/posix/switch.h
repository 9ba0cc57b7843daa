/* SPDX-License-Identifier: Apache-2.0 */
/* Going from one stack to another, for each processor in its own assembly (switch_x86_64.S, switch_aarch64.S), and for
 * all others by ucontext (switch_ucontext.c), which makes a system call. FY_SWITCH_UCONTEXT asks for the latter. */
#ifndef FERRY_POSIX_SWITCH_H
#define FERRY_POSIX_SWITCH_H

#if defined(FY_SWITCH_UCONTEXT)
#elif defined(__x86_64__) && !defined(__ILP32__)
#define FY_SWITCH_X86_64 1
#elif defined(__aarch64__) && !defined(__ILP32__)
#define FY_SWITCH_AARCH64 1
#else
#define FY_SWITCH_UCONTEXT 1
#endif

/* How a jump is made; 0: neither. */
#define FY_SWITCH_ALIKE 1 /* the other stack has stopped in the same calls */
#define FY_SWITCH_BEGIN 2 /* the other stack goes on in the modes of floating point of this one */

#ifdef __ASSEMBLER__
#ifdef __APPLE__
#define SYMBOL(name) _##name
#ifdef __aarch64__
/* Apple's assembler for ARM takes a semicolon for the beginning of a comment. */
#define FUNCTION(name) .globl SYMBOL(name) %% .private_extern SYMBOL(name) %% .p2align 4 %% SYMBOL(name):
#else
#define FUNCTION(name) .globl SYMBOL(name); .private_extern SYMBOL(name); .p2align 4; SYMBOL(name):
#endif
#define FUNCTION_END(name)
#else
#define SYMBOL(name) name
#define FUNCTION(name) .globl name; .hidden name; .type name, %function; .p2align 4; name:
#define FUNCTION_END(name) .size name, . - name
#endif
#else
/* Lays on the stack that ends at `top` what the first jump to it needs in order to call function(arg), which must not
 * return. Returns what that jump is given. */
void *fy_switch_prepare(void *top, void (*function)(void *arg), void *arg);

/* Stops here, leaves in *ret_stopped what a jump back needs, and goes on at `to`. What a called function may change of
 * the processor's state is lost; the modes of floating point are each stack's own, except that ucontext does not know
 * FY_SWITCH_BEGIN. */
void fy_switch_jump(void **ret_stopped, void *to, int how);

#endif
#endif
