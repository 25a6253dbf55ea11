/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_image: is V8 in this ELF file (node, libnode), of which version, and where it keeps what.
 *
 * Known by the constants that V8 exports for debuggers, v8dbg_* (its tools/
 * gen-postmortem-metadata.py). They are in the dynamic symbol table, or, of builds that hide their
 * symbols, in the other one; a build without either cannot be read.
 */
#pragma once

#include "agent/bpf/v8_table.h"
#include "agent/runtimes/v8/v8_positions.h"
#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stdint.h>

/* Of compiled code, offsets in bytes from the beginning of the object that describes it. */
struct v8_compiled {
    uint16_t data;      /* what deoptimisation needs, and so the inlined functions */
    uint16_t positions; /* or, of baseline code, the lengths of its bytecodes' code */
    uint16_t stream;    /* the instructions' object; 0: they are in this one */
    uint16_t start;     /* where they begin: an address, or they themselves */
    uint16_t size, flags;
    uint16_t kind_mask, baseline_kind;  /* of the flags; of optimised code the kind is higher */
    uint16_t literals, shared, inlined; /* indexes into the data */
};

/* Offsets in bytes from the beginning of an object; types are instance types. */
struct v8_image {
    int major, minor;
    bool is_known; /* false: the version keeps it elsewhere */
    struct v8_layout walk;
    uint16_t shared_type, script_type, scope_info_type, first_nonstring_type;
    uint16_t script_name, script_source;
    uint16_t string_length, string_chars; /* of a sequential one */
    uint16_t cons_first, cons_second, thin_actual, sliced_parent, sliced_offset;
    uint16_t shared_code;        /* what runs a SharedFunctionInfo */
    uint16_t bytecode_positions; /* of an array of bytecode */
    uint16_t code_type;
    uint16_t bytes_type, plain_bytes_type; /* of tables: arrays of bytes, trusted ones or not */
    struct v8_compiled compiled;           /* .size 0: not known */
    struct v8_bytecode_sizes bytecode_sizes;
};

/* False: there is no V8 in it. */
bool v8_image_read(int fd, const struct elf_image *elf, struct v8_image *ret_image);
