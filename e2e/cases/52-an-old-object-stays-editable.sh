#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A PodFlame from before today's rules: the operator judges it again and says why it fails; its metadata can be edited, its
# spec cannot, and it can be deleted. For a moment the kind has no rules and the webhook is not registered.
. "$(dirname "$0")/lib.sh"
new_namespace
hook=podflame-validating-webhook-configuration
kubectl get validatingwebhookconfiguration $hook -o yaml | grep -vE '^  (uid|resourceVersion|creationTimestamp|generation):' >"$TMP/hook.yaml"
kubectl get crd podflames.profilepod.io -o json | jq 'del(.metadata.resourceVersion, .metadata.managedFields)' >"$TMP/crd.json"
restore() {
    kubectl replace -f "$TMP/crd.json" >/dev/null || kubectl apply -k config/crd >/dev/null
    kubectl get validatingwebhookconfiguration $hook >/dev/null 2>&1 || kubectl apply -f "$TMP/hook.yaml" >/dev/null
    build/bin/podflame-operator certs ensure >/dev/null
}
trap 'restore || true; finish' EXIT
kubectl delete validatingwebhookconfiguration $hook >/dev/null
jq 'walk(if type == "object" then del(."x-kubernetes-validations") else . end)' "$TMP/crd.json" | kubectl replace -f - >/dev/null
for _ in {1..50}; do # until the API server has taken both
    podflame old 'targetPod: web_0' 'duration: 69x' 'frequency: 5000' >/dev/null 2>&1 && break
    sleep 0.2
done
k get pf old >/dev/null
restore
for _ in {1..50}; do # until the rules hold again
    podflame_yaml probe 'targetPod: web' 'duration: 69x' | k apply --dry-run=server -f - >/dev/null 2>&1 || break
    sleep 0.2
done

wait_phase old Failed 30
contains 'why' "$(condition old message)" '69x'
k label pf old team=a >/dev/null
k annotate pf old note=b >/dev/null
k patch pf old --type=merge -p '{"metadata":{"finalizers":["example.org/hold"]}}' >/dev/null
for change in '"duration":"5s"' '"targetPod":"web-0"'; do
    out=$(k patch pf old --type=merge -p "{\"spec\":{$change}}" 2>&1) && fail "accepted: $out"
    contains "$change" "$out" 'Forbidden: cannot change from'
done
k delete pf old --wait=false >/dev/null
k label pf old team=b --overwrite >/dev/null
k patch pf old --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]' >/dev/null
k wait --for=delete pf/old --timeout=30s >/dev/null
