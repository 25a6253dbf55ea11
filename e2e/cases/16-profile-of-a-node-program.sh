#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Node.js program needs nothing, too. The pod is restricted, its root file system read-only.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/bin/node, /node/hot.js'
podflame web 'targetPod: web' 'containerName: app' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" burnSixty 60
share_is "$TMP/flame.html" burnThirty 30
share_is "$TMP/flame.html" burnTen 10
chain_is "$TMP/flame.html" 97 'serveRequests;burnSixty'
contains runtimes "$(k get pf web -o jsonpath='{.status.profile.runtimes}')" 'v8 '
contains lines "$(e2e/page folded "$TMP/flame.html")" ';burnSixty hot.js:'
