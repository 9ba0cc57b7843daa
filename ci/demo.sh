#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on real input: installs what the build needs, builds, hashes the project's own sources and the system's
# headers with examples/digest, and lets the system's own tool check every line. Needs no argument.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/common.sh"

system_headers() {
    if [ -d /usr/include ]; then
        echo /usr/include
    else
        xcrun --show-sdk-path | sed 's|$|/usr/include|'
    fi
}

# A line that is no checksum line must count as wrong, which only --strict says; BusyBox knows neither of the options.
verify() {
    if ! have sha1sum; then
        shasum --check --strict --quiet "$1"
    elif sha1sum --help 2>&1 | grep -q -- --strict; then
        sha1sum --check --strict --quiet "$1"
    else
        sha1sum -c -s "$1"
    fi
}

"$root/ci/deps.sh" build
build_in "$root/build/demo" -DFERRY_BUILD_TESTS=OFF -DFERRY_BUILD_BENCH=OFF

cd "$root"
headers=$(system_headers)
sums=$root/build/demo/digest.sha1
set -- include src tests examples bench ci docs cmake "$headers"
say "digest $*"
build/demo/examples/digest --progress --output "$sums" "$@"
say "digest --processes $*"
build/demo/examples/digest --processes --progress --output "$sums.processes" "$@"
cmp "$sums" "$sums.processes"

expected=$(find -H "$@" -type f | wc -l | tr -d ' ')
hashed=$(wc -l <"$sums" | tr -d ' ')
say "checking $hashed lines"
if [ "$hashed" -ne "$expected" ]; then
    echo "demo.sh: find sees $expected files, digest wrote $hashed lines" >&2
    exit 1
fi
verify "$sums"
echo "sha1sum agrees with all $hashed lines"
