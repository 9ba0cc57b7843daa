#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, with apt, dnf, pacman, apk, brew or FreeBSD's pkg: deps.sh [GROUP...], where the groups are
# build, test, clang, asan, tsan, fuzz, style, patch (these eight without arguments), valgrind, macos, windows and
# bench. Where there is none of these installers, or no right to use it, it says what is missing and fails.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/common.sh"

# group | what shows that it is there | its package for apt, dnf, pacman, apk, brew, pkg ("-": none there)
table='
build | command cc          | build-essential | gcc                | base-devel | build-base   | -          | -
build | command c++         | build-essential | gcc-c++            | base-devel | build-base   | -          | -
build | command make        | build-essential | make               | base-devel | build-base   | -          | -
build | command cmake       | cmake           | cmake              | cmake      | cmake        | cmake      | cmake
build | command pkg-config  | pkg-config      | pkgconf-pkg-config | pkgconf    | pkgconf      | pkgconf    | pkgconf
build | module apr-1        | libapr1-dev     | apr-devel          | apr        | apr-dev      | apr        | apr
build | module apr-util-1   | libaprutil1-dev | apr-util-devel     | apr-util   | apr-util-dev | apr-util   | apr
test  | module cunit        | libcunit1-dev   | CUnit-devel        | cunit      | cunit-dev    | cunit      | cunit
test  | debugger gdb        | gdb             | gdb                | gdb        | gdb          | -          | -
clang | command clang       | clang           | clang              | clang      | clang        | llvm       | llvm
clang | command clang++     | clang           | clang              | clang      | clang        | llvm       | llvm
asan  | sanitizer address   | gcc             | libasan            | gcc        | compiler-rt  | -          | -
asan  | sanitizer undefined | gcc             | libubsan           | gcc        | compiler-rt  | -          | -
tsan  | sanitizer thread    | gcc             | libtsan            | gcc        | compiler-rt  | -          | -
fuzz  | sanitizer fuzzer    | libclang-rt-dev | compiler-rt        | compiler-rt | compiler-rt | llvm       | llvm
valgrind | command valgrind | valgrind        | valgrind           | valgrind   | valgrind     | -          | valgrind
valgrind | header valgrind/valgrind.h | valgrind | valgrind-devel  | valgrind   | valgrind-dev | -          | valgrind
style | command python3     | python3         | python3            | python     | python3      | python3    | python3
style | command shellcheck  | shellcheck      | ShellCheck       | shellcheck | shellcheck | shellcheck | hs-ShellCheck
patch | command git         | git             | git                | git        | git          | git        | git
macos | command npm         | npm             | -                  | -          | -            | -          | -
macos | command llvm-config | llvm            | -                  | -          | -            | -          | -
macos | command dpkg-source | dpkg-dev        | -                  | -          | -            | -          | -
windows | command x86_64-w64-mingw32-gcc-posix | gcc-mingw-w64-x86-64-posix | - | - | - | - | -
windows | command x86_64-w64-mingw32-g++-posix | g++-mingw-w64-x86-64-posix | - | - | - | - | -
windows | command wine      | wine            | -                  | -          | -            | -          | -
windows | command wineserver | wine64         | -                  | -          | -            | -          | -
windows | command dpkg-source | dpkg-dev      | -                  | -          | -            | -          | -
windows | command python3   | python3         | -                  | -          | -            | -          | -
bench | module libuv        | libuv1-dev      | libuv-devel        | libuv      | libuv-dev    | libuv      | libuv
bench | header boost/fiber/all.hpp | libboost-fiber-dev | boost-devel | boost | boost-dev | boost | boost
bench | header asio.hpp     | libasio-dev     | asio-devel         | asio       | asio-dev     | asio       | asio
bench | header ev.h         | libev-dev       | libev-devel        | libev      | libev-dev    | libev      | libev
bench | module libevent     | libevent-dev    | libevent-devel     | libevent   | libevent-dev | libevent   | libevent
bench | command python3     | python3         | python3            | python     | python3      | python3    | python3
'
groups=" ${*:-build test clang asan tsan fuzz style patch} "

is_there() {
    case $1 in
    command) have "$2" ;;
    debugger) [ "$(uname -sm)" != "Linux x86_64" ] || have "$2" ;; # it walks the stacks of that system alone
    module) have pkg-config && pkg-config --exists "$2" ;;
    header) have c++ && echo "#include <$2>" | c++ -x c++ -std=c++17 -fsyntax-only - 2>/dev/null ;;
    sanitizer) sanitizing_compiler "$2" >/dev/null ;;
    esac
}

# Prints "what: package" for each row of the asked groups that is not there.
missing() {
    echo "$table" | while read -r group _ kind name _ apt _ dnf _ pacman _ apk _ brew _ pkg; do
        case $groups in *" ${group:-|} "*) ;; *) continue ;; esac
        if is_there "$kind" "$name"; then
            continue
        fi
        case $manager in
        apt-get) package=$apt ;;
        dnf) package=$dnf ;;
        pacman) package=$pacman ;;
        apk) package=$apk ;;
        brew) package=$brew ;;
        pkg) package=$pkg ;;
        *) package=- ;;
        esac
        echo "$kind $name: $package"
    done
}

find_manager() {
    for candidate in apt-get dnf pacman apk brew pkg; do
        if have "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

# Homebrew refuses root; all others need it.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        echo "deps.sh: neither root nor sudo: cannot run $*" >&2
        return 1
    fi
}

install_packages() {
    case $manager in
    apt-get)
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
        ;;
    dnf) as_root dnf install -y "$@" ;;
    pacman) as_root pacman -Sy --noconfirm --needed "$@" ;;
    apk) as_root apk add "$@" ;;
    brew) brew install "$@" ;;
    pkg) as_root pkg install -y "$@" ;;
    esac
}

manager=$(find_manager)
lacking=$(missing)
if [ -z "$lacking" ]; then
    exit 0
fi
packages=$(echo "$lacking" | sed -n 's/.*: \([^-].*\)$/\1/p' | sort -u)
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # one word per package on purpose
    install_packages $packages </dev/null || true
    lacking=$(missing)
fi
if [ -n "$lacking" ]; then
    echo "deps.sh: still missing${manager:+ (package for $manager)}:" >&2
    echo "$lacking" | sed 's/^/  /; s/: -$//' >&2
    exit 1
fi
