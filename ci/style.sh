#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The style lane: the checker shows that it refuses what it should, then judges the project; shellcheck judges the
# scripts. All of it runs, whatever fails first, and the checker's count closes the output.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
failed=0

"$root/ci/style_selftest.sh" || failed=1

scripts=$(grep -rlE '^(#!.*sh|# shellcheck shell=)' .ci bench ci examples tests)
# shellcheck disable=SC2086 # one word per script on purpose
if shellcheck -x $scripts; then
    echo "shellcheck: $(echo "$scripts" | wc -l | tr -d ' ') passed, 0 failed"
else
    echo "shellcheck: scripts were refused" >&2
    failed=1
fi

python3 "$root/ci/style.py" || failed=1
exit "$failed"
