#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# W7 on Python's own ProcessPoolExecutor, with two workers: the same arguments, the same work and the same checks as in
# processes.h. Called as the compiled programs are: `list`, or WORKLOAD SIZE.
import collections
import concurrent.futures
import struct
import sys
import time

WORKERS = 2
SMALL, LARGE = 64, 1 << 20
IN_FLIGHT = {SMALL: 1024, LARGE: 8}
PAGE, WORD, MASK = 4096, 8, (1 << 64) - 1


def places(size):
    """Where the words are that differ from job to job, as (offset, index of the word)."""
    yield from ((offset, offset // WORD) for offset in range(0, size, PAGE))
    yield size - WORD, None


def expected(index, number):
    return ~number & MASK if index is None else number + index


def argument(size, number):
    block = bytearray(size)
    for offset, index in places(size):
        struct.pack_into("=Q", block, offset, expected(index, number))
    return bytes(block)


def work(block):
    result = bytearray(block)
    for offset, _ in places(len(block)):
        struct.pack_into("=Q", result, offset, struct.unpack_from("=Q", block, offset)[0] * 2 + 1 & MASK)
    return bytes(result)


def check(result, size, number):
    for offset, index in places(size):
        if len(result) != size or struct.unpack_from("=Q", result, offset)[0] != expected(index, number) * 2 + 1 & MASK:
            sys.exit(f"WRONG: job {number}, offset {offset}")


def run(pool, size, count):
    """Keeps so many in flight; the results come back in the order of submission."""
    out = collections.deque()
    for number in range(count):
        if len(out) == IN_FLIGHT[size]:
            check(out.popleft().result(), size, number - IN_FLIGHT[size])
        out.append(pool.submit(work, argument(size, number)))
    for number in range(count - len(out), count):
        check(out.popleft().result(), size, number)


def pipelined(size, count):
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        run(pool, size, min(count, IN_FLIGHT[size]))
        begin = time.perf_counter()
        run(pool, size, count)
        print(f"rate {count / (time.perf_counter() - begin):.3f} jobs/s")


def latency(count):
    samples = []
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        for number in range(count):
            begin = time.perf_counter()
            result = pool.submit(work, argument(SMALL, number)).result()
            samples.append((time.perf_counter() - begin) * 1e6)
            check(result, SMALL, number)
    samples.sort()
    for percent in (50, 99):
        print(f"p{percent} {samples[count * percent // 100]:.3f} us")


WORKLOADS = {
    "process-throughput": lambda count: pipelined(SMALL, count),
    "process-latency": latency,
    "process-large": lambda count: pipelined(LARGE, count),
}

if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        print("\n".join(WORKLOADS))
    elif len(sys.argv) == 3 and sys.argv[1] in WORKLOADS:
        WORKLOADS[sys.argv[1]](int(sys.argv[2]))
    else:
        sys.exit(f"usage: {sys.argv[0]} list | WORKLOAD SIZE")
