# SPDX-License-Identifier: Apache-2.0
"""Other profilers, with the same measurements. Each profiles a process and its children for some seconds."""
import collections
import os
import re
import shutil
import subprocess

from programs import ROOT, descendants
from tools import Run, Watch, on

CHILDREN_COME_AND_GO = ("forking", "execing")


def comm_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


class Perf:
    install = "apt-get install linux-perf"

    def __init__(self, name, graph):
        self.name, self.graph = name, graph

    def version(self):
        return subprocess.run(["perf", "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def missing(self):
        return shutil.which("perf") is None

    def profile(self, pid, seconds, frequency, work, cores):
        run, data = Run(), work / "perf.data"
        pids = str(pid) if comm_of(pid) in CHILDREN_COME_AND_GO else ",".join(map(str, descendants(pid)))
        record = Watch(["perf", "record", "-q", "-o", str(data), "-e", "cpu-clock", "-F", str(frequency), "-k", "CLOCK_MONOTONIC",
                        *self.graph, "-p", pids, "--", "sleep", str(seconds)], stderr=subprocess.DEVNULL, **on(cores))
        if record.wait() != 0 or not data.exists():
            run.error = "perf record failed"
            return run
        with open(work / "script", "w+", encoding="utf-8", errors="replace") as text:
            script = Watch(["perf", "script", "--no-inline", "--max-stack", "1100", "-i", str(data), "-F", "comm,pid,time,ip,sym,dso", "--show-lost-events"],
                           stdout=text, stderr=subprocess.DEVNULL, **on(cores))
            script.wait()
            text.seek(0)
            times, run.lost = [], 0
            stacks = collections.Counter(self.stacks(text, times, run))
        data.unlink()
        run.text = "".join(f"{stack} {n}\n" for stack, n in stacks.items())
        run.samples = len(times)
        run.cpu, run.peak = record.cpu + script.cpu, max(record.peak, script.peak)
        if times:
            run.first = times[0] - record.begin
            run.finish = record.end - times[-1] + script.end - script.begin
        return run

    @staticmethod
    def stacks(lines, times, run):
        """perf script's samples: a head, the frames from the leaf on, an empty line."""
        head, frames = None, []
        for line in lines:
            line = line.rstrip("\n")
            if not line.strip():
                if head:
                    yield ";".join([head, *reversed(frames)])
                head, frames = None, []
            elif not line.startswith(("\t", " " * 8)) or head is None:
                match = re.match(r"\s*(.*?)\s+(\d+)\s+(\d+\.\d+):", line)
                if "LOST" in line:
                    run.lost += int((re.search(r"lost (\d+)", line) or [0, 1])[1])
                elif match:
                    head = f"{match[1]} ({match[2]})".replace(";", ":")
                    times.append(float(match[3]))
            else:
                match = re.match(r"\s*[0-9a-f]+ (.*?) \((.*)\)$", line)
                if match:
                    frames.append(match[1].replace(";", ":"))
        if head:
            yield ";".join([head, *reversed(frames)])


class Bpftrace:
    name = "bpftrace"
    install = "apt-get install bpftrace"

    def version(self):
        return subprocess.run(["bpftrace", "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def missing(self):
        return shutil.which("bpftrace") is None

    def profile(self, pid, seconds, frequency, work, cores):
        run, comm = Run(), comm_of(pid)
        program = (f'profile:hz:{frequency} /pid == {pid} || comm == "{comm}" || comm == "exe"/ {{ @[comm, kstack, ustack] = count(); }}'
                   f" interval:s:{seconds} {{ exit(); }}")
        with open(work / "bpftrace", "w+", encoding="utf-8", errors="replace") as text:
            watch = Watch(["bpftrace", "-e", program], stdout=text, stderr=subprocess.DEVNULL,
                          env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536", "BPFTRACE_CACHE_USER_SYMBOLS": "1"}, **on(cores))
            code = watch.wait()
            text.seek(0)
            run.text = self.folded(text)
        run.take(watch)
        if code != 0:
            run.error = f"exit code {code}"
        run.samples = sum(int(line.rsplit(" ", 1)[1]) for line in run.text.splitlines())
        return run

    @staticmethod
    def folded(lines):
        """`@[comm, <kernel frames>, <user frames>]: N`, a frame a line, from the leaf on."""
        result, frames, comm = [], None, ""
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("@["):
                comm, frames = line[2:].split(",")[0], []
            end = re.match(r"(.*)\]: (\d+)$", line)
            if frames is not None and end:
                result.append(";".join([comm, *reversed(frames)]) + f" {end[2]}\n")
                frames = None
            elif frames is not None and line.startswith("    "):
                name = re.sub(r"\+\d+$", "", line.strip())
                frames.append(name.replace(";", ":"))
        return "".join(result)


class Otel:
    """It profiles the whole machine; what is not the workload's is left out, but for the cost of a sample."""
    name = "otel profiler"
    install = "e2e/bench/native/otel/build build/bench/otel; needs go"
    folder = ROOT / "build/bench/otel"
    address = "127.0.0.1:11234"
    form = ()  # of frames: more arguments for the receiver
    # It wants tracefs, which is not mounted everywhere.
    mounted = ["unshare", "--mount", "sh", "-c", 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"', "sh"]

    def version(self):
        return "opentelemetry-ebpf-profiler " + (self.folder / "version").read_text(encoding="ascii").strip()

    def missing(self):
        return not (self.folder / "version").exists()

    def profile(self, pid, seconds, frequency, work, cores):
        run, comm = Run(), comm_of(pid)
        with open(work / "otel", "w+", encoding="utf-8", errors="replace") as text:
            receiver = subprocess.Popen([self.folder / "receiver", self.address, *self.form], stdin=subprocess.PIPE, stdout=text, **on(cores))
            watch = Watch([*self.mounted, str(self.folder / "ebpf-profiler"), "-collection-agent", self.address, "-disable-tls",
                           "-samples-per-second", str(frequency), "-reporter-interval", "1s", "-reporter-jitter", "0"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **on(cores))
            code = watch.wait(stop_after=seconds)
            pids = descendants(pid)
            receiver.stdin.close()
            receiver.wait()
            text.seek(0)
            stacks = [line for line in text if not line.startswith("#")]
        run.take(watch)
        run.samples = sum(int(line.rsplit(" ", 1)[1]) for line in stacks)
        run.text = "".join(line for line in stacks if self.belongs(line, comm, pids))
        if not run.text:
            run.error = f"no samples; exit code {code}"
        return run

    @staticmethod
    def belongs(line, comm, pids):
        match = re.match(r"(.*?) \((\d+)\);", line)
        return match and (int(match[2]) in pids or match[1] in (comm, "exe", "child"))


def all_peers():
    return [Perf("perf dwarf", ["--call-graph", "dwarf,16384"]), Perf("perf -g", ["-g"]), Bpftrace(), Otel()]
