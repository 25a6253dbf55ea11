/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * python_table: where CPython keeps what the walk of its frames reads, as user space writes it down
 * for each process and the BPF programs follow it.
 *
 * Facts are from CPython's own headers: cpython/pystate.h, internal/pycore_runtime.h,
 * internal/pycore_interp.h, internal/pycore_frame.h (3.11 to 3.13), internal/
 * pycore_interpframe_structs.h (3.14), frameobject.h (up to 3.10), cpython/code.h.
 */
#pragma once

#include "agent/bpf/process_image.h"

enum { PYTHON_NO_FIELD = 0xffff, PYTHON_NAMES_MAX = 4, PYTHON_FIELDS_MAX = 256 };

/* How a frame says which of its instructions runs. */
enum python_instr {
    PYTHON_INSTR_BYTES,   /* f_lasti: an int, in bytes (up to 3.9) */
    PYTHON_INSTR_UNITS,   /* f_lasti: an int, in units of two bytes (3.10) */
    PYTHON_INSTR_POINTER, /* a pointer into the code object (from 3.11) */
};

/* How a frame says that the C function which runs it was entered for it. */
enum python_entry {
    PYTHON_ENTRY_EACH,  /* one call of the loop for each frame (up to 3.10) */
    PYTHON_ENTRY_FLAG,  /* is_entry; the call has a structure on the C stack (3.11) */
    PYTHON_ENTRY_OWNER, /* by a frame without code behind it, on the C stack (from 3.12) */
};

/* Offsets in bytes. */
struct python_layout {
    __u16 interp_next, interp_threads;
    __u16 thread_next, thread_id, thread_frame;
    __u16 thread_status; /* bits of it: active_mask */
    __u16 cframe_frame;  /* 3.11, 3.12: thread_frame leads to a structure on the C stack that leads
                            to the frame; else PYTHON_NO_FIELD */
    __u16 cframe_back;   /* to that of the call before */
    __u16 frame_code, frame_back, frame_instr, frame_entry;
    __u16 code_names; /* pointers one after the other: the file, the name, from 3.11 on the
                         qualified name, and the table of lines */
    __u16 code_first_line, code_instrs;
    __u8 instr;       /* enum python_instr */
    __u8 entry;       /* enum python_entry */
    __u8 owner_min;   /* PYTHON_ENTRY_OWNER: owners from this one on have no code */
    __u8 tag_mask;    /* bits of a reference to a code object that are not its address */
    __u8 active_mask; /* it is the state that its thread runs with; 0: python_space says which */
    __u8 n_names;     /* PYTHON_NAMES_MAX, or one less */
    __u8 frame_size, code_size; /* of what holds these fields of a frame, of a code object */
};

/* One process that runs CPython. */
struct python_space {
    __u64 interpreters; /* the runtime address of the pointer to the first interpreter */
    __u64 current;      /* the same of the state of the thread that runs Python code; or 0 */
    struct process_image image; /* whose they are; all zero: of the one that is met first */
    struct python_layout layout;
};

/* The same sum in the kernel and, over what is read later, in user space: one name and first line
 * are those of many functions ("<module>"). */
static inline __u32 python_check(const __u64 names[PYTHON_NAMES_MAX], __u8 n, __u32 first_line)
{
    __u32 sum = first_line;

    for (int i = 0; i < PYTHON_NAMES_MAX; i++) {
        if (i < n)
            sum = sum * 31 + (__u32)(names[i] >> 4);
    }
    return sum;
}
