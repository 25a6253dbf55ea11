/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * runtime_frame: a frame of an interpreted language, as the kernel side writes it down in a record
 * and user space gives it a name.
 */
#pragma once

#ifdef __bpf__
#include "agent/bpf/kernel.bpf.h"
#else
#include <linux/types.h>
#endif

enum runtime_id { RUNTIME_PYTHON, RUNTIME_V8, RUNTIME_HOTSPOT, RUNTIME_COUNT };

struct runtime_frame {
    __u64 object; /* the runtime address of what describes the function, and above it the runtime;
                     address 0: no function, only the end of a native call's frames */
    __u32 at;     /* where in the function, as the runtime counts; and RUNTIME_AT_* */
    __u32 check;  /* of the object's contents: tells it from what is there later */
};

/* Of an object: of the address, which is followed by bits of the runtime's own; and of both. */
enum { RUNTIME_ADDRESS_BITS = 54, RUNTIME_OBJECT_BITS = 56 };

/* Of the last frame that one native call runs also: that it is, and which native frame that is,
 * from the leaf, plus one; 0: not known. */
enum {
    RUNTIME_AT_UNKNOWN = (1 << 20) - 1, /* also the mask */
    RUNTIME_AT_NATIVE_SHIFT = 20,
    RUNTIME_AT_NATIVE_MASK = 0x7ff,
    RUNTIME_AT_ENTRY = 1u << 31,
};

static inline __u64 runtime_frame_object(const struct runtime_frame *frame)
{
    return frame->object & ((1ULL << RUNTIME_OBJECT_BITS) - 1);
}
