# SPDX-License-Identifier: Apache-2.0
# What the scripts of e2e/ share. Sourced, from the top of the checkout.
# shellcheck shell=bash

export VERSION=${VERSION:-v0.1.0}
WORKLOADS_IMG=${WORKLOADS_IMG:-docker.io/library/podflame-workloads:e2e}

usage() { awk '/^# usage:/ { on = 1 } on && !/^#/ { exit } on { sub(/^# ?/, ""); print }' "$0"; }

say() { printf '==> %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Ours is a cluster of this checkout's own; with KUBECONFIG set, the one it names.
uses_own_cluster() { [ -z "${KUBECONFIG:-}" ] || [ "$KUBECONFIG" = "$PWD/build/cluster/admin.kubeconfig" ]; }

# Runs a command where the API server can be reached.
on_cluster() {
    if uses_own_cluster && [ -z "${PODFLAME_INSIDE:-}" ]; then
        PODFLAME_INSIDE=1 e2e/cluster/exec "$@"
    else
        "$@"
    fi
}
