#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make undeploy with a run in progress leaves no object, no webhook and no process; make deploy brings it all back.
. "$(dirname "$0")/lib.sh"
new_namespace
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 10m'
wait_agent_running "$(uid x)" 30
kubectl get deployment --namespace $SYSTEM podflame-operator -o jsonpath='{.spec.template.spec.containers[0].image}' >"$TMP/img"
kubectl get deployment --namespace $SYSTEM podflame-operator -o jsonpath='{.spec.template.spec.containers[0].env[0].value}' >"$TMP/agent-img"
make --no-print-directory undeploy
left=$(for kind in crd validatingwebhookconfiguration clusterrole clusterrolebinding namespace apiservice; do kubectl get "$kind" -o name | grep -i podflame || true; done)
equals 'nothing is left' "$left" ''
if uses_own_cluster; then
    equals 'no process is left' "$(readlink /proc/[0-9]*/exe 2>/dev/null | grep '^/podflame-' || true)" ''
fi
make --no-print-directory deploy IMG="$(cat "$TMP/img")" AGENT_IMG="$(cat "$TMP/agent-img")"
