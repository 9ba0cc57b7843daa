#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks at what the macOS cross builds have linked, since nothing here can run it: check.sh ARCH..., each built in
# build/macos-ARCH. Every program and library is for that machine, every program of the tests and examples is there,
# each library that one of them loads will be found on a Mac, and the shared library carries the name by which it is
# found after its installation. Its exports are a test's affair. Closes with "macos: N passed, 0 failed", a count of
# files.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
llvm=$(llvm-config --bindir)
version=$(sed -nE 's/^#define FERRY_VERSION_(MAJOR|MINOR) //p' "$root/include/ferry/base.h" | paste -s -d . -)
install_name=@rpath/libferry.$version.dylib
passed=0
failed=0
refused=

refuse() {
    echo "check.sh: $file: $*" >&2
    refused=yes
}

# judge FILE CHECK: counts the file as passed or failed.
judge() {
    file=$1
    refused=
    if [ -f "$file" ]; then
        "$2"
    else
        refuse "is not there"
    fi
    if [ -z "$refused" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

# is_for_machine KIND: a Mach-O file of that kind (EXECUTE, DYLIB) for this machine.
is_for_machine() {
    "$llvm/llvm-otool" -hv "$file" | grep -Eq " $cpu .* $1 " || refuse "is no $1 for $cpu"
}

# The library by its installed name, APR's libraries as they were found, and the system's: a Mac has nothing else.
loads_what_is_there() {
    "$llvm/llvm-otool" -L "$file" | sed -n 's/^[[:space:]]\{1,\}\(.*\) (compatibility.*/\1/p' >"$build/loaded.txt"
    while read -r name; do
        case $name in
        "$install_name" | "$deps"/lib/libapr*-1.0.dylib | /usr/lib/libSystem.B.dylib | /usr/lib/libc++.1.dylib) ;;
        *) refuse "loads $name" ;;
        esac
    done <"$build/loaded.txt"
}

# rpaths: where the loader looks for what is named @rpath/...
rpaths() {
    "$llvm/llvm-otool" -l "$file" | sed -n '/LC_RPATH/,/path/s/^ *path \(.*\) (offset.*/\1/p'
}

check_program() {
    is_for_machine EXECUTE
    loads_what_is_there
    if grep -qxF "$install_name" "$build/loaded.txt" && ! rpaths | grep -qxF "$build/src"; then
        refuse "does not find $install_name"
    fi
}

check_shared() {
    is_for_machine DYLIB
    loads_what_is_there
    [ "$("$llvm/llvm-otool" -D "$file" | tail -n 1)" = "$install_name" ] || refuse "is not named $install_name"
    [ -z "$(rpaths)" ] || refuse "looks for libraries in $(rpaths)"
}

check_static() {
    [ "$("$llvm/llvm-nm" -g "$file" 2>/dev/null | grep -c ' T _ferry_loop_create$')" -eq 1 ] || refuse "has no loop"
    "$llvm/llvm-otool" -hv "$file" >"$build/members.txt"
    [ "$(grep -c ' OBJECT ' "$build/members.txt")" -eq "$(grep -c " $cpu .* OBJECT " "$build/members.txt")" ] ||
        refuse "has a member for another machine than $cpu"
}

# look_at ARCH
look_at() {
    case $1 in
    x86_64) cpu=X86_64 ;;
    aarch64) cpu=ARM64 ;;
    esac
    build=$root/build/macos-$1
    deps=$root/build/macos-deps-$1
    judge "$build/src/libferry.dylib" check_shared
    judge "$build/src/libferry.a" check_static
    sed -n 's/^ferry_example(\([a-z0-9_]*\).*/\1/p' "$root/examples/CMakeLists.txt" >"$build/examples.txt"
    while read -r program; do
        judge "$build/examples/$program" check_program
    done <"$build/examples.txt"
    ctest --test-dir "$build" --show-only=json-v1 |
        sed -n 's|^ *"\(/.*/tests/test_[a-z0-9_]*\)"[,]*$|\1|p' >"$build/tests.txt"
    while read -r program; do
        judge "$program" check_program
    done <"$build/tests.txt"
}

for arch in "$@"; do
    look_at "$arch"
done
echo "macos: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
