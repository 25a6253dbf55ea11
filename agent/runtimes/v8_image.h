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
#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stdint.h>

/* Offsets in bytes from the beginning of an object; types are instance types. */
struct v8_image {
    int major, minor;
    struct v8_layout walk;
    uint16_t shared_type, script_type, scope_info_type, first_nonstring_type;
    uint16_t script_name, script_source;
    uint16_t string_length, string_chars; /* of a sequential one */
    uint16_t cons_first, cons_second, thin_actual, sliced_parent, sliced_offset;
};

/* False: there is no V8 that can be read in it. */
bool v8_image_read(int fd, const struct elf_image *elf, struct v8_image *ret_image);
