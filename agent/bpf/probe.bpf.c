/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * probe: runs at each tick of the sampling clock on the CPU that it interrupts, and hands one
 * record to user space when the interrupted task is in scope. What becomes of processes is in
 * events.bpf.h.
 */
#include "agent/bpf/hotspot.bpf.h"
#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/pid.bpf.h"
#include "agent/bpf/python.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/scope.bpf.h"
#include "agent/bpf/unwind.bpf.h"
#include "agent/bpf/user_read.bpf.h"
#include "agent/bpf/v8.bpf.h"

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

static __always_inline struct record_counters *counters_get(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline struct process_image image_of(struct task_struct *leader)
{
    return (struct process_image){
        .started = BPF_CORE_READ(leader, start_time),
        .execs = (__u32)BPF_CORE_READ(leader, self_exec_id),
    };
}

static __always_inline void describe(struct record *r, struct task_struct *task,
                                     struct task_struct *leader, __u32 pid)
{
    r->time_ns = bpf_ktime_get_ns();
    r->image = image_of(leader);
    r->thread = BPF_CORE_READ(task, THREAD_POINTER);
    r->pid = pid;
    r->tid = pid_of(task);
    r->ppid = pid_of(BPF_CORE_READ(leader, real_parent, group_leader));
    r->flags = BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC ? RECORD_FORKED : 0;
    BPF_CORE_READ_STR_INTO(&r->comm, leader, comm);
    BPF_CORE_READ_STR_INTO(&r->thread_comm, task, comm);
}

#include "agent/bpf/events.bpf.h"

/* All but the user stack; NULL: there is nothing to record. */
static __always_inline struct scratch *begin(void *ctx)
{
    __u32 zero = 0;
    struct task_struct *task = (void *)bpf_get_current_task();
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    __u32 pid = pid_of(leader);

    if (!scope_has(task, leader, pid))
        return NULL;

    struct record_counters *counts = counters_get();
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

    if (!counts || !scratch)
        return NULL;
    if (!pid) {
        counts->lost_exiting++;
        return NULL;
    }

    struct record *r = &scratch->record;

    r->kind = RECORD_SAMPLE;
    describe(r, task, leader, pid);
    if (!unwind_space_of(pid, r->image) && BPF_CORE_READ(task, mm))
        r->flags |= RECORD_HURRY;

    long bytes = bpf_get_stack(ctx, scratch->pcs, RECORD_KERNEL_MAX * sizeof(__u64), 0);

    r->n_runtime = r->n_stack = 0;
    r->n_kernel = bytes > 0 ? ((__u32)bytes / sizeof(__u64)) & 127 : 0;
    return scratch;
}

static __always_inline bool ring_is_filling(void)
{
    return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) >
           bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 4;
}

static __always_inline int finish(struct scratch *scratch)
{
    const struct record *r = &scratch->record;
    struct record_counters *counts = counters_get();
    __u64 size = sizeof(*r) + record_words(r) * sizeof(__u64);

    barrier_var(size); /* the verifier must see the comparison of the very size that is used */
    if (size > sizeof(struct record) + sizeof(scratch->pcs) || !counts)
        return 0;
    if (r->stop == RECORD_STOP_NO_CODE && event_is_stale(r))
        scratch->record.flags |= RECORD_HURRY;

    /* A wake-up for each record would cost more than the record: one when user space must hurry. */
    __u64 flags = BPF_RB_NO_WAKEUP;

    if (scratch->record.flags & RECORD_HURRY || ring_is_filling())
        flags = BPF_RB_FORCE_WAKEUP;
    if (bpf_ringbuf_output(&records, scratch, size, flags) < 0)
        counts->lost_full++;
    return 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
    struct scratch *scratch = begin(ctx);

    if (!scratch)
        return 0;
    spent_begin();
    hotspot_begin(scratch);
    v8_begin(scratch);
    scratch->record.n_user = unwind(ctx, scratch);
    (void)python_walk();
    v8_walk();
    hotspot_end(scratch);
    if (unwind_is_for_later(scratch) && !ring_is_filling())
        (void)unwind_keep_stack();
    return finish(scratch);
}
