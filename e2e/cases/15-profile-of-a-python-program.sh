#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Python program needs nothing: no flag, no library, no right, no writable file. The pod is restricted, its root
# file system read-only.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/bin/python3, /python/hot.py'
podflame web 'targetPod: web' 'containerName: app' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" burn_sixty 60
share_is "$TMP/flame.html" burn_thirty 30
share_is "$TMP/flame.html" burn_ten 10
chain_is "$TMP/flame.html" 97 'serve_requests;burn_sixty'
contains runtimes "$(k get pf web -o jsonpath='{.status.profile.runtimes}')" 'python 3.'
contains lines "$(e2e/page folded "$TMP/flame.html")" ';burn_sixty (hot.py:13)'
