#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that a script can check: who includes whom, where locks live, what a public declaration says,
# how long things may be. One function per rule; each names the places that break it. It changes nothing.
#
#     style.py [--root FOLDER]      prints every refusal, then "style: N passed, M failed" (files); fails if M > 0
import argparse
import collections
import fnmatch
import os
import re
import sys

PLACES = [".ci", "CMakeLists.txt", "README.md", "CHANGELOG.md", "bench", "ci", "cmake", "docs", "examples", "include",
          "src", "tests"]

# Each floor with those it may include from. Higher floors come later; posix and win32 stand beside the seam. So does
# sim, which is a backend, but users see it: its public face, a loop and an executor on it, stands on all floors.
FLOORS = {
    "base": ["base"],
    "seam": ["base", "seam"],
    "posix": ["base", "seam", "posix"],
    "win32": ["base", "seam", "win32"],
    "sim": ["base", "seam", "loop", "future", "executor", "sim"],
    "loop": ["base", "seam", "loop"],
    "future": ["base", "seam", "loop", "future"],
    "executor": ["base", "seam", "loop", "future", "executor"],
    "process": ["base", "seam", "loop", "future", "executor", "process"],
    "task": ["base", "seam", "loop", "future", "executor", "task"],
    "io": ["base", "seam", "loop", "future", "executor", "io"],
}
PORTS = ["posix", "win32"]
# The floor that implements each public header.
PUBLIC_HEADERS = {
    "base": "base", "address": "base", "loop": "loop", "future": "future", "job": "executor", "executor": "executor",
    "pack": "process", "process": "process", "task": "task", "context": "task", "run": "task", "sync": "task",
    "io": "io", "sim": "sim",
}
PUBLIC_SYSTEM_HEADERS = {"stdbool.h", "stddef.h", "stdint.h"}
STANDARD_HEADERS = {
    "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "locale.h", "math.h", "setjmp.h", "signal.h",
    "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "stdnoreturn.h", "string.h", "time.h", "wchar.h",
}
APR_HEADER = re.compile(r"^ap[ru]_?[a-z0-9_]*\.h$")

# The only files that may lock or use atomics. Whoever adds one says why in its head comment.
LOCK_FILES = [
    "src/base/alloc.[ch]", "src/base/slab.[ch]",
    "src/seam/platform.h", "src/posix/*", "src/win32/*",
    "src/loop/inbox.[ch]", "src/loop/threadsafe.c", "src/loop/loop.[ch]", "src/loop/signal.c",
    "src/executor/job*.[ch]", "src/executor/threadpool*.[ch]",
    "src/executor/custom.c", "src/executor/executor.[ch]", "src/executor/host.[ch]", "src/executor/limited*.[ch]",
    "src/executor/lot.[ch]", "src/executor/nested.[ch]", "src/executor/pool_exit.[ch]", "src/executor/queue.[ch]",
    "src/executor/thread_cache.[ch]",
    "src/process/process_*.[ch]", "src/process/wire.[ch]", "src/process/worker_main.c", "src/task/context_var.c",
]
LOCK_WORDS = re.compile(r"\b(stdatomic\.h|_Atomic|atomic_\w+|__atomic_\w+|__sync_\w+|fy_mutex\w*|fy_cond\w*|mtx_\w+"
                        r"|pthread_(?:mutex|cond|rwlock|spin|barrier)\w*|apr_thread_(?:mutex|cond|rwlock)\w*"
                        r"|apr_atomic\w*)\b")

# What src/base may ask the compiler about; no other common code asks anything.
BASE_CONDITIONS = {"defined", "FY_SLAB_OFF", "__GNUC__", "__clang__", "__has_attribute", "__has_feature",
                   "__SANITIZE_ADDRESS__", "__SANITIZE_THREAD__", "address_sanitizer", "thread_sanitizer"}

# Written in two pieces, so that this file does not refuse itself.
FORBIDDEN_WORDS = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK", "for" " now"]) + r")\b")

LINE_LIMIT = 120
FILE_LIMIT = 500
FUNCTION_LIMIT = 70
FUNCTION_LISTED = 40

SPDX = "SPDX-License-Identifier: Apache-2.0"
ROW_ID = re.compile(r"\b[A-Z]{2}-[0-9]{3}\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef)\b\s*(.*)$")
TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

Refusal = collections.namedtuple("Refusal", "path line rule text")


class Source:
    """One file: its raw lines, and for C the lines without comments, and without strings as well."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", newline="") as stream:
            self.text = stream.read()
        self.lines = self.text.split("\n")
        self.suffix = os.path.splitext(path)[1]
        self.is_c = self.suffix in (".c", ".h", ".cpp", ".hpp")
        self.is_header = self.suffix in (".h", ".hpp")
        self.is_shell = self.text.startswith("#!/bin/sh") or self.suffix == ".sh"
        self.is_cmake = os.path.basename(path) == "CMakeLists.txt" or self.suffix == ".cmake"
        self.is_code = self.is_c or self.is_shell or self.is_cmake or self.suffix in (".py", ".in", ".S")
        parts = path.split("/")
        self.floor = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        self.is_public = parts[0] == "include"
        if self.is_c:
            self.uncommented = blank(self.text, strings=False)
            self.code = blank(self.text, strings=True)


def blank(text, strings):
    """The text with comments (and the content of strings) taken out, line for line."""
    def replace(match):
        token = match.group(0)
        if token[0] == "/":
            return " " + "\n" * token.count("\n")
        return token[0] + token[0] if strings else token
    return TOKENS.sub(replace, text).split("\n")


# ---- rules for one file: each yields (line, text) ----

def rule_spdx(source):
    if not source.is_code:
        return
    first = 1 if source.lines[0].startswith("#!") else 0
    line = source.lines[first] if first < len(source.lines) else ""
    if line not in (f"/* {SPDX} */", f"# {SPDX}"):
        yield first + 1, "the file does not begin with its SPDX line"
        return
    rest = [line for line in source.lines[first + 1:] if not line.startswith("# shellcheck")]
    if source.suffix != ".in" and not (rest and rest[0].startswith(("/* ", "# "))):
        yield first + 2, "no head comment follows: what does this file decide?"


def rule_text(source):
    for number, line in enumerate(source.lines, 1):
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "blanks or a carriage return at the end of the line"
        if source.is_code and len(line) > LINE_LIMIT:
            yield number, f"{len(line)} columns, over {LINE_LIMIT}"
    if not source.text.endswith("\n") or source.text.endswith("\n\n"):
        yield len(source.lines), "the file does not end with exactly one line end"


def rule_words(source):
    for number, line in enumerate(source.lines, 1):
        for word in FORBIDDEN_WORDS.findall(line):
            yield number, f"\"{word}\": do it or drop it"


def rule_file_length(source):
    if source.is_code and len(source.lines) - 1 > FILE_LIMIT:
        yield FILE_LIMIT + 1, f"{len(source.lines) - 1} lines, over {FILE_LIMIT}"


def functions(source):
    """Yields (name, line, body lines) of each function, by braces: for code that compiles."""
    directive = False
    lines = []
    for line in source.code:
        directive = directive or line.lstrip().startswith("#")
        lines.append("" if directive else line)
        directive = directive and line.endswith("\\")
    depth, number, head, opened, name = 0, 1, "", 0, None
    for character in "\n".join(lines):
        if character == "\n":
            number += 1
        if character == "{":
            container = re.match(r"\s*(extern\s*\"\"|namespace\b[^()]*|(?:class|struct)\b[^()=;]*)\s*$", head)
            if depth == 0 and container and (source.suffix != ".c"):
                head = ""
                continue
            if depth == 0 and ")" in head and "=" not in head:
                name, opened = re.findall(r"(\w+)\s*\(", head)[0], number
            depth += 1
        elif character == "}" and depth > 0:
            depth -= 1
            if depth == 0 and name:
                yield name, opened, number - opened - 1
                name = None
            head = ""
        elif character in ";}":
            head = ""
        elif depth == 0:
            head += character


def rule_function_length(source):
    if not source.is_c:
        return
    for name, line, length in functions(source):
        if length > FUNCTION_LIMIT:
            yield line, f"{name} has {length} lines, over {FUNCTION_LIMIT}"
        elif length > FUNCTION_LISTED:
            print(f"{source.path}:{line}: note: {name} has {length} lines")


def includes(source):
    for number, line in enumerate(source.uncommented, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def rule_include(source):
    if not source.is_c or not source.floor:
        return
    if source.floor not in FLOORS:
        yield 1, f"src/{source.floor} is no floor of the house"
        return
    allowed = FLOORS[source.floor]
    for number, is_system, name in includes(source):
        folder, _, rest = name.rpartition("/")
        if is_system:
            if source.floor not in PORTS and name not in STANDARD_HEADERS and not APR_HEADER.match(name):
                yield number, f"<{name}> is an OS header: only src/posix and src/win32 see those"
        elif folder == "ferry":
            if PUBLIC_HEADERS.get(rest.split(".")[0]) not in allowed:
                yield number, f"\"{name}\" is declared above src/{source.floor}"
        elif name != "native.h" and folder not in allowed:
            yield number, f"src/{source.floor} may not include \"{name}\""


def rule_public_include(source):
    if not source.is_public or source.suffix != ".h":
        return
    for number, is_system, name in includes(source):
        if is_system:
            fits = name in PUBLIC_SYSTEM_HEADERS
            if source.path == "include/ferry/apr.h":
                fits = fits or APR_HEADER.match(name)
        else:
            fits = name.startswith("ferry/")
        if not fits:
            yield number, f"a public header may not include {name}"


def rule_conditional(source):
    """Common code is the same on every system; what differs has a folder of its own."""
    if not source.is_c or not source.floor or source.floor in PORTS:
        return
    for number, line in enumerate(source.uncommented, 1):
        match = CONDITIONAL.match(line)
        if not match:
            continue
        kind, condition = match.group(1), match.group(2).strip()
        names = set(re.findall(r"[A-Za-z_]\w*", condition))
        is_guard = kind == "ifndef" and number < len(source.lines) and \
            source.lines[number].strip() == f"#define {condition}"
        if not (is_guard or names == {"__cplusplus"} or (source.floor == "base" and names <= BASE_CONDITIONS)):
            yield number, f"#{kind} {condition} in common code"


def rule_guard(source):
    if source.suffix == ".h" and (source.floor or source.is_public):
        guards = [number for number, line in enumerate(source.lines) if line.startswith("#ifndef FERRY_")]
        if not guards or not source.lines[guards[0] + 1].startswith("#define FERRY_"):
            yield 1, "no include guard FERRY_..._H"


def rule_locks(source):
    if not source.is_c or not (source.floor or source.is_public):
        return
    if any(fnmatch.fnmatch(source.path, pattern) for pattern in LOCK_FILES):
        return
    found = [(number, word) for number, line in enumerate(source.code, 1) for word in LOCK_WORDS.findall(line)]
    if found:
        number, word = found[0]
        yield number, (f"{word}, the first of {len(found)}: locks and atomics live in the files that ci/style.py "
                       "lists, and nowhere else")


def rule_documented(source):
    """A public function stands in a block of lines without a blank one; a Thread: line comes before it there."""
    if not source.is_public or not source.is_c:
        return
    threaded = False
    for number, (raw, code) in enumerate(zip(source.lines, source.uncommented), 1):
        if not raw.strip():
            threaded = False
        threaded = threaded or re.search(r"\bThread:\s+\S", raw) is not None
        if re.match(r"\s*FERRY_API\b", code) and not threaded:
            yield number, "a public function without a Thread: line"


FILE_RULES = [rule_spdx, rule_text, rule_words, rule_file_length, rule_function_length, rule_include,
              rule_public_include, rule_conditional, rule_guard, rule_locks, rule_documented]


# ---- the rule for the whole project: yields (path, line, text) ----

def rule_conformance(sources):
    """docs/conformance.md has a row per behaviour: | id | where |. A row that names test files is pinned by exactly
    those; every id that a test names has its row."""
    page = "docs/conformance.md"
    named = collections.defaultdict(dict)
    for source in sources:
        if source.path.startswith("tests/") and source.is_c:
            for number, line in enumerate(source.lines, 1):
                for row in ROW_ID.findall(line):
                    named[row].setdefault(os.path.basename(source.path), (source.path, number))
    rows = {}
    for source in sources:
        for number, line in enumerate(source.lines if source.path == page else [], 1):
            match = re.match(r"\|\s*([A-Z]{2}-[0-9]{3})\s*\|(.*)$", line)
            if match and match.group(1) in rows:
                yield page, number, f"{match.group(1)} has two rows"
            elif match:
                rows[match.group(1)] = number, set(re.findall(r"\b\w+\.(?:c|cpp)\b", match.group(2)))
    for row, places in sorted(named.items()):
        for test, (path, number) in sorted(places.items()):
            if row not in rows:
                yield path, number, f"{row} has no row in {page}"
            elif test not in rows[row][1]:
                yield path, number, f"{row} is named here, but its row in {page} does not name {test}"
    for row, (number, tests) in sorted(rows.items()):
        for test in sorted(tests - set(named[row])):
            yield page, number, f"{row} is said to be pinned by {test}, which does not name it"


# ---- the run ----

def find_files(root):
    for place in PLACES:
        top = os.path.join(root, place)
        if os.path.isfile(top):
            yield place
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith("__"))
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def is_checked(path):
    suffixes = (".c", ".h", ".cpp", ".hpp", ".S", ".sh", ".py", ".cmake", ".in", ".md", ".txt")
    return path.endswith(suffixes) or path == ".ci/run"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    root = parser.parse_args().root
    sources = [Source(root, path) for path in find_files(root) if is_checked(path)]
    refusals = [Refusal(source.path, line, rule.__name__[5:], text)
                for source in sources for rule in FILE_RULES for line, text in rule(source)]
    refusals += [Refusal(path, line, "conformance", text) for path, line, text in rule_conformance(sources)]
    for refusal in refusals:
        print(f"{refusal.path}:{refusal.line}: [{refusal.rule}] {refusal.text}")
    failed = len({refusal.path for refusal in refusals})
    print(f"style: {len(sources) - failed} passed, {failed} failed")
    return 1 if refusals or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
