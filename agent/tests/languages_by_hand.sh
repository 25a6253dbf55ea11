#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles code with known shares of CPU time under each interpreter that is named by PYTHONS (default: /usr/bin/python3),
# NODES (default: node, when there is one) and JAVAS (homes of JDKs or JREs; default: that of javac, which is needed), and
# compares the profile with what the code measured of itself.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary; KEEP a file for the
# stacks of what failed.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1
read -ra pythons <<<"${PYTHONS-/usr/bin/python3}"
read -ra nodes <<<"${NODES-$(command -v node)}"
javac=$(readlink -f "$(command -v javac)")
read -ra javas <<<"${JAVAS-${javac%/bin/javac}}"
seconds=${SECONDS_EACH:-5}

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT

# Before what else the machine does: a share of few samples says little.
failed=0
apart=
compare() { # LANGUAGE NAME COMMAND...
    local language=$1 name=$2
    shift 2
    nice -n -10 "$@" "$((seconds + 2))" >"$work/truth" &
    pid=$!
    sleep 1
    nice -n -10 "$agent" --pid "$pid" --duration "${seconds}s" --frequency 999 --format folded --output "$work/folded" 2>"$work/said" ||
        { cat "$work/said" && exit 1; }
    wait "$pid"
    pid=
    awk -v name="$name" -v apart="$apart" -f "$here/agent/tests/shares_$language.awk" -f "$here/agent/tests/shares.awk" "$work/truth" "$work/folded" ||
        { failed=1 && cat "$work/said" && cp "$work/folded" "${KEEP:-/dev/null}"; }
}

for python in "${pythons[@]}"; do
    compare python "$("$python" --version)" "$python" "$here/e2e/workloads/python/shares.py"
    compare threads "$("$python" --version)" "$python" "$here/e2e/workloads/python/threads.py"
    compare forks "$("$python" --version)" "$python" "$here/e2e/workloads/python/forks.py"
done
for node in "${nodes[@]}"; do
    compare node "node $("$node" --version)" "$node" "$here/e2e/workloads/node/shares.js"
    compare workers "node $("$node" --version)" "$node" "$here/e2e/workloads/node/workers.js"
done
[ ${#nodes[@]} -gt 0 ] || echo "skipped Node.js: there is none on this machine"

if [ -z "$javac" ]; then
    echo "skipped Java: there is no JDK on this machine"
else
    "$javac" -nowarn --release 8 -d "$work/classes" "$here/e2e/workloads/java/Shares.java" 2>/dev/null || exit 1
    for home in "${javas[@]}"; do
        java=$home/bin/java
        version=$("$java" -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')
        apart=
        compare java "java $version" "$java" -cp "$work/classes" Shares
        # What a small container gets. From JDK 18 on, what a reflective call leads to is not known under it (README, Limits).
        case $version in 1.8.* | 11.* | 17.*) ;; *) apart=callee ;; esac
        compare java "java serial" "$java" -XX:+UseSerialGC -cp "$work/classes" Shares
    done
fi
exit $failed
