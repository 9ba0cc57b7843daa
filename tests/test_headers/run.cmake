# SPDX-License-Identifier: Apache-2.0
# Every public header compiles alone, and twice, as C11, C++17 and C++20: no header leans on another's includes, on an
# extension, or on APR being found; ferry/apr.h, which is about APR, is the one exception to the last.
# Variables: SOURCE_DIR, WORK_DIR, C_COMPILER, CXX_COMPILER, APR_CFLAGS.
cmake_minimum_required(VERSION 3.16)

separate_arguments(apr_cflags UNIX_COMMAND "${APR_CFLAGS}")

file(GLOB_RECURSE headers RELATIVE "${SOURCE_DIR}/include" "${SOURCE_DIR}/include/*.h")
list(LENGTH headers count)
if(count EQUAL 0)
    message(FATAL_ERROR "no header found in ${SOURCE_DIR}/include")
endif()
file(MAKE_DIRECTORY "${WORK_DIR}")
set(refused 0)

function(compile header standard compiler language)
    set(source "${WORK_DIR}/alone.${language}")
    set(flags)
    if(header STREQUAL "ferry/apr.h")
        set(flags ${apr_cflags})
    endif()
    file(WRITE "${source}" "#include \"${header}\"\n#include \"${header}\"\nint fy_alone;\n")
    execute_process(
        COMMAND "${compiler}" -std=${standard} -Wall -Wextra -Wshadow -Wconversion -pedantic -Werror
                "-I${SOURCE_DIR}/include" ${flags} -c "${source}" -o "${WORK_DIR}/alone.o"
        RESULT_VARIABLE result ERROR_VARIABLE output)
    if(NOT result STREQUAL "0")
        message("${header} does not compile alone as ${standard}:\n${output}")
        math(EXPR refused "${refused} + 1")
        set(refused ${refused} PARENT_SCOPE)
    endif()
endfunction()

foreach(header IN LISTS headers)
    compile(${header} c11 "${C_COMPILER}" c)
    compile(${header} c++17 "${CXX_COMPILER}" cpp)
    compile(${header} c++20 "${CXX_COMPILER}" cpp)
endforeach()

message(STATUS "${count} headers, ${refused} refusals")
if(refused)
    message(FATAL_ERROR "a public header does not compile alone")
endif()
