/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_find: symbols of an ELF file by their names, in one pass over its symbol tables.
 *
 * Input is untrusted: tables are streamed in pieces, counts are bounded by elf_image.
 */
#pragma once

#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_wanted {
    const char *name;
    uint64_t vaddr, size; /* out; size 0: the table does not say */
    bool found;           /* out */
};

/* Fills in what the symbol tables define; of several of one name, the first. How many are found. */
size_t elf_find(int fd, const struct elf_image *image, struct elf_wanted *wanted, size_t n);
