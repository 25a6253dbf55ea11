/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * scope: is this task one of those to be profiled?
 *
 * By cgroup: the clock ticks for its tasks alone; what is told of other moments is filtered here.
 *
 * By mount namespace: each container has its own, so the test is exact between the containers of a
 * pod. A process of the container that left it (unshare -m, nsenter) is missed.
 *
 * By process: the set is filled by user space with the processes that exist, and kept complete by
 * the fork tracepoint, so that a child which is re-parented to init stays in. User space removes
 * the dead. A value is the start time of the process, which tells a reused pid from its former
 * owner; 0 until the process is met for the first time.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/pid.bpf.h"
#include "agent/bpf/record.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

const volatile __u32 scope; /* enum record_scope */
const volatile __u32 scope_mntns[RECORD_MNTNS_MAX];

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RECORD_PIDS_MAX);
    __type(key, __u32);
    __type(value, __u64);
} scope_pids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} scope_cgroup SEC(".maps");

static __always_inline bool scope_has_mntns(struct task_struct *task)
{
    __u32 inum = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);

    if (!inum)
        return false; /* it exits, and has given its namespaces back */
    for (int i = 0; i < RECORD_MNTNS_MAX; i++) {
        if (scope_mntns[i] == inum)
            return true;
    }
    return false;
}

static __always_inline bool scope_has_pid(struct task_struct *leader, __u32 pid)
{
    __u64 *started = bpf_map_lookup_elem(&scope_pids, &pid);

    if (!started)
        return false;

    __u64 start_time = BPF_CORE_READ(leader, start_time);

    if (*started == 0)
        *started = start_time;
    return *started == start_time;
}

/* For the sampling clock. */
static __always_inline bool scope_has(struct task_struct *task, struct task_struct *leader,
                                      __u32 pid)
{
    if (scope == RECORD_SCOPE_CGROUP)
        return true;
    if (scope == RECORD_SCOPE_MNTNS)
        return scope_has_mntns(task);
    return pid && scope_has_pid(leader, pid);
}

/* For programs that run whatever task is the current one. */
static __always_inline bool scope_has_current(struct task_struct *task, struct task_struct *leader,
                                              __u32 pid)
{
    if (scope == RECORD_SCOPE_CGROUP)
        return bpf_current_task_under_cgroup(&scope_cgroup, 0) == 1;
    return scope_has(task, leader, pid);
}

/* A child of a process in the set joins it; a new thread is in already. False: there is no room. */
static __always_inline bool scope_fork(struct task_struct *parent, struct task_struct *child)
{
    struct task_struct *parent_leader = BPF_CORE_READ(parent, group_leader);
    struct task_struct *child_leader = BPF_CORE_READ(child, group_leader);

    if (parent_leader == child_leader)
        return true;

    __u32 parent_pid = pid_of(parent_leader);

    if (!parent_pid || !scope_has_pid(parent_leader, parent_pid))
        return true;

    __u32 child_pid = pid_of(child_leader);
    __u64 started = BPF_CORE_READ(child_leader, start_time);

    return !child_pid || bpf_map_update_elem(&scope_pids, &child_pid, &started, BPF_ANY) == 0;
}
