#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each wrong duration is told with its value, the rule and an example.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/idle'
syntax='must be hours, minutes and seconds in that order, such as 30s, 2m or 1m30s'
range='must be from 1s to 1h'
check() { equals "duration $1" "$(refused x 'targetPod: web' "duration: \"$1\"")" "The PodFlame \"x\" is invalid: spec.duration: Invalid value: \"$1\": $2"; }
check 69x "$syntax"
check 5 "$syntax"
check 1s1m "$syntax"
check 1.5m "$syntax"
check -5s "$syntax"
check '' "$syntax"
check 0s "$range"
check 2h61m "$range"
check 3601s "$range"
for good in 1s 30S 2M 1h 60m 0h1m30s; do
    podflame_yaml ok 'targetPod: web' "duration: $good" | k apply --dry-run=server -f - >/dev/null || fail "$good was refused"
done
