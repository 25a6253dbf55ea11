#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pod goes in the middle: the samples so far are a profile, or the failure says that the pod is gone. At once.
. "$(dirname "$0")/lib.sh"
new_namespace
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 10m' 'frequency: 499'
wait_phase x Running 30
wait_agent_running "$(uid x)" 30
sleep 4
k delete pod hot --grace-period=0 --force >/dev/null 2>&1
for ((i = 0; i < 100; i++)); do
    case $(phase x) in Succeeded | Failed) break ;; esac
    sleep 0.3
done
echo "$(phase x): $(condition x reason): $(condition x message)"
equals phase "$(phase x)" Succeeded
save_page x "$TMP/flame.html"
share_is "$TMP/flame.html" burn_sixty 60
wait_no_agent "$(uid x)" 20
