/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * v8_step: which JavaScript function a native frame runs, by what V8 keeps below its frame pointer.
 *
 * The same source runs in the kernel and, for tests, in user space. Who includes it says before how
 * memory is read:
 *
 *   static bool v8_read(void *to, __u32 size, __u64 addr);
 *
 * The collector may move objects at any time but not while the thread stands still, so what leads
 * from the frame to the function's description is followed at once.
 */
#pragma once

#include "agent/bpf/runtime_frame.h"
#include "agent/bpf/v8_table.h"

enum { V8_TAG = 1, V8_TAG_MASK = 3 };

static __always_inline bool v8_is_object(__u64 word)
{
    return (word & V8_TAG_MASK) == V8_TAG;
}

/* A field of an object. */
static __always_inline bool v8_field(__u64 object, __u16 off, __u64 *ret_value)
{
    return v8_read(ret_value, sizeof(*ret_value), object - V8_TAG + off);
}

/* False: the frame runs no JavaScript function. */
static __always_inline bool v8_step(const struct v8_layout *l, __u64 fp, struct runtime_frame *ret)
{
    struct {
        __u64 function, context;
    } frame;
    __u64 map = 0, shared = 0, name = 0, script = 0;
    __u16 type = 0;

    if (!v8_read(&frame, sizeof(frame), fp + V8_FP_FUNCTION) || !v8_is_object(frame.context) ||
        !v8_is_object(frame.function) || !v8_field(frame.function, 0, &map) || !v8_is_object(map) ||
        !v8_read(&type, sizeof(type), map - V8_TAG + l->map_type) || type < l->first_function ||
        type > l->last_function)
        return false;
    if (!v8_field(frame.function, l->function_shared, &shared) || !v8_is_object(shared) ||
        !v8_field(shared, l->shared_name, &name) || !v8_field(shared, l->shared_script, &script))
        return false;
    *ret = (struct runtime_frame){
        .object = shared | (__u64)RUNTIME_V8 << RUNTIME_OBJECT_BITS,
        .at = RUNTIME_AT_ENTRY | RUNTIME_AT_UNKNOWN,
        .check = v8_check(name, script),
    };
    return true;
}
