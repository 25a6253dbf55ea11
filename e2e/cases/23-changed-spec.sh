#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A PodFlame is a record of one run: its spec does not change, everything else may.
. "$(dirname "$0")/lib.sh"
new_namespace
podflame x 'targetPod: not-there' 'duration: 5s'
contains 'what kubectl prints' "$(refused x 'targetPod: not-there' 'duration: 6s')" 'The PodFlame "x" is invalid: spec.duration: Forbidden: cannot change from "5s" to "6s"'
contains 'the way out' "$(refused x 'targetPod: not-there' 'duration: 6s')" 'delete the PodFlame and create it again'
podflame x 'targetPod: not-there' 'duration: 5s'
k label pf x team=a >/dev/null
k annotate pf x note=b >/dev/null
