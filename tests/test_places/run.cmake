# SPDX-License-Identifier: Apache-2.0
# Which variables FERRY_PLACE takes for a value, in C and C++: those that one fits into. The address of any other number
# is refused when it is compiled, for what is put there would be of another size or kind.
# Variables: SOURCE_DIR, WORK_DIR, C_COMPILER, CXX_COMPILER.
cmake_minimum_required(VERSION 3.16)

set(taken "int" "long" "long long" "int64_t" "double" "char *" "void *" "const char *" "ferry_task *" "float *")
set(refused "bool" "char" "signed char" "unsigned char" "short" "unsigned short" "unsigned" "unsigned long"
    "unsigned long long" "size_t" "float" "long double")
file(MAKE_DIRECTORY "${WORK_DIR}")
set(mistakes 0)

# Sets ret_compiles to whether it is.
function(compile type standard compiler language ret_compiles)
    set(source "${WORK_DIR}/place.${language}")
    file(WRITE "${source}" "#include \"ferry/task.h\"\nferry_place fy_place(${type}* value);\n"
         "ferry_place fy_place(${type}* value) {\n    return FERRY_PLACE(value);\n}\n")
    execute_process(
        COMMAND "${compiler}" -std=${standard} -Wall -Wextra -Wshadow -Wconversion -pedantic -Werror
                "-I${SOURCE_DIR}/include" -c "${source}" -o "${WORK_DIR}/place.o"
        RESULT_VARIABLE result ERROR_VARIABLE output)
    if(result STREQUAL "0")
        set(${ret_compiles} TRUE PARENT_SCOPE)
    else()
        set(${ret_compiles} FALSE PARENT_SCOPE)
    endif()
endfunction()

function(check types is_taken standard compiler language)
    foreach(type IN LISTS types)
        compile("${type}" ${standard} "${compiler}" ${language} compiles)
        if(NOT compiles STREQUAL is_taken)
            message("a place for ${type} as ${standard}: compiles: ${compiles}")
            math(EXPR mistakes "${mistakes} + 1")
        endif()
    endforeach()
    set(mistakes ${mistakes} PARENT_SCOPE)
endfunction()

check("${taken}" TRUE c11 "${C_COMPILER}" c)
check("${refused}" FALSE c11 "${C_COMPILER}" c)
check("${taken}" TRUE c++17 "${CXX_COMPILER}" cpp)
check("${refused}" FALSE c++17 "${CXX_COMPILER}" cpp)

if(mistakes)
    message(FATAL_ERROR "${mistakes} places are not as they should be")
endif()
