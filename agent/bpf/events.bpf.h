/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * events: what becomes of processes between two ticks: fork, exec, exit.
 *
 * These programs run for every process of the machine. A fork or an exit outside the scope costs
 * one look-up by pid, an exec the test of its scope; nothing is recorded of them.
 *
 * New code of a process that runs (dlopen, a JIT) is told by the first sample in it. To be told
 * before would cost all others: perf's mmap records make the kernel write down the path of every
 * file that anybody on the machine maps, and a probe on mmap() runs as often. After exec, when most
 * is mapped, user space looks again by itself.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/pid.bpf.h"
#include "agent/bpf/python.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/scope.bpf.h"
#include "agent/bpf/unwind.bpf.h"
#include "agent/bpf/v8.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

static __always_inline void event_tell(enum record_kind kind, struct task_struct *task,
                                       struct task_struct *leader, __u32 pid, __u64 wake)
{
    struct record r = { .kind = kind };
    struct record_counters *counts = counters_get();

    describe(&r, task, leader, pid);
    if (bpf_ringbuf_output(&records, &r, sizeof(r), wake) < 0 && counts)
        counts->lost_events++;
}

/* A sample led to code that the tables do not hold: is that news, for the first time since user
 * space has read what is mapped? */
static __always_inline bool event_is_stale(const struct record *r)
{
    struct unwind_space *space = unwind_space_of(r->pid, r->image);

    if (!space || space->flags & UNWIND_SPACE_STALE)
        return false;
    space->flags |= UNWIND_SPACE_STALE;
    return true;
}

/* A child that is a process of its own, not a thread. False: there is no room for it. */
static __always_inline bool event_inherit(struct task_struct *parent, struct task_struct *child)
{
    struct task_struct *parent_leader = BPF_CORE_READ(parent, group_leader);
    struct task_struct *child_leader = BPF_CORE_READ(child, group_leader);

    if (parent_leader == child_leader)
        return true;

    __u32 parent_pid = pid_of(parent_leader);
    const struct unwind_space *space = unwind_space_of(parent_pid, image_of(parent_leader));
    __u32 child_pid = space ? pid_of(child_leader) : 0;

    if (!child_pid)
        return true;

    bool has_room = unwind_fork(space, child_pid, image_of(child_leader));

    python_fork(parent_pid, child_pid, image_of(child_leader));
    v8_fork(parent_pid, child_pid, image_of(child_leader));
    hotspot_fork(parent_pid, child_pid, image_of(child_leader));
    return has_room;
}

/* parent, child */
SEC("raw_tp/sched_process_fork")
int on_fork(__u64 *ctx)
{
    struct task_struct *parent = (struct task_struct *)ctx[0];
    struct task_struct *child = (struct task_struct *)ctx[1];
    struct record_counters *counts = counters_get();

    bool is_followed = scope != RECORD_SCOPE_PIDS || scope_fork(parent, child);

    if ((!event_inherit(parent, child) || !is_followed) && counts)
        counts->lost_pids++;
    return 0;
}

static __always_inline void event_forget(__u32 pid)
{
    (void)bpf_map_delete_elem(&unwind_spaces, &pid);
    (void)bpf_map_delete_elem(&python_spaces, &pid);
    (void)bpf_map_delete_elem(&v8_spaces, &pid);
    (void)bpf_map_delete_elem(&hotspot_spaces, &pid);
}

/* task, former pid, struct linux_binprm; the image and its dynamic linker are mapped. */
SEC("raw_tp/sched_process_exec")
int on_exec(__u64 *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx[0];
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    __u32 pid = pid_of(leader);

    if (!pid || !scope_has_current(task, leader, pid))
        return 0;
    event_forget(pid);
    event_tell(RECORD_EXEC, task, leader, pid, BPF_RB_FORCE_WAKEUP);
    return 0;
}

/* task */
SEC("raw_tp/sched_process_exit")
int on_exit(__u64 *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx[0];

    if (BPF_CORE_READ(task, signal, live.counter) != 0)
        return 0;

    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    __u32 pid = pid_of(leader);
    const struct unwind_space *space = bpf_map_lookup_elem(&unwind_spaces, &pid);

    if (!space)
        return 0;

    bool is_known = space->flags & UNWIND_SPACE_KNOWN;

    event_forget(pid);
    if (is_known)
        event_tell(RECORD_EXIT, task, leader, pid, BPF_RB_NO_WAKEUP);
    return 0;
}
