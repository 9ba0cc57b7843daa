# SPDX-License-Identifier: Apache-2.0
# How every target of the project is compiled: language standards, warnings, sanitizers, and the definitions that shape
# internal headers. It decides nothing about which targets there are.

set(ferry_warnings -Wall -Wextra -Wshadow -Wconversion -pedantic $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)

# Internal headers are named from src/ ("loop/loop.h"); the port's native.h alone is found by its own name.
set(ferry_internal_includes "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/${ferry_port}")

# What the library calls of the system, apart from threads; users of the static one link it, too.
set(ferry_system_libraries)
if(WIN32)
    set(ferry_system_libraries ws2_32 synchronization ntdll)
endif()

include(CheckIPOSupported)
check_ipo_supported(RESULT ferry_can_optimize_as_a_whole OUTPUT ferry_ipo_output LANGUAGES C)

# Visual Studio has C11 atomics behind a flag; its C++ must be asked to say its version and to expand macros as C does.
if(CMAKE_C_COMPILER_ID STREQUAL "MSVC" AND MSVC_VERSION LESS 1938)
    message(FATAL_ERROR "Visual Studio 2022 17.8 or later is needed: its C11 atomics and thread-local variables")
endif()
set(ferry_msvc_options /W4 /utf-8
    $<$<COMPILE_LANG_AND_ID:C,MSVC>:/std:c11> $<$<COMPILE_LANG_AND_ID:C,MSVC>:/experimental:c11atomics>
    $<$<COMPILE_LANGUAGE:CXX>:/Zc:__cplusplus> $<$<COMPILE_LANG_AND_ID:CXX,MSVC>:/Zc:preprocessor>)

# ferry_compile_options(target): the project's own standard, for whatever is built here.
function(ferry_compile_options target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    if(MSVC)
        target_compile_options(${target} PRIVATE ${ferry_msvc_options} $<$<BOOL:${FERRY_WERROR}>:/WX>)
        target_compile_definitions(${target} PRIVATE _CRT_SECURE_NO_WARNINGS _CRT_NONSTDC_NO_WARNINGS)
    else()
        target_compile_options(${target} PRIVATE ${ferry_warnings} $<$<BOOL:${FERRY_WERROR}>:-Werror>)
    endif()
    if(WIN32)
        target_compile_definitions(${target} PRIVATE _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX)
    endif()
    if(NOT FERRY_SLAB)
        target_compile_definitions(${target} PRIVATE FY_SLAB_OFF=1)
    endif()
    if(FERRY_UCONTEXT)
        target_compile_definitions(${target} PRIVATE FY_SWITCH_UCONTEXT=1)
    endif()
    if(FERRY_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${FERRY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${target} PRIVATE -fsanitize=${FERRY_SANITIZE})
    endif()
endfunction()

# ferry_library(target kind): one form of the library, from the sources in ferry_sources; or, if the build is to be
# quick, the static one from what the shared one was compiled to.
function(ferry_library target kind)
    set(sources ${ferry_sources})
    if(kind STREQUAL "STATIC" AND FERRY_QUICK_BUILD AND TARGET ferry AND NOT WIN32)
        set(sources $<TARGET_OBJECTS:ferry>)
    endif()
    add_library(${target} ${kind} ${sources})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C) # which objects alone do not tell
    add_library(ferry::${target} ALIAS ${target})
    ferry_compile_options(${target})
    target_compile_definitions(${target} PRIVATE FERRY_BUILDING)
    target_include_directories(${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
        PRIVATE ${ferry_internal_includes} ${ferry_poller_includes})
    # The library's calls to itself go straight to their target, and its thread-local variables need no lookup.
    if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND UNIX AND NOT APPLE)
        target_compile_options(${target} PRIVATE -fno-semantic-interposition -ftls-model=initial-exec)
        if(kind STREQUAL "SHARED")
            target_link_options(${target} PRIVATE LINKER:-Bsymbolic-functions)
        endif()
    endif()
    # Only the shared form: objects of a static one must suit any linker.
    if(kind STREQUAL "SHARED" AND ferry_can_optimize_as_a_whole)
        set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION_RELEASE ON)
    endif()
    target_link_libraries(${target} PRIVATE ferry::apr Threads::Threads ${ferry_poller_libraries}
        ${ferry_system_libraries})
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
