#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles JavaScript with known shares of CPU time, under each Node.js that is named by NODES
# (default: node), and compares the profile with what the code measured of itself.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1
read -ra nodes <<<"${NODES:-node}"
seconds=${SECONDS_EACH:-5}

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }
command -v "${nodes[0]}" >/dev/null || { echo "skipped: no ${nodes[0]} on this machine" && exit 77; }

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT

# judge NAME : reads $work/truth and $work/folded. A row: largest error of a share in points, the
# samples of a leaf that have its whole chain, leaves without a name, stacks without their root.
judge() {
    awk -v name="$1" '
        function has(stack, frame) { return index(stack, ";" frame " shares.js:") > 0 }
        FNR == NR { truth[$1] = $2; all_truth += $2; next }
        {
            n = $NF; sub(/ [0-9]+$/, ""); stack = ";" $0 ";"; all += n
            for (f in truth) if (has(stack, f)) got[f] += n
            leaf = $0; sub(/.*;/, "", leaf)
            if (leaf ~ /^\[.*\+0x/) unknown += n
            if (index(stack, ";[truncated")) broken += n
            script = "" # the frames of JavaScript alone
            for (i = split($0, frames, ";"); i > 0; i--)
                if (frames[i] ~ / shares\.js:/) script = ";" frames[i] script
            if (script ~ /;deepLeaf/) {
                deep += n
                whole += n * (gsub(/;recurse shares\.js:53/, "", script) == 51 &&
                    script ~ /^;main [^;]*;timed [^;]*;[^;]* shares\.js:86;deepLeaf shares\.js:57$/)
            } else if (script ~ /;inner/) {
                deep += n
                whole += n * (script ~ /^;main [^;]*;timed [^;]*;[^;]* shares\.js:85;method shares\.js:43;inner shares\.js:47$/)
            }
        }
        END {
            for (f in truth) {
                error = 100 * (got[f] / all - truth[f] / all_truth)
                error = error < 0 ? -error : error
                if (error > worst) { worst = error; at = f }
            }
            chain = deep ? 100 * whole / deep : 0
            ok = worst <= 4 && chain >= 97 && unknown <= 0.03 * all && broken <= 0.02 * all
            printf "%-5s %-14s %5d samples  share off by %.1f (%s)  chain %.1f %%  unknown %.1f %%  broken %.1f %%\n", \
                ok ? "ok" : "FAIL", name, all, worst, at, chain, 100 * unknown / all, 100 * broken / all
            exit !ok
        }' "$work/truth" "$work/folded"
}

failed=0
for node in "${nodes[@]}"; do
    # A function that the optimising compiler inlined counts for its caller, so here it inlines none.
    nice -n -10 "$node" --no-turbo-inlining "$here/e2e/workloads/node/shares.js" "$((seconds + 2))" >"$work/truth" &
    pid=$!
    sleep 1
    nice -n -10 "$agent" --pid "$pid" --duration "${seconds}s" --frequency 999 --format folded --output "$work/folded" 2>"$work/said" ||
        { cat "$work/said" && exit 1; }
    wait "$pid"
    pid=
    judge "node $("$node" --version)" || { failed=1 && cat "$work/said" && cp "$work/folded" "${KEEP:-/dev/null}"; }
done
exit $failed
