#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pod that is not there: a warning at once, a reason in the status, and in the end a failure that says what to do.
. "$(dirname "$0")/lib.sh"
new_namespace
contains warning "$(podflame x 'targetPod: not-there' 'duration: 5s' 2>&1)" 'Warning: spec.targetPod: there is no pod "not-there"'
wait_phase x Failed 60
equals reason "$(condition x reason)" TargetNotFound
contains message "$(condition x message)" 'not-there'
contains 'for users of the first PodFlame' "$(k get pf x -o jsonpath='{.status.failed}')" 'not-there'
equals 'no agent was started' "$(agents_of "$(uid x)")" ''

# A pod that comes in time is profiled.
podflame late 'targetPod: hot' 'duration: 3s'
pod hot 'app=/hot'
wait_succeeded late 60
