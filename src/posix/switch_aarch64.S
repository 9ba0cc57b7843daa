/* SPDX-License-Identifier: Apache-2.0 */
/* The switch for 64-bit ARM. A stack that stands still has on its top, from low to high: d8 to d15, x19 to x28, the
 * frame pointer, where to go on, and the floating point modes (FPCR), which are loaded only where they differ. */
#include "posix/switch.h"

#ifdef FY_SWITCH_AARCH64
    .text

/* Alike or not, it returns. */
FUNCTION(fy_switch_jump)
    .cfi_startproc
    sub sp, sp, #176
    .cfi_adjust_cfa_offset 176
    mrs x10, fpcr
    stp d8, d9, [sp, #0]
    stp d10, d11, [sp, #16]
    stp d12, d13, [sp, #32]
    stp d14, d15, [sp, #48]
    stp x19, x20, [sp, #64]
    stp x21, x22, [sp, #80]
    stp x23, x24, [sp, #96]
    stp x25, x26, [sp, #112]
    stp x27, x28, [sp, #128]
    stp x29, x30, [sp, #144]
    str x10, [sp, #160]
    .cfi_rel_offset x19, 64
    .cfi_rel_offset x20, 72
    .cfi_rel_offset x21, 80
    .cfi_rel_offset x22, 88
    .cfi_rel_offset x23, 96
    .cfi_rel_offset x24, 104
    .cfi_rel_offset x25, 112
    .cfi_rel_offset x26, 120
    .cfi_rel_offset x27, 128
    .cfi_rel_offset x28, 136
    .cfi_rel_offset x29, 144
    .cfi_rel_offset x30, 152
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldr x11, [sp, #160]
    cmp x10, x11
    b.ne 2f
1:
    ldp d8, d9, [sp, #0]
    ldp d10, d11, [sp, #16]
    ldp d12, d13, [sp, #32]
    ldp d14, d15, [sp, #48]
    ldp x19, x20, [sp, #64]
    ldp x21, x22, [sp, #80]
    ldp x23, x24, [sp, #96]
    ldp x25, x26, [sp, #112]
    ldp x27, x28, [sp, #128]
    ldp x29, x30, [sp, #144]
    .cfi_remember_state
    add sp, sp, #176
    .cfi_adjust_cfa_offset -176
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret
2:
    .cfi_restore_state
    tbnz w2, #1, 1b /* FY_SWITCH_BEGIN */
    msr fpcr, x11
    b 1b
    .cfi_endproc
FUNCTION_END(fy_switch_jump)

/* The outermost frame of a stack: whoever walks it ends here. The function is in x19, its argument in x20. */
FUNCTION(fy_switch_begin)
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
FUNCTION_END(fy_switch_begin)

FUNCTION(fy_switch_prepare)
    .cfi_startproc
    and x9, x0, #-16
    sub x0, x9, #176
    mrs x10, fpcr
    str x10, [x0, #160]
    stp xzr, xzr, [x0, #0]
    stp xzr, xzr, [x0, #16]
    stp xzr, xzr, [x0, #32]
    stp xzr, xzr, [x0, #48]
    stp x1, x2, [x0, #64]
    stp xzr, xzr, [x0, #80]
    stp xzr, xzr, [x0, #96]
    stp xzr, xzr, [x0, #112]
    stp xzr, xzr, [x0, #128]
#ifdef __APPLE__
    adrp x10, SYMBOL(fy_switch_begin)@PAGE
    add x10, x10, SYMBOL(fy_switch_begin)@PAGEOFF
#else
    adrp x10, fy_switch_begin
    add x10, x10, :lo12:fy_switch_begin
#endif
    stp xzr, x10, [x0, #144]
    ret
    .cfi_endproc
FUNCTION_END(fy_switch_prepare)
#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
