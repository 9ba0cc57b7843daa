# SPDX-License-Identifier: Apache-2.0
# Cross-compiles for 64-bit Windows with mingw-w64 and its POSIX threads. Programs that the build runs, run under Wine
# through ci/windows/wine.sh.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# What Windows does not bring (libgcc, winpthread, libstdc++) goes into every program and DLL.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)

# What ci/windows/deps.sh has built, and nothing of this machine's own.
get_filename_component(ferry_windows_deps "${CMAKE_CURRENT_LIST_DIR}/../../build/windows-deps" ABSOLUTE)
set(ENV{PKG_CONFIG_LIBDIR} "${ferry_windows_deps}/lib/pkgconfig")
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 "${ferry_windows_deps}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../windows/wine.sh")
