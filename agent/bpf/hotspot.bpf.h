/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * hotspot: the Java frames of the interrupted thread, as the walk of its stack meets them.
 *
 * User space says in which processes a Java virtual machine runs, and where it keeps what. Its
 * frames lie between native ones on one stack and are walked with them: unwind_one() leaves those
 * in the code cache to hotspot_one().
 */
#pragma once

#include "agent/bpf/hotspot_table.h"
#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/record.h"
#include "agent/bpf/unwind.bpf.h"
#include "agent/bpf/user_read.bpf.h"

#include <bpf/bpf_helpers.h>

static __always_inline bool hotspot_read(void *to, __u32 size, __u64 addr)
{
    return user_read(to, size, addr);
}

#if !UNWIND_OF_ARM64
#include "agent/bpf/hotspot_step.h"
#else
struct hotspot_look {
    __u64 scan, blob, n;
};
#endif

enum { HOTSPOT_SPACES_MAX = 2048 };

/* By pid. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HOTSPOT_SPACES_MAX);
    __type(key, __u32);
    __type(value, struct hotspot_space);
} hotspot_spaces SEC(".maps");

struct hotspot_state {
    struct hotspot_space space;
    struct hotspot_look look;
    __u32 n; /* frames */
    __u32 pad;
    __u64 words[2 * RECORD_RUNTIME_MAX];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct hotspot_state);
} hotspot_states SEC(".maps");

static __always_inline struct hotspot_state *hotspot_state_get(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&hotspot_states, &zero);
}

#if UNWIND_OF_ARM64
/* Only on x86-64 are such frames known. */
__attribute__((noinline)) int hotspot_one(void)
{
    return 1;
}

static __always_inline void hotspot_begin(struct scratch *s)
{
    s->walk.made_low = s->walk.made_high = 0;
}
#else
/* The frame that the walk met in the code cache, or a step of the search for its caller. */
__attribute__((noinline)) int hotspot_one(void)
{
    __u32 zero = 0;
    struct hotspot_state *h = hotspot_state_get();
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    struct runtime_frame frame = { 0 };

    if (!h || !s)
        return 1;
    if (h->look.scan) {
        s->walk.stop = hotspot_scan(&s->walk, &h->space, &h->look);
    } else {
        __u64 n = h->n, native = s->walk.n; /* from the leaf, plus one */

        s->walk.stop = hotspot_step(&s->walk, &h->space, &h->look, &frame);
        barrier_var(n);
        if (frame.object && n < RECORD_RUNTIME_MAX) {
            h->words[2 * n] = frame.object;
            h->words[2 * n + 1] =
                (__u64)frame.check << 32 | frame.at | native << RUNTIME_AT_NATIVE_SHIFT;
            h->n = n + 1;
        } else if (frame.object) {
            s->record.flags |= RECORD_RUNTIME_FULL;
        }
    }
    s->walk.is_in_made = h->look.scan != 0;
    return 0;
}

/* Before the walk: whether it may meet such frames. */
static __always_inline void hotspot_begin(struct scratch *s)
{
    __u32 pid = s->record.pid;
    struct hotspot_space *space = bpf_map_lookup_elem(&hotspot_spaces, &pid);
    struct hotspot_state *h = hotspot_state_get();

    s->walk.made_low = s->walk.made_high = 0;
    if (!space || !h || !process_image_binds(&space->image, &s->record.image))
        return;
    h->space = *space;
    h->look.scan = h->look.blob = h->look.n = 0;
    h->n = 0;
    s->walk.made_low = space->low;
    s->walk.made_high = space->high;
}

#endif

/* After it: puts them behind the native ones. */
static __always_inline void hotspot_end(struct scratch *s)
{
    const struct hotspot_state *h = hotspot_state_get();

    if (!s->walk.made_high || !h || s->record.n_runtime > 0)
        return;

    __u64 at = (__u64)s->record.n_kernel + s->record.n_user;
    __u64 n = h->n;

    barrier_var(at);
    barrier_var(n);
    if (at > RECORD_KERNEL_MAX + 1 + RECORD_USER_MAX || n > RECORD_RUNTIME_MAX)
        return;
    if (bpf_probe_read_kernel(&s->pcs[at], n * 2 * sizeof(__u64), h->words) == 0)
        s->record.n_runtime = n;
}

/* A child runs what its parent ran, until user space sees it. */
static __always_inline void hotspot_fork(__u32 parent_pid, __u32 child_pid,
                                         struct process_image child)
{
    const struct hotspot_space *parent = bpf_map_lookup_elem(&hotspot_spaces, &parent_pid);

    if (!parent)
        return;

    struct hotspot_space space = *parent;

    space.image = child;
    (void)bpf_map_update_elem(&hotspot_spaces, &child_pid, &space, BPF_ANY);
}
