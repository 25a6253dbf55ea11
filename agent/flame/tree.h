/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: what is inside a struct flame, for the writers of this folder only.
 *
 * A node is a frame under a parent; node 0 is the root, which has no frame. A parent's number is
 * always lower than its children's. A frame is a clean name (see text.h) and its kind, stored once;
 * names lie one after the other in one NUL-separated block. Children are found by hash; the order
 * of siblings is made by the writers (rows.h), so that adding never sorts.
 */
#pragma once

#include "agent/flame/flame.h"

#include <stddef.h>
#include <stdint.h>

#define FLAME_NONE UINT32_MAX

struct flame_node {
    uint64_t self;
    uint32_t parent, frame;
};

struct flame_entry {
    uint32_t name; /* where it starts in names */
    uint32_t hash;
    uint16_t len;
    uint8_t kind; /* enum flame_kind */
};

/* An open-addressing table of numbers; a slot holds the number + 1, 0 is free. */
struct flame_index {
    uint32_t *slots;
    size_t size; /* a power of two, or 0 */
};

struct flame {
    struct flame_node *nodes;
    struct flame_entry *frames;
    char *names;
    size_t n_nodes, size_nodes, n_frames, size_frames, len_names, size_names;
    struct flame_index node_index, frame_index;
    uint64_t seed, samples;
    uint32_t pruned; /* the frame [pruned], always there */
};

static inline const char *flame_name(const struct flame *f, uint32_t frame)
{
    return f->names + f->frames[frame].name;
}
