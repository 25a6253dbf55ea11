# SPDX-License-Identifier: Apache-2.0
"""The runtimes that can be had here, and how each runs its workload."""
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "build/runtimes"
SUITES = ("bullseye", "bookworm", "trixie", "sid")
# In an image they are /mnt/NAME.
FOLDERS = {"workloads": ROOT / "e2e/workloads", **{name: IMAGES / name for name in ("classes", "peers", "out")}}

# What the agent promises to walk; of others it must say that it does not.
SUPPORTED = {"python": lambda v: (3, 8) <= v < (3, 15), "node": lambda v: (16,) <= v < (25,), "java": lambda v: (8,) <= v < (26,)}
EXECUTABLES = {"python": "usr/bin/python3.*[0-9]", "node": "usr/bin/node", "java": "usr/lib/jvm/java-*-openjdk-amd64"}
ON_THIS_MACHINE = {"python": "PYTHONS", "node": "NODES", "java": "JAVAS"}
VERSION = {"python": ["--version"], "node": ["--version"], "java": ["-version"]}
WORKLOAD = {
    "python": ["{workloads}/python/shares.py"],
    "node": ["{workloads}/node/shares.js"],
    "java": ["-cp", "{classes}", "Shares"],
}


# Another way to run all of a language's: with -XX:+UseSerialGC, as Java does by itself in a small container.
VARIANT = {"java": ("serial", "-XX:+UseSerialGC")}


class Target:
    """One executable of a runtime: of this machine, or of an image that is its root."""

    def __init__(self, language, path, image=None, variant=None):
        self.language, self.path, self.image, self.variant = language, path, image, variant
        said = subprocess.run(self.command(*VERSION[language]), capture_output=True, text=True, check=False)
        match = re.search(r"\d+(\.\d+)*[\w.+]*", said.stdout + said.stderr)
        self.version = re.sub(r"^1\.8\.", "8.", match[0]) if match else None
        self.numbers = tuple(int(n) for n in re.findall(r"\d+", self.version or "0"))
        self.is_supported = SUPPORTED[language](self.numbers[:2] if language == "python" else self.numbers[:1])

    def __str__(self):
        origin = self.image.name if self.image else "npm" if (IMAGES / "npm") in pathlib.Path(self.path).parents else "here"
        return f"{self.language} {self.version} {origin}" + (f" {self.variant[0]}" if self.variant else "")

    @property
    def apart(self):
        """A part of the workload of which the share is not asked: what a reflective call of JDK 18 and newer leads to."""
        return "callee" if self.variant and self.language == "java" and self.numbers >= (18,) else ""

    def command(self, *arguments):
        """Its pid is the runtime's: every step replaces the one before."""
        folders, script = FOLDERS, 'exec "$@"'
        if self.image:
            mounts = "".join(f'mkdir -p "$0/mnt/{name}" && mount --bind "{folder}" "$0/mnt/{name}" && '
                             for name, folder in FOLDERS.items())
            script = f'mount -t proc proc "$0/proc" && {mounts}exec chroot "$0" "$@"'
            folders = {name: f"/mnt/{name}" for name in FOLDERS}
        arguments = [a.format(**folders) for a in arguments]
        return ["unshare", "--mount", "sh", "-c", script, str(self.image or ""), self.path, *arguments]

    def workload(self, seconds, flags=()):
        return self.command(*(self.variant or ())[1:], *flags, *WORKLOAD[self.language], str(seconds))


def executable(language, path):
    """A Java home holds it in one of two places."""
    if language != "java":
        return path
    return next((p for p in (path / "bin/java", path / "jre/bin/java") if p.exists()), None)


def why_not(language):
    """None, or why the language's workload cannot run here; Java's is compiled first."""
    if language != "java":
        return None
    sources = [str(path) for path in (FOLDERS["workloads"] / language).glob("*.java")]
    if not shutil.which("javac"):
        return "no javac to compile the workload"
    made = subprocess.run(["javac", "-nowarn", "--release", "8", "-d", str(FOLDERS["classes"]), *sources],
                          capture_output=True, text=True, check=False)
    return None if made.returncode == 0 else (made.stderr.splitlines() or ["javac failed"])[0]


def find(languages):
    """Every one of these languages that there is, oldest first."""
    for folder in FOLDERS.values():
        folder.mkdir(parents=True, exist_ok=True)
    found = []
    for language in languages:
        here = [executable(language, pathlib.Path(path)) for path in os.environ.get(ON_THIS_MACHINE[language], "").split()]
        of_this = [Target(language, str(path)) for path in here if path]
        if language == "node":
            of_this += [Target(language, str(path)) for path in IMAGES.glob("npm/*/node_modules/node/bin/node")]
        for image in (IMAGES / suite for suite in SUITES):
            for path in image.glob(EXECUTABLES[language]):
                inside = executable(language, path)
                if inside and not (language == "java" and re.search(r"java-1\.", path.name)):
                    of_this.append(Target(language, "/" + str(inside.relative_to(image)), image))
        if language in VARIANT:
            of_this += [Target(t.language, t.path, t.image, VARIANT[language]) for t in of_this]
        found += sorted((t for t in of_this if t.version), key=lambda t: (t.numbers, str(t)))
    return found
