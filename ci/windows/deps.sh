#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what Ferry needs from others for Windows into build/windows-deps, once: deps.sh prints that folder. The sources
# are Debian's, unmodified, by a source list of their own, so that the machine's own lists stay as they are.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/ci/common.sh"
top=$root/build/windows-deps
packages="apr apr-util cunit"

# apt-get with lists and archives of its own.
own_apt() {
    apt-get -q -o Dir::Etc::sourcelist="$top/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::Lists="$top/lists" -o Dir::Cache="$top/cache" -o APT::Sandbox::User=root "$@"
}

fetch() {
    mkdir -p "$top/lists/partial" "$top/cache/archives/partial" "$top/source"
    mirror=${FERRY_DEBIAN_MIRROR:-http://deb.debian.org/debian}
    echo "deb-src $mirror bookworm main" >"$top/sources.list"
    own_apt update
    cd "$top/source"
    # shellcheck disable=SC2086 # one word per package on purpose
    own_apt source --download-only $packages
    for package in $packages; do
        rm -rf "${top:?}/source/$package"
        dpkg-source --no-check -x "$package"_*.dsc "$package"
    done
}

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
    { [ -d "$top/source/cunit" ] || fetch; build; } >&2
    echo "$stamp" >"$top/stamp"
fi
echo "$top"
