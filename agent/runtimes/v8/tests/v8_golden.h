/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_golden: recorded stacks of V8, as far as the agent read them. What record_v8 writes and
 * test_v8_golden replays:
 *
 *   # ...                    a remark
 *   field NAME VALUE         of struct v8_image
 *   sizes HEX                of bytecodes, of each scale
 *   known                    no more of it follows
 *   packed ...               as recorded_memory.h has it
 *   stack BYTECODE OFFSET    of a thread that was stopped, and what the interpreter's registers
 * held native PC FP             its native frames, leaf first: PC in code that was made at run
 * time, else 0; FP the frame pointer, where that led to the caller, else 0 call NAME FILE:LINE what
 * they ran, leaf first, as V8 itself said it
 *
 * VALUE is decimal, the rest is hexadecimal. The native frames are those that the agent's unwinder
 * found, and are taken as they are.
 */
#pragma once

#include "agent/bpf/v8_table.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/tests/recorded_process.h"
#include "agent/runtimes/v8/v8_image.h"

#include <sys/cdefs.h>

static pid_t v8_golden_pid;

static bool v8_read(void *to, __u32 size, __u64 addr)
{
    return target_memory_read(v8_golden_pid, addr, to, size);
}

#include "agent/bpf/v8_step.h"

#define V8_GOLDEN_FIELDS(X)                                                                        \
    X(major)                                                                                       \
    X(minor)                                                                                       \
    X(is_known)                                                                                    \
    X(walk.map_type)                                                                               \
    X(walk.first_function)                                                                         \
    X(walk.last_function)                                                                          \
    X(walk.function_shared)                                                                        \
    X(walk.shared_name)                                                                            \
    X(walk.shared_script)                                                                          \
    X(walk.bytecode_type)                                                                          \
    X(walk.bytecode_data)                                                                          \
    X(shared_type)                                                                                 \
    X(script_type)                                                                                 \
    X(scope_info_type)                                                                             \
    X(first_nonstring_type)                                                                        \
    X(script_name)                                                                                 \
    X(script_source)                                                                               \
    X(string_length)                                                                               \
    X(string_chars)                                                                                \
    X(cons_first)                                                                                  \
    X(cons_second)                                                                                 \
    X(thin_actual)                                                                                 \
    X(sliced_parent)                                                                               \
    X(sliced_offset)                                                                               \
    X(shared_code)                                                                                 \
    X(bytecode_positions)                                                                          \
    X(code_type)                                                                                   \
    X(bytes_type)                                                                                  \
    X(plain_bytes_type)                                                                            \
    X(compiled.data)                                                                               \
    X(compiled.positions)                                                                          \
    X(compiled.stream)                                                                             \
    X(compiled.start)                                                                              \
    X(compiled.size)                                                                               \
    X(compiled.flags)                                                                              \
    X(compiled.kind_mask)                                                                          \
    X(compiled.baseline_kind)                                                                      \
    X(compiled.literals)                                                                           \
    X(compiled.shared)                                                                             \
    X(compiled.inlined)

struct v8_golden_native {
    uint64_t pc, fp;
};

/* Adds what a native frame runs; the interpreter's registers are those of the leaf. */
static void v8_golden_add(struct recorded_process *process, struct v8_seen *seen,
                          const struct v8_registers *registers,
                          const struct v8_golden_native *native)
{
    const struct v8_space *space = (const void *)process->space;
    struct runtime_frame frame;

    v8_golden_pid = process->place.pid;
    if (native->fp && v8_step(&space->layout, native->fp, registers, seen, &frame))
        recorded_process_add(process, &frame, native->pc);
}
