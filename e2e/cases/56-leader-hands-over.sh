#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The leader's pod is deleted: it gives the Lease back when it ends, and the other replica is the leader at its next try.
. "$(dirname "$0")/lib.sh"
new_namespace
holder() { kubectl get lease --namespace $SYSTEM podflame-operator -o jsonpath='{.spec.holderIdentity}'; }
kubectl rollout status --namespace $SYSTEM deployment/podflame-operator --timeout=120s >/dev/null
until old=$(holder) && [ -n "$old" ]; do sleep 0.2; done
kubectl delete pod --namespace $SYSTEM "$old" --wait=false
ended='' deadline=$((SECONDS + 40))
until new=$(holder) && [ -n "$new" ] && [ "$new" != "$old" ]; do
    [ $SECONDS -lt $deadline ] || fail "still held by '$new'"
    [ -n "$new" ] || ended=${ended:-$(date +%s%3N)}
    sleep 0.1
done
now=$(date +%s%3N)
echo "from $old to $new$([ -z "$ended" ] || echo ", free for about $((now - ended)) ms")"
equals 'transitions are counted' "$(kubectl get lease --namespace $SYSTEM podflame-operator -o jsonpath='{.spec.leaseTransitions}' | grep -c '^[1-9]')" 1
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 3s'
wait_succeeded x 60
