# SPDX-License-Identifier: Apache-2.0
# What the cases share: a namespace of the case's own, gone when it ends, and ways to say what is expected.
# Sourced by each case, which runs again inside the cluster's network when that is one of this checkout's own.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. e2e/lib.sh

if uses_own_cluster && [ -z "${PODFLAME_INSIDE:-}" ]; then
    PODFLAME_INSIDE=1 exec e2e/cluster/exec bash "$0" "$@"
fi

CASE=$(basename "$0" .sh)
CASE=${CASE#[0-9][0-9]-}
NS=e2e-$CASE
TMP=$(mktemp -d)
SYSTEM=podflame-system

finish() {
    local status=$?
    if [ $status != 0 ] && [ $status != 77 ]; then
        echo "--- what is there"
        kubectl get pf,pods --namespace "$NS" -o wide || true
        kubectl get pods --namespace $SYSTEM || true
        kubectl logs --namespace $SYSTEM deployment/podflame-operator --tail=15 || true
    fi
    kubectl delete namespace "$NS" --ignore-not-found --wait=false >/dev/null 2>&1 || true
    rm -rf "$TMP"
}
trap finish EXIT

k() { kubectl --namespace "$NS" "$@"; }

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

equals() { # WHAT GOT WANTED
    [ "$2" = "$3" ] || {
        printf 'FAILED: %s\n--- got\n%s\n--- wanted\n%s\n' "$1" "$2" "$3"
        exit 1
    }
}

contains() { # WHAT TEXT PART
    case $2 in
    *"$3"*) ;;
    *) printf 'FAILED: %s\n--- got\n%s\n--- wanted in it\n%s\n' "$1" "$2" "$3" && exit 1 ;;
    esac
}

# The case's own namespace, "restricted": what is profiled needs no right at all.
new_namespace() {
    kubectl delete namespace "$NS" --ignore-not-found >/dev/null
    kubectl create namespace "$NS" >/dev/null
    kubectl label namespace "$NS" pod-security.kubernetes.io/enforce=restricted >/dev/null
}

pod() { # NAME CONTAINER=COMMAND...: makes a pod of the sample workloads' image and waits until it runs
    local name=$1 container
    shift
    {
        printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  terminationGracePeriodSeconds: 0\n' "$name"
        printf '  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}\n  containers:\n'
        for container; do
            printf '    - name: %s\n      image: %s\n      imagePullPolicy: IfNotPresent\n      command: [%s]\n' \
                "${container%%=*}" "$WORKLOADS_IMG" "${container#*=}"
            printf '      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}\n'
        done
    } | k apply -f - >/dev/null
    k wait --for=condition=Ready "pod/$name" --timeout=60s >/dev/null
}

# The manifest of a PodFlame: podflame_yaml NAME 'targetPod: web-0' 'duration: 5s' ...
podflame_yaml() {
    local name=$1 line
    shift
    printf 'apiVersion: profilepod.io/v1alpha1\nkind: PodFlame\nmetadata: {name: %s}\nspec:\n' "$name"
    for line; do printf '  %s\n' "$line"; done
}

podflame() { podflame_yaml "$@" | k apply -f -; }

# What kubectl says to a PodFlame that is refused; fails when it is accepted.
refused() {
    local out
    if out=$(podflame "$@" 2>&1); then
        fail "accepted: $out"
    fi
    printf '%s\n' "$out"
}

phase() { k get pf "$1" -o jsonpath='{.status.phase}'; }
condition() { k get pf "$1" -o jsonpath="{.status.conditions[?(@.type==\"Succeeded\")].$2}"; }

wait_phase() { # NAME PHASE SECONDS
    local deadline=$((SECONDS + $3)) got=
    while [ $SECONDS -lt $deadline ]; do
        got=$(phase "$1")
        [ "$got" != "$2" ] || return 0
        case $got in Failed | Succeeded) break ;; esac
        sleep 0.3
    done
    k get pf "$1" -o jsonpath='{.status.conditions}{"\n"}'
    fail "podflame $1 is '$got', not '$2', after ${3} s"
}

wait_succeeded() { wait_phase "$1" Succeeded "$2"; }

# The published one-liner, word for word, into a file.
save_page() { # NAME FILE
    k get pf "$1" -o jsonpath='{.status.flameGraph}' | base64 -d | gunzip >"$2"
}

# share_is PAGE FUNCTION PERCENT: within 4 points
share_is() {
    local got
    got=$(e2e/page shares "$1" "$2")
    echo "$got (known: $3)"
    awk -v got="${got##* }" -v want="$3" 'BEGIN { d = got - want; exit !(d <= 4 && d >= -4) }' ||
        fail "the share of $2 is ${got##* } %, not $3 %"
}

# chain_is PAGE PERCENT CALLER;CALLEE: at least that share of the samples that hold the callee show it under the caller
chain_is() {
    e2e/page functions "$1" | awk -v chain=";$3" -v leaf=";${3##*;}" -v least="$2" '
        { n = $NF; sub(/ [0-9]+$/, ""); line = $0 ";" }
        index(line, leaf ";") { all += n; if (index(line, chain ";")) good += n }
        END { printf "%s in %d of %d samples\n", substr(chain, 2), good, all; exit !(all > 0 && good * 100 >= least * all) }' ||
        fail "the chain $3 is broken"
}

agents_of() { # UID: the agent pods of a PodFlame
    kubectl get pods --namespace $SYSTEM -l "podflame.profilepod.io/uid=$1" -o name
}

wait_no_agent() { # UID SECONDS
    local deadline=$((SECONDS + $2))
    while [ -n "$(agents_of "$1")" ]; do
        [ $SECONDS -lt $deadline ] || fail "an agent pod is left: $(agents_of "$1")"
        sleep 0.3
    done
}

wait_agent_running() { # UID SECONDS
    local deadline=$((SECONDS + $2))
    until [ "$(kubectl get pods --namespace $SYSTEM -l "podflame.profilepod.io/uid=$1" -o jsonpath='{.items[*].status.phase}')" = Running ]; do
        [ $SECONDS -lt $deadline ] || fail "no agent runs after $2 s"
        sleep 0.2
    done
}

uid() { k get pf "$1" -o jsonpath='{.metadata.uid}'; }

pids_of() { # PROGRAM: its processes on the node, when that is this checkout's own
    local exe
    for exe in /proc/[0-9]*/exe; do
        [ "$(readlink "$exe" 2>/dev/null)" != "$1" ] || { exe=${exe#/proc/} && echo "${exe%/exe}"; }
    done
}

# New operator pods, and the old ones gone: the kubelet waits longer before each restart of one that was killed before.
fresh_operator() {
    kubectl rollout restart --namespace $SYSTEM deployment/podflame-operator >/dev/null
    kubectl rollout status --namespace $SYSTEM deployment/podflame-operator --timeout=90s >/dev/null
}

# SIGKILL to the operator, wherever it is in its work.
kill_operator() {
    local pids
    if uses_own_cluster; then
        pids=$(pids_of /podflame-operator)
        # shellcheck disable=SC2086  # one word a process
        [ -n "$pids" ] && kill -KILL $pids
    else
        kubectl delete pod --namespace $SYSTEM -l app.kubernetes.io/component=operator --grace-period=0 --force
    fi
}
