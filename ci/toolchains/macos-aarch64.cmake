# SPDX-License-Identifier: Apache-2.0
# Cross build for macOS on Apple silicon.
set(ferry_macos_arch aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/macos.cmake")
