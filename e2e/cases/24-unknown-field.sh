#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
new_namespace
contains 'what kubectl prints' "$(refused x 'targetPod: web' 'containerNam: app')" 'unknown field "spec.containerNam"'
