#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs podflame-agent on Go programs whose call chains are known: plain, stripped, PIE, static, and with C in between.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: only x86-64 is unwound" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
pid=
clean_up() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

failures=0
ok() { printf 'ok      %s\n' "$1"; }
fail() {
    printf 'FAIL    %s: %s\n' "$1" "$2"
    failures=$((failures + 1))
}

# Goroutines begin at goexit, threads at mstart, and what the scheduler does on a thread's own stack at mcall or morestack;
# threads of C begin in the C library.
root='^[^;]*;(runtime[.](goexit|mstart|mcall|morestack|rt0_go)|_start|_*clone3?|start_thread);'

# walks NAME LEAF CHAIN COMMAND... : patterns of a stack. Of the samples in LEAF, 97 % have the whole CHAIN; of all, 98 % begin
# at a root, and 3 % at most end in code without a name. Fast, so that one second tells enough.
walks() {
    local name=$1 leaf=$2 chain=$3 leaves chains roots unknown all
    shift 3
    "$@" &
    pid=$!
    sleep 0.2
    "$agent" --pid "$pid" --duration 1s --frequency 999 --format folded --output "$work/folded" 2>"$work/said"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    pid=
    read -r leaves chains roots unknown all < <(awk -v leaf="$leaf" -v chain="$chain" -v root="$root" '{
        n = $NF; sub(/ [0-9]+$/, ""); stack = $0 ";"; all += n
        if (stack ~ leaf) { leaves += n; if (stack ~ chain) chains += n }
        if (stack ~ root) roots += n
        if (stack ~ /[+]0x[0-9a-f]+\];$/) unknown += n
    } END { print leaves + 0, chains + 0, roots + 0, unknown + 0, all + 0 }' "$work/folded")
    if [ "$leaves" -lt 10 ]; then
        fail "$name" "$leaves of $all samples in the leaf: $(tail -n 1 "$work/said"), $(sort -t' ' -k2 "$work/folded" | tail -n 1 | cut -c1-300)"
    elif [ $((100 * chains)) -lt $((97 * leaves)) ]; then
        fail "$name" "the chain in $chains of $leaves samples: $(grep -vE "$chain" "$work/folded" | grep -E "${leaf%;}" | head -c 600)"
    elif [ $((100 * roots)) -lt $((98 * all)) ]; then
        fail "$name" "the root in $roots of $all samples: $(grep -vE "$root" "$work/folded" | head -c 300)"
    elif [ $((100 * unknown)) -gt $((3 * all)) ]; then
        fail "$name" "$unknown of $all samples in code without a name"
    else
        ok "$name ($chains of $leaves, $roots of $all)"
    fi
}

# build NAME CGO SOURCE OPTION...
build() {
    local name=$1 cgo=$2 source=$3
    shift 3
    CGO_ENABLED=$cgo go build -buildvcs=false -o "$work/$name" "$@" "$here/$source" 2>"$work/said"
}
build plain 0 hard_stacks.go || { echo "skipped: no Go program can be built here: $(tail -n 1 "$work/said")" && exit 77; }

begin='^[^;]*;runtime[.]goexit;runtime[.]main;main[.]main;main[.]forever;main[.][^;]*;'
walks "a leaf without a frame" 'main[.]leaf;' "${begin}main[.]chainOuter;main[.]chainInner;main[.]leaf;" "$work/plain" leaf
walks "inlined functions" 'main[.]leaf;' "${begin}main[.]callsInlined;main[.]inlinedOuter;main[.]inlinedInner;main[.]leaf;" "$work/plain" inlined
walks "900 calls deep" 'main[.]leaf;' "${begin}$(printf 'main[.]descend;%.0s' {1..901})main[.]leaf;" "$work/plain" recursion
walks "many goroutines" 'main[.]leaf;' 'runtime[.]goexit;([^;]*;)+main[.]forever;[^;]*;main[.]chainOuter;main[.]chainInner;main[.]leaf;' "$work/plain" goroutines
walks "the collector's workers" 'runtime[.]gcDrain;' '^[^;]*;runtime[.]goexit;([^;]*;)+runtime[.]systemstack;([^;]*;)+runtime[.]gcDrain;' "$work/plain" gc
walks "stacks that grow" 'runtime[.]copystack;' '^[^;]*;runtime[.]goexit;([^;]*;)+main[.]descend;runtime[.]morestack(_noctxt)?;runtime[.]newstack;runtime[.]copystack;' "$work/plain" growth
walks "system calls" 'syscall[.](Raw)?Syscall' "${begin}syscall[.]" "$work/plain" syscall
walks "the clock, in the vdso" 'clock_gettime;' "${begin}time[.]Now;(.*;)?time[.]now;[^;]*clock_gettime;" "$work/plain" clock
walks "a signal's handler" 'runtime[.]sigtramp;' '^[^;]*;runtime[.](goexit|mstart|mcall);.*;runtime[.]sigreturn[^;]*;runtime[.]sigtramp;' "$work/plain" signals
if build stripped 0 hard_stacks.go '-ldflags=-s -w'; then
    walks "stripped" 'main[.]leaf;' "${begin}main[.]generic\[[.][.][.]\];main[.]leaf;" "$work/stripped" generic
fi
if build pie 0 hard_stacks.go -buildmode=pie '-ldflags=-s -w'; then
    walks "stripped and PIE" 'main[.]leaf;' "${begin}main[.][(][*]square[)][.]area;main[.]leaf;" "$work/pie" method
    cp "$work/pie" "$work/bare"
    for field in 40:8 60:4; do # e_shoff; e_shnum and e_shstrndx
        dd if=/dev/zero of="$work/bare" bs=1 seek="${field%:*}" count="${field#*:}" conv=notrunc status=none
    done
    walks "without a section table" 'main[.]leaf;' "${begin}main[.]chainOuter;main[.]chainInner;main[.]leaf;" "$work/bare" leaf
fi
if build cgo 1 hard_stacks_cgo.go; then
    begin='^[^;]*;runtime[.]goexit;runtime[.]main;main[.]main;main[.]calls'
    walks "C code" 'c_leaf;' "${begin}C;main[.]_Cfunc_c_middle;(runtime[.]cgocall;)?runtime[.]asmcgocall;([^;]*;)?c_middle;c_leaf;" "$work/cgo" c
    walks "Go that C calls back" 'main[.]leaf;' \
        "${begin}Back;main[.]_Cfunc_c_back;(.*;)?runtime[.]asmcgocall;(.*;)?c_back;goCallback;crosscall2;runtime[.]cgocallback;.*;main[.]inCallback;main[.]leaf;" \
        "$work/cgo" callback
    walks "Go on a thread of C" 'main[.]leaf;' 'start_thread;in_thread;c_back;goCallback;crosscall2;.*;main[.]inCallback;main[.]leaf;' "$work/cgo" thread
else
    printf 'skipped %s: %s\n' "C code" "no C compiler for cgo here"
fi

[ $failures -eq 0 ] || exit 1
echo "all held"
