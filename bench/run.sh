#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the same work on Ferry and on every peer that is installed, and compares medians:
#
#     run.sh [--rounds N] [--quick] [WORKLOAD...]      workloads: W1 W2 W2b W3 W4 W5 W6 W7 W9 W10 W11 (default: all)
#
# Installs the peers where it can, builds Release, runs the programs by turns, prints one line per peer and metric, then
# the ratios. Fails if any program found its own work wrong. --quick: smaller sizes, to see that everything runs.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/common.sh"

peers="ferry libuv asio boost libev libevent python apr reference socket shm"
build=$root/build/bench
results=$build/results.txt
failures=$build/failures.txt

# workload | metric's prefix | cores | the programs' name for it | size | quick size
runs='
W1  | w1               | any | offload-throughput | 1000000  | 100000
W2  | w2_pinned        | one | offload-latency    | 20000    | 2000
W2  | w2_unpinned      | any | offload-latency    | 20000    | 2000
W2  | w2_idle          | any | offload-idle       | 2000     | 200
W2b | w2b_10k          | any | offload-batch      | 10000    | 10000
W2b | w2b              | any | offload-batch      | 100000   | 20000
W2b | w2b_1m           | any | offload-batch      | 1000000  | 100000
W3  | w3_chain         | any | ready-chain        | 10000000 | 1000000
W3  | w3_batch         | any | ready-batch        | 10000000 | 1000000
W4  | w4               | any | timers-cancelled   | 1000000  | 100000
W4  | w4               | any | timers-fired       | 200000   | 20000
W4  | w4_idle          | any | timers-fired       | 1000     | 200
W5  | w5               | any | posts              | 2000000  | 200000
W5  | w5_ping_pinned   | one | ping-pong          | 100000   | 5000
W5  | w5_ping_unpinned | any | ping-pong          | 100000   | 5000
W6  | w6_1             | any | echo-1             | 20000    | 2000
W6  | w6_50            | any | echo-50            | 300000   | 20000
W6  | w6_1000          | any | echo-1000          | 300000   | 20000
W7  | w7_64            | any | process-throughput | 1000000  | 50000
W7  | w7_64_pinned     | one | process-latency    | 10000    | 1000
W7  | w7_64_unpinned   | any | process-latency    | 10000    | 1000
W7  | w7_job_pinned    | one | process-latency-of-jobs | 10000 | 1000
W7  | w7_job_unpinned  | any | process-latency-of-jobs | 10000 | 1000
W7  | w7_1m            | any | process-large      | 2000     | 100
W9  | w9_timer         | any | memory-timer       | 1000000  | 100000
W9  | w9_job           | any | memory-job         | 1000000  | 100000
W9  | w9_connection    | any | memory-connection  | 10000    | 500
W9  | w9_task          | any | memory-task        | 20000    | 2000
W10 | w10              | any | task-life          | 1000000  | 50000
W10 | w10              | any | task-yield         | 10000000 | 500000
W10 | w10              | any | task-switch        | 50000000 | 500000
W10 | w10_task         | any | task-await         | 1000000  | 100000
W10 | w10_tasks        | any | task-offload       | 1000000  | 100000
W10 | w10_callbacks    | any | offload-throughput | 1000000  | 100000
W11 | w11              | any | life-cycle         | 1000     | 100
W11 | w11_pinned       | one | life-cycle         | 1000     | 100
'

usage() {
    sed -n 's/^#     \(run.sh .*\)/usage: \1/p' "$0" >&2
    exit 2
}

rounds=5
quick=no
wanted=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=yes ;;
    --rounds)
        [ $# -gt 1 ] || usage
        rounds=$2
        shift
        ;;
    W1 | W2 | W2b | W3 | W4 | W5 | W6 | W7 | W9 | W10 | W11) wanted="$wanted $1" ;;
    *) usage ;;
    esac
    shift
done
case $rounds in '' | 0* | *[!0-9]*) usage ;; esac

# program_of PEER WORKLOAD: its program that knows the workload; nothing if it has none. A peer may have several.
program_of() {
    for program in "$build/bench/bench_$1" "$build/bench/bench_$1"_* "$root/bench/$1"_*.py; do
        if [ -x "$program" ] && "$program" list | grep -qx "$2"; then
            echo "$program"
        fi
    done
}

# size_for PEER PREFIX SIZE: as asked, but APR's own queue is walked by every push, and Python takes its time.
size_for() {
    case "$1 $2" in
    "apr w2b") most=20000 ;;
    "python w7_64") most=10000 ;;
    "python w7_64_"*) most=2000 ;;
    "python w7_1m") most=300 ;;
    *) most=$3 ;;
    esac
    [ "$3" -lt "$most" ] && echo "$3" || echo "$most"
}

# run_once WORKLOAD PREFIX CORES NAME SIZE PEER PROGRAM: appends what it prints, or notes that it failed.
run_once() {
    on_cores=
    if [ "$3" = one ]; then
        on_cores="taskset -c $first_core"
    fi
    size=$(size_for "$6" "$2" "$5")
    # shellcheck disable=SC2086 # words on purpose
    if ! $limit $on_cores "$7" "$4" "$size" >"$build/output.txt"; then
        echo "$1 $6 $4 $size ($3 core)" >>"$failures"
        return
    fi
    while read -r metric value unit; do
        echo "$1 $6 $2_$metric $value $unit"
    done <"$build/output.txt" >>"$results"
}

# run_all WORKLOAD PREFIX CORES NAME SIZE: every peer in turn, round after round.
run_all() {
    if [ "$3" = one ] && [ -z "$first_core" ]; then
        echo "run.sh: no taskset here, $2 is left out" >&2
        return
    fi
    round=1
    while [ "$round" -le "$rounds" ]; do
        printf '%s %s round %s of %s:' "$1" "$2" "$round" "$rounds" >&2
        for peer in $peers; do
            case "$peer $2" in "apr w2b_10k" | "apr w2b_1m") continue ;; esac
            program=$(program_of "$peer" "$4")
            if [ -n "$program" ]; then
                printf ' %s' "$peer" >&2
                run_once "$@" "$peer" "$program"
            fi
        done
        echo >&2
        round=$((round + 1))
    done
}

"$root/ci/deps.sh" build >&2
"$root/ci/deps.sh" bench >&2 || echo "run.sh: going on with the peers that are installed" >&2
if ! have python3; then
    echo "run.sh: python3, which makes the table, is missing" >&2
    exit 1
fi
build_in "$build" -DFERRY_BUILD_BENCH=ON -DFERRY_BUILD_TESTS=OFF -DFERRY_BUILD_EXAMPLES=OFF \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" >&2

first_core=
if have taskset; then
    first_core=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
fi
limit=
if have timeout; then
    limit="timeout 300"
fi

: >"$results"
: >"$failures"
echo "$runs" | while read -r workload _ prefix _ cores _ name _ size _ quick_size; do
    case " ${wanted:-$workload} " in *" ${workload:-none} "*) ;; *) continue ;; esac
    if [ "$quick" = yes ]; then
        size=$quick_size
    fi
    run_all "$workload" "$prefix" "$cores" "$name" "$size" </dev/null
done

python3 "$root/bench/table.py" "$results"
if [ -s "$failures" ]; then
    echo "run.sh: WRONG or unfinished:" >&2
    sort "$failures" | uniq -c >&2
    exit 1
fi
