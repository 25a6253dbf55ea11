# SPDX-License-Identifier: Apache-2.0
"""Python that forks children of a few milliseconds, and makes new functions all the time.

usage: forks.py SECONDS

What each part really got is printed at the end, one line each: NAME SECONDS.
"""
import os
import sys
import time

SLICE = 0.02
FRESH = """
def fresh(spend):
    return spend({budget})
"""
spent = {"fresh": 0.0, "forked": 0.0}
kept = []  # so that no function is where another was


def spend(budget):
    start = time.process_time()
    while time.process_time() - start < budget:
        sum(range(1000))
    return time.process_time() - start


def forked(to):
    os.write(to, repr(spend(SLICE)).encode())
    os._exit(0)


def child():
    end, to = os.pipe()
    pid = os.fork()
    if pid == 0:
        forked(to)
    os.close(to)
    os.waitpid(pid, 0)
    spent["forked"] += float(os.read(end, 64))
    os.close(end)


def main():
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        space = {}
        exec(compile(FRESH.format(budget=2 * SLICE), "forks.py", "exec"), space)
        kept.append(space)
        spent["fresh"] += space["fresh"](spend)
        child()
    for name, seconds in spent.items():
        print(name, seconds)


main()
