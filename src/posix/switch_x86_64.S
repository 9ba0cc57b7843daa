/* SPDX-License-Identifier: Apache-2.0 */
/* The switch for x86-64 in the System V convention. A stack that stands still has on its top, from low to high: the
 * floating point modes (MXCSR, x87), r15, r14, r13, r12, rbx, rbp, and where to go on. */
#include "posix/switch.h"

#ifdef FY_SWITCH_X86_64
    .text

/* The part of MXCSR that outlives a call; the rest are flags of what has happened, and any function may change them. */
#define MXCSR_MODES 0xffc0

/* The processor predicts where a return goes from the calls that it has seen last, which are those of the other stack.
 * If the two are alike, that is right, for this return and for those that follow; if not, going on is a jump, which is
 * predicted by what it did before. Modes are loaded only where they differ: to load others takes ten times as long as
 * all the rest. */
FUNCTION(fy_switch_jump)
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movl (%rsp), %eax
    movzwl 4(%rsp), %ecx
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    xorl (%rsp), %eax
    testl $MXCSR_MODES, %eax
    jnz 2f
    cmpw %cx, 4(%rsp)
    jne 2f
1:
    .cfi_remember_state
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    testb $FY_SWITCH_ALIKE, %dl
    jz 3f
    retq
3:
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
2:
    .cfi_restore_state
    testb $FY_SWITCH_BEGIN, %dl
    jnz 1b
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    jmp 1b
    .cfi_endproc
FUNCTION_END(fy_switch_jump)

/* The outermost frame of a stack: whoever walks it ends here. The function is in rbx, its argument in r12. */
FUNCTION(fy_switch_begin)
    .cfi_startproc
    .cfi_undefined %rip
    movq %r12, %rdi
    callq *%rbx
    ud2
    .cfi_endproc
FUNCTION_END(fy_switch_begin)

FUNCTION(fy_switch_prepare)
    .cfi_startproc
    andq $-16, %rdi
    leaq -64(%rdi), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    xorl %ecx, %ecx
    movq %rcx, 8(%rax)
    movq %rcx, 16(%rax)
    movq %rcx, 24(%rax)
    movq %rdx, 32(%rax)
    movq %rsi, 40(%rax)
    movq %rcx, 48(%rax)
    leaq SYMBOL(fy_switch_begin)(%rip), %rcx
    movq %rcx, 56(%rax)
    retq
    .cfi_endproc
FUNCTION_END(fy_switch_prepare)
#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
