/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * pid: process numbers as the agent's own PID namespace sees them.
 *
 * bpf_get_current_pid_tgid() gives those of the machine's first namespace, which mean nothing to an
 * agent on a node that is itself a container. A struct pid holds one number for each namespace from
 * the first down to the task's own; the level of ours is found once and remembered.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum { PID_LEVELS_MAX = 33 }; /* MAX_PID_NS_LEVEL + 1 */

const volatile __u32 own_pidns; /* inode of the agent's PID namespace */
__u32 own_pidns_level;          /* where the last look-up found it: the same for every task */

static __always_inline __u32 pid_at_level(struct pid *pid, __u32 level)
{
    struct upid *at = (void *)__builtin_preserve_access_index(&pid->numbers[0]) +
                      (__u64)level * bpf_core_type_size(struct upid);

    if (BPF_CORE_READ(at, ns, ns.inum) != own_pidns)
        return 0;
    return (__u32)BPF_CORE_READ(at, nr);
}

/* 0: the task is not in our namespace or below it, or is so far in its exit that it has no pid. */
static __always_inline __u32 pid_of(struct task_struct *task)
{
    struct pid *pid = BPF_CORE_READ(task, thread_pid);

    if (!pid)
        return 0;

    __u32 deepest = BPF_CORE_READ(pid, level);
    __u32 guess = own_pidns_level;

    if (guess <= deepest && guess < PID_LEVELS_MAX) {
        __u32 nr = pid_at_level(pid, guess);

        if (nr)
            return nr;
    }
    for (__u32 level = 0; level < PID_LEVELS_MAX && level <= deepest; level++) {
        __u32 nr = pid_at_level(pid, level);

        if (nr) {
            own_pidns_level = level;
            return nr;
        }
    }
    return 0;
}
