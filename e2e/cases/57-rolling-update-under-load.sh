#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The operator is rolled out anew, twice, under 50 applies a second: no call fails.
. "$(dirname "$0")/lib.sh"
new_namespace
sys() { kubectl --namespace $SYSTEM "$@"; }
pods() { sys get pods -l app.kubernetes.io/component=operator -o name | sort; }
settled() { # the rollout is over, and no replica of before it is left
    local deadline=$((SECONDS + 60))
    sys rollout status deployment/podflame-operator --timeout=90s >/dev/null
    until [ "$(pods | wc -l)" = 2 ]; do
        [ $SECONDS -lt $deadline ] || fail "not two replicas: $(pods)"
        sleep 0.5
    done
}
settled
e2e/bench/apply-load "$NS" --rate 50 --seconds 300 --stop-file "$TMP/stop" >"$TMP/load" &
load=$!
for _ in 1 2; do
    before=$(pods)
    sleep 2
    sys rollout restart deployment/podflame-operator >/dev/null
    settled
    [ -z "$(comm -12 <(echo "$before") <(pods))" ] || fail "not all replicas are new: $before"
done
sleep 2
touch "$TMP/stop"
wait $load || fail "$(cat "$TMP/load")"
cat "$TMP/load"
contains 'no call fails' "$(cat "$TMP/load")" ' 0 failed'
