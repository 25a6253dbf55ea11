/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * probe: runs at each tick of the sampling clock on the CPU that it interrupts, and hands one
 * record to user space when the interrupted task is in scope.
 */
#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/pid.bpf.h"
#include "agent/bpf/python.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/scope.bpf.h"
#include "agent/bpf/unwind.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* bpf_get_stack() and the probe reads are for programs under a GPL-compatible licence. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20); /* user space sets it by the number of CPUs */
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct record_counters);
} counters SEC(".maps");

/* The address space that a pid had when it was sampled last. */
struct address_space {
    __u64 mm;
    __u32 generation;
    __u32 pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, RECORD_PIDS_MAX);
    __type(key, __u32);
    __type(value, struct address_space);
} address_spaces SEC(".maps");

/* True when it is new, so that user space must look at the process before it is gone. */
static __always_inline bool meet(struct task_struct *task, __u32 pid, __u32 *ret_generation)
{
    struct address_space now = { .mm = (__u64)BPF_CORE_READ(task, mm) };
    struct address_space *last = bpf_map_lookup_elem(&address_spaces, &pid);

    if (last && (last->mm == now.mm || !now.mm)) { /* no mm: it exits */
        *ret_generation = last->generation;
        return false;
    }
    if (last)
        now.generation = last->generation + 1;
    *ret_generation = now.generation;
    (void)bpf_map_update_elem(&address_spaces, &pid, &now, BPF_ANY);
    return true;
}

static __always_inline void describe(struct record *r, struct task_struct *task,
                                     struct task_struct *leader)
{
    r->time_ns = bpf_ktime_get_ns();
    r->tid = pid_of(task);
    r->ppid = pid_of(BPF_CORE_READ(leader, real_parent, group_leader));
    r->flags = BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC ? RECORD_FORKED : 0;
    BPF_CORE_READ_STR_INTO(&r->comm, leader, comm);
    BPF_CORE_READ_STR_INTO(&r->thread_comm, task, comm);
}

/* All but the user stack; NULL: there is nothing to record. */
static __always_inline struct scratch *begin(void *ctx, bool *ret_is_new)
{
    __u32 zero = 0;
    struct task_struct *task = (void *)bpf_get_current_task();
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    __u32 pid = pid_of(leader);

    if (!scope_has(task, leader, pid))
        return NULL;

    struct record_counters *counts = bpf_map_lookup_elem(&counters, &zero);
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

    if (!counts || !scratch)
        return NULL;
    if (!pid) {
        counts->lost_exiting++;
        return NULL;
    }

    struct record *r = &scratch->record;

    r->pid = pid;
    *ret_is_new = meet(task, pid, &r->generation);
    describe(r, task, leader);

    long bytes = bpf_get_stack(ctx, scratch->pcs, RECORD_KERNEL_MAX * sizeof(__u64), 0);

    r->n_runtime = 0;
    r->n_kernel = bytes > 0 ? ((__u32)bytes / sizeof(__u64)) & 127 : 0;
    return scratch;
}

static __always_inline int finish(struct scratch *scratch, bool is_new)
{
    __u32 zero = 0;
    const struct record *r = &scratch->record;
    struct record_counters *counts = bpf_map_lookup_elem(&counters, &zero);
    __u64 size =
        sizeof(*r) + ((__u64)r->n_kernel + r->n_user + 2 * (__u64)r->n_runtime) * sizeof(__u64);

    barrier_var(size); /* the verifier must see the comparison of the very size that is used */
    if (size > sizeof(struct record) + sizeof(scratch->pcs) || !counts)
        return 0;

    /* A wake-up for each record would cost more than the record: one when user space must hurry. */
    __u64 flags = BPF_RB_NO_WAKEUP;

    if (is_new || bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) >
                      bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 4)
        flags = BPF_RB_FORCE_WAKEUP;
    if (bpf_ringbuf_output(&records, scratch, size, flags) < 0)
        counts->lost_full++;
    return 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
    bool is_new = false;
    struct scratch *scratch = begin(ctx, &is_new);

    if (!scratch)
        return 0;
    scratch->record.n_user = unwind(ctx, scratch);
    python_walk(scratch);
    return finish(scratch, is_new);
}

/* A child that is a process of its own, not a thread. */
static __always_inline void inherit(struct task_struct *parent, struct task_struct *child)
{
    struct task_struct *parent_leader = BPF_CORE_READ(parent, group_leader);
    struct task_struct *child_leader = BPF_CORE_READ(child, group_leader);

    if (parent_leader == child_leader)
        return;

    __u32 child_pid = pid_of(child_leader);
    struct address_space *former = bpf_map_lookup_elem(&address_spaces, &child_pid);

    if (!child_pid)
        return;

    __u32 parent_pid = pid_of(parent_leader);
    __u32 generation = former ? former->generation + 1 : 0; /* as meet() counts on */

    unwind_fork(parent_pid, child_pid, generation);
    python_fork(parent_pid, child_pid, generation);
}

/* parent, child */
SEC("raw_tp/sched_process_fork")
int on_fork(__u64 *ctx)
{
    __u32 zero = 0;
    struct task_struct *parent = (struct task_struct *)ctx[0];
    struct task_struct *child = (struct task_struct *)ctx[1];
    struct record_counters *counts = bpf_map_lookup_elem(&counters, &zero);

    if (counts && scope == RECORD_SCOPE_PIDS)
        scope_fork(parent, child, counts);
    inherit(parent, child);
    return 0;
}
