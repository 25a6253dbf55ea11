/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * hotspot_table: what the walk has to know of a Java virtual machine, as user space writes it down
 * for each process and the BPF programs follow it.
 *
 * Facts are from HotSpot's share/memory/heap.hpp, share/code/codeBlob.hpp, share/code/nmethod.hpp,
 * share/oops/constMethod.hpp and cpu/x86/frame_x86.hpp, JDK 8 to 26; offsets are those that libjvm
 * exports (share/runtime/vmStructs.cpp).
 */
#pragma once

#include "agent/bpf/process_image.h"
#include "agent/bpf/runtime_frame.h"

enum {
    HOTSPOT_CODE_HEAPS_MAX = 4, /* of code */
    HOTSPOT_HEADER_SIZE = 384,  /* of an nmethod, as far as it is read */
    HOTSPOT_NO_OFFSET = 0xffff,
};

/* What the object of a runtime_frame is; bits above its address. */
enum { HOTSPOT_OBJECT_SHIFT = RUNTIME_ADDRESS_BITS };
enum hotspot_object {
    HOTSPOT_BLOB,   /* a CodeBlob that is none of a method; at: pc from there; check: the lower half
                       of its name's address */
    HOTSPOT_METHOD, /* a Method that is interpreted; at: the index of the bytecode; check:
                       hotspot_check() of its ConstMethod's address */
    HOTSPOT_NMETHOD, /* compiled; at: where a call returns to, from where its code begins, or one
                        more than the pc that was interrupted; check: its compile id */
};

/* A run of segments, each with a byte in the map: how many to go back, or 0 for the first one of a
 * block, or HOTSPOT_SEGMENT_FREE. */
struct hotspot_code_heap {
    __u64 low, high; /* reserved, whatever part of it is in use */
    __u64 segmap;
};

/* Offsets in bytes from the beginning of an object. */
struct hotspot_offsets {
    __u16 blob_name, blob_size, blob_frame_size, blob_frame_complete;
    __u16 blob_code;
    __u16 nmethod_id, nmethod_orig_pc;
    __u16 nmethod_deopt, nmethod_deopt_mh; /* or HOTSPOT_NO_OFFSET */
    __u16 method_const, const_size, const_code_size;
    __s16 frame_bcp; /* from the frame pointer of an interpreted frame */
    __u8 segment_shift, block_header;
    __u8 flags; /* enum hotspot_layout_flag */
    __u8 pad[5];
};

enum hotspot_layout_flag {
    HOTSPOT_CODE_IS_OFFSET = 1,  /* from the blob, and not a pointer */
    HOTSPOT_DEOPT_IS_OFFSET = 2, /* the same */
    HOTSPOT_SHORT_COMPLETE = 4,  /* blob_frame_complete has 16 bits, and not 32 */
};

/* One process that runs a Java virtual machine. */
struct hotspot_space {
    struct process_image image; /* whose it is; all zero: of the one that is met first */
    __u64 low, high;            /* of all code heaps */
    struct hotspot_code_heap heaps[HOTSPOT_CODE_HEAPS_MAX];
    struct hotspot_offsets offsets;
};

/* The same sum in the kernel and, over what is read later, in user space. */
static inline __u32 hotspot_check(__u64 const_method)
{
    return (__u32)(const_method >> 3) * 31 + (__u32)(const_method >> 35);
}
