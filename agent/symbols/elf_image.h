/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_image: what the agent needs of an ELF file's headers: how file offsets become virtual
 * addresses, where its symbols are, and where its debug information is.
 *
 * Input is untrusted: it comes from inside somebody's container, and may change while it is read.
 * Headers are read as elf_headers.h says; of what they lead to, counts and sizes are bounded here.
 *
 * "vaddr" is an address as the ELF file has it, "off" an offset into the file.
 */
#pragma once

#include "agent/symbols/debug_links.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_IMAGE_SEGMENTS_MAX = 64,
    ELF_IMAGE_CODE_MAX = 64,  /* sections with code */
    ELF_IMAGE_TABLES_MAX = 4, /* symbol tables */
    ELF_IMAGE_SYMBOLS_MAX = 8 * 1024 * 1024,
};

struct elf_segment {
    uint64_t off, vaddr, file_size;
};

/* A section with code, where a symbol without a size ends. */
struct elf_section {
    uint64_t vaddr, end;
    size_t index; /* as symbols have it */
};

struct elf_symbol_table {
    uint64_t off, n_symbols;
    uint64_t names_off, names_size;
};

struct elf_image {
    struct elf_segment segments[ELF_IMAGE_SEGMENTS_MAX];
    size_t n_segments;
    struct elf_section *code; /* owned */
    size_t n_code;
    struct elf_symbol_table tables[ELF_IMAGE_TABLES_MAX];
    size_t n_tables;
    bool is_64_bit;
    bool has_go; /* built by the Go toolchain */
    bool has_symtab, has_debug_info;
    struct build_id build_id;
    struct debug_link debug_link, alt_link;   /* .gnu_debuglink, .gnu_debugaltlink */
    uint64_t mini_debug_off, mini_debug_size; /* .gnu_debugdata; size 0: none */
};

/* Reads the headers of the file behind @fd, which stays the caller's. -EINVAL: not an ELF image of
 * this machine's byte order. */
int elf_image_read(int fd, struct elf_image *ret_image, struct err *e) WARN_UNUSED;
void elf_image_release(struct elf_image *image); /* safe on a zeroed image */

/* The section of that index, if there is code in it; NULL: not. */
const struct elf_section *elf_image_code(const struct elf_image *image, size_t index);

/* False: no segment holds that part of the file. */
bool elf_image_vaddr(const struct elf_image *image, uint64_t off, uint64_t *ret_vaddr);

/* The reverse. False: the file does not hold it. */
bool elf_image_off(const struct elf_image *image, uint64_t vaddr, uint64_t *ret_off);
