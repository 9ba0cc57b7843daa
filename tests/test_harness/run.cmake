# SPDX-License-Identifier: Apache-2.0
# The harness judged from outside: for each way a test can end, how the program ends and what it says.
# Variables: PROGRAM, the subject; EMULATOR, what runs it, if anything must.
cmake_minimum_required(VERSION 3.16)

# expect(test outcome pattern): runs one test of the subject; outcome is "passes" (exit code 0) or "fails".
function(expect test outcome pattern)
    execute_process(COMMAND ${EMULATOR} "${PROGRAM}" "${test}" RESULT_VARIABLE result
        OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 60)
    if(result STREQUAL "0")
        set(ended passes)
    else()
        set(ended fails)
    endif()
    if(NOT ended STREQUAL outcome OR result MATCHES "timeout")
        message(FATAL_ERROR "${test}: ended with ${result}, where it should have been one that ${outcome}\n${output}")
    endif()
    if(NOT output MATCHES "${pattern}")
        message(FATAL_ERROR "${test}: the output does not match \"${pattern}\"\n${output}")
    endif()
    message(STATUS "${test}: ${result}")
endfunction()

expect(passes passes "tests +1 +1 +1 +0 +0")
expect(fails_check fails "subject.c:[0-9]+ +- 1 \\+ 1 == 3.*tests +1 +1 +0 +1 +0")
expect(fails_check_int fails "-6 == 7: got -6, expected 7")
expect(fails_check_string fails "got \"left\", expected \"\\(null\\)\"")
expect(fails_check_status fails "got 121003 \\(The loop is closed\\), expected 0 \\(Success\\)")
expect(fails_on_another_thread fails "off the test's thread, in test fails_on_another_thread: arg != NULL")
expect(crashes fails "Test: crashes")
expect(leaves_with_zero fails "left before its tests were done, in test leaves_with_zero")
expect(never_ends fails "watchdog: the deadline has passed in test never_ends")
expect(no_such_test fails "there is no test no_such_test")
expect(--none fails "there are no tests")
