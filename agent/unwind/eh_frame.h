/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eh_frame: the .eh_frame and .debug_frame sections of one image in, sorted rows of unwind rules
 * out (LSB 5.0, 10.6; DWARF 5, 6.4). Pure.
 *
 * Input is untrusted: it comes from a binary inside somebody's container. No read leaves the
 * sections; a record that is broken costs its own function, never the table. Time is linear in the
 * size of the sections, but for sorting the functions; memory is bounded by that size, too.
 *
 * Only code within the given range counts. Where functions overlap, the one that begins first is
 * followed up to the next; of two with one start, the one of the section that is named first.
 */
#pragma once

#include "agent/unwind/unwind_arch.h"
#include "agent/unwind/unwind_rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EH_FRAME_SECTIONS_MAX = 2,
    EH_FRAME_CIES_MAX = 1 << 16,
    EH_FRAME_FUNCTIONS_MAX = 1 << 21,
};
#define EH_FRAME_SECTION_SIZE_MAX (64U << 20)

struct eh_section {
    const uint8_t *data; /* borrowed for the call */
    size_t size;
    uint64_t vaddr;
    bool is_debug_frame;
};

/* The executable part of the image. */
struct eh_range {
    uint64_t start, end; /* vaddr; less than 4 GiB apart */
    enum unwind_arch arch;
};

struct eh_table {
    struct unwind_row *rows; /* owned; sorted by addr, which counts from range.start */
    size_t n_rows;
    size_t n_functions;
    size_t n_broken; /* records that were not understood */
    bool is_full;    /* there would have been more */
};

/* At most @max_rows. Code that no section covers has UNWIND_RULE_NONE. Never fails: what cannot be
 * read is not in the table. */
void eh_frame_read(const struct eh_section *sections, size_t n_sections, struct eh_range range,
                   size_t max_rows, struct unwind_rules *rules, struct eh_table *ret_table);

void eh_table_release(struct eh_table *table); /* safe on a zeroed one */

/* One more row, not before the last one, which it replaces at the same address; with the rule that
 * is in force anyway nothing is added. */
void eh_table_add(struct eh_table *table, size_t max_rows, uint32_t addr, uint32_t rule);

/* How many rows begin before @addr; the rule that is in force there. */
size_t eh_table_before(const struct eh_table *table, uint64_t addr);
uint32_t eh_table_rule(const struct eh_table *table, uint64_t addr);

/* Where the .eh_frame section is, as PT_GNU_EH_FRAME's contents say; for files without a section
 * table. False: they do not. */
bool eh_frame_header(const struct eh_section *header, uint64_t *ret_vaddr);
