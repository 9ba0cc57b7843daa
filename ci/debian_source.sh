#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks source packages of the Debian or Ubuntu that this runs on: debian_source.sh FOLDER PACKAGE... makes
# FOLDER/PACKAGE, patched as the distribution patches it. It keeps lists of its own in FOLDER, so that the system's
# package sources stay as they are, and leaves alone what is there already.
set -eu
folder=$1
shift
state=$folder/.apt

lacking=
for package in "$@"; do
    [ -d "$folder/$package" ] || lacking="$lacking $package"
done
[ -n "$lacking" ] || exit 0

# The distribution's own lists, read as lists of source packages.
write_lists() {
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
        name=${list##*/}
        if [ -e "$list" ]; then
            sed -e 's/^deb \(.*\)/deb-src \1/' -e 's/^Types:.*/Types: deb-src/' "$list" \
                >"$state/parts/$(echo "$name" | sed 's/^sources.list$/sources.list.list/')"
        fi
    done
}

with_lists() {
    tool=$1
    shift
    "$tool" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$state/parts" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

# Newest first; a mirror may list one that it no longer has, or not yet.
versions() {
    with_lists apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -rV | uniq
}

download() {
    for version in $(versions "$1"); do
        rm -rf "$state/download"
        mkdir "$state/download"
        if (cd "$state/download" && with_lists apt-get source --download-only "$1=$version"); then
            return
        fi
    done
    echo "debian_source.sh: no source of $1 could be downloaded" >&2
    return 1
}

mkdir -p "$state/parts" "$state/lists/partial" "$state/cache/archives/partial"
state=$(cd "$state" && pwd)
write_lists
with_lists apt-get update
for package in $lacking; do
    download "$package"
    rm -rf "$state/tree"
    dpkg-source --no-check -x "$state"/download/*.dsc "$state/tree"
    mv "$state/tree" "$folder/$package"
done
rm -rf "$state"
