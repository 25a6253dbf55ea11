#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that the schema can see is in one answer.
. "$(dirname "$0")/lib.sh"
new_namespace
podflame_yaml x 'targetPod: Not_A_Name' 'duration: 69x' 'frequency: 5000' >"$TMP/x.yaml"
out=$(k apply -f "$TMP/x.yaml" 2>&1) && fail "accepted: $out"
contains head "$out" 'The PodFlame "x" is invalid:'
for field in targetPod duration frequency; do contains "$field" "$out" "* spec.$field: "; done
equals bullets "$(grep -c '^\* ' <<<"$out")" 3
