# SPDX-License-Identifier: Apache-2.0
"""Python code with known shares of CPU time.

usage: shares.py SECONDS

Each kind of work runs for a slice of CPU time in turn. What each really got is measured by the
thread's own clock and printed at the end, one line each: NAME SECONDS.
"""
import sys
import threading
import time
import zlib

SLICE = 0.004
spent = {}


def timed(name, budget, step):
    """Calls step until the budget of CPU time is spent, and books it."""
    start = time.thread_time()
    while time.thread_time() - start < budget:
        step()
    spent[name] = spent.get(name, 0.0) + time.thread_time() - start


def loop_leaf():
    total = 0
    for i in range(2000):
        total += i * i
    return total


def plain():
    loop_leaf()


def numbers(limit):
    for i in range(limit):
        yield i * 3


def generator():
    return sum(numbers(2000))


DATA = bytes(range(256)) * 256


def extension():
    return zlib.crc32(DATA)


def decorated(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Worker:
    @decorated
    def method(self):
        return [i for i in map(lambda v: v + 1, range(1500))]

    def recurse(self, depth):
        if depth > 0:
            return self.recurse(depth - 1)
        return self.deep_leaf()

    def deep_leaf(self):
        total = 0
        for i in range(2000):
            total += i % 7
        return total


COMPILED = compile("sum(v * v for v in range(1500))", "<generated>", "eval")


def evaluated():
    return eval(COMPILED)


async def nested():
    total = 0
    for i in range(1500):
        total += i ^ 5
    return total


async def coroutine_main():
    return await nested()


def coroutine():
    try:
        coroutine_main().send(None)
    except StopIteration as done:
        return done.value
    return None


def in_thread(end):
    while time.monotonic() < end:
        timed("in_thread", SLICE, loop_leaf)
        time.sleep(SLICE * 7)


def main():
    end = time.monotonic() + float(sys.argv[1])
    worker = Worker()
    thread = threading.Thread(target=in_thread, args=(end,), name="side")
    thread.start()
    while time.monotonic() < end:
        timed("plain", SLICE * 3, plain)
        timed("generator", SLICE * 2, generator)
        timed("extension", SLICE * 2, extension)
        timed("method", SLICE, worker.method)
        timed("recurse", SLICE, lambda: worker.recurse(60))
        timed("evaluated", SLICE, evaluated)
        timed("coroutine", SLICE, coroutine)
    thread.join()
    for name, seconds in spent.items():
        print(name, seconds)


if __name__ == "__main__":
    main()
