/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind: the program counters of the interrupted thread's user stack, leaf first.
 *
 * Follows frame pointers, by the kernel's own walker. Code without them ends the stack early or
 * skips the caller of a leaf, unnoticed; only a full array is known to be cut.
 */
#pragma once

#include "agent/bpf/kernel.bpf.h"
#include "agent/bpf/record.h"

#include <bpf/bpf_helpers.h>

/* @pcs: room for RECORD_USER_MAX, in a map value. */
static __always_inline __u32 unwind_user(void *ctx, __u64 *pcs, enum record_stop *ret_stop)
{
    long bytes = bpf_get_stack(ctx, pcs, RECORD_USER_MAX * sizeof(*pcs), BPF_F_USER_STACK);

    if (bytes <= 0) {
        *ret_stop = RECORD_STOP_NO_USER;
        return 0;
    }

    __u32 n = (__u32)bytes / sizeof(*pcs);

    *ret_stop = n >= RECORD_USER_MAX ? RECORD_STOP_FULL : RECORD_STOP_END;
    return n;
}
