# SPDX-License-Identifier: Apache-2.0
# A debugger walks the stacks of tasks: of the one that runs, of one that stands still, and at each instruction of the
# switch between two.
# Variables: GDB; PROGRAM, the subject; SOURCE_DIR.
cmake_minimum_required(VERSION 3.16)

set(ENV{ASAN_OPTIONS} detect_leaks=0) # a program under a debugger cannot look for its leaks
execute_process(COMMAND "${GDB}" -nx -batch -x "${SOURCE_DIR}/tests/test_gdb/walk.gdb" "${PROGRAM}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 120)

function(demand text pattern what)
    if(NOT text MATCHES "${pattern}")
        message(FATAL_ERROR "${what}: no \"${pattern}\"\n${output}")
    endif()
endfunction()

# Frames come innermost first.
demand("${output}" "--- running\n#0[^\n]*stop_here.* run_on .*fy_switch_begin \\(\\)[^\n]*\n--- suspended" "running")
# Where ferry_await ends with a jump, what it jumped to is seen in its place.
demand("${output}" "--- suspended\n.*(ferry_await_from|fy_task_wait) .*wait_in_the_middle .*stand_still .*--- instr"
    "suspended")
demand("${output}" "exited normally" "the end")

# Each part but the last is a stack, and every stack has its beginning: that of a task, or the program's.
string(REGEX REPLACE "^.*--- suspended\n" "" walked "${output}")
string(REGEX REPLACE "--- the rest.*$" "" walked "${walked}")
string(REGEX REPLACE "[][;]" "" walked "${walked}")
string(REPLACE "--- instruction\n" ";" walked "${walked}")
list(LENGTH walked count)
if(count LESS 20)
    message(FATAL_ERROR "the switch has ${count} instructions?\n${output}")
endif()
foreach(stack IN LISTS walked)
    demand("${stack}" "(fy_switch_begin|main) \\([^\n]*\\)[^\n]*\n" "a stack without a beginning\n${stack}\n")
    if(stack MATCHES "Backtrace stopped|Cannot access|corrupt| \\?\\? ")
        message(FATAL_ERROR "a broken stack\n${stack}\n${output}")
    endif()
endforeach()
message(STATUS "${count} stacks walked")
