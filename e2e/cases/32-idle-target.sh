#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A container that uses no CPU has no flame graph; the failure says so.
. "$(dirname "$0")/lib.sh"
new_namespace
pod quiet 'app=/idle'
podflame x 'targetPod: quiet' 'duration: 3s'
wait_phase x Failed 40
equals reason "$(condition x reason)" NoSamples
condition x message
