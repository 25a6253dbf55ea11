#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The operator's pod passes the Pod Security level "restricted"; an agent's would not, so the check checks.
. "$(dirname "$0")/lib.sh"
new_namespace
pod_of() { jq '{apiVersion: "v1", kind: "Pod", metadata: {name: "x"}, spec: (.spec.template.spec | del(.serviceAccountName, .serviceAccount))}'; }
kubectl get deployment --namespace $SYSTEM podflame-operator -o json | pod_of >"$TMP/pod.json"
equals 'the pod as it is' "$(k create --dry-run=server -f "$TMP/pod.json" 2>&1)" 'pod/x created (server dry run)'
jq '.spec.hostPID = true' "$TMP/pod.json" >"$TMP/agent.json"
if out=$(k create --dry-run=server -f "$TMP/agent.json" 2>&1); then
    fail "hostPID is accepted: $out"
fi
contains 'the level is enforced' "$out" 'violates PodSecurity "restricted:latest"'
