# SPDX-License-Identifier: Apache-2.0
"""Profilers: podflame-agent, and the peers that are installed. Each profiles a process tree for some seconds and leaves folded
stacks; a Watch measures what that cost."""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import time

from programs import ROOT, descendants, place

POLL_S = 0.004
PERF_EVENT_PROGRAM = "7"  # enum bpf_prog_type


class Watch:
    """Follows a process to its end: CPU time and the peak of its memory; of its BPF programs that run at perf events, how often
    and how long they ran, and when for the first and the last time. All in seconds, bytes and CLOCK_MONOTONIC."""

    def __init__(self, command, **options):
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, **options)
        self.pid = self.process.pid
        self.peak = self.maps = 0
        self.programs = {}  # file descriptor of a BPF program: [runs, ns]
        self.first = self.last = None
        self.cpu = self.end = 0.0
        self.looked = set()

    def look_for_programs(self):
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            link = os.readlink(f"/proc/{self.pid}/fd/{fd}")
            if (fd, link) in self.looked or "bpf" not in link:
                continue
            self.looked.add((fd, link))
            info = self.info(fd)
            if link == "anon_inode:bpf-prog" and info.get("prog_type") == PERF_EVENT_PROGRAM:
                self.programs[fd] = [0, 0]
            if link == "anon_inode:bpf-map":
                self.maps += int(info.get("memlock", 0))

    def info(self, fd):
        with open(f"/proc/{self.pid}/fdinfo/{fd}", encoding="ascii") as lines:
            return dict(line.strip().split(":\t", 1) for line in lines if ":\t" in line)

    def look(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)
        if not any(runs for runs, _ in self.programs.values()):
            self.look_for_programs()
        for fd, before in self.programs.items():
            info = self.info(fd)
            now = [int(info.get("run_cnt", 0)), int(info.get("run_time_ns", 0))]
            if now[0] > before[0]:
                self.last = time.monotonic()
                self.first = self.first or self.last
                self.programs[fd] = now

    def wait(self, closely=True):
        """Without `closely`, only what the kernel counts by itself."""
        while closely:
            try:
                self.look()
            except (OSError, ValueError):
                pass  # it ended, or closed a descriptor meanwhile
            done = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if done:
                break
            time.sleep(POLL_S)
        _, status, usage = os.wait4(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.end = time.monotonic()
        self.cpu = usage.ru_utime + usage.ru_stime
        return self.process.returncode

    def bpf_ns(self):
        return sum(ns for _, ns in self.programs.values())


class Run:
    """What a profiler found, and its cost. None: not measured, or not to be had."""

    def __init__(self):
        self.text = self.error = ""
        self.samples = self.lost = None
        self.cpu = self.peak = self.maps = self.first = self.finish = self.bpf_ns = None

    def take(self, watch):
        self.cpu, self.peak, self.maps = watch.cpu, watch.peak, watch.maps
        if watch.programs:
            self.bpf_ns = watch.bpf_ns()
        if watch.first:
            self.first, self.finish = watch.first - watch.begin, watch.end - watch.last


def on(cores):
    return {"preexec_fn": lambda: place(cores)}


class Agent:
    name = "podflame-agent"
    install = "make"

    def __init__(self):
        self.path = os.environ.get("PODFLAME_AGENT", str(ROOT / "build/bin/podflame-agent"))

    def version(self):
        return subprocess.run([self.path, "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def missing(self):
        return not os.access(self.path, os.X_OK)

    def profile(self, pid, seconds, frequency, work, cores, closely=True, html=False):
        run, output = Run(), work / "folded"
        with open(work / "said", "w+", encoding="utf-8") as said:
            watch = Watch([self.path, "--pid", str(pid), "--duration", f"{seconds}s", "--frequency", str(frequency),
                           "--format", "html" if html else "folded", "--output", str(output)], stderr=said, **on(cores))
            code = watch.wait(closely)
            said.seek(0)
            text = said.read()
        run.take(watch)
        counts = re.search(r"(\d+) samples .* (\d+) lost", text)
        if code != 0 or not counts:
            run.error = (text.strip().splitlines() or [f"exit code {code}"])[-1]
            return run
        run.samples, run.lost = int(counts[1]), int(counts[2])
        run.text = output.read_text(encoding="utf-8", errors="replace")
        return run


class Perf:
    install = "apt-get install linux-perf"

    def __init__(self, name, graph):
        self.name, self.graph = name, graph

    def version(self):
        return subprocess.run(["perf", "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def missing(self):
        return shutil.which("perf") is None

    def profile(self, pid, seconds, frequency, work, cores, closely=True):
        run, data = Run(), work / "perf.data"
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as comm:  # children of these two come and go
            pids = str(pid) if comm.read().strip() in ("forking", "execing") else ",".join(map(str, descendants(pid)))
        record = Watch(["perf", "record", "-q", "-o", str(data), "-e", "cpu-clock", "-F", str(frequency), "-k", "CLOCK_MONOTONIC",
                        *self.graph, "-p", pids, "--", "sleep", str(seconds)], stderr=subprocess.DEVNULL, **on(cores))
        if record.wait(closely) != 0 or not data.exists():
            run.error = "perf record failed"
            return run
        with open(work / "script", "w+", encoding="utf-8", errors="replace") as text:
            script = Watch(["perf", "script", "--no-inline", "-i", str(data), "-F", "comm,pid,time,ip,sym,dso", "--show-lost-events"],
                           stdout=text, stderr=subprocess.DEVNULL, **on(cores))
            script.wait(closely)
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

    def profile(self, pid, seconds, frequency, work, cores, closely=True):
        run = Run()
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            comm = file.read().strip()
        program = (f'profile:hz:{frequency} /pid == {pid} || comm == "{comm}" || comm == "child"/ {{ @[comm, kstack, ustack] = count(); }}'
                   f" interval:s:{seconds} {{ exit(); }}")
        with open(work / "bpftrace", "w+", encoding="utf-8", errors="replace") as text:
            watch = Watch(["bpftrace", "-e", program], stdout=text, stderr=subprocess.DEVNULL,
                          env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536", "BPFTRACE_CACHE_USER_SYMBOLS": "1"}, **on(cores))
            code = watch.wait(closely)
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


def all_peers():
    return [Perf("perf dwarf", ["--call-graph", "dwarf,16384"]), Perf("perf -g", ["-g"]), Bpftrace()]


def work_folder(name):
    folder = pathlib.Path(ROOT / "build/bench" / name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
