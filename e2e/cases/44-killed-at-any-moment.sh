#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL to the operator and to agents, again and again, while several profiles are at several stages: each PodFlame
# finishes, with a page that is whole or with a reason, by one agent alone. SEED picks other moments.
. "$(dirname "$0")/lib.sh"
uses_own_cluster || { echo "needs a node whose processes this test may end" && exit 77; }
SEED=${SEED:-44}
RANDOM=$SEED
echo "SEED=$SEED"
new_namespace
fresh_operator
pod hot 'app=/hot'
pod prefork 'app=/prefork'

# Every agent pod that ever is: "<UID of its PodFlame> <its own UID>".
kubectl get pods --namespace $SYSTEM -l app.kubernetes.io/component=agent --watch --no-headers \
    -o custom-columns='A:.metadata.labels.podflame\.profilepod\.io/uid,B:.metadata.uid' >"$TMP/agents" &
watching=$!

names=()
for i in 1 2 3 4 5 6 7 8; do
    names+=("x$i")
    podflame_yaml "x$i" "targetPod: $([ $((RANDOM % 2)) = 0 ] && echo hot || echo prefork)" "duration: $((RANDOM % 5 + 4))s"
    echo ---
done >"$TMP/podflames"
k apply -f "$TMP/podflames" >/dev/null

start=$(date +%s%3N)
agents=0
for victim in operator agent agent operator agent; do
    sleep "$(printf '0.%03d' $((RANDOM % 1000)))"
    [ $victim = operator ] || sleep $((RANDOM % 2))
    what="$victim after $(($(date +%s%3N) - start)) ms"
    if [ $victim = operator ]; then
        kill_operator || what="$what: none runs"
    else
        mapfile -t pids < <(pids_of /podflame-agent)
        if [ ${#pids[@]} = 0 ]; then
            what="$what: none runs"
        else
            kill -KILL "${pids[RANDOM % ${#pids[@]}]}" && agents=$((agents + 1))
        fi
    fi
    echo "killed: $what"
    [ $victim != operator ] || sleep 1
done

deadline=$((SECONDS + 90))
until [ "$(k get pf -o jsonpath='{.items[*].status.completionTime}' | wc -w)" = ${#names[@]} ]; do
    [ $SECONDS -lt $deadline ] || fail 'a PodFlame has not finished after 90 s'
    sleep 0.5
done
kill $watching
k get pf -o wide
failed=0
for name in "${names[@]}"; do
    case $(phase "$name") in
    Succeeded)
        save_page "$name" "$TMP/flame.html"
        equals "samples of $name" "$(e2e/page header "$TMP/flame.html" samples)" "$(k get pf "$name" -o jsonpath='{.status.profile.samples}')"
        ;;
    Failed)
        failed=$((failed + 1))
        equals "reason of $name" "$(condition "$name" reason)" AgentKilled
        contains "message of $name" "$(condition "$name" message)" 'create the PodFlame again'
        ;;
    esac
    wait_no_agent "$(uid "$name")" 30
    equals "agents of $name" "$(grep "^$(uid "$name")" "$TMP/agents" | sort -u | wc -l)" 1
done
[ $failed -le $agents ] || fail "$failed PodFlames failed, but only $agents agents were killed"
kubectl rollout status --namespace $SYSTEM deployment/podflame-operator --timeout=60s
