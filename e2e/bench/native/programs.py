# SPDX-License-Identifier: Apache-2.0
"""The programs of e2e/workloads/native: builds them, starts them, and reads the truth that they print."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCES = ROOT / "e2e/workloads/native"
OUT = ROOT / "build/workloads/native"
NICE = -10

ALL = ("c-fp c-nofp c-debug-info c-static c-debug-frame c-no-tables c-musl c-musl-shared musl-libc c-clang c-debuglink c-build-id c-gnu-debugdata cxx cxx-inlined "
       "rust rust-debug-info go go-stripped prefork forking execing threads kernel frames late").split()
LARGE = ["big"]  # 200 MB, for the cost only

PROGRAM = {"cxx": "cxx", "cxx-inlined": "cxx"}  # in the folder of the workload; else stacks, or its own name
OWN_NAME = ("musl-libc", "prefork", "forking", "execing", "threads", "kernel", "frames", "late", "big")


def build(name):
    """None, or why it cannot be built here."""
    made = subprocess.run(["make", "-s", "-C", SOURCES, f"OUT={OUT}", name], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return None
    lines = [line for line in made.stderr.splitlines() if not line.startswith("make")]
    return (lines or made.stderr.splitlines() or ["make failed"])[0][:120]


def place(cores):
    """Of a process that is about to start: its cores, and that it goes before whatever else the machine does."""
    os.sched_setaffinity(0, cores)
    os.setsid()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    # Where the scheduler shares the machine between sessions first.
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:
        group.write(str(NICE))


def command(name):
    if name == "c-build-id":  # a container's own root, with the debug files in it
        return [shutil.which("chroot") or "/usr/sbin/chroot", str(OUT / name / "root"), "/stacks"]
    return [str(OUT / name / (name if name in OWN_NAME else PROGRAM.get(name, "stacks")))]


class Program:
    """One run of a program, on one core: for so many rounds, or until its truth is asked for."""

    def __init__(self, name, core, rounds=0, round_ms=25):
        self.output = tempfile.TemporaryFile("w+")
        how = ["rounds", str(rounds)] if rounds else ["until-eof"]
        self.process = subprocess.Popen(command(name) + how, stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "TRUTH_ROUND_MS": str(round_ms)}, preexec_fn=lambda: place({core}))
        self.pid = self.process.pid

    def truth(self):
        """Waits for its end."""
        self.process.stdin.close()
        code = self.process.wait()
        self.output.seek(0)
        text = self.output.read()
        self.output.close()
        if code != 0 or not text:
            raise RuntimeError(f"the workload ended with code {code}")
        return json.loads(text)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.output.close()


def descendants(pid):
    """It and all below it, as they are now."""
    found = [pid]
    for each in found:
        try:
            for task in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{task}/children", encoding="ascii") as children:
                    found += [int(child) for child in children.read().split()]
        except OSError:
            pass
    return found
