/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_locate: where a Go program keeps the table of its functions, the "pclntab", in its ELF file.
 *
 * The table begins with a header (runtime/symtab.go, pcHeader) and is found by its section; where
 * the linker gave it none, or the section table is gone, by the header's magic number. What else is
 * needed is in the runtime's moduledata: a variable that begins with the address of the table, in
 * the file or, of some PIEs, once the loader has stored it there.
 *
 * Input is untrusted: what is found is plausible, not proven. At most GO_LOCATE_BYTES_MAX are
 * looked through, in pieces.
 */
#pragma once

#include "agent/file_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GO_SEGMENTS_MAX = 16, GO_FUNCTIONS_MAX = 1 << 21 };
#define GO_LOCATE_BYTES_MAX (UINT64_C(256) << 20)

/* How the table is written; by the first release of Go that writes it so. Go 1.15 and older are not
 * read. */
enum go_format { GO_1_16, GO_1_18, GO_1_20, GO_FORMAT_COUNT };

struct go_header {
    enum go_format format;
    uint8_t quantum; /* all differences of code addresses are multiples of it */
    uint64_t n_functions;
    uint64_t text;                        /* vaddr that functions count from, or 0: not here */
    uint64_t names, pc_values, functions; /* offsets from the header */
    uint64_t names_size, pc_values_size;
};

struct go_segment {
    uint64_t off, vaddr, size;
    bool is_code, is_writable;
};

struct go_location {
    struct go_header header;
    uint64_t off, vaddr, size; /* of the table; it ends there at the latest */
    uint64_t text;             /* vaddr that functions count from; 0 for GO_1_16 */
    uint64_t funcdata;         /* vaddr that offsets of function data count from; 0: not known */
    struct go_segment segments[GO_SEGMENTS_MAX];
    size_t n_segments;
};

/* Reads through @reader, which reads @fd. False: no Go program, or none that is understood. */
bool go_locate(int fd, struct file_reader *reader, struct go_location *ret_location);

/* False: no part of the file is there. */
bool go_location_off(const struct go_location *location, uint64_t vaddr, uint64_t *ret_off);
bool go_location_is_code(const struct go_location *location, uint64_t start, uint64_t end);
