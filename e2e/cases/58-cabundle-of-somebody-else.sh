#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An annotation gives the caBundle to cert-manager: certs ensure and the operator leave it alone, and say so. Without the
# annotation they make it right again.
. "$(dirname "$0")/lib.sh"
new_namespace
hook=podflame-validating-webhook-configuration
asks=cert-manager.io/inject-ca-from
bundle() { kubectl get validatingwebhookconfiguration $hook -o jsonpath='{.webhooks[0].clientConfig.caBundle}'; }
trap 'kubectl annotate validatingwebhookconfiguration $hook $asks- >/dev/null; finish' EXIT
kubectl annotate validatingwebhookconfiguration $hook $asks=podflame-system/podflame-serving-cert >/dev/null
equals ensure "$(build/bin/podflame-operator certs ensure)" "caBundle of $hook: left to $asks"
contains show "$(build/bin/podflame-operator certs show)" "kept by $asks"
other=$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=other -keyout /dev/null 2>/dev/null | base64 -w0)
sleep 6 # longer than between two looks of the operator: it knows of the annotation
kubectl patch validatingwebhookconfiguration $hook --type=json \
    -p "[{\"op\":\"replace\",\"path\":\"/webhooks/0/clientConfig/caBundle\",\"value\":\"$other\"}]" >/dev/null
sleep 12
equals 'the caBundle' "$(bundle)" "$other"
contains 'the log' "$(kubectl logs --namespace $SYSTEM -l app.kubernetes.io/component=operator --tail=50)" "$asks keeps its caBundle; serve with --cert-dir"
kubectl annotate validatingwebhookconfiguration $hook $asks- >/dev/null
pod web 'app=/idle' 'helper=/idle'
deadline=$((SECONDS + 60))
until out=$(refused x 'targetPod: web') && [[ $out == *'Required value: pod "web" has 2 containers'* ]]; do
    [ $SECONDS -lt $deadline ] || fail "still: $out"
    sleep 1
done
