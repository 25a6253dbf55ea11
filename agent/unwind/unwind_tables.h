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
#include "agent/code.h"
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

struct unwind_tables;
struct unwind_tables *unwind_tables_new(struct images *images); /* borrows them */
void unwind_tables_free(struct unwind_tables *t);               /* NULL is fine */

/* Where the mappings of one layout lie. */
struct unwind_place {
    uint32_t first, n;
    uint32_t version; /* 0: taken back */
};

/* Writes down where code is mapped, after the rows of its images were read; false: no room. */
bool unwind_tables_place(struct unwind_tables *t, const struct code *items, size_t n,
                         struct unwind_place *ret_place);

/* From now on no walk begins over it, and none that began goes on for longer than a moment. */
void unwind_tables_take_back(struct unwind_tables *t, struct unwind_place *place);
/* A moment after it was taken back. */
void unwind_tables_give(struct unwind_tables *t, const struct unwind_place *place);

/*
 * Tells the kernel what @pid has mapped; NULL: nothing is known, but its exit is to be told. Unless
 * @is_new only when the kernel still knows the process, which was told before: so one that called
 * exec or has ended in between gets no stale space. No-op before the hand-over.
 */
void unwind_tables_publish(struct unwind_tables *t, pid_t pid, const struct process_image *image,
                           const struct unwind_place *place, bool is_new);
void unwind_tables_withdraw(struct unwind_tables *t, pid_t pid);

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

struct unwind_view unwind_tables_view(const struct unwind_tables *t,
                                      const struct unwind_place *place);

/* What did not fit. */
struct unwind_left_out {
    uint32_t images;    /* with more rows than there was room for, or not read for want of time */
    uint32_t processes; /* more than the kernel's table of spaces holds */
};
struct unwind_left_out unwind_tables_left_out(const struct unwind_tables *t);
