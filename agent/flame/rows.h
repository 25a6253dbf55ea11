/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: the tree as a list, depth first, siblings sorted by name and kind, with totals. What the
 * writers read.
 *
 * Pruning keeps the frames with the most samples, the shallower of equals first. A parent has never
 * fewer samples than its child, so what is kept is always a tree, and any number of frames can be
 * asked for. What is cut under a frame is one [pruned] row, the last of its children.
 */
#pragma once

#include "agent/flame/tree.h"
#include "lib/cleanup.h"

#include <stdint.h>

struct flame_row {
    uint64_t self, total;
    uint32_t frame; /* FLAME_NONE: the root, always row 0 */
    uint32_t parent, depth, children;
    uint32_t end; /* the row after the last descendant */
};

struct flame_rows {
    const struct flame *flame; /* borrowed */
    struct flame_row *rows;
    uint32_t n;
    uint64_t pruned_samples; /* in [pruned] rows */
    uint64_t pruned_frames;  /* that those rows stand for; stacks cut by flame_add() are unknown */
};

struct flame_rows *flame_rows_new(const struct flame *f);
void flame_rows_free(struct flame_rows *r); /* NULL is fine */
DEFINE_CLEANUP(struct flame_rows *, flame_rows_free)
#define _cleanup_rows_ __attribute__((cleanup(flame_rows_freep)))

/* The @keep greatest rows besides the root, and [pruned] rows for the others. */
struct flame_rows *flame_rows_prune(const struct flame_rows *all, uint32_t keep);

/* Row @i with all its ancestors from the outermost, without the root: the number of frames written
 * to @path, which has room for FLAME_DEPTH_MAX + 1. */
uint32_t flame_rows_path(const struct flame_rows *r, uint32_t i, uint32_t *path);
