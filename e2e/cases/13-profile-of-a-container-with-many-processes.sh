#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Four workers of one parent: each has its share, under a process of its own.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/prefork'
podflame web 'targetPod: web' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" worker_0 40
share_is "$TMP/flame.html" worker_1 30
share_is "$TMP/flame.html" worker_2 20
share_is "$TMP/flame.html" worker_3 10
processes=$(k get pf web -o jsonpath='{.status.profile.processes}')
[ "$processes" -ge 4 ] || fail "$processes processes seen, not 4"
