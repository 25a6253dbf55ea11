#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# create, apply, patch, server-side apply, generateName, several documents, dry run, metadata, status and deletion: the same
# rules by every way, on the real API server. The pod has two containers, so that "containerName" is the webhook's to ask for.
. "$(dirname "$0")/lib.sh"
new_namespace
pod web 'app=/idle' 'side=/idle'
unnamed='spec.containerName: Required value: pod "web" has 2 containers (app, side); name one of them'
syntax='must be hours, minutes and seconds in that order, such as 30s, 2m or 1m30s'
says() { # WHAT PART COMMAND...: the command fails, and says so
    local out
    out=$("${@:3}" 2>&1) && fail "$1: accepted: $out"
    contains "$1" "$out" "$2"
}
there() { k get pf -o name | sort | tr '\n' ' '; }
generated() { podflame_yaml x "$@" | sed 's/{name: x}/{generateName: run-}/' | k create -f -; }

# generateName: the name is made before anybody judges, and a refusal names it
contains generateName "$(generated 'targetPod: web' 'containerName: app' 'duration: 1h')" 'podflame.profilepod.io/run-'
says 'generateName, by the schema' 'The PodFlame "run-' generated 'targetPod: web' 'containerName: app' 'duration: 69x'
says 'generateName, by the webhook' "$unnamed" generated 'targetPod: web'
k delete pf --all --wait=false >/dev/null

# dry run: the same verdicts, and nothing is left
podflame_yaml dry 'targetPod: web' 'containerName: app' | k apply --dry-run=server -f - >/dev/null
podflame_yaml dry 'targetPod: web' >"$TMP/dry.yaml"
says 'dry run' "The PodFlame \"dry\" is invalid: $unnamed" k apply --dry-run=server -f "$TMP/dry.yaml"
k get pf dry >/dev/null 2>&1 && fail 'a dry run left something'

# several documents: the good ones are made, each bad one is told
{
    podflame_yaml first 'targetPod: web' 'containerName: app' 'duration: 1h'
    echo ---
    podflame_yaml second 'targetPod: web'
    echo ---
    podflame_yaml third 'targetPod: web' 'containerName: side' 'duration: 69x'
    echo ---
    podflame_yaml fourth 'targetPod: web' 'containerName: side' 'duration: 1h'
} >"$TMP/four.yaml"
says 'documents' "\"second\" is invalid: $unnamed" k apply -f "$TMP/four.yaml"
says 'documents' "\"third\" is invalid: spec.duration: Invalid value: \"69x\": $syntax" k apply -f "$TMP/four.yaml"
equals 'documents made' "$(there)" 'podflame.profilepod.io/first podflame.profilepod.io/fourth '

# patches of every kind
forbidden='The PodFlame "first" is invalid: spec.duration: Forbidden: cannot change from "1h" to "6s"'
says 'merge patch' "$forbidden" k patch pf first --type=merge -p '{"spec":{"duration":"6s"}}'
says 'JSON patch' "$forbidden" k patch pf first --type=json -p '[{"op":"replace","path":"/spec/duration","value":"6s"}]'
says 'container taken away' 'spec.containerName: Forbidden: cannot change from "app" to unset' k patch pf first --type=json -p '[{"op":"remove","path":"/spec/containerName"}]'
k get pf first -o yaml | sed 's/duration: 1h/duration: 6s/' >"$TMP/edited.yaml"
says 'replace' "$forbidden" k replace -f "$TMP/edited.yaml"
k patch pf first --type=merge -p '{"metadata":{"labels":{"team":"a"},"annotations":{"note":"b"}}}' >/dev/null

# server-side apply
podflame_yaml applied 'targetPod: web' 'containerName: app' 'duration: 1h' >"$TMP/applied.yaml"
k apply --server-side --field-manager=ci -f "$TMP/applied.yaml" >/dev/null
k apply --server-side --field-manager=ci -f "$TMP/applied.yaml" >/dev/null
sed 's/1h/6s/' "$TMP/applied.yaml" >"$TMP/changed.yaml"
says 'server-side apply' 'spec.duration: Forbidden: cannot change from "1h" to "6s"' k apply --server-side --field-manager=ci -f "$TMP/changed.yaml"
sed '/containerName/d; s/name: applied/name: other/' "$TMP/applied.yaml" >"$TMP/other.yaml"
says 'server-side apply of a new one' "$unnamed" k apply --server-side --field-manager=ci -f "$TMP/other.yaml"

# status: written by its own way only, and never judged as a spec
k patch pf applied --subresource=status --type=merge -p '{"status":{"nodeName":"by-hand"}}' >/dev/null
k patch pf applied --type=merge -p '{"status":{"nodeName":"not-that-way"}}' >/dev/null
[ "$(k get pf applied -o jsonpath='{.status.nodeName}')" != not-that-way ] || fail 'status was written without its subresource'

# being deleted, and held by a finalizer: metadata stays free, the spec does not change, and it goes when it is let go
k patch pf fourth --type=merge -p '{"metadata":{"finalizers":["example.org/hold"]}}' >/dev/null
k delete pf fourth --wait=false >/dev/null
contains 'held' "$(k get pf fourth -o jsonpath='{.metadata.finalizers} {.metadata.deletionTimestamp}')" 'example.org/hold'
k label pf fourth team=b >/dev/null
says 'spec while it is deleted' 'spec.duration: Forbidden' k patch pf fourth --type=merge -p '{"spec":{"duration":"6s"}}'
k patch pf fourth --type=json -p '[{"op":"test","path":"/metadata/finalizers/0","value":"example.org/hold"},{"op":"remove","path":"/metadata/finalizers/0"}]' >/dev/null
k wait --for=delete pf/fourth --timeout=60s >/dev/null
