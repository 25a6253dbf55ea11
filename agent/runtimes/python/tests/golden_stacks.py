# SPDX-License-Identifier: Apache-2.0
"""Stacks of Python functions, and what the interpreter says of each before it waits in it: the
workload of record_python, as record_stacks.h wants it."""
import threading  # is looked for among the modules, in the order of their import
import asyncio
import contextlib
import functools
import inspect
import os
import re
import sys


def claims(frame):
    """What the agent should show: the qualified name, where there is one, and the current line."""
    while frame:
        code = frame.f_code
        line = "" if frame.f_lineno is None else f":{frame.f_lineno}"
        yield f"call {getattr(code, 'co_qualname', code.co_name)} ({os.path.basename(code.co_filename)}{line})\n"
        frame = frame.f_back


def say(frame, callers=None):
    below = callers or f"call thread {threading.current_thread().name}\n"
    os.write(1, f"stack {threading.get_native_id()}\n{''.join(claims(frame))}{below}go\n".encode())
    return 1


def hold(*_):
    os.read(0, say(sys._getframe()))
    return 0


# A line each, with a call that begins and ends on others.
def plain(depth):
    if depth:
        return max(
            0,
            plain(
                depth - 1,
            ),
        )
    return hold()


def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


class Counter:
    """Methods of all kinds."""

    def __init__(self, then):
        self.then = then
        then()

    def __getattr__(self, name):
        return hold()

    def __eq__(self, other):
        return self.missing == other

    def __enter__(self):
        return self in [1]

    def __exit__(self, *_):
        with contextlib.suppress(ValueError):
            try:
                raise ValueError
            finally:
                self.method()

    @traced
    def method(self):
        return self.of_class(lambda: self.of_none(hold))

    @classmethod
    def of_class(cls, then):
        return then()

    @staticmethod
    def of_none(then):
        return then()

    @property
    def value(self):
        return [cell() for cell in (hold,)][0]


class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args)


def classes():
    counter = Counter(lambda: None)
    with counter:
        assert counter.value == 0

    class Derived(Counter, metaclass=Meta):
        hold()

        def __init__(self):
            super().__init__(hold)

    Derived()
    for then in [lambda: None] * 100 + [hold]:  # a call that is specialised after some
        Counter(then)


def builtins():
    re.sub("b", lambda match: functools.reduce(lambda a, b: str(hold()), [1, 2]), "abc")
    sum(hold() for _ in map(lambda n: n, [1]))
    return {key: [value for value in map(hold, [key])] for key in "a"}


def generators():
    def inner():
        yield 1
        try:
            yield hold()
        except KeyError:
            yield

    def outer():
        yield from inner()

    @contextlib.contextmanager
    def managed():
        yield
        hold()

    with managed():
        made = outer()
        next(made)
        next(made)
        made.throw(KeyError())


def made_code():
    source = "def made():\n    eval('1 and then()', {'then': then})\n\n\nmade()\n"
    exec(compile(source, "<made up>", "exec"), {"then": hold})


def names():
    def größe():
        return имя()

    def имя():
        return 𐐷()

    def 𐐷():
        return hold()

    größe()


async def awaited(n):
    if n:
        await awaited(n - 1)
    else:
        await asyncio.sleep(0)
        hold()


async def tasks():
    async def stepped():
        yield hold()

    await asyncio.gather(awaited(3))
    async for _ in stepped():
        pass


def threads():
    thread = threading.Thread(target=lambda: plain(2), name="the second one")
    thread.start()
    thread.join()


# In an interpreter of its own, called by this one.
INSIDE = """
import os, sys, threading
{functions}
def inner():
    os.read(0, say(sys._getframe(), callers))
inner()
"""


def interpreter():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    made = interpreters.create()
    functions = inspect.getsource(claims) + inspect.getsource(say)
    script = INSIDE.format(functions=functions)
    callers = "".join(claims(sys._getframe())) + "call thread MainThread\n"; interpreters.run_string(made, script, {"callers": callers})
    interpreters.destroy(made)


def main():
    os.write(1, f"process {os.getpid()}\n".encode())
    os.read(0, 1)
    plain(3)
    for stack in (classes, builtins, generators, made_code, names, threads, interpreter):
        stack()
    asyncio.run(tasks())


main()
