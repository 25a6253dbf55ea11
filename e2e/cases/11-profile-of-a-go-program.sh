#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Go program needs nothing: its functions are named with their packages.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/hotgo'
podflame web 'targetPod: web' 'containerName: app' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" main.burnSixty 60
share_is "$TMP/flame.html" main.burnThirty 30
share_is "$TMP/flame.html" main.burnTen 10
chain_is "$TMP/flame.html" 97 'runtime.main;main.main;main.serveRequests;main.burnSixty'
contains runtimes "$(k get pf web -o jsonpath='{.status.profile.runtimes}')" go
