/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_find: symbols of an ELF file by their names, in one pass over its symbol tables.
 *
 * Input is untrusted: tables are streamed in pieces, and what is looked through is bounded, however
 * large a file is. The programs that are looked for have some 30 MB of names, half a million
 * symbols.
 */
#pragma once

#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_FIND_BYTES_MAX = 64 << 20, ELF_FIND_SYMBOLS_MAX = 4 << 20 }; /* of all tables */

struct elf_wanted {
    const char *name;     /* at most 127 characters */
    uint64_t vaddr, size; /* out; size 0: the table does not say */
    bool found;           /* out */
};

/* Fills in what the symbol tables define; of several of one name, the first. How many are found. */
size_t elf_find(int fd, const struct elf_image *image, struct elf_wanted *wanted, size_t n);
