/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_symbols: which function symbol covers an address, in the symbol tables of an ELF file and of
 * the files that hold what was stripped from it.
 *
 * Input is untrusted and may change while it is read: tables are streamed in pieces. Names are
 * found for a batch of addresses in one pass over the symbols, so that the memory taken depends on
 * the addresses asked for, never on the size of the binary.
 */
#pragma once

#include "agent/symbols/elf_image.h"
#include "agent/symbols/name_chain.h"

#include <stddef.h>
#include <stdint.h>

enum { ELF_SYMBOL_NAME_MAX = 4096 /* a longer name is cut */, ELF_SYMBOL_BARE_MAX = 256 };

struct elf_file {
    int fd;
    const struct elf_image *elf;
};

/* One address to be named. */
struct elf_query {
    uint64_t vaddr;
    char *name; /* out: owned by the caller; stays NULL when no function covers vaddr */
};

/*
 * Names every query that a function symbol of one of the files covers: by the one that starts last.
 * A symbol without a size reaches to the next symbol or the end of its section, in a file without
 * .symtab for ELF_SYMBOL_BARE_MAX bytes at most, for not all its functions have one. Of several
 * with one start: a function before a label, a global one before a weak and a local one, the one
 * with fewer underscores in front, the first of the file. @queries are sorted by vaddr. What cannot
 * be read is left without a name, and so is what there is no room for.
 */
void elf_symbols_find(const struct elf_file *files, size_t n_files, struct elf_query *queries,
                      size_t n_queries, struct name_room *room);
