#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows that each test of the backend contract can fail. Every patch in reactor/ is a small bug, and every one in the
# folder of a poller; each is applied to a copy of the sources, and the contract is run on the result, test by test. It
# passes if every bug is caught by some test and every test has caught some bug. A test that crashes or hangs has caught
# it.
#
#     tests/mutants/run.sh POLLER [NAME...]      epoll or kqueue (on its stand-in); every bug, or those named (then a
#                                                test may well catch none)
#
# CC, MUTANTS_JOBS (tests at a time; most of them only wait) and MUTANTS_LIMIT_S (when a test counts as hung) may be
# set.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
poller=${1:?epoll or kqueue}
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
flags="-std=c11 -O1 -DFERRY_STATIC -DCONTRACT_WITHIN_US=1500000 $(pkg-config --cflags apr-1 cunit)"
standin=
case $poller in
epoll) ;;
kqueue) standin=tests/support/kqueue_standin ;;
*) fail "there is no poller '$poller'" ;;
esac
port_sources="src/posix/$poller.c"
for name in attempt clock lease net reactor sigpipe thread; do
    port_sources="$port_sources src/posix/$name.c"
done
program_sources="$port_sources src/base/alloc.c src/base/status.c src/seam/deadline.c
    tests/backend_contract*.c tests/backend_posix.c tests/test_backend_$poller.c
    tests/support/harness.c tests/support/system_posix.c ${standin:+$standin/*.c}"
libraries="$(pkg-config --libs apr-1 cunit) -lpthread"

# compile FOLDER FILE: FILE of FOLDER's tree into FOLDER/objects.
compile() {
    # shellcheck disable=SC2086
    $compiler $flags -I"$1/include" -I"$1/src" -I"$1/src/posix" -I"$1/tests" ${standin:+-I"$1/$standin"} -c "$1/$2" \
        -o "$1/objects/$(basename "$2" .c).o"
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
    $compiler "$1"/objects/*.o -o "$1/contract" $libraries
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
    if [ -e "$here/$poller/$1.patch" ]; then
        echo "$here/$poller/$1.patch"
    else
        echo "$here/reactor/$1.patch"
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
        *.h) compile_all "$work/$1" "$port_sources" ;;
        *) compile "$work/$1" "$file" ;;
        esac || exit 1
    done || fail "$1 does not compile"
    link "$work/$1"
}

# list_suite NAME: the tests of one of the contract's suites.
list_suite() {
    sed -n "/define $1(X/,/^\$/s/^ *X(prefix, \([a-z_]*\)).*/\1/p" "$source_dir/tests/backend_contract.h"
}

# The contract's tests; those of streams on both kinds.
list_tests() {
    list_suite BACKEND_CONTRACT | sed 's/^/socketpair_/'
    list_suite BACKEND_CONTRACT | sed 's/^/tcp_/'
    list_suite BACKEND_CONTRACT_NET | sed 's/^/tcp_/'
}

# run_all NAME...: leaves a line "NAME TEST" in $work/failed for each test that failed on that build.
# shellcheck disable=SC2016 # what stands in single quotes is for the inner shell
run_all() {
    : >"$work/failed"
    for name in "$@"; do
        list_tests | sed "s/^/$name /"
    done | WORK=$work LIMIT_S=$limit_s xargs -P "$jobs" -n 2 sh -c '
        timeout -s KILL "$LIMIT_S" "$WORK/$1/contract" "$2" >"$WORK/$1/$2.log" 2>&1 || echo "$1 $2" >>"$WORK/failed"
    ' run
}

command -v git >/dev/null || fail "git is needed"
[ -n "$(list_tests)" ] || fail "no test was found in backend_contract.h"

build_original
run_all original
[ ! -s "$work/failed" ] || fail "fails without a bug: $(cat "$work/failed")"

if [ $# -gt 0 ]; then
    names=$*
else
    names=$(for patch in "$here"/reactor/*.patch "$here/$poller"/*.patch; do basename "$patch" .patch; done)
fi
for name in $names; do
    build_mutant "$name"
done
# shellcheck disable=SC2086 # one word per mutant
run_all $names

count=0
survivors=0
for name in $names; do
    caught=$(sed -n "s/^$name //p" "$work/failed" | sed 's/^socketpair_//; s/^tcp_//' | sort -u | tr '\n' ' ')
    count=$((count + 1))
    if [ -z "$caught" ]; then
        survivors=$((survivors + 1))
    fi
    echo "$name: ${caught:-SURVIVED}"
done

idle=$(list_tests | sed 's/^socketpair_//; s/^tcp_//' | sort -u | while read -r test; do
    grep -q "_$test\$" "$work/failed" || echo "$test"
done)
echo
echo "tests that caught nothing: ${idle:-none}"
echo "mutants: $((count - survivors)) caught, $survivors survived"
[ "$survivors" -eq 0 ] && { [ $# -gt 0 ] || [ -z "$idle" ]; }
