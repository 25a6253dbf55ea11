# SPDX-License-Identifier: Apache-2.0
"""Python threads with known shares of CPU time, under the names that Python has for them.

usage: threads.py SECONDS

The threads take turns. What each really got is measured by its own clock and printed at the end,
one line each: NAME SECONDS.
"""
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SLICE = 0.004
SLICES = (2, 1, 3, 1, 4, 2)  # of each turn
turns = [threading.Semaphore(0) for _ in SLICES]
spent = {}


def loop_leaf():
    total = 0
    for i in range(2000):
        total += i * i
    return total


def work(end, place):
    name = threading.current_thread().name
    while time.monotonic() < end:
        turns[place].acquire()
        start = time.thread_time()
        while time.thread_time() - start < SLICE * SLICES[place]:
            loop_leaf()
        spent[name] = spent.get(name, 0.0) + time.thread_time() - start
        turns[(place + 1) % len(turns)].release()


class Own(threading.Thread):
    def __init__(self, end):
        super().__init__(name="läufer-Ω")
        self.one, self.two = 1, 2
        self.end = end

    def run(self):
        work(self.end, 0)


class Slotted(threading.Thread):
    """One whose attributes have been looked at as a dictionary."""

    def __init__(self, end):
        super().__init__()
        self.end = end
        self.name = "renamed-" + str(len(vars(self)) > 3)

    def run(self):
        work(self.end, 1)


def main():
    end = time.monotonic() + float(sys.argv[1])
    threads = [
        Own(end),
        Slotted(end),
        threading.Thread(target=work, args=(end, 2)),
        threading.Thread(target=work, args=(end, 3), name="worker-7", daemon=True),
    ]
    for thread in threads:
        thread.start()
    turns[0].release()
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(work, end, place) for place in (4, 5)]
        for future in futures:
            future.result()
    for thread in threads:
        thread.join()
    for name, seconds in spent.items():
        print(name.replace(" ", "_"), seconds)


if __name__ == "__main__":
    main()
