# SPDX-License-Identifier: Apache-2.0
# Stops in the subject and shows the stack of the task that runs; then that of one that stands still, by the registers
# that the switch has put there (src/posix/switch_x86_64.S has the order); then what is seen at each instruction of the
# next switch, from the one stack to the other. At last the program goes on to its end.
set pagination off
set confirm off
break stop_here
run
echo --- running\n
backtrace

set $saved = (unsigned long *)((struct context *)suspended)->stopped
set $rsp_of_running = $rsp
set $rip_of_running = $rip
set $rbp_of_running = $rbp
set $rbx_of_running = $rbx
set $r12_of_running = $r12
set $r13_of_running = $r13
set $r14_of_running = $r14
set $r15_of_running = $r15
set $r15 = $saved[1]
set $r14 = $saved[2]
set $r13 = $saved[3]
set $r12 = $saved[4]
set $rbx = $saved[5]
set $rbp = $saved[6]
set $rip = $saved[7]
set $rsp = $saved + 8
echo --- suspended\n
backtrace
set $rsp = $rsp_of_running
set $rip = $rip_of_running
set $rbp = $rbp_of_running
set $rbx = $rbx_of_running
set $r12 = $r12_of_running
set $r13 = $r13_of_running
set $r14 = $r14_of_running
set $r15 = $r15_of_running

tbreak *fy_switch_jump
continue
while $pc >= (unsigned long)&fy_switch_jump && $pc < (unsigned long)&fy_switch_begin
    echo --- instruction\n
    backtrace
    stepi
end
echo --- the rest\n
delete
continue
