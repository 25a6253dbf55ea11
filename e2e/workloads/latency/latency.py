# SPDX-License-Identifier: Apache-2.0
"""latency.c, as a Python program."""
import sys
import time

WORK, STEP_NS, STEPS = 800, 100, 1 << 20


def work(value):
    for _ in range(WORK):
        value = (value * 1664525 + 1013904223) & 0xffffffff
    return value


def percentile_us(counts, part):
    seen, wanted = 0, sum(counts) * part
    for i, n in enumerate(counts):
        seen += n
        if seen > wanted:
            return i * STEP_NS / 1000
    return STEPS * STEP_NS / 1000


def main():
    counts, worst, value = [0] * STEPS, 0, 1
    last = time.monotonic_ns()
    end = last + int(float(sys.argv[1]) * 1e9)
    while last < end:
        value = work(value)
        now = time.monotonic_ns()
        took = now - last
        counts[min(took // STEP_NS, STEPS - 1)] += 1
        worst = max(worst, took)
        last = now
    print(f"{worst / 1000:.1f} {percentile_us(counts, 0.999):.1f} {percentile_us(counts, 0.5):.1f}")


main()
