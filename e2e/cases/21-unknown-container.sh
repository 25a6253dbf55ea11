#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/idle' 'helper=/idle'
equals 'what kubectl prints' "$(refused x 'targetPod: web' 'containerName: ap')" \
    'The PodFlame "x" is invalid: spec.containerName: Not found: "ap": pod "web" has the containers app, helper'
