#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A user profiles a C program of a restricted namespace and gets its functions with their shares.
. "$(dirname "$0")/lib.sh"
new_namespace
pod hot 'app=/hot'
restarts_before=$(k get pod hot -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].restartCount}')

podflame hot 'targetPod: hot' 'duration: 20s'
wait_succeeded hot 60
save_page hot "$TMP/flame.html"
share_is "$TMP/flame.html" burn_sixty 60
share_is "$TMP/flame.html" burn_thirty 30
share_is "$TMP/flame.html" burn_ten 10
chain_is "$TMP/flame.html" 97 'main;serve_requests;burn_sixty'

equals 'the pod is untouched' "$(k get pod hot -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].restartCount}')" "$restarts_before"
samples=$(k get pf hot -o jsonpath='{.status.profile.samples}')
((samples >= 100 && samples <= 2100)) || fail "$samples samples of one core in 20 s at 99 Hz"
equals 'no sample is lost' "$(k get pf hot -o jsonpath='{.status.profile.lost}')" 0

echo 'kubectl get pf prints the columns'
equals columns "$(k get pf | head -n 1 | tr -s ' ')" 'NAME POD CONTAINER DURATION PHASE SAMPLES AGE'
contains row "$(k get pf hot --no-headers | tr -s ' ')" "hot hot app 20s Succeeded $samples"
contains 'wide columns' "$(k get pf -o wide | head -n 1 | tr -s ' ')" 'NODE REASON'
contains explain "$(kubectl explain pf.spec)" 'targetPod'

echo 'the page says what was profiled'
equals pod "$(e2e/page header "$TMP/flame.html" pod)" "$NS/hot"
equals container "$(e2e/page header "$TMP/flame.html" container)" app
equals samples "$(e2e/page header "$TMP/flame.html" samples)" "$samples"
contains 'an event tells it' "$(k get events)" 'podflame/hot'
wait_no_agent "$(uid hot)" 20
