/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_layout: where a Java virtual machine keeps what is read of it.
 *
 * The process says it itself, in the tables that hotspot_image found. They are the target's and
 * hostile: counts and lengths are bounded, an offset or a size out of its range is a reason to have
 * no layout. JDK 8 and newer; what moved between versions is told apart by which fields there are.
 */
#pragma once

#include "agent/bpf/hotspot_table.h"
#include "agent/runtimes/hotspot/hotspot_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HOTSPOT_NO_FIELD = UINT16_MAX,
    HOTSPOT_VERSION_MAX = 48,
    HOTSPOT_MAJOR_MIN = 8,
    HOTSPOT_NMETHOD_MAX = 1024, /* bytes of its header, and of a ConstMethod's; a word less */
    HOTSPOT_CONST_MAX = 256,
};

/* Offsets in bytes from the beginning of an object; HOTSPOT_NO_FIELD: this version has it not, and
 * another in its place. Fields of nmethod are from the beginning of its CodeBlob. */
struct hotspot_layout {
    int major;                         /* of the JDK */
    char version[HOTSPOT_VERSION_MAX]; /* "java 17.0.15+6" */

    /* Runtime addresses of variables; 0: not there. */
    uint64_t heap;             /* a CodeHeap *, JDK 8 */
    uint64_t heaps;            /* a GrowableArray<CodeHeap *> *, JDK 9 and newer */
    uint64_t call_stub_return; /* an address in the code that enters Java; 0 until it is made */

    uint16_t array_len, array_data; /* GrowableArray */
    uint16_t heap_memory, heap_segmap, heap_log2_segment_size;
    uint16_t space_low;                               /* VirtualSpace: of what is in use */
    uint16_t space_low_boundary, space_high_boundary; /* reserved */
    uint16_t block_size;                              /* HeapBlock */

    uint16_t nmethod_size; /* of its header, which begins with a CodeBlob's */
    uint16_t blob_name, blob_size, blob_frame_size;
    uint16_t blob_frame_complete, blob_frame_complete_width; /* 2 or 4 bytes */
    uint16_t blob_code_begin;                                /* pointers, JDK 9 to 22 */
    uint16_t blob_code_offset, blob_data_offset;             /* int: else; data follows code */
    uint16_t blob_mutable_data, blob_relocation_size;        /* 24 and newer */

    uint16_t nmethod_method, nmethod_compile_id, nmethod_comp_level;
    uint16_t nmethod_orig_pc_offset;
    uint16_t nmethod_deopt_begin;  /* a pointer, JDK 9 to 22 */
    uint16_t nmethod_deopt_offset; /* int: else, from the beginning of the CodeBlob */
    uint16_t nmethod_deopt_mh;     /* the same, for calls of method handles; up to 25 */
    uint16_t nmethod_metadata;     /* int or u2: up to 23 */
    uint16_t nmethod_metadata_width;
    uint16_t nmethod_dependencies; /* int: where the PcDescs end, up to 22 */
    uint16_t nmethod_scopes_pcs;
    uint16_t nmethod_scopes_data;  /* int: not in 9 to 22 */
    uint16_t nmethod_scopes_begin; /* a pointer, JDK 9 to 22 */
    uint16_t nmethod_immutable;    /* 23 and newer */

    uint16_t pc_desc_size, pc_desc_pc, pc_desc_scope;

    uint16_t method_const;
    uint16_t const_size; /* of a ConstMethod; its byte code follows */
    uint16_t const_constants, const_words, const_flags, const_code_size;
    uint16_t const_name, const_signature;
    uint16_t pool_size; /* of a ConstantPool; its entries follow */
    uint16_t pool_holder, pool_length;
    uint16_t pool_cache; /* a ConstantPoolCache *, of this size, which entries follow, up to 21 */
    uint16_t cache_size, entry_size;
    uint16_t entry_indices, entry_f1, entry_f2;
    uint16_t cache_resolved; /* an Array<ResolvedMethodEntry> *, 22 and newer */
    uint16_t resolved_data, resolved_size, resolved_constant;
    uint16_t klass_name, klass_super;
    uint16_t klass_methods; /* an Array<Method *> *; its length is at its beginning */
    uint16_t methods_data;
    uint16_t symbol_length; /* u2 */
    uint16_t symbol_body;
};

/* Its virtual machine has not begun to run: worth another try. */
extern const char hotspot_not_yet[];
#define HOTSPOT_NOT_YET hotspot_not_yet

/* @bias: what makes a vaddr of the image a runtime address. NULL, or why not: one of few constant
 * texts. The version is filled in as far as it is known either way. */
const char *hotspot_layout_read(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                                struct hotspot_layout *ret_layout);

/* The parts of the code cache: how many; 0: none yet. They are made at the start, and grow within
 * what is reserved. @ret_segment_shift: the size of a segment in all of them. */
size_t hotspot_heaps_read(pid_t pid, const struct hotspot_layout *layout,
                          struct hotspot_code_heap ret_heaps[HOTSPOT_CODE_HEAPS_MAX],
                          uint32_t *ret_segment_shift);
