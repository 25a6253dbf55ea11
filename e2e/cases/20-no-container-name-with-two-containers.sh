#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The webhook sees the pod: which containers there are is in the answer.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/idle' 'helper=/idle'
equals 'what kubectl prints' "$(refused x 'targetPod: web')" \
    'The PodFlame "x" is invalid: spec.containerName: Required value: pod "web" has 2 containers (app, helper); name one of them'
