#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Turns the benchmark programs' lines ("workload peer metric value unit", one per round) into medians and ratios. It
# decides which way each unit is better and which peers are yardsticks rather than rivals.
import collections
import statistics
import sys

# Shown, but never "the best peer": hand-written limits, and the bare pool that Ferry itself stands on.
YARDSTICKS = ["apr", "reference", "socket", "shm"]
LEGEND = """Ferry's advantage, by medians: above 1 means that Ferry is better, in every row (where less is better, the
ratio is turned over). "ratio" is to the best of libuv, asio, boost, libev, libevent and Python; then to each of
them, to the bare APR pool and to the hand-written limits. "spread" is how far the rounds lie apart."""
PEERS = ["libuv", "asio", "boost", "libev", "libevent", "python"] + YARDSTICKS


def read(path):
    """{(workload, metric, unit): {peer: [value of each round]}}, in the order of the file."""
    values = collections.OrderedDict()
    with open(path, encoding="ascii") as stream:
        for line in stream:
            workload, peer, metric, value, unit = line.split()
            values.setdefault((workload, metric, unit), {}).setdefault(peer, []).append(float(value))
    return values


def add_growth(values):
    """W2b's time per job at 1,000,000 queued over that at 10,000, of medians: what the queue's length costs."""
    few = values.get(("W2b", "w2b_10k_rate", "jobs/s"), {})
    many = values.get(("W2b", "w2b_1m_rate", "jobs/s"), {})
    growth = {peer: [statistics.median(few[peer]) / statistics.median(many[peer])] for peer in few if peer in many}
    if growth:
        values[("W2b", "w2b_growth", "times")] = growth


def higher_is_better(unit):
    return unit.endswith("/s")


def advantage(ferry, other, unit):
    """Above 1: Ferry is better."""
    return ferry / other if higher_is_better(unit) else other / ferry


def short(value):
    for limit, suffix in ((1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e6 if suffix == 'M' else 1e3):.3g}{suffix}"
    return f"{value:.3g}"


def spread(rounds):
    """How far apart the rounds lie, in percent of their median."""
    return f"{(max(rounds) - min(rounds)) / statistics.median(rounds) * 100:.0f}%"


def row(key, peers):
    _, metric, unit = key
    medians = {peer: statistics.median(rounds) for peer, rounds in peers.items()}
    ferry = medians.get("ferry")
    rivals = [peer for peer in PEERS if peer in medians and peer not in YARDSTICKS]
    best = None
    if rivals:
        best = (max if higher_is_better(unit) else min)(rivals, key=medians.get)
    cells = [metric, unit, "more" if higher_is_better(unit) else "less"]
    cells += [short(ferry), spread(peers["ferry"])] if ferry else ["-", "-"]
    cells += [f"{best} {short(medians[best])}", spread(peers[best])] if best else ["-", "-"]
    for peer in [best] + PEERS:
        cells.append(f"{advantage(ferry, medians[peer], unit):.2f}" if ferry and peer in medians else "-")
    return cells


def print_table(rows):
    head = ["metric", "unit", "better", "ferry", "spread", "best peer", "spread", "ratio"] + PEERS
    widths = [max(len(line[column]) for line in [head] + rows) for column in range(len(head))]
    for line in [head] + rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: table.py RESULTS")
    values = read(sys.argv[1])
    if not values:
        sys.exit("table.py: there are no results")
    add_growth(values)
    for (workload, metric, unit), peers in values.items():
        for peer, rounds in peers.items():
            print(workload, peer, metric, f"{statistics.median(rounds):.10g}", unit)
    print()
    print(LEGEND)
    print()
    print_table([row(key, peers) for key, peers in values.items()])


if __name__ == "__main__":
    main()
