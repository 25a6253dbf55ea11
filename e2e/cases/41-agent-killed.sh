#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL to the agent: a failure whose reason a user understands, and no second agent.
. "$(dirname "$0")/lib.sh"
uses_own_cluster || { echo "needs a node whose processes this test may end" && exit 77; }
new_namespace
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 60s'
wait_agent_running "$(uid x)" 30
sleep 2
for exe in /proc/[0-9]*/exe; do
    pid=${exe#/proc/} && pid=${pid%/exe}
    if [ "$(readlink "$exe" 2>/dev/null)" = /podflame-agent ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "$NS/hot"; then
        kill -KILL "$pid"
        killed=$pid
    fi
done
[ -n "${killed:-}" ] || fail 'no agent process found'
wait_phase x Failed 30
equals reason "$(condition x reason)" AgentKilled
condition x message
wait_no_agent "$(uid x)" 20
