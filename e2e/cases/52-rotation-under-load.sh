#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CA of 60 s, leaves of 20 s, 50 applies a second, the leading one of two replicas deleted: no call fails.
# The short form of e2e/bench/rotation-soak.
. "$(dirname "$0")/lib.sh"
out=$(e2e/bench/rotation-soak --seconds 75) || fail "$out"
printf '%s\n' "$out"
contains 'no call fails' "$out" ' 0 failed'
cas=$(awk '/CAs have signed/ { print $1 }' <<<"$out")
[ "$cas" -ge 2 ] || fail "one CA all the time: nothing was rotated"
