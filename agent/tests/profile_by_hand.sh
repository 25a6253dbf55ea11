#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs podflame-agent as a user at a shell does, on programs whose profiles are known beforehand.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1
tolerance=4 # points of a share
container=$(printf 'podflame test %s' $$ | sha256sum | cut -d' ' -f1)
pod_uid=11112222-3333-4444-8555-666677778888

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
workload=$work/known_shares
started=() # processes
groups=()  # cgroup directories

stop_all() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" && wait "$pid"
    done 2>/dev/null
    started=()
}

clean_up() {
    local group
    stop_all
    for group in "${groups[@]}"; do
        rmdir "$group" "$(dirname "$group")" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT

# Without frame pointers, as distributions build.
"${CC:-gcc}" -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o "$workload" "$here/known_shares.c" || exit 1

failures=0
skips=0
ok() { printf 'ok      %s\n' "$1"; }
fail() {
    printf 'FAIL    %s: %s\n' "$1" "$2"
    failures=$((failures + 1))
}
skip() {
    printf 'skipped %s: %s\n' "$1" "$2"
    skips=$((skips + 1))
}

# start COMMAND... : in the background; its pid is in $pid.
start() {
    "$@" &
    pid=$!
    started+=("$pid")
    sleep 0.2
}

# profile ARGUMENT... : folded stacks in $work/folded, what it said in $work/said.
# As fast as it goes, so that chance stays well within the tolerance.
profile() { "$agent" --frequency 999 --format folded --output "$work/folded" "$@" 2>"$work/said"; }

# share FRAME : percent of the samples whose stack has that frame.
share() {
    awk -v frame=";$1;" '{
        n = $NF; sub(/ [0-9]+$/, ""); all += n
        if (index(";" $0 ";", frame)) with += n
    } END { printf "%d\n", all ? 100 * with / all + 0.5 : -1 }' "$work/folded"
}

# has_shares NAME : 60, 30 and 10, within the tolerance, and the chain above them.
has_shares() {
    local name=$1 want got function
    for want in sixty=60 thirty=30 ten=10 "main;serve=100"; do
        function=${want%=*} want=${want#*=}
        got=$(share "$function")
        if [ $((got - want)) -gt $tolerance ] || [ $((want - got)) -gt $tolerance ]; then
            fail "$name" "$function has $got %, not $want % ($(tail -n 1 "$work/said"))"
            return 1
        fi
    done
    ok "$name"
}

says() { # NAME PATTERN FILE
    if grep -qE "$2" "$3"; then ok "$1"; else fail "$1" "no '$2' in: $(head -c 400 "$3")"; fi
}

start "$workload"
busy=$pid
profile --pid "$busy" --duration 3s
has_shares "one process: shares and call chain"
says "frames start with the process" "^known_shares \($busy\);" "$work/folded"

rm -f "$work/page.html"
"$agent" --pid "$busy" --duration 1s --frequency 999 --output "$work/page.html" 2>/dev/null
says "a page that names the functions" "thirty" "$work/page.html"

(cd "$work" && exec "$agent" --pid "$busy" --duration 1h --format folded --output interrupted) 2>"$work/said" &
interrupted=$!
sleep 1.5
kill -INT "$interrupted"
wait "$interrupted"
says "Ctrl-C keeps what was sampled" ";serve;sixty" "$work/interrupted"
stop_all

start "$workload" fork
profile --pid "$pid" --duration 3s
has_shares "children born during the run"
children=$(cut -d';' -f1 "$work/folded" | sort -u | wc -l)
if [ "$children" -ge 8 ]; then ok "each by its own pid"; else fail "each by its own pid" "only $children processes"; fi
stop_all

start "$workload" daemon
profile --pid "$pid" --duration 3s
has_shares "a daemon that init adopted"
stop_all
sleep 1.2 # the daemon ends by itself

start "$workload" 2
before=$SECONDS
profile --pid "$pid" --duration 60s
has_shares "a target that exits during the run"
if [ $((SECONDS - before)) -lt 10 ]; then ok "ends when its target ends"; else fail "ends when its target ends" "$((SECONDS - before)) s"; fi
stop_all

start "$workload" sleep
"$agent" --pid "$pid" --duration 1s --stream >"$work/stream" 2>/dev/null
says "an idle target: NoSamples" '"reason":"NoSamples"' "$work/stream"
"$agent" --pid "$pid" --duration 1h --stream >"$work/stream" 2>/dev/null &
terminated=$!
sleep 1
kill -TERM "$terminated"
wait "$terminated"
says "SIGTERM in a pod is told in the stream" '^podflame/1 error .*"reason":' "$work/stream"
stop_all
"$agent" --pid "$pid" --duration 1s --stream >"$work/stream" 2>/dev/null
says "a target that is no more: TargetGone" '"reason":"TargetGone"' "$work/stream"
"$agent" --pid 0 --stream >"$work/stream" 2>/dev/null
says "wrong arguments are told in the stream" '^podflame/1 error ' "$work/stream"

# Agent and target in a PID namespace that is not the machine's, as on a node that is a container.
# shellcheck disable=SC2016 # expanded by the inner shell
nested='"$1" & "$2" --pid $! --duration 3s --frequency 999 --format folded --output "$3/folded" 2>"$3/said"; echo $! >"$3/nested_pid"; kill -KILL $!'
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    unshare --pid --fork --mount-proc --kill-child bash -c "$nested" nested "$workload" "$agent" "$work" 2>/dev/null
    has_shares "a nested PID namespace"
    says "with the pid that is seen there" "^known_shares \($(cat "$work/nested_pid")\);" "$work/folded"
else
    skip "a nested PID namespace" "no namespace may be made here"
fi

# walks NAME LEAF CHAIN ROOT COMMAND... : patterns of a stack. Of the samples in LEAF, 97 % have the
# whole CHAIN; of all, 98 % begin at ROOT.
walks() {
    local name=$1 leaf=$2 chain=$3 root=$4 counts n_leaf n_chain n_root n
    shift 4
    start "$@"
    profile --pid "$pid" --duration 2s
    counts=$(awk -v leaf="$leaf" -v chain="$chain" -v root="^[^;]*;$root" '{
        n = $NF; sub(/ [0-9]+$/, ""); stack = $0 ";"; all += n
        if (stack ~ leaf) { leaves += n; if (stack ~ chain) chains += n }
        if (stack ~ root) roots += n
    } END { print leaves + 0, chains + 0, roots + 0, all + 0 }' "$work/folded")
    read -r n_leaf n_chain n_root n <<<"$counts"
    stop_all
    if [ "$n_leaf" -lt 10 ]; then
        fail "stacks: $name" "$n_leaf of $n samples in the leaf ($(tail -n 1 "$work/said"))"
    elif [ $((100 * n_chain)) -lt $((97 * n_leaf)) ]; then
        fail "stacks: $name" "the chain in $n_chain of $n_leaf samples: $(head -c 300 "$work/folded")"
    elif [ $((100 * n_root)) -lt $((98 * n)) ]; then
        fail "stacks: $name" "the root in $n_root of $n samples"
    else
        ok "stacks: $name ($n_chain of $n_leaf, $n_root of $n)"
    fi
}
# What native_stacks.sh has no program for.
hard=$work/hard_stacks
begin='_start;__libc_start_main(_impl)?;[^;]*;main;'
if ! grep -q ' T _start$' <(nm "$workload") || [ "$(uname -m)" != x86_64 ]; then
    skip "stacks without frame pointers" "only on x86-64"
elif "${CC:-gcc}" -O2 -fomit-frame-pointer -o "$hard" "$here/hard_stacks.c" -lpthread; then
    walks "a signal's handler" ';leaf;' ';interrupted;(raise|gsignal);([^;]*;)+on_alarm;leaf;' "$begin" "$hard" signal
    walks "a signal's handler on another stack" ';leaf;' ';interrupted_far;(raise|gsignal);([^;]*;)+on_alarm;leaf;' "$begin" "$hard" altstack
    walks "a coroutine" ';leaf;' ';coroutine;leaf;' '(__start_context|[[]libc[^;]*);coroutine;' "$hard" coroutine
    walks "after longjmp" ';leaf;' ';in_thread;jumped;leaf;' "$begin" "$hard" longjmp
    walks "a thread" ';leaf;' ';in_thread;chain_outer;chain_inner;leaf;' '[^;]*;[^;]*;in_thread;' "$hard" thread
    # musl's own code has neither unwind tables nor frame pointers.
    if command -v musl-gcc >/dev/null; then
        musl-gcc -O2 -fomit-frame-pointer -static -o "$hard-musl" "$here/hard_stacks.c" || exit 1
        musl-gcc -O2 -fomit-frame-pointer -o "$hard-shared" "$here/hard_stacks.c" || exit 1
        for musl in "$hard-musl" "$hard-shared"; do
            begin_musl='_start;[^;]*;main;in_thread;'
            kind="musl, $([ "$musl" = "$hard-musl" ] && echo static || echo shared)"
            walks "$kind: a signal's handler" ';leaf;' ';interrupted;raise;([^;]*;)+on_alarm;leaf;' "$begin_musl" "$musl" signal
            walks "$kind: a thread" ';leaf;' ';in_thread;chain_outer;chain_inner;leaf;' '[^;]*;[^;]*;in_thread;' "$musl" thread
        done
    else
        skip "stacks: musl" "no musl-gcc here"
    fi
    # Without symbols only the number of frames is known: five from main on, and the root.
    strip -o "$hard-stripped" "$hard"
    frame='[[]hard_stacks-stripped[^;]*;'
    walks "a stripped binary" '.' ";$frame$frame$frame$frame$frame" "${frame}__libc_start_main;" "$hard-stripped" leaf
    if "${CC:-gcc}" -O2 -fomit-frame-pointer -static -fno-asynchronous-unwind-tables -g -o "$hard-debug" "$here/hard_stacks.c" -lpthread 2>/dev/null; then
        walks "a program with .debug_frame" ';leaf;' ';chain_outer;chain_inner;leaf;' "$begin" "$hard-debug" leaf
    fi
fi

# A container, as far as the agent can tell: a cgroup of that name, and a mount namespace of its own.
group_below() { # HIERARCHY
    local path=$1/podflame-test-$$
    mkdir -p "$path/pod$pod_uid/$container" 2>/dev/null || return 1
    groups=("$path/pod$pod_uid/$container" "$path/pod$pod_uid" "${groups[@]}")
    group=$path/pod$pod_uid/$container
}
# shellcheck disable=SC2016 # expanded by the inner shell
enter='echo $$ >"$1/cgroup.procs" || exit 1; shift; exec "$@"'

contained() { # NAME HIERARCHY
    if [ -z "$2" ] || ! group_below "$2"; then
        skip "$1" "no such cgroup hierarchy that can be written"
        return
    fi
    start bash -c "$enter" enter "$group" unshare --mount "$workload"
    local inside=$pid
    start "$workload" # of another container
    profile --pod-uid $pod_uid --container-id "containerd://$container" --duration 6s
    has_shares "$1"
    if [ "$(cut -d';' -f1 "$work/folded" | sort -u)" = "known_shares ($inside)" ]; then
        ok "$1: and nothing else"
    else
        fail "$1: and nothing else" "$(cut -d';' -f1 "$work/folded" | sort -u | tr '\n' ' ')"
    fi
    stop_all
}
v2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
v1=$(awk '$3 == "cgroup" && $2 ~ /pids$/ { print $2; exit }' /proc/mounts)
contained "a container by its cgroup v2" "$v2"
contained "a container by its mount namespace" "$v1"
"$agent" --pod-uid $pod_uid --container-id "$container" --duration 1s --stream >"$work/stream" 2>/dev/null
says "a container that is gone: TargetGone" '"reason":"TargetGone"' "$work/stream"

# Least privilege: what each capability is for, by taking it away.
as_with() { # CAPABILITIES COMMAND...
    local capabilities=$1
    shift
    setpriv --bounding-set="-all,$capabilities" --inh-caps="-all,$capabilities" --ambient-caps=-all --no-new-privs "$@"
}
needs() { # CAPABILITY LEFT : NoPermission that names it
    as_with "$2" "$agent" --pid "$pid" --duration 1s --stream >"$work/stream" 2>/dev/null
    says "without $1: a failure that names it" "\"NoPermission\".*missing capability $1" "$work/stream"
}
if as_with +bpf,+perfmon,+sys_ptrace true 2>/dev/null; then
    mkdir "$work/private"
    cp "$workload" "$work/private/known_shares"
    chown -R 12345:12345 "$work/private"
    chmod 700 "$work/private"
    chmod 711 "$work"
    start setpriv --reuid=12345 --regid=12345 --clear-groups "$work/private/known_shares"
    needs BPF +perfmon,+sys_ptrace
    needs PERFMON +bpf,+sys_ptrace
    needs SYS_PTRACE +bpf,+perfmon
    as_with +bpf,+perfmon,+sys_ptrace "$agent" --pid "$pid" --duration 2s --format folded --output - >"$work/folded" 2>"$work/said"
    says "without DAC_READ_SEARCH: no names from files that only the target may read" '\[known_shares\+0x' "$work/folded"
    as_with +bpf,+perfmon,+sys_ptrace,+dac_read_search "$agent" --pid "$pid" --duration 3s --frequency 999 --format folded --output - >"$work/folded" 2>"$work/said"
    has_shares "with it"
    rm "$work/private/known_shares"
    as_with +bpf,+perfmon,+sys_ptrace,+checkpoint_restore,+dac_read_search "$agent" --pid "$pid" --duration 3s --frequency 999 --format folded --output - \
        >"$work/folded" 2>"$work/said"
    has_shares "with CHECKPOINT_RESTORE: a deleted binary too"
    stop_all
    start dd if=/dev/zero of=/dev/null bs=4k status=none
    as_with +bpf,+perfmon,+sys_ptrace "$agent" --pid "$pid" --duration 1s --format folded --output - >"$work/folded" 2>"$work/said"
    if as_with +bpf,+perfmon,+sys_ptrace grep -qv '^0000000000000000' /proc/kallsyms; then
        skip "without SYSLOG" "this kernel shows its addresses to everybody"
    else
        says "without SYSLOG: kernel functions have no names" ';\[kernel\]' "$work/folded"
    fi
    as_with +bpf,+perfmon,+sys_ptrace,+syslog "$agent" --pid "$pid" --duration 1s --format folded --output - >"$work/folded" 2>"$work/said"
    says "with SYSLOG: they have" ';(vfs|ksys)_read' "$work/folded"
    stop_all
else
    skip "capabilities" "setpriv cannot take them away here"
fi

[ $failures -eq 0 ] || exit 1
echo "all held$([ $skips -eq 0 ] || echo ", $skips skipped")"
