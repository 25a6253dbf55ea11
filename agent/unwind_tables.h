/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_tables: what the BPF programs need to unwind: the rows of every image that a profiled
 * process runs code from, each read once, and for each process where they are mapped.
 *
 * Before unwind_tables_attach all is kept here; from then on it is written into memory that is
 * shared with the kernel, and takes effect with the next sample. That memory does not grow: what
 * does not fit is left out, counted, and walked by frame pointers. Single-threaded.
 */
#pragma once

#include "agent/bpf/unwind_table.h"
#include "agent/images.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { UNWIND_ROWS_MAX = 1 << 24 }; /* of all images */

/* The maps of the BPF programs, as descriptors; borrowed. */
struct unwind_maps {
    int rows, rules, mappings, spaces;
    uint32_t n_rows; /* room */
};

/* A run of executable memory, sorted by start with its like. */
struct unwind_code {
    uint64_t start, end, off;
    uint32_t image; /* IMAGE_NONE: no file */
};

struct unwind_tables;
struct unwind_tables *unwind_tables_new(struct images *images); /* borrows them */
void unwind_tables_free(struct unwind_tables *t);               /* NULL is fine */

/* What is mapped in a process from now on; replaces what was known of that pid. */
void unwind_tables_put(struct unwind_tables *t, pid_t pid, uint32_t generation,
                       const struct unwind_code *code, size_t n);

/* How many rows there should be room for: those that are there, and some for libraries to come. */
uint32_t unwind_tables_room(const struct unwind_tables *t);

/* Hands over what is there. Once. */
int unwind_tables_attach(struct unwind_tables *t, const struct unwind_maps *maps,
                         struct err *e) WARN_UNUSED;

/* As the BPF programs see it; borrowed until the next call. */
struct unwind_view {
    const struct unwind_row *rows;
    const struct unwind_rule *rules;
    const struct unwind_mapping *mappings;
    uint32_t n_rows, n_rules, n_mappings;
    struct unwind_space space;
};

/* False: nothing is known of the process. */
bool unwind_tables_view(const struct unwind_tables *t, pid_t pid, struct unwind_view *ret_view);

/* Images and processes that did not fit. */
uint32_t unwind_tables_left_out(const struct unwind_tables *t);
