/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* process_image: which program a process runs, told from those before exec and from a former owner
 * of its pid. Shared by the BPF programs and the agent's user space. */
#pragma once

#ifdef __bpf__
#include "agent/bpf/kernel.bpf.h"
#else
#include <linux/types.h>
#endif

/* Never all zero. */
struct process_image {
    __u64 started; /* when the process was forked, CLOCK_MONOTONIC in ns */
    __u32 execs;   /* how often it, and the line of its ancestors, had called exec */
    __u32 pad;
};

static inline int process_image_is(const struct process_image *a, const struct process_image *b)
{
    return a->started == b->started && a->execs == b->execs;
}

/* User space does not know the image of a process that it has only seen in /proc, and leaves it all
 * zero: then it is that of whoever is met first. Exec is told from before on. */
static inline int process_image_binds(struct process_image *a, const struct process_image *b)
{
    if (a->started == 0)
        *a = *b;
    return process_image_is(a, b);
}
