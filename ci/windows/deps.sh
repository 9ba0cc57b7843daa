#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what Ferry needs from others for Windows into build/windows-deps, once: deps.sh prints that folder. The sources
# are the distribution's own.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/ci/common.sh"
top=$root/build/windows-deps
build() {
    cmake -S "$root/ci/windows" -B "$top/work" -DCMAKE_TOOLCHAIN_FILE="$root/ci/toolchains/mingw64.cmake" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$top" \
        -DAPR_SOURCE="$top/source/apr" -DAPR_UTIL_SOURCE="$top/source/apr-util" \
        -DCUNIT_SOURCE="$top/source/cunit"
    cmake --build "$top/work" -j "$jobs"
    cmake --install "$top/work"
}

# The stamp says which build file the folder was made by.
stamp=$(cat "$root/ci/windows/CMakeLists.txt" "$root/ci/windows/apr_mingw.h" | cksum)
if [ "$(cat "$top/stamp" 2>/dev/null)" != "$stamp" ]; then
    { "$root/ci/debian_source.sh" "$top/source" apr apr-util cunit && build; } >&2
    echo "$stamp" >"$top/stamp"
fi
echo "$top"
