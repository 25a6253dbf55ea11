#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubectl delete pf ends the run: no agent pod is left, and the delete does not wait for anything.
. "$(dirname "$0")/lib.sh"
new_namespace
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 10m'
uid=$(uid x)
wait_agent_running "$uid" 30
k delete pf x --timeout=10s
wait_no_agent "$uid" 20
