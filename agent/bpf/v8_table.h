/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * v8_table: what the walk has to know of V8's objects, as user space writes it down for each
 * process and the BPF programs follow it.
 *
 * Facts are from V8's src/execution/frame-constants.h and the constants that it exports for
 * debuggers (tools/gen-postmortem-metadata.py). x86-64 without pointer compression, as Node.js is
 * built: a tagged word with bit 0 clear is a small integer, in its upper half; else the address of
 * an object, plus one.
 */
#pragma once

#include "agent/bpf/process_image.h"

/* Offsets in bytes from the beginning of an object. */
struct v8_layout {
    __u16 map_type;                      /* a Map's instance type, 16 bits */
    __u16 first_function, last_function; /* instance types of functions */
    __u16 function_shared;               /* a JSFunction's SharedFunctionInfo */
    __u16 shared_name, shared_script;
    __u16 bytecode_type, bytecode_data; /* of arrays of bytecode; 0: not known */
};

/* One process that runs V8. */
struct v8_space {
    struct process_image image; /* whose it is; all zero: of the one that is met first */
    struct v8_layout layout;
};

/* Where a frame keeps what, from its frame pointer: a context or, of code that is no function's, a
 * marker; and the function. The interpreter also keeps its bytecode, and where in it a call began,
 * as a small integer that counts from the tagged pointer on. (In between: the arguments' number.)
 */
enum { V8_FP_OFFSET = -40, V8_FP_BYTECODE = -32, V8_FP_FUNCTION = -16, V8_FP_CONTEXT = -8 };

enum { V8_ARRAY_LENGTH = 8 }; /* of an array: a small integer */

/* The same sum in the kernel and, over what is read later, in user space. */
static inline __u32 v8_check(__u64 name, __u64 script)
{
    return (__u32)(name >> 3) * 31 + (__u32)(script >> 3);
}
