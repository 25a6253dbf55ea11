#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubectl apply -f dist/install.yaml, which is what config/ says, and nothing else: the operator makes its CA and caBundle, and the webhook answers.
. "$(dirname "$0")/lib.sh"
if ! uses_own_cluster; then
    echo 'the images that dist/install.yaml names are on the test cluster only'
    exit 77
fi
make --no-print-directory manifests >/dev/null
diff -u dist/install.yaml build/manifests.yaml || fail 'dist/install.yaml is not what config/ says: make build-installer'
make --no-print-directory undeploy >/dev/null
start=$SECONDS
kubectl apply -f dist/install.yaml >/dev/null
kubectl rollout status --namespace $SYSTEM deployment/podflame-operator --timeout=120s >/dev/null
echo "ready after $((SECONDS - start)) s"
new_namespace
pod web 'app=/idle' 'helper=/idle'
contains 'the webhook answers' "$(refused x 'targetPod: web')" 'Required value: pod "web" has 2 containers'
contains show "$(build/bin/podflame-operator certs show)" 'holds each CA above'
equals 'replicas' "$(kubectl get deployment --namespace $SYSTEM podflame-operator -o jsonpath='{.status.readyReplicas}')" 2
kubectl get lease --namespace $SYSTEM podflame-operator -o jsonpath='{.spec.holderIdentity}{"\n"}' | grep '^podflame-operator-'
