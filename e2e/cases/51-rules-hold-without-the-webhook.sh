#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With no webhook registered, the CRD's own rules give the same answers.
. "$(dirname "$0")/lib.sh"
new_namespace
kubectl get validatingwebhookconfiguration podflame-validating-webhook-configuration -o yaml >"$TMP/webhook.yaml"
kubectl delete validatingwebhookconfiguration podflame-validating-webhook-configuration >/dev/null
restore() { grep -vE '^  (uid|resourceVersion|creationTimestamp|generation):' "$TMP/webhook.yaml" | kubectl apply -f - >/dev/null 2>&1 && build/bin/podflame-operator certs ensure; }
trap 'restore; finish' EXIT
sleep 1
equals duration "$(refused x 'targetPod: web' 'duration: 69x')" \
    'The PodFlame "x" is invalid: spec.duration: Invalid value: "69x": must be hours, minutes and seconds in that order, such as 30s, 2m or 1m30s'
podflame x 'targetPod: not-there' >/dev/null
contains immutable "$(refused x 'targetPod: other')" 'The PodFlame "x" is invalid: spec.targetPod: Forbidden: cannot change from "not-there" to "other"'
