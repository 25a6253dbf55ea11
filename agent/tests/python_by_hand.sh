#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles Python code with known shares of CPU time, under each CPython that is named by PYTHONS
# (default: python3), and compares the profile with what the code measured of itself.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1
read -ra pythons <<<"${PYTHONS:-/usr/bin/python3}"
seconds=${SECONDS_EACH:-5}

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT

# judge NAME : reads $work/truth and $work/folded. A row: largest error of a share in points, the
# samples of a leaf that have its whole chain, leaves without a name, stacks without their root.
judge() {
    awk -v name="$1" '
        function has(stack, frame) { return index(stack, ";" frame " (") > 0 }
        FNR == NR { truth[$1] = $2; all_truth += $2; next }
        {
            n = $NF; sub(/ [0-9]+$/, ""); stack = ";" $0 ";"; all += n
            for (f in truth) {
                method = f == "method" || f == "recurse" ? "Worker." f : f
                if (has(stack, f) || has(stack, method)) got[f] += n
            }
            leaf = $0; sub(/.*;/, "", leaf)
            if (leaf ~ /^\[.*\+0x/) unknown += n
            if (index(stack, ";[truncated")) broken += n
            script = "" # the frames of Python functions alone, without their classes
            for (i = split($0, frames, ";"); i > 0; i--)
                if (frames[i] ~ /\(shares\.py:/) script = ";" frames[i] script
            gsub(/;(Worker|decorated\.<locals>)\./, ";", script)
            if (script ~ /deep_leaf/) {
                deep += n
                whole += n * (gsub(/;recurse \(shares\.py:67\)/, "", script) == 60 &&
                    script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;(main\.<locals>\.)?<lambda> [^;]*;recurse \(shares\.py:68\);deep_leaf [^;]*$/)
            } else if (script ~ /;numbers/) {
                deep += n
                whole += n * (script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;generator \(shares\.py:43\);numbers \(shares\.py:3[789]\)$/)
            } else if (script ~ /;nested/) {
                deep += n
                whole += n * (script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;coroutine [^;]*;coroutine_main [^;]*;nested [^;]*$/)
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
for python in "${pythons[@]}"; do
    version=$("$python" -c 'import platform; print(platform.python_version())') || exit 1
    nice -n -10 "$python" "$here/e2e/workloads/python/shares.py" "$((seconds + 1))" >"$work/truth" &
    pid=$!
    sleep 0.5
    nice -n -10 "$agent" --pid "$pid" --duration "${seconds}s" --frequency 999 --format folded --output "$work/folded" 2>"$work/said" ||
        { cat "$work/said" && exit 1; }
    wait "$pid"
    pid=
    judge "python $version" || { failed=1 && cat "$work/said" && cp "$work/folded" "${KEEP:-/dev/null}"; }
done
exit $failed
