#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows that each test of the backend contract can fail. Every patch in reactor/ and in the folder of a poller is a
# small bug; so is, for the simulator and for the completion port, every one in sim/ and in iocp/. Each is applied to a
# copy of the sources, and the contract is run on the result, test by test. It passes if every bug is caught by some
# test and every test has caught some bug. A test that crashes or hangs has caught it.
#
#     tests/mutants/run.sh BACKEND [NAME...]     epoll, kqueue (on its stand-in), iocp (under Wine) or sim; every bug,
#                                                or those named (then a test may well catch none)
#
# CC, MUTANTS_JOBS (tests at a time; most of them only wait) and MUTANTS_LIMIT_S (when a test counts as hung) may be
# set. Under Wine each run costs some tenths of a second, and all tests on all bugs would take an hour: a patch there
# says in a line "# Tests: NAME..." on which ones it is tried.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
backend=${1:?epoll, kqueue, iocp or sim}
shift
compiler=${CC:-cc}
jobs=${MUTANTS_JOBS:-24}
limit_s=${MUTANTS_LIMIT_S:-6}
work=$(mktemp -d "${TMPDIR:-/tmp}/ferry-mutants-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# git apply must not take the copy for a part of a repository around it.
export GIT_CEILING_DIRECTORIES="$work"

fail() {
    echo "mutants: $*" >&2
    exit 1
}

# The tests give up early here, since what a mutant breaks does not come later either.
flags="-std=c11 -O1 -DFERRY_STATIC -DCONTRACT_WITHIN_US=1500000"
packages="apr-1 apr-util-1 cunit"
system_libraries=-lpthread
port=posix
runner=
program=contract
standin=
left_out= # what needs threads and signals passes where there are none
port_sources=
for name in attempt clock lease net reactor sigpipe thread; do
    port_sources="$port_sources src/posix/$name.c"
done
case $backend in
epoll | kqueue)
    patches=reactor
    kinds="socketpair tcp"
    mutable_sources="$port_sources src/posix/$backend.c"
    beside_sources="src/base/alloc.c src/base/status.c src/seam/deadline.c tests/backend_posix.c"
    ;;
sim)
    patches=sim
    kinds=sim
    left_out="interrupted_wait_returns_and_loses_nothing two_threads_wake wake_from_another_thread_ends_a_wait"
    mutable_sources="src/sim/*.c"
    # The simulator's public face is made of all floors.
    beside_sources="$port_sources src/posix/epoll.c src/posix/backends.c src/posix/cpu.c src/posix/environment.c
        src/posix/pages.c src/posix/signal.c src/posix/thread_exit.c src/base/*.c src/seam/*.c src/loop/*.c
        src/future/*.c src/executor/*.c src/io/*.c"
    flags="$flags -DCONTRACT_SEEDS=100"
    ;;
iocp)
    patches=iocp
    kinds="pipe tcp"
    # Where no signal ends a process and no system tells of a refused datagram, nothing is tested.
    left_out="killed_child_tells_its_signal refused_datagram_is_told_once"
    port=win32
    mutable_sources=
    for name in afd child file iocp net ops pipe sockets; do
        mutable_sources="$mutable_sources src/win32/$name.c"
    done
    beside_sources="src/win32/clock.c src/win32/thread.c src/base/alloc.c src/base/status.c src/seam/deadline.c
        tests/backend_win32.c"
    "$source_dir/ci/windows/prefix.sh" start
    PKG_CONFIG_LIBDIR=$("$source_dir/ci/windows/deps.sh")/lib/pkgconfig
    export PKG_CONFIG_LIBDIR
    packages="--static $packages"
    compiler=${CC:-x86_64-w64-mingw32-gcc-posix}
    flags="$flags -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -DNOMINMAX"
    system_libraries="-static -lsynchronization -lntdll"
    program=contract.exe
    runner=$source_dir/ci/windows/wine.sh
    limit_s=${MUTANTS_LIMIT_S:-20}
    ;;
*) fail "there is no backend '$backend'" ;;
esac
# shellcheck disable=SC2086
flags="$flags $(pkg-config --cflags $packages)"
if [ "$backend" = kqueue ]; then
    standin=tests/support/kqueue_standin
fi
program_sources="$mutable_sources $beside_sources tests/backend_contract*.c tests/test_backend_$backend.c
    tests/support/harness.c tests/support/system_$port.c ${standin:+$standin/*.c}"
# shellcheck disable=SC2086
libraries="$(pkg-config --libs $packages) $system_libraries"

# compile FOLDER FILE: FILE of FOLDER's tree into FOLDER/objects.
compile() {
    # shellcheck disable=SC2086
    $compiler $flags -I"$1/include" -I"$1/src" -I"$1/src/$port" -I"$1/tests" ${standin:+-I"$1/$standin"} -c "$1/$2" \
        -o "$1/objects/$(echo "$2" | tr / -).o"
}

# compile_all FOLDER PATTERNS: all files of FOLDER's tree that fit.
compile_all() {
    for pattern in $2; do
        for path in "$1"/$pattern; do
            compile "$1" "${path#"$1/"}" || return 1
        done
    done
}

# link FOLDER: the contract's program of that tree.
link() {
    # shellcheck disable=SC2086
    $compiler "$1"/objects/*.o -o "$1/$program" $libraries
}

build_original() {
    mkdir -p "$work/original/objects"
    cp -R "$source_dir/include" "$source_dir/src" "$work/original/"
    mkdir "$work/original/tests"
    cp -R "$source_dir"/tests/support "$source_dir"/tests/*.[ch] "$work/original/tests/"
    compile_all "$work/original" "$program_sources"
    link "$work/original"
}

# patch_of NAME: the file of that bug.
patch_of() {
    if [ -e "$here/$backend/$1.patch" ]; then
        echo "$here/$backend/$1.patch"
    else
        echo "$here/$patches/$1.patch"
    fi
}

# build_mutant NAME: a copy with one patch, of which only the patched files are compiled again; of a patched header, all
# that may include it.
build_mutant() {
    cp -R "$work/original" "$work/$1"
    patch=$(patch_of "$1")
    (cd "$work/$1" && git apply "$patch") || fail "$1 does not apply any more"
    sed -n 's,^+++ b/,,p' "$patch" | while read -r file; do
        case $file in
        *.h) compile_all "$work/$1" "$mutable_sources" ;;
        *) compile "$work/$1" "$file" ;;
        esac || exit 1
    done || fail "$1 does not compile"
    link "$work/$1"
}

# list_suite NAME: the tests of one of the contract's suites.
list_suite() {
    sed -n "/define $1(X/,/^\$/s/^ *X(prefix, \([a-z_]*\)).*/\1/p" "$source_dir/tests/backend_contract.h"
}

# The contract's tests; those of streams on each kind, the others on the last one.
list_tests() {
    for kind in $kinds; do
        list_suite BACKEND_CONTRACT | sed "s/^/${kind}_/"
    done
    list_suite BACKEND_CONTRACT_NET | sed "s/^/${kinds##* }_/"
}

# tests_of NAME: those that this bug is tried on; without the bug, each that some bug is tried on.
tests_of() {
    if [ "$1" = original ]; then
        for bug in $names; do
            tests_of "$bug"
        done | sort -u
    else
        chosen=$(sed -n 's/^# Tests: //p' "$(patch_of "$1")" | tr ' ' '|')
        list_tests | grep -E "(${chosen:-.})\$"
    fi
}

# without_kind: the tests' names as the contract has them.
without_kind() {
    sed 's/^socketpair_//; s/^tcp_//; s/^pipe_//; s/^sim_//'
}

# run_all NAME...: leaves a line "NAME TEST" in $work/failed for each test that failed on that build.
# shellcheck disable=SC2016 # what stands in single quotes is for the inner shell
run_all() {
    : >"$work/failed"
    for name in "$@"; do
        tests_of "$name" | sed "s/^/$name /"
    done | WORK=$work LIMIT_S=$limit_s RUNNER=$runner PROGRAM=$program xargs -P "$jobs" -n 2 sh -c '
        timeout -s KILL "$LIMIT_S" $RUNNER "$WORK/$1/$PROGRAM" "$2" </dev/null >"$WORK/$1/$2.log" 2>&1 ||
            echo "$1 $2" >>"$WORK/failed"
    ' run
}

command -v git >/dev/null || fail "git is needed"
[ -n "$(list_tests)" ] || fail "no test was found in backend_contract.h"

if [ $# -gt 0 ]; then
    names=$*
else
    names=$(for patch in "$here/$patches"/*.patch "$here/$backend"/*.patch; do
        basename "$patch" .patch
    done | sort -u)
fi

build_original
run_all original
[ ! -s "$work/failed" ] || fail "fails without a bug: $(cat "$work/failed")"

for name in $names; do
    build_mutant "$name"
done
# shellcheck disable=SC2086 # one word per mutant
run_all $names

count=0
survivors=0
for name in $names; do
    caught=$(sed -n "s/^$name //p" "$work/failed" | without_kind | sort -u | tr '\n' ' ')
    count=$((count + 1))
    if [ -z "$caught" ]; then
        survivors=$((survivors + 1))
    fi
    echo "$name: ${caught:-SURVIVED}"
done

idle=$(if [ $# -gt 0 ]; then tests_of original; else list_tests; fi | without_kind | sort -u | while read -r test; do
    case " $left_out " in *" $test "*) continue ;; esac
    grep -q "_$test\$" "$work/failed" || echo "$test"
done)
echo
echo "tests that caught nothing: ${idle:-none}"
echo "mutants: $((count - survivors)) caught, $survivors survived"
[ "$survivors" -eq 0 ] && { [ $# -gt 0 ] || [ -z "$idle" ]; }
