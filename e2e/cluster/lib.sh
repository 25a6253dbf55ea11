# shellcheck shell=bash disable=SC2034  # most of it is used by those who include this file
# SPDX-License-Identifier: Apache-2.0
#
# Shared by the cluster scripts: where things are, and how to find the node of this checkout.
#
# Whatever belongs to one run is under $STATE and ends with it. $BIN and $IMAGES are caches that outlive it.
# The node itself is one process, the first one of its namespaces; $STATE/node.pid names it.

CLUSTER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CHECKOUT=$(cd "$CLUSTER/../.." && pwd -P)
OUT=$CHECKOUT/build/cluster
BIN=$OUT/bin
IMAGES=$OUT/images
LOG=$OUT/log
STATE=$OUT/state
ADMIN_KUBECONFIG=$OUT/admin.kubeconfig

# Two checkouts run two clusters: the cgroups are all that they could share.
CGROUP=podflame-$(printf '%s' "$CHECKOUT" | sha256sum | cut -c1-10)

NODE_NAME=podflame-node
NODE_IP=172.30.0.2
PAUSE_IMAGE=docker.io/library/podflame-pause:e2e

PATH=$BIN:$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# Prints the comment at the head of the script that called it.
usage() {
    awk 'NR > 1 && !/^#/ { exit } NR > 1 && !/SPDX|^#$/ { started = 1 } started { sub(/^# ?/, ""); print }' "$0"
}

need_root() { [ "$(id -u)" = 0 ] || die "needs root: it makes namespaces, mounts and cgroups"; }

need_programs() {
    local program missing=()
    for program in "$@"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]} (see 'make deps')"
}

# Any Go since 1.21 fetches the release that go.mod asks for when it is told that it may.
find_go() {
    local folder version
    for folder in '' /usr/local/go/bin /usr/lib/go-*/bin; do
        version=$(PATH=${folder:+$folder:}$PATH GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || continue
        version=${version#go1.}
        version=${version%%[!0-9]*}
        [ "${version:-0}" -ge 21 ] || continue
        PATH=${folder:+$folder:}$PATH
        [ "$version" -ge 26 ] || export GOTOOLCHAIN=auto
        return 0
    done
    die "no Go, or one older than 1.21: install golang from Debian's backports (see 'make deps')"
}

# The clock tick since boot at which process $1 started; with the pid it names a process for good.
# The fields are counted from behind the command name, which may hold blanks and parentheses.
process_start() {
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -r -a fields <<<"${stat##*) }"
    printf '%s\n' "${fields[19]}"
}

# Prints the pid of the running node's first process; false when there is none.
node_pid() {
    local pid start
    [ -r "$STATE/node.pid" ] || return 1
    read -r pid start <"$STATE/node.pid" || return 1
    [ "$(process_start "$pid")" = "$start" ] || return 1
    printf '%s\n' "$pid"
}

# Runs a command in the node's namespaces, in the caller's directory, with kubectl and ctr set up.
# The command dies with its caller, even when only nsenter was told to end. Never returns.
node_exec() {
    local pid
    pid=$(node_pid) || die "the cluster is not running; start it with $CLUSTER/up"
    # shellcheck disable=SC2016  # expanded by the inner shell
    exec nsenter --target "$pid" --mount --net --pid --ipc --uts -- \
        setpriv --pdeathsig TERM -- \
        env PATH="$PATH" KUBECONFIG="$ADMIN_KUBECONFIG" KUBECACHEDIR="$STATE/kubectl" CONTAINERD_NAMESPACE=k8s.io \
        NO_PROXY='*' no_proxy='*' \
        bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

# The folders of the cgroup hierarchies: one on a machine with cgroup v2 only, a dozen with v1.
cgroup_hierarchies() { findmnt --noheadings --list --output TARGET --types cgroup,cgroup2 | sort -u; }

# The source may be a descriptor of a folder that no path leads to any more, so mount must not look for one.
bind() {
    mkdir -p "$1" "$2"
    mount --no-canonicalize --bind "$1" "$2"
}

# private_folders SCRATCH FOLDER...: in a mount namespace of one's own, lets one write to the folders without changing
# them for anybody else. The writes go to memory, mounted at SCRATCH. A checkout below any of them stays where it was.
private_folders() {
    local scratch=$1 folder
    shift
    exec 8<"$CHECKOUT"
    mount -t tmpfs -o mode=755 tmpfs "$scratch"
    for folder in "$@"; do
        mkdir -p "$scratch/private/upper$folder" "$scratch/private/work$folder"
        mount -t overlay overlay "$folder" -o \
            "lowerdir=$folder,upperdir=$scratch/private/upper$folder,workdir=$scratch/private/work$folder"
    done
    if [ ! "$CHECKOUT" -ef /proc/self/fd/8 ]; then
        bind /proc/self/fd/8 "$CHECKOUT"
    fi
    exec 8<&-
}

# One script at a time works on the cluster of a checkout. Long-running children must not inherit the descriptor.
lock_cluster() {
    mkdir -p "$OUT"
    exec 9>"$OUT/lock"
    flock --nonblock 9 || {
        say "waiting for another start or stop of this cluster to finish"
        flock 9
    }
}

# Ends the node. With the first process of a PID namespace the kernel ends all others, and with the last of them
# mounts and interfaces go, which is a moment after the first one vanished.
node_end() {
    local pid namespace tries
    pid=$(node_pid) || return 0
    namespace=$(readlink "/proc/$pid/ns/pid")
    kill -KILL "$pid"
    for ((tries = 0; tries < 300; tries++)); do
        if ! node_pid >/dev/null && ! readlink /proc/[0-9]*/ns/pid 2>/dev/null | grep -qxF "$namespace"; then
            return 0
        fi
        sleep 0.1
    done
    die "process $pid of the cluster did not end within 30 s"
}

# A cgroup can be removed as soon as the kernel has let go of its last process.
cgroups_remove() {
    local hierarchy tries
    for hierarchy in $(cgroup_hierarchies); do
        for ((tries = 0; tries < 100; tries++)); do
            [ -d "$hierarchy/$CGROUP" ] || continue 2
            find "$hierarchy/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
        done
        die "cannot remove the cgroup $hierarchy/$CGROUP"
    done
}

# Ends whatever is left of a run, complete or not.
cluster_remove() {
    node_end
    cgroups_remove
    rm -rf "$STATE" "$ADMIN_KUBECONFIG"
}
