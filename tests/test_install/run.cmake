# SPDX-License-Identifier: Apache-2.0
# Installs what was built into a fresh prefix, moves that prefix, and builds and runs small programs against it, the
# README's among them: through find_package, then through pkg-config.
# Variables: SOURCE_DIR, WORK_DIR, BUILD_DIR, CONFIG, SANITIZE, C_COMPILER, CXX_COMPILER, PKG_CONFIG, VERSION, SUFFIX of
# programs; for a cross build TOOLCHAIN, EMULATOR, and PKG_CONFIG_LIBDIR, where its packages are.
cmake_minimum_required(VERSION 3.16)

set(here "${SOURCE_DIR}/tests/test_install")
set(prefix "${WORK_DIR}/moved")
set(flags)
if(SANITIZE)
    set(flags "-fsanitize=${SANITIZE}")
endif()

# run(command...): the command must succeed; `output` is what it printed, each line ended by a newline alone.
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
    if(NOT result STREQUAL "0")
        string(REPLACE ";" " " shown "${ARGN}")
        message(FATAL_ERROR "failed (${result}): ${shown}\n${output}\n${errors}")
    endif()
    string(REPLACE "\r\n" "\n" output "${output}")
    set(output "${output}" PARENT_SCOPE)
endfunction()

# find_dlls(folder): Windows looks for DLLs, the compiler's among them, beside the program.
function(find_dlls folder)
    file(GLOB dlls "${prefix}/bin/*.dll")
    if(dlls)
        foreach(name libgcc_s_seh-1.dll libstdc++-6.dll libwinpthread-1.dll)
            run("${CXX_COMPILER}" "-print-file-name=${name}")
            string(STRIP "${output}" path)
            list(APPEND dlls "${path}")
        endforeach()
        file(COPY ${dlls} DESTINATION "${folder}")
    endif()
endfunction()

# run_consumer(program): it must print this build's version and end well.
function(run_consumer program)
    run(${EMULATOR} "${program}${SUFFIX}")
    if(NOT output STREQUAL "ferry ${VERSION}: 6 * 7 = 42\n")
        message(FATAL_ERROR "${program} printed: ${output}")
    endif()
    message(STATUS "${program}: ok")
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${WORK_DIR}/installed" --config "${CONFIG}")
file(RENAME "${WORK_DIR}/installed" "${prefix}")

# ---- find_package ----

# A toolchain file that looks for packages below its own roots alone looks below a staging prefix, too.
if(TOOLCHAIN)
    set(compilers "-DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN}" "-DCMAKE_STAGING_PREFIX=${prefix}")
else()
    set(compilers "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
endif()
run("${CMAKE_COMMAND}" -S "${here}" -B "${WORK_DIR}/build" "-DCMAKE_PREFIX_PATH=${prefix}" -DCMAKE_BUILD_TYPE=Debug
    ${compilers} "-DCMAKE_C_FLAGS=${flags}" "-DCMAKE_CXX_FLAGS=${flags}")
run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")
find_dlls("${WORK_DIR}/build")
foreach(program consumer_c consumer_cxx consumer_static)
    run_consumer("${WORK_DIR}/build/${program}")
endforeach()

# ---- pkg-config ----

file(GLOB_RECURSE pc_file "${prefix}/*/ferry.pc")
get_filename_component(pc_dir "${pc_file}" DIRECTORY)
get_filename_component(lib_dir "${pc_dir}" DIRECTORY)
if(CMAKE_HOST_WIN32)
    set(ENV{PKG_CONFIG_PATH} "${pc_dir};$ENV{PKG_CONFIG_PATH}")
else()
    set(ENV{PKG_CONFIG_PATH} "${pc_dir}:$ENV{PKG_CONFIG_PATH}")
endif()
if(PKG_CONFIG_LIBDIR)
    set(ENV{PKG_CONFIG_LIBDIR} "${PKG_CONFIG_LIBDIR}")
endif()
find_dlls("${WORK_DIR}")

run("${PKG_CONFIG}" --cflags --libs ferry)
separate_arguments(package UNIX_COMMAND "${output}")

function(build_with_pkg_config compiler source program)
    run("${compiler}" ${flags} "${here}/${source}" ${package} "-Wl,-rpath,${lib_dir}"
        -o "${WORK_DIR}/${program}${SUFFIX}")
    run_consumer("${WORK_DIR}/${program}")
endfunction()

run("${PKG_CONFIG}" --modversion ferry)
if(NOT output STREQUAL "${VERSION}\n")
    message(FATAL_ERROR "ferry.pc says version ${output}")
endif()
build_with_pkg_config("${C_COMPILER}" consumer.c pc_consumer_c)
build_with_pkg_config("${CXX_COMPILER}" consumer.cpp pc_consumer_cxx)

# What the README shows is a program: it builds against the installed tree and prints what it promises.
file(READ "${SOURCE_DIR}/README.md" readme)
string(REGEX MATCH "\n```c\n(.*)\n```\n" found "${readme}")
if(NOT found)
    message(FATAL_ERROR "README.md shows no C program")
endif()
file(WRITE "${WORK_DIR}/readme.c" "${CMAKE_MATCH_1}\n")
run("${C_COMPILER}" ${flags} -std=c11 -Wall -Wextra -pedantic -Werror "${WORK_DIR}/readme.c" ${package}
    "-Wl,-rpath,${lib_dir}" -o "${WORK_DIR}/readme${SUFFIX}")
run(${EMULATOR} "${WORK_DIR}/readme${SUFFIX}")
if(NOT output STREQUAL "the loop goes on\n0\n1\n4\n9\n16\n25\n")
    message(FATAL_ERROR "the README's program printed: ${output}")
endif()

# Only the static library is left: what --static adds must suffice.
file(GLOB shared_libraries "${lib_dir}/libferry.so*" "${lib_dir}/libferry*.dylib"
    "${lib_dir}/libferry.dll.a")
file(REMOVE ${shared_libraries})
run("${PKG_CONFIG}" --static --cflags --libs ferry)
separate_arguments(package UNIX_COMMAND "${output}")
run("${C_COMPILER}" ${flags} "${here}/consumer.c" ${package} -o "${WORK_DIR}/pc_consumer_static${SUFFIX}")
run_consumer("${WORK_DIR}/pc_consumer_static")
