#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and tests the project, installing what that needs: test.sh [LANE], each lane in its own folder build/LANE, but
# sim in native's. What a lane builds, and how its tests are run, stands in CMakePresets.json.
#
#     native   gcc, or the system's compiler where there is no gcc (without an argument)
#     clang    the same suite, built by clang
#     asan     AddressSanitizer with leak detection, and UndefinedBehaviorSanitizer
#     tsan     ThreadSanitizer
#     valgrind memcheck over the tests of whatever runs on stacks of tasks
#     kqueue   the same suite on kqueue, the poller of macOS and the BSDs, over a stand-in for it
#     sim      the simulator's own tests, and every test above the seam that can on it, with 200 seeds each
#     fuzz     each fuzz target for a minute, on clang's libFuzzer with AddressSanitizer
#     macos    a cross build for both kinds of Mac: everything compiles and links, and the exports are right
#     windows  a cross build for Windows, and the whole suite under Wine
#     style    the rules that a script can check, and shellcheck
#     mutants  the backend contract on epoll with a bug each: every bug is caught, and every test catches one
#     all      each of these
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/common.sh"
lanes_alone="style native clang asan tsan valgrind sim kqueue mutants fuzz windows"
lanes="$lanes_alone macos"
fuzz_seconds=60

# run_suite PRESET [TESTS]: builds what CMakePresets.json has under that name, and runs those tests of it. What ctest
# has logged is kept as TESTS.tests, for the next run in that folder may be of others.
run_suite() {
    build_preset "$1" || return
    suite_failed=0
    (cd "$root" && ctest --preset "${2:-$1}") || suite_failed=1
    cp "$root/build/$1/Testing/Temporary/LastTest.log" "$root/build/$1/${2:-$1}.tests" || suite_failed=1
    return "$suite_failed"
}

# with_compiler COMPILER
with_compiler() {
    CC=$1
    CXX=$(cxx_of "$1")
    export CC CXX
}

# sanitized_by SANITIZERS: what is built from here on can have them. A lane for which no compiler is found has failed.
sanitized_by() {
    if ! sanitizer_compiler=$(sanitizing_compiler "$1"); then
        echo "test.sh: no compiler here builds programs that run with -fsanitize=$1" >&2
        return 1
    fi
    with_compiler "$sanitizer_compiler"
}

# Those of the other backends take three minutes more by hand (tests/mutants/run.sh kqueue, and sim); here they must
# still apply to the sources.
check_mutants() {
    for patch in "$root"/tests/mutants/*/*.patch; do
        if ! (cd "$root" && git apply --check "$patch"); then
            echo "test.sh: $patch does not apply any more" >&2
            return 1
        fi
    done
}

# The corpus starts empty; what a target fails on stays in build/fuzz/NAME, and what it said in build/fuzz/NAME.log.
start_fuzzing() {
    mkdir -p "$root/build/fuzz/$1"
    "$root/build/fuzz/tests/fuzz/fuzz_$1" -max_total_time="$fuzz_seconds" -timeout=20 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$root/build/fuzz/$1/" >"$root/build/fuzz/$1.log" 2>&1 &
    echo "$1 $!" >>"$root/build/fuzz/running"
}

# All targets at once.
run_fuzz() {
    sanitized_by address,fuzzer && build_preset fuzz || return
    rm -f "$root/build/fuzz/running"
    for target in "$root"/tests/fuzz/*.c; do
        start_fuzzing "$(basename "$target" .c)"
    done
    fuzz_passed=0
    fuzz_failed=0
    while read -r name pid; do
        if wait "$pid"; then
            fuzz_passed=$((fuzz_passed + 1))
        else
            fuzz_failed=$((fuzz_failed + 1))
        fi
        say "fuzz: $name"
        tail -n 60 "$root/build/fuzz/$name.log"
    done <"$root/build/fuzz/running"
    echo "fuzz: $fuzz_passed passed, $fuzz_failed failed"
    [ "$fuzz_failed" -eq 0 ]
}

# Nothing of it can run here, so what was linked is looked at.
run_macos() {
    for arch in x86_64 aarch64; do
        run_suite "macos-$arch" || return
    done
    "$root/ci/macos/check.sh" x86_64 aarch64
}

# The same tests as on this system, but those that docs/conformance.md leaves out.
run_windows() {
    "$root/ci/windows/prefix.sh" start || return
    windows_failed=0
    run_suite windows || windows_failed=1
    "$root/ci/windows/prefix.sh" stop
    [ "$windows_failed" -eq 0 ] && "$root/ci/windows/compare.py"
}

native_compiler() {
    if have gcc; then
        echo gcc
    else
        echo cc
    fi
}

run_lane() {
    say "lane $1"
    case $1 in
    native)
        "$root/ci/deps.sh" build test && with_compiler "$(native_compiler)" && run_suite native
        ;;
    clang)
        "$root/ci/deps.sh" build test clang && run_suite clang
        ;;
    asan)
        "$root/ci/deps.sh" build test asan && sanitized_by address,undefined && run_suite asan
        ;;
    tsan)
        "$root/ci/deps.sh" build test tsan && sanitized_by thread && run_suite tsan
        ;;
    valgrind)
        "$root/ci/deps.sh" build test valgrind && with_compiler "$(native_compiler)" && run_suite valgrind
        ;;
    kqueue)
        "$root/ci/deps.sh" build test && with_compiler "$(native_compiler)" && run_suite kqueue
        ;;
    sim)
        "$root/ci/deps.sh" build test && with_compiler "$(native_compiler)" && run_suite native sim
        ;;
    macos)
        "$root/ci/deps.sh" build macos && "$root/ci/macos/deps.sh" && run_macos
        ;;
    windows)
        "$root/ci/deps.sh" build windows && "$root/ci/windows/deps.sh" && run_windows
        ;;
    style)
        "$root/ci/deps.sh" style && "$root/ci/style.sh"
        ;;
    fuzz)
        "$root/ci/deps.sh" build clang fuzz && run_fuzz
        ;;
    mutants)
        "$root/ci/deps.sh" build test patch && "$root/tests/mutants/run.sh" epoll && check_mutants
        ;;
    esac
}

# The lines with which the lane's runner closed.
closing_lines() {
    grep -E '% tests passed|^[a-z]+: [0-9]+ (passed|caught), [0-9]+ (failed|survived)' "$1" || echo "no closing line"
}

# What the log of a failed lane says of each test that failed, or, where no test is named, how it ended.
what_failed() {
    if ! grep -qE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*' "$1"; then
        tail -n 40 "$1"
        return
    fi
    awk '/^ *[0-9]+\/[0-9]+ Test +#/ { left = /\*\*\*/ ? 80 : 0 } /^ +Start +[0-9]+:/ { next } left-- > 0' "$1"
}

# logged_lane LANE [COMMAND...]: runs it, by that command, with its output in build/LANE.log as well and its verdict
# beside that.
logged_lane() {
    logged=$1
    log=$root/build/$1.log
    shift
    { "$@" "$root/ci/test.sh" "$logged" 2>&1 && echo passed >"$log.verdict" || echo FAILED >"$log.verdict"; } |
        tee "$log"
}

# The cross build for macOS, of which nothing can run here, is made with what the other lanes leave of the processors.
# What any lane installs comes before: an installer bears no second one beside it.
run_all() {
    mkdir -p "$root/build"
    "$root/ci/deps.sh" build test clang asan tsan valgrind fuzz style patch macos windows || true
    logged_lane macos nice -n 19 >/dev/null &
    macos_pid=$!
    for lane in $lanes_alone; do
        logged_lane "$lane"
    done
    wait "$macos_pid"
    cat "$root/build/macos.log"
    say "every lane"
    passed=0
    failed=0
    verdicts=
    for lane in $lanes; do
        verdict=$(cat "$root/build/$lane.log.verdict")
        rm -f "$root/build/$lane.log.verdict"
        case $verdict in
        passed) passed=$((passed + 1)) ;;
        *)
            failed=$((failed + 1))
            say "of lane $lane"
            what_failed "$root/build/$lane.log"
            ;;
        esac
        closing=$(closing_lines "$root/build/$lane.log" | tail -n 1)
        verdicts="$verdicts$(printf '%-7s %s: %s' "$verdict" "$lane" "$closing")
"
    done
    printf '\n%s\nlanes: %d passed, %d failed\n' "$verdicts" "$passed" "$failed"
    [ "$failed" -eq 0 ]
}

lane=${1:-native}
case " $lanes all " in
*" $lane "*) ;;
*)
    echo "test.sh: there is no lane '$lane'; the lanes are: $lanes all" >&2
    exit 2
    ;;
esac
cd "$root"
if [ "$lane" = all ]; then
    run_all
else
    run_lane "$lane"
fi
