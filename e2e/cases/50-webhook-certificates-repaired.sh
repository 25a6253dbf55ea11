#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The CA's Secret deleted and the caBundle spoilt: right again within a minute, and kubectl certs show says so.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/idle' 'helper=/idle'
kubectl delete secret --namespace $SYSTEM podflame-webhook-ca >/dev/null
kubectl patch validatingwebhookconfiguration podflame-validating-webhook-configuration --type=json \
    -p '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]' >/dev/null
deadline=$((SECONDS + 60))
until out=$(refused x 'targetPod: web') && [[ $out == *'Required value: pod "web" has 2 containers'* ]]; do
    [ $SECONDS -lt $deadline ] || fail "still: $out"
    sleep 1
done
contains show "$(build/bin/podflame-operator certs show)" 'holds each CA above'
