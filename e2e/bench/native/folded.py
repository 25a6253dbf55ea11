# SPDX-License-Identifier: Apache-2.0
"""Judges folded stacks by what the program itself measured (e2e/workloads/native/truth.h).

A stack is `process;[thread;]frame;...;frame COUNT`, root first. A chain is what a stack must hold without a gap:
`main;serve;leaf`; `...` stands for any number of frames, `descend x900` for that many in a row.
"""
import os
import re

UNKNOWN = re.compile(r"^(\[.*\+0x[0-9a-f]+\]|\[unknown\].*|\[kernel\]|0x[0-9a-f]+)$")
# What calls main() and threads has no name in a C library without its debug file. For glibc there is a package of it, not for musl.
GLIBC = re.compile(r"^\[(libc\.so\.6|ld-linux)[^;]*\+0x[0-9a-f]+\]$")
MUSL = re.compile(r"^\[libc\.so\+0x[0-9a-f]+\]$")
GLIBC_IS_NAMED = os.path.isdir("/usr/lib/debug/.build-id")
TRUNCATED = re.compile(r"^\[truncated")

# Where a thread begins: all that is before it belongs to the kernel or the C library.
ROOTS = {
    "_start", "__libc_start_main", "__libc_start_call_main", "_dl_start_user", "_dl_start", "__clone", "clone", "__clone3", "clone3", "start_thread", "ret_from_fork", "ret_from_fork_asm",
    # Go: the bottom of a goroutine; of a thread; what runs on the thread's own stack after a switch without return
    "runtime.goexit", "runtime.mstart", "runtime.rt0_go", "runtime.mcall", "runtime.morestack", "runtime.clone", "_rt0_amd64_linux",
}

# In the kernel, after the program's memory is gone, or before the new one's is there.
NO_MEMORY = {"exit_mm", "exit_mmap", "mmput", "__mmput", "begin_new_exec", "load_elf_binary"}


def without_groups(name, opening, closing):
    """Leaves out what is between brackets, unless they begin a part of the name: `(*T).f`, `<T as U>::f`."""
    kept, depth, last = [], 0, ""
    for at, c in enumerate(name):
        if depth or (c == opening and (last.isalnum() or last in "_>}]*&:'") and not name.startswith("operator", max(0, at - 8), at)):
            depth += (c == opening) - (c == closing)
            last = closing
            continue
        kept.append(c)
        last = c
    return "".join(kept) if depth == 0 else name


def base_name(frame):
    """As the source has it: no parameters, template arguments, result type, hash or mark."""
    name = re.sub(r"(_\[[a-z]\]| \[inlined?\]| \(inlined?\))$", "", frame)
    name = re.sub(r"(\.abi0|\.abiinternal|::h[0-9a-f]{16}|@plt|@@?[A-Z]+[A-Z0-9_.]+)$", "", name)
    if UNKNOWN.match(name) or name.startswith("["):
        return name
    if not name.startswith("<"):
        name = re.sub(r"\(anonymous namespace\)", "{anonymous}", name)
        name = without_groups(name, "(", ")")
        name = without_groups(name, "<", ">")
        name = re.sub(r" const$", "", name)
        name = name.rsplit(" ", 1)[-1]
    name = re.sub(r"\[[^]]*\]$", "", name)  # Go's type arguments
    return name.rstrip(":") or frame


class Names(dict):
    """base_name() of each frame, made once."""

    def __missing__(self, frame):
        self[frame] = base_name(frame)
        return self[frame]


def chain_pattern(chain):
    text = "(?:^|;)"
    for item in chain.split(";"):
        repeated = re.fullmatch(r"(.*) x(\d+)", item)
        if item == "...":
            text += r"(?:[^;]*;)*?"
        elif repeated:
            text += f"(?:{re.escape(repeated[1])};){{{repeated[2]}}}"
        else:
            text += re.escape(item) + ";"
    return re.compile(text)


def leaf_of(chain):
    return re.sub(r" x\d+$", "", chain.split(";")[-1])


def read(text):
    """[(title, [frame, ...], count)]; the title is the process."""
    stacks = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            title, *frames = stack.split(";")
            stacks.append((title, frames, int(count)))
    return stacks


def is_unknown(frame):
    return bool(UNKNOWN.match(frame)) and not MUSL.match(frame) and (GLIBC_IS_NAMED or not GLIBC.match(frame))


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def judge(text, truth, few=60):
    """What the table shows, from folded stacks. A chain is judged where its leaf has at least `few` samples, or
    none although there must be some."""
    names, stacks = Names(), read(text)
    total = sum(n for _, _, n in stacks)
    parts = [{"name": p["name"], "true": percent(p["cpu_ns"], truth["cpu_ns"]), "chain": chain_pattern(p["chain"]),
              "leaf": leaf_of(p["chain"]), "samples": 0, "leaves": 0, "whole": 0} for p in truth["parts"]]
    unknown = frames_seen = truncated = 0
    cut = {}
    threads = set()
    for title, frames, n in stacks:
        plain = [names[f] for f in frames]
        have, joined = set(plain), ";".join(plain) + ";"
        for part in parts:
            part["samples"] += n * (part["name"] in have)
            if part["leaf"] in have:
                part["leaves"] += n
                part["whole"] += n * bool(part["chain"].search(joined))
        distinct = [f for i, f in enumerate(frames) if i == 0 or frames[i - 1] != f]
        frames_seen += n * len(distinct)
        unknown += n * sum(is_unknown(f) for f in distinct)
        marked = next((f for f in frames[:3] if TRUNCATED.match(f)), None)
        roots = [f for f in plain[:2] if f in ROOTS or GLIBC.match(f) or MUSL.match(f)]
        if marked or not (roots or NO_MEMORY & have):
            truncated += n
            why = marked or "begins at " + (plain[0] if plain else "nothing")
            cut[why] = cut.get(why, 0) + n
        first = ";".join([title, *frames[:2]])
        threads |= {t for t in truth["threads"] if t in first}
    judged = [p for p in parts if p["leaves"] >= few or (p["leaves"] == 0 and p["true"] >= 2)]
    worst = min(judged, key=lambda p: percent(p["whole"], p["leaves"]), default=None)
    off = max(parts, key=lambda p: abs(percent(p["samples"], total) - p["true"]))
    return {
        "samples": total,
        "share": abs(percent(off["samples"], total) - off["true"]),
        "share_of": f"{off['name']} has {percent(off['samples'], total):.1f} %, not {off['true']:.1f} %",
        "chain": percent(worst["whole"], worst["leaves"]) if worst else 0.0,
        "chain_of": f"{worst['leaf']}: whole in {worst['whole']} of {worst['leaves']} samples" if worst else "no leaf",
        "unknown": percent(unknown, frames_seen),
        "truncated": percent(truncated, total),
        "truncated_of": ", ".join(f"{n} {why}" for why, n in sorted(cut.items(), key=lambda c: -c[1])[:3]),
        "threads": (len(threads), len(truth["threads"])),
    }
