#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The style checker seen to refuse: a small tree that it accepts, then one bad file at a time laid over that tree, each
# of which it must refuse by the right rule and in the right file. Whoever adds a rule adds what breaks it here.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
verdicts=$work/verdicts
c_spdx='/* SPDX-License-Identifier: Apache-2.0 */'

# write FILE: standard input becomes that file of the tree, below its SPDX line if it is C.
write() {
    mkdir -p "$work/tree/$(dirname "$1")"
    case $1 in
    *.[ch] | *.cpp) echo "$c_spdx" >"$work/tree/$1" ;;
    *) : >"$work/tree/$1" ;;
    esac
    cat >>"$work/tree/$1"
}

good_tree() {
    rm -rf "$work/tree"
    write include/ferry/loop.h <<'END'
/* A loop. */
#ifndef FERRY_LOOP_H
#define FERRY_LOOP_H
#include "ferry/base.h"
#ifdef __cplusplus
extern "C" {
#endif
/* Makes one.
 *
 * Thread: any. */
FERRY_API ferry_status ferry_loop_create(const char *name,
                                         ferry_loop **ret_loop);
FERRY_API void ferry_loop_unref(ferry_loop *loop);
#ifdef __cplusplus
}
#endif
#endif
END
    write src/loop/loop.c <<'END'
/* Turns. No lock is here but in words: pthread_mutex_lock, stdatomic.h. */
#include "loop/loop.h"

#include <stdio.h>

#include <apr_pools.h>

#include "base/list.h"
#include "ferry/loop.h"
#include "native.h"
#include "seam/backend.h"

static const char *const words[] = {"atomic_load", "fy_mutex"};

int fy_turn(int count) {
    return printf("%s {\n", words[count]);
}
END
    write src/loop/inbox.c <<'END'
/* The one door. */
#include <stdatomic.h>

static _Atomic(int) head;
END
    write src/base/slab.h <<'END'
/* Cells. */
#ifndef FERRY_BASE_SLAB_H
#define FERRY_BASE_SLAB_H
#ifdef FY_SLAB_OFF
#endif
#endif
END
    write src/posix/epoll.c <<'END'
/* Readiness on Linux. */
#include <sys/epoll.h>

#include "seam/backend.h"
#ifdef __linux__
#endif
END
    write tests/test_loop.c <<'END'
/* Turns. */
static void posted_callback_runs_once(void) { /* LS-001 */
}
END
    write docs/conformance.md <<'END'
| id | where |
|---|---|
| LS-001 | `test_loop.c` |
| LS-010 | comes with tasks |
END
}

# judge NAME VERDICT [RULE FILE]: VERDICT is accepted or refused.
judge() {
    if output=$(python3 "$root/ci/style.py" --root "$work/tree"); then
        verdict=accepted
    else
        verdict=refused
    fi
    if [ "$verdict" != "$2" ] || { [ "$2" = refused ] && ! echo "$output" | grep -q "^$4:[0-9]*: \[$3\] "; }; then
        echo "style_selftest: $1: should be $2${3:+ by rule $3 in $4}, was $verdict"
        echo "$output" | sed 's/^/    /'
        echo failed >>"$verdicts"
    else
        echo passed >>"$verdicts"
    fi
}

# refuse RULE FILE NAME: standard input as FILE must be refused by RULE.
refuse() {
    good_tree
    write "$2"
    judge "$3" refused "$1" "$2"
}

accept() {
    good_tree
    write "$1"
    judge "$2" accepted
}

# lines COUNT: that many lines of C.
lines() {
    awk -v count="$1" 'BEGIN { for (i = 0; i < count; i++) print "    count += " i ";" }'
}

# ---- what must pass ----

good_tree
judge "the good tree" accepted

{ echo '/* As long as may be. */'; echo 'int fy_long(int count) {'; lines 70; echo '}'; } |
    accept src/loop/turn.c "a function of 70 lines"

{ echo '/* Many. */'; for n in 1 2 3 4 5 6 7; do echo "int fy_part_$n(int count) {"; lines 60; echo '}'; done; } |
    accept src/loop/turn.c "seven functions of 60 lines"

accept src/base/hooks.h "a question to the compiler in src/base" <<'END'
/* Hooks. */
#ifndef FERRY_BASE_HOOKS_H
#define FERRY_BASE_HOOKS_H
#if defined(__SANITIZE_ADDRESS__)
#endif
#endif
END

# ---- what must not ----

refuse include src/loop/turn.c "a lower floor includes a higher one" <<'END'
/* Turns. */
#include "future/future.h"
END

refuse include src/loop/turn.c "a public header from above" <<'END'
/* Turns. */
#include "ferry/executor.h"
END

refuse include src/io/stream.c "io sees tasks" <<'END'
/* Streams. */
#include "task/task.h"
END

refuse include src/posix/net.c "a port includes the loop" <<'END'
/* Net. */
#include "loop/loop.h"
END

refuse include src/loop/turn.c "an OS header in common code" <<'END'
/* Turns. */
#include <sys/socket.h>
END

refuse include src/loop/turn.c "a header without its folder" <<'END'
/* Turns. */
#include "turn.h"
END

refuse include src/attic/old.c "a folder that is no floor" <<'END'
/* Old. */
END

refuse public_include include/ferry/future.h "APR in a public header" <<'END'
/* Futures. */
#ifndef FERRY_FUTURE_H
#define FERRY_FUTURE_H
#include <apr_pools.h>
#endif
END

refuse public_include include/ferry/future.h "an internal header in a public one" <<'END'
/* Futures. */
#ifndef FERRY_FUTURE_H
#define FERRY_FUTURE_H
#include "future/future.h"
#endif
END

refuse conditional src/loop/turn.c "a system asked for in common code" <<'END'
/* Turns. */
#ifdef _WIN32
#endif
END

refuse conditional src/base/list.c "a system asked for in src/base" <<'END'
/* Lists. */
#if defined(__GNUC__) && defined(__linux__)
#endif
END

refuse conditional src/loop/turn.c "#ifndef that guards nothing" <<'END'
/* Turns. */
#ifndef NDEBUG
static int checks;
#endif
END

refuse guard src/loop/turn.h "a header without a guard" <<'END'
/* Turns. */
int fy_turn(int count);
END

refuse locks src/loop/turn.c "a mutex outside the allowed files" <<'END'
/* Turns. */
int fy_turn(void) {
    return pthread_mutex_lock(0);
}
END

refuse locks src/future/future.c "atomics outside the allowed files" <<'END'
/* Futures. */
#include <stdatomic.h>
END

refuse documented include/ferry/future.h "a public function without its thread" <<'END'
/* Futures. */
#ifndef FERRY_FUTURE_H
#define FERRY_FUTURE_H
/* One.
 * Thread: loop. */
FERRY_API int ferry_one(void);

/* Two. */
FERRY_API int ferry_two(void);
#endif
END

{ echo '/* Too long. */'; echo 'int fy_long(int count)'; echo '{'; lines 71; echo '}'; } |
    refuse function_length src/loop/turn.c "a function of 71 lines"

{ echo '/* Too long. */'; echo 'extern "C" {'; echo 'int long_one(int count) {'; lines 71; echo '}'; echo '}'; } |
    refuse function_length tests/test_long.cpp "a function of 71 lines in C++"

{ echo '/* Too long. */'; lines 499; } | refuse file_length tests/test_long.c "a file of 501 lines"

printf '/* Wide. */\n/* %0115d */\n' 0 | refuse text src/loop/turn.c "a line of 121 columns"
printf '/* Tab. */\n\tint tab;\n' | refuse text src/loop/turn.c "a tab"
printf '/* Blank. */\nint blank; \n' | refuse text src/loop/turn.c "a blank at the end of a line"
printf '/* Return. */\r\n' | refuse text src/loop/turn.c "a carriage return"
printf '/* End. */\nint end;' | refuse text src/loop/turn.c "no line end at the end"
printf '# Page \n' | refuse text docs/page.md "a blank at the end of a line of prose"

for word in TO"DO" FIX"ME" XX"X" HA"CK" "for"" now"; do
    printf '/* Words. */\n/* %s: later */\n' "$word" | refuse words src/loop/turn.c "the word $word"
done

printf '#!/bin/sh\necho no licence\n' | refuse spdx ci/run.sh "a script without an SPDX line"
printf 'int headless;\n' | refuse spdx src/loop/turn.c "a file without a head comment"

refuse conformance tests/test_timer.c "a row that the page lacks" <<'END'
/* Timers. */
static void never_early(void) { /* TM-001 */
}
END

refuse conformance tests/test_timer.c "a row that the page gives to another test" <<'END'
/* Timers. */
static void posted_callback_runs_once(void) { /* LS-001 */
}
END

refuse conformance docs/conformance.md "a row said to be pinned by a test that does not name it" <<'END'
| id | where |
|---|---|
| LS-001 | `test_loop.c` |
| LS-004 | `test_loop.c` |
END

refuse conformance docs/conformance.md "a row that stands twice" <<'END'
| id | where |
|---|---|
| LS-001 | `test_loop.c` |
| LS-001 | `test_loop.c` |
END

# ---- a checker that finds nothing to check has not passed ----

rm -rf "$work/tree"
mkdir "$work/tree"
if python3 "$root/ci/style.py" --root "$work/tree" >/dev/null; then
    echo "style_selftest: an empty tree was accepted"
    echo failed >>"$verdicts"
else
    echo passed >>"$verdicts"
fi

# Counted from a file, since the right-hand side of a pipe is a process of its own.
passed=$(grep -c passed "$verdicts" || true)
failed=$(grep -c failed "$verdicts" || true)
echo "style_selftest: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
