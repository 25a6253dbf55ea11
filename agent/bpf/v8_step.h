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

/* What the interpreter holds in registers, if it is what runs; else 0. */
struct v8_registers {
    __u64 bytecode, offset;
};

/* Maps that proved to be of what is looked for: the frames of a stack share most of them. */
struct v8_seen {
    __u64 function_map, bytecode_map;
};

struct v8_stack_frame {
    __u64 offset, bytecode, arguments, function, context; /* from V8_FP_OFFSET on */
};

static __always_inline bool v8_has_type(const struct v8_layout *l, __u64 object, __u16 first,
                                        __u16 last, __u64 *seen)
{
    __u64 map = 0;
    __u16 type = 0;

    if (!v8_is_object(object) || !v8_field(object, 0, &map) || !v8_is_object(map))
        return false;
    if (map == *seen)
        return true;
    if (!v8_read(&type, sizeof(type), map - V8_TAG + l->map_type) || type < first || type > last)
        return false;
    *seen = map;
    return true;
}

/* Where in its bytecode a frame is, if the interpreter runs it. The interpreter writes down where
 * it is when it calls; until then a register alone says it. */
static __always_inline __u32 v8_at(const struct v8_layout *l, const struct v8_stack_frame *frame,
                                   const struct v8_registers *regs, struct v8_seen *seen)
{
    __u64 begin = (__u64)l->bytecode_data - V8_TAG, offset = frame->offset >> 32, length = 0;

    if (l->bytecode_data == 0 || (__u32)frame->offset != 0 ||
        !v8_has_type(l, frame->bytecode, l->bytecode_type, l->bytecode_type, &seen->bytecode_map))
        return RUNTIME_AT_UNKNOWN;
    if (regs->bytecode == frame->bytecode && regs->offset >= begin &&
        v8_field(frame->bytecode, V8_ARRAY_LENGTH, &length) && regs->offset - begin < length >> 32)
        offset = regs->offset;
    if (offset < begin || offset - begin >= RUNTIME_AT_UNKNOWN)
        return RUNTIME_AT_UNKNOWN;
    return (__u32)(offset - begin);
}

/* The function's name and script, as far as they tell it from another. */
static __always_inline bool v8_read_shared(const struct v8_layout *l, __u64 shared,
                                           __u32 *ret_check)
{
    enum { SCRIPT = 2 }; /* in the versions that are known */
    __u64 fields[SCRIPT + 1];

    if (!v8_is_object(shared) ||
        !v8_read(fields, sizeof(fields), shared - V8_TAG + l->shared_name) ||
        (l->shared_script != l->shared_name + SCRIPT * sizeof(*fields) &&
         !v8_field(shared, l->shared_script, &fields[SCRIPT])))
        return false;
    *ret_check = v8_check(fields[0], fields[SCRIPT]);
    return true;
}

/* False: the frame runs no JavaScript function. */
static __always_inline bool v8_step(const struct v8_layout *l, __u64 fp,
                                    const struct v8_registers *regs, struct v8_seen *seen,
                                    struct runtime_frame *ret)
{
    struct v8_stack_frame frame;
    __u64 shared = 0;
    __u32 check = 0;

    if (!v8_read(&frame, sizeof(frame), fp + V8_FP_OFFSET) || !v8_is_object(frame.context) ||
        !v8_has_type(l, frame.function, l->first_function, l->last_function, &seen->function_map) ||
        !v8_field(frame.function, l->function_shared, &shared) ||
        !v8_read_shared(l, shared, &check))
        return false;
    *ret = (struct runtime_frame){
        .object = shared | (__u64)RUNTIME_V8 << RUNTIME_OBJECT_BITS,
        .at = RUNTIME_AT_ENTRY | v8_at(l, &frame, regs, seen),
        .check = check,
    };
    return true;
}
