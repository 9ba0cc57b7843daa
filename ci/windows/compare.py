#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Compares the tests that ran on this system with those that ran under Wine, by name: every test of the lane native ran
# on Windows too, but those in the table "Not on Windows" of docs/conformance.md; and what stands there did not run. The
# build folders are build/native and build/windows; where the first one has not run there is nothing to compare with.
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORLDS = ("native", "windows")


def tests_run(lane):
    """The names "suite: test" in what ctest has logged and ci/test.sh has kept, or None."""
    path = os.path.join(ROOT, "build", lane, f"{lane}.tests")
    if not os.path.exists(path):
        return None
    names, suite = set(), None
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            match = re.match(r"Suite: (\S+)", line)
            suite = match.group(1) if match else suite
            match = re.match(r"  Test: (\w+) \.\.\.", line)
            if match:
                names.add(f"{suite}: {match.group(1)}")
    return names


def left_out():
    """The rows | suite | test or * | reason | of the table."""
    with open(os.path.join(ROOT, "docs", "conformance.md"), encoding="utf-8") as page:
        table = page.read().split("## Not on Windows", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (\w+) \| (\w+|\*) \| \S.* \|$", table, re.M)
    return [(suite, test) for suite, test in rows if suite != "suite"]


def main():
    native, windows = (tests_run(lane) for lane in WORLDS)
    if native is None or windows is None:
        print("compare.py: one of the lanes native and windows has not run here, so nothing is compared")
        return 0
    excused = {name for name in native for suite, test in left_out()
               if name == f"{suite}: {test}" or (test == "*" and name.startswith(f"{suite}: "))}
    unused = [row for row in left_out() if not any(name.startswith(f"{row[0]}: ") for name in native)]
    missing = sorted(native - windows - excused)
    present = sorted(excused & windows)
    for name in missing:
        print(f"{name}: ran here, not on Windows, and is not in the list of those left out")
    for name in present:
        print(f"{name}: is in the list of those left out, and ran on Windows")
    for suite, test in unused:
        print(f"{suite}, {test}: is in the list of those left out, and is no test")
    print(f"{len(native)} tests here less {len(excused)} left out is {len(native) - len(excused)}; on Windows "
          f"{len(windows & native)} of them and {len(windows - native)} of its own")
    return 1 if missing or present or unused else 0


if __name__ == "__main__":
    sys.exit(main())
