#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ttlSecondsAfterFinished removes a finished PodFlame by itself.
. "$(dirname "$0")/lib.sh"
new_namespace
pod hot 'app=/hot'
podflame x 'targetPod: hot' 'duration: 2s' 'ttlSecondsAfterFinished: 3'
k wait --for=delete pf/x --timeout=60s
