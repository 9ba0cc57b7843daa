# SPDX-License-Identifier: Apache-2.0
# What both macOS cross builds share: the compiler and the libraries that ci/macos/deps.sh has laid down under build/.
# The file that includes this one sets ferry_macos_arch.
get_filename_component(ferry_macos_root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(ferry_macos_tool "${ferry_macos_root}/build/macos-zig/bin/${ferry_macos_arch}-macos")
set(ferry_macos_prefix "${ferry_macos_root}/build/macos-deps-${ferry_macos_arch}")

set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR ${ferry_macos_arch})
set(CMAKE_C_COMPILER "${ferry_macos_tool}-cc")
set(CMAKE_CXX_COMPILER "${ferry_macos_tool}-c++")
set(CMAKE_AR "${ferry_macos_tool}-ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${ferry_macos_tool}-ranlib" CACHE FILEPATH "")

execute_process(COMMAND llvm-config --bindir OUTPUT_VARIABLE ferry_macos_llvm OUTPUT_STRIP_TRAILING_WHITESPACE)
set(CMAKE_NM "${ferry_macos_llvm}/llvm-nm" CACHE FILEPATH "")
set(CMAKE_STRIP "${ferry_macos_llvm}/llvm-strip" CACHE FILEPATH "")
set(CMAKE_INSTALL_NAME_TOOL "${ferry_macos_llvm}/llvm-install-name-tool" CACHE FILEPATH "")

set(CMAKE_FIND_ROOT_PATH "${ferry_macos_prefix}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} "${ferry_macos_prefix}/lib/pkgconfig")

set(CMAKE_USER_MAKE_RULES_OVERRIDE "${CMAKE_CURRENT_LIST_DIR}/macos-rules.cmake")
