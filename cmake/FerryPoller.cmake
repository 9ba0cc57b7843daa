# SPDX-License-Identifier: Apache-2.0
# Which poller a POSIX library has: ferry_poller is its name and posix/<name>.c its source. It decides what kqueue is
# made of where the system has none: libkqueue, or the stand-in of the tests.

set(ferry_poller "${FERRY_POLLER}")
if(NOT ferry_poller)
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
        set(ferry_poller epoll)
    else()
        set(ferry_poller kqueue)
    endif()
endif()
if(NOT ferry_poller MATCHES "^(epoll|kqueue)$")
    message(FATAL_ERROR "FERRY_POLLER is epoll, kqueue or empty, not \"${FERRY_POLLER}\"")
endif()

set(ferry_poller_sources "${PROJECT_SOURCE_DIR}/src/posix/${ferry_poller}.c")
set(ferry_poller_includes)
set(ferry_poller_libraries)
set(ferry_poller_requires) # what the pkg-config file adds
if(ferry_poller STREQUAL "kqueue" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    if(FERRY_KQUEUE_STANDIN)
        set(standin "${PROJECT_SOURCE_DIR}/tests/support/kqueue_standin")
        list(APPEND ferry_poller_sources "${standin}/events.c" "${standin}/kqueue_standin.c")
        set(ferry_poller_includes "${PROJECT_SOURCE_DIR}/tests" "${standin}")
    else()
        pkg_check_modules(FERRY_KQUEUE REQUIRED IMPORTED_TARGET GLOBAL libkqueue)
        set(ferry_poller_libraries PkgConfig::FERRY_KQUEUE)
        set(ferry_poller_requires " libkqueue")
    endif()
endif()
