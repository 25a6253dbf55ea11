/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* user_read: the memory of the interrupted process, and what reading it has cost; see spent.h. */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/spent.h"

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} spents SEC(".maps");

static __always_inline __u32 *spent_get(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&spents, &zero);
}

static __always_inline void spent_begin(void)
{
    __u32 *spent = spent_get();

    if (spent)
        *spent = 0;
}

static __always_inline void spent_add(__u32 cost)
{
    __u32 *spent = spent_get();

    if (spent)
        *spent += cost;
}

/* Whether that was too much: to be asked before each step of a walk. */
static __always_inline bool spent_is_over(void)
{
    const __u32 *spent = spent_get();

    return !spent || *spent > SPENT_MAX;
}

static __always_inline bool user_read(void *to, __u32 size, __u64 addr)
{
    bool is_read = bpf_probe_read_user(to, size, (void *)addr) == 0;

    spent_add(is_read ? SPENT_READ : SPENT_FAULT);
    return is_read;
}
