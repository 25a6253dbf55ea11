# SPDX-License-Identifier: Apache-2.0
"""What runs a profiler and measures what that cost; and podflame-agent. The peers are in peers.py."""
import os
import pathlib
import re
import subprocess
import time

from programs import ROOT, place

POLL_S = 0.004
MAPPINGS_S = 0.5  # from one look at the mappings to the next: that is a long text
PERF_EVENT_PROGRAM = "7"  # enum bpf_prog_type


class Watch:
    """Follows a process to its end: CPU time and the peak of its memory; of its BPF programs that run at perf events, how often
    and how long they ran, and when for the first and the last time. All in seconds, bytes and CLOCK_MONOTONIC."""

    def __init__(self, command, **options):
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, **options)
        self.pid = self.process.pid
        self.peak = self.maps = self.mapped = 0
        self.programs = {}  # file descriptor of a BPF program: [runs, ns]
        self.first = self.last = None
        self.cpu = self.end = 0.0
        self.looked = set()
        self.next_mappings = self.begin

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

    def look_for_mapped(self):
        """Of the BPF maps, what is mapped by the process and so a part of its resident memory."""
        inside, mapped = False, 0
        with open(f"/proc/{self.pid}/smaps", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                    inside = line.rstrip().endswith("anon_inode:bpf-map")
                elif inside and line.startswith("Rss:"):
                    mapped += int(line.split()[1]) * 1024
        self.mapped = max(self.mapped, mapped)

    def look(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)
        if not any(runs for runs, _ in self.programs.values()):
            self.look_for_programs()
        if time.monotonic() >= self.next_mappings:
            self.next_mappings = time.monotonic() + MAPPINGS_S
            self.look_for_mapped()
        for fd, before in self.programs.items():
            info = self.info(fd)
            now = [int(info.get("run_cnt", 0)), int(info.get("run_time_ns", 0))]
            if now[0] > before[0]:
                self.last = time.monotonic()
                self.first = self.first or self.last
                self.programs[fd] = now

    def wait(self, closely=True, stop_after=None):
        """Without `closely`, only what the kernel counts by itself. Stopped so many seconds after its first sample."""
        while closely:
            try:
                self.look()
            except (OSError, ValueError):
                pass  # it ended, or closed a descriptor meanwhile
            if stop_after and self.first and time.monotonic() >= self.first + stop_after:
                self.process.terminate()
                stop_after = None
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
        self.cpu = self.peak = self.maps = self.first = self.finish = self.page = self.bpf_ns = None

    def take(self, watch):
        self.cpu, self.peak, self.maps = watch.cpu, watch.peak, watch.maps - watch.mapped
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


def work_folder(name):
    folder = pathlib.Path(ROOT / "build/bench" / name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
