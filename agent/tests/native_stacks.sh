#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent on the programs of e2e/workloads/native, which know where their CPU time goes: shares, call chains, names.
# A short form of `make bench-agent`: several at a time, for a few seconds, sampled fast so that a few seconds tell enough.
# Exit 0: all held, 1: not, 77: none of them can be built or profiled here. PODFLAME_AGENT names another binary.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# What does not hold yet, as WORKLOAD:COLUMN of the table, or WORKLOAD:* where what fails depends on chance. Each must fail:
# take out what holds.
not_yet=()

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: only x86-64 is unwound" && exit 77; }

verdicts=$(mktemp)
trap 'rm -f "$verdicts"' EXIT
e2e/bench/native/run --seconds 3 --frequency 499 --jobs 4 --verdicts "$verdicts"
[ -s "$verdicts" ] || { echo "FAIL    no verdict: e2e/bench/native/run did not end well" && exit 1; }
grep -qv '^skipped ' "$verdicts" || { echo "skipped: no workload can be built or gets enough CPU here" && exit 77; }

status=0
while read -r verdict name reason; do
    case $verdict in
    skipped) echo "skipped $name: $reason" ;;
    fails)
        excused=" ${not_yet[*]} "
        if [[ $excused == *" $name:${reason%%:*} "* || $excused == *" $name:* "* ]]; then
            echo "not yet $name: $reason"
        else
            echo "FAIL    $name: $reason" && status=1
        fi
        ;;
    esac
done <"$verdicts"
for entry in "${not_yet[@]}"; do
    name=${entry%:*} column=${entry#*:}
    [ "$column" != '*' ] || column='[a-z]*'
    if ! grep -q -e "^fails $name $column:" -e "^skipped $name " "$verdicts"; then
        echo "FAIL    $entry holds now: take it out of not_yet" && status=1
    fi
done
[ $status -ne 0 ] || echo "all held, ${#not_yet[@]} not yet"
exit $status
