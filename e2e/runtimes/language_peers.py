# SPDX-License-Identifier: Apache-2.0
"""The best other profiler of each language; their stacks are put into the form that agent/tests/shares_*.awk know."""
import os
import pathlib
import re
import subprocess
import time

import peers
from targets import FOLDERS
from tools import Run, Watch

FREQUENCY = 999
FOLDER = FOLDERS["peers"]
CORES = os.sched_getaffinity(0)


class Peer:
    startup_s = 4
    install = "e2e/runtimes/get-peers gets it"

    def take(self, run):
        """What there is when the target has ended."""


class PySpy(Peer):
    name, flags, has_native_frames = "py-spy", (), False

    def missing(self):
        return not (FOLDER / "py-spy").exists()

    def profile(self, pid, _target, seconds, work):
        run, output = Run(), work / "py-spy"
        watch = Watch([FOLDER / "py-spy", "record", "--pid", str(pid), "--duration", str(seconds), "--rate", "99", "--format", "raw",
                       "--output", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        watch.wait()
        said = watch.process.stderr.read().decode(errors="replace").strip().splitlines()
        if not output.exists():
            raise RuntimeError((said or ["no profile"])[-1])
        run.take(watch)
        run.text = output.read_text(encoding="utf-8")
        return run


class AsyncProfiler(Peer):
    """A library in the target, that samples it from its start to its end."""
    name, has_native_frames = "async-profiler", False
    flags = ("-agentpath:{peers}/libasyncProfiler.so=start,event=cpu,collapsed,dot,"
             f"interval={10**9 // FREQUENCY},file={{out}}/async-profiler-%p",)

    def missing(self):
        return not (FOLDER / "libasyncProfiler.so").exists()

    def profile(self, pid, _target, seconds, _work):
        time.sleep(seconds)
        self.written = FOLDERS["out"] / f"async-profiler-{pid}"
        return Run()

    def take(self, run):
        run.text = self.written.read_text(encoding="utf-8")
        self.written.unlink()


class Perf(Peer):
    """Names of functions from a file that the target writes for it."""
    name, flags, has_native_frames = "perf", ("--perf-basic-prof", "--interpreted-frames-native-stack"), True

    install = peers.Perf.install

    def __init__(self):
        self.perf = peers.Perf(self.name, ["-g"])

    def missing(self):
        return self.perf.missing()

    def profile(self, pid, target, seconds, work):
        name = f"tmp/perf-{pid}.map"
        written = (target.image or pathlib.Path("/")) / name
        if target.image:
            os.symlink(written, f"/{name}")
        try:
            run = self.perf.profile(pid, seconds, FREQUENCY, work, CORES)
        finally:
            for path in (f"/{name}", written):
                pathlib.Path(path).unlink(missing_ok=True)
        if run.error:
            raise RuntimeError(run.error)
        run.text = re.sub(r"(?:JS|Function|Script|Eval|LazyCompile):[~^*+]*([^;: ]*) (?:[^;]*/)?(\S+\.js:\d+):\d+(?=[; ])",
                          r"\1 \2", run.text)
        return run


class Otel(Peer):
    """It profiles the whole machine."""
    name, flags, has_native_frames = "otel profiler", (), True
    startup_s = 30
    OURS = {"node": (r"([^;]*) \((\S+\.js:\d+)\)", r"\1 \2"),
            "java": (r"[^; ]+ ([^;( ]+)\([^;)]*\) \([^;:]*:(\d+)\)", r"\1:\2")}

    def __init__(self):
        self.otel = peers.Otel()
        self.otel.form = ("lines",)

    def missing(self):
        return self.otel.missing()

    def profile(self, pid, target, seconds, work):
        run = self.otel.profile(pid, max(seconds, 10), 99, work, CORES)  # faster, it loses most of them
        if run.error:
            raise RuntimeError(run.error)
        if target.language in self.OURS:
            run.text = re.sub(*self.OURS[target.language], run.text)
        return run


BEST = {"python": PySpy, "node": Perf, "java": AsyncProfiler}


def all_missing(languages):
    return [peer for peer in (*(BEST[name]() for name in languages), Otel()) if peer.missing()]


def of(target):
    return [peer for peer in (BEST[target.language](), Otel()) if not peer.missing()]
