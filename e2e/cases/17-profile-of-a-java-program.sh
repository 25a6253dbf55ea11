#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Java program needs nothing, too: no agent, no attaching, no frame pointers. The pod is restricted, its root file
# system read-only.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/java/bin/java, -XX:+DisableAttachMechanism, -cp, /java/classes, shop.Hot'
podflame web 'targetPod: web' 'containerName: app' 'duration: 8s' 'frequency: 499'
wait_succeeded web 40
save_page web "$TMP/flame.html"
share_is "$TMP/flame.html" shop.Hot.burnSixty 60
share_is "$TMP/flame.html" shop.Hot.burnThirty 30
share_is "$TMP/flame.html" shop.Hot.burnTen 10
chain_is "$TMP/flame.html" 97 'shop.Hot.main;shop.Hot.serveRequests;shop.Hot.burnSixty'
contains runtimes "$(k get pf web -o jsonpath='{.status.profile.runtimes}')" 'java '
contains lines "$(e2e/page folded "$TMP/flame.html")" ';shop.Hot.burnSixty:'
