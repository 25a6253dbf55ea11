/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: whom to profile, looked up in /proc.
 *
 * Either a container, by the IDs that Kubernetes shows of it, or one process and its descendants.
 * Nothing is asked of a container runtime. Processes come and go while /proc is read; what is
 * returned was there at some moment of the call.
 */
#pragma once

#include "agent/bpf/record.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TARGET_PIDS_MAX = RECORD_PIDS_MAX };

struct target {
    pid_t pid;                /* by hand: > 0 */
    const char *pod_uid;      /* in a pod: may be NULL; borrowed */
    const char *container_id; /* in a pod: without a scheme; borrowed */
};

struct target_pids {
    pid_t *pids;
    size_t n;
};
void target_pids_release(struct target_pids *pids);
#define _cleanup_target_pids_ __attribute__((cleanup(target_pids_release)))

/* The processes that are there now; none is a valid answer. At most TARGET_PIDS_MAX. */
int target_find(const struct target *target, struct target_pids *ret_pids,
                struct err *e) WARN_UNUSED;

/* The process has threads left that may run: neither gone nor a zombie. */
bool target_alive(pid_t pid);

/*
 * The container's directory in the cgroup v2 hierarchy, as a descriptor, if that hierarchy is in
 * reach (mounted here, or in the node's own mount namespace by way of /proc/1/root) and the
 * directory is proven to be the one of @pid: it lists it. -1 otherwise, which is no error.
 */
int target_open_cgroup(const struct target *target, pid_t pid);

/*
 * The mount namespaces of the container's processes, without the node's: a process that entered
 * that one cannot be told from the node's. Returns how many; the rest of
 * the array is 0.
 */
int target_mntns(const struct target_pids *pids, uint32_t ret_mntns[RECORD_MNTNS_MAX]);
