#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL to the operator while an agent runs, twice: the profile still arrives, once.
. "$(dirname "$0")/lib.sh"
new_namespace
fresh_operator
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 12s'
wait_agent_running "$(uid x)" 30
agent=$(agents_of "$(uid x)")
kill_operator || fail 'no operator process found'
sleep 6
kill_operator || fail 'no operator process found'
wait_succeeded x 90
save_page x "$TMP/flame.html"
equals 'the page is whole' "$(e2e/page header "$TMP/flame.html" samples)" "$(k get pf x -o jsonpath='{.status.profile.samples}')"
contains 'what is hot is in it' "$(e2e/page folded "$TMP/flame.html")" burn_sixty
equals 'one agent, the first one' "pod/$(k get pf x -o jsonpath='{.status.agentPod}')" "$agent"
wait_no_agent "$(uid x)" 30
equals 'one success is told' "$(k get events --field-selector involvedObject.name=x,reason=ProfileReady -o name | wc -l)" 1
kubectl rollout status --namespace $SYSTEM deployment/podflame-operator --timeout=120s
