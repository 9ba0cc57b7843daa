# SPDX-License-Identifier: Apache-2.0
# Cross build for macOS on Intel.
set(ferry_macos_arch x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/macos.cmake")
