#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# /metrics of each replica, as a strict parser reads it; exactly one replica says that it leads.
. "$(dirname "$0")/lib.sh"
leaders=0 replicas=0
deadline=$((SECONDS + 30))
until [ $leaders = 1 ] || [ $SECONDS -gt $deadline ]; do
    leaders=0 replicas=0
    for pod in $(kubectl get pods --namespace $SYSTEM -l app.kubernetes.io/component=operator --field-selector status.phase=Running -o name); do
        kubectl get --raw "/api/v1/namespaces/$SYSTEM/pods/${pod#pod/}:8081/proxy/metrics" >"$TMP/metrics" || continue
        e2e/metrics <"$TMP/metrics" podflame_admission_duration_seconds podflame_admission_in_flight_requests \
            podflame_admission_pod_lookups_total podflame_admission_rejections_total podflame_admission_requests_total podflame_build_info \
            podflame_certificate_actions_total podflame_certificate_check_failures_total \
            podflame_certificate_not_after_timestamp_seconds podflame_certificate_trusted podflame_leader \
            podflame_queue_length podflame_reconcile_duration_seconds podflame_tls_certificate_refusals_total
        leaders=$((leaders + $(awk '$1 == "podflame_leader" { print $2 }' "$TMP/metrics")))
        replicas=$((replicas + 1))
    done
    sleep 1
done
equals 'replicas that lead' $leaders 1
[ $replicas -ge 2 ] || fail "only $replicas replica"
