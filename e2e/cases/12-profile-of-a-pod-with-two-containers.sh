#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Of two busy containers only the one that is named is in the profile.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/hot' 'helper=/prefork'
podflame web 'targetPod: web' 'containerName: helper' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" worker_0 40
share_is "$TMP/flame.html" burn_sixty 0
