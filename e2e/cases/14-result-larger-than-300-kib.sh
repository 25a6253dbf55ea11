#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Thousands of functions with long names: the page arrives whole.
. "$(dirname "$0")/lib.sh"
new_namespace
pod names 'app=/many_names'
podflame names 'targetPod: names' 'duration: 30s' 'frequency: 999'
wait_succeeded names 70
bytes=$(k get pf names -o jsonpath='{.status.flameGraph}' | wc -c)
echo "$bytes bytes of base64"
[ "$bytes" -gt $((300 * 1024)) ] || fail "the result has only $bytes bytes"
save_page names "$TMP/flame.html"
samples=$(k get pf names -o jsonpath='{.status.profile.samples}')
equals 'every sample is in the page' "$(e2e/page folded "$TMP/flame.html" | awk '{ n += $NF } END { print n }')" "$samples"
