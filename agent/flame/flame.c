/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/flame.h"

#include "agent/flame/text.h"
#include "agent/flame/tree.h"
#include "lib/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The last eighth of the nodes is for [pruned] children. */
#define NODES_FOR_STACKS (FLAME_NODES_MAX - FLAME_NODES_MAX / 8)

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15) * (b | 1);

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded, so that a target cannot choose names that all collide. */
static uint32_t hash_frame(uint64_t seed, const char *name, size_t len, enum flame_kind kind)
{
    uint64_t h = mix(seed, len << 8 | kind);

    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = 0;

        memcpy(&word, name + at, len - at < 8 ? len - at : 8);
        h = mix(h ^ word, seed);
    }
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t hash_node(uint64_t seed, uint32_t parent, uint32_t frame)
{
    uint64_t h = mix((uint64_t)parent << 32 | frame, seed);

    return (uint32_t)(h ^ h >> 32);
}

static void index_put(struct flame_index *index, uint32_t hash, uint32_t number)
{
    size_t at = hash & (index->size - 1);

    while (index->slots[at])
        at = (at + 1) & (index->size - 1);
    index->slots[at] = number + 1;
}

/* Twice the slots, all free; the caller puts its numbers in again. */
static void index_double(struct flame_index *index)
{
    index->size = index->size ? index->size * 2 : 1024;
    free(index->slots);
    index->slots = mem_array(index->size, sizeof(*index->slots));
}

/* Room for one more of *size items at @items, which may move. */
static void *room(void *items, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return items;
    *size = *size ? *size * 2 : 512;
    return mem_grow(items, *size, item);
}

static uint32_t frame_find(const struct flame *f, uint32_t hash, const char *name, size_t len,
                           enum flame_kind kind)
{
    size_t mask = f->frame_index.size - 1;

    for (size_t at = hash & mask; f->frame_index.slots[at]; at = (at + 1) & mask) {
        uint32_t number = f->frame_index.slots[at] - 1;
        const struct flame_entry *entry = &f->frames[number];

        if (entry->hash == hash && entry->len == len && entry->kind == kind &&
            memcmp(f->names + entry->name, name, len) == 0)
            return number;
    }
    return FLAME_NONE;
}

/* The number of the frame, new or known; FLAME_NONE when the names are full. */
static uint32_t frame_intern(struct flame *f, const char *raw, enum flame_kind kind)
{
    char name[FLAME_NAME_MAX + 1];
    size_t len = flame_text_clean(raw, name);
    uint32_t hash = hash_frame(f->seed, name, len, kind);
    uint32_t number = frame_find(f, hash, name, len, kind);

    if (number != FLAME_NONE)
        return number;
    if (len + 1 > FLAME_NAMES_BYTES_MAX - f->len_names)
        return FLAME_NONE;
    if (f->n_frames * 2 >= f->frame_index.size) {
        index_double(&f->frame_index);
        for (uint32_t i = 0; i < f->n_frames; i++)
            index_put(&f->frame_index, f->frames[i].hash, i);
    }
    while (f->size_names - f->len_names < len + 1)
        f->names = room(f->names, f->size_names, &f->size_names, 1);
    memcpy(f->names + f->len_names, name, len + 1);
    f->frames = room(f->frames, f->n_frames, &f->size_frames, sizeof(*f->frames));
    number = (uint32_t)f->n_frames++;
    f->frames[number] = (struct flame_entry){
        .name = (uint32_t)f->len_names, .hash = hash, .len = (uint16_t)len, .kind = (uint8_t)kind
    };
    f->len_names += len + 1;
    index_put(&f->frame_index, hash, number);
    return number;
}

static uint32_t node_find(const struct flame *f, uint32_t parent, uint32_t frame)
{
    size_t mask = f->node_index.size - 1;
    size_t at = hash_node(f->seed, parent, frame) & mask;

    for (; f->node_index.slots[at]; at = (at + 1) & mask) {
        uint32_t number = f->node_index.slots[at] - 1;

        if (f->nodes[number].parent == parent && f->nodes[number].frame == frame)
            return number;
    }
    return FLAME_NONE;
}

/* The child of @parent, new or known; FLAME_NONE when it is new and there are @max nodes. */
static uint32_t node_child(struct flame *f, uint32_t parent, uint32_t frame, size_t max)
{
    uint32_t number = node_find(f, parent, frame);

    if (number != FLAME_NONE || f->n_nodes >= max)
        return number;
    if (f->n_nodes * 2 >= f->node_index.size) {
        index_double(&f->node_index);
        for (uint32_t i = 1; i < f->n_nodes; i++)
            index_put(&f->node_index, hash_node(f->seed, f->nodes[i].parent, f->nodes[i].frame), i);
    }
    f->nodes = room(f->nodes, f->n_nodes, &f->size_nodes, sizeof(*f->nodes));
    number = (uint32_t)f->n_nodes++;
    f->nodes[number] = (struct flame_node){ .parent = parent, .frame = frame };
    index_put(&f->node_index, hash_node(f->seed, parent, frame), number);
    return number;
}

/* The [pruned] child of @node; with all nodes in use, that of the nearest ancestor that has one. */
static uint32_t node_pruned(struct flame *f, uint32_t node)
{
    uint32_t number = node_child(f, node, f->pruned, FLAME_NODES_MAX - 1);

    while (number == FLAME_NONE && node != 0) {
        node = f->nodes[node].parent;
        number = node_find(f, node, f->pruned);
    }
    return number != FLAME_NONE ? number : node_child(f, 0, f->pruned, FLAME_NODES_MAX);
}

struct flame *flame_new(void)
{
    struct flame *f = mem_zalloc(sizeof(*f));

    f->seed = mix((uintptr_t)f, 0xd6e8feb86659fd93); /* the address is random enough */
    index_double(&f->node_index);
    index_double(&f->frame_index);
    f->nodes = room(NULL, 0, &f->size_nodes, sizeof(*f->nodes));
    f->nodes[f->n_nodes++] = (struct flame_node){ .parent = FLAME_NONE, .frame = FLAME_NONE };
    f->pruned = frame_intern(f, "[pruned]", FLAME_NOTE);
    return f;
}

void flame_free(struct flame *f)
{
    if (!f)
        return;
    free(f->nodes);
    free(f->frames);
    free(f->names);
    free(f->node_index.slots);
    free(f->frame_index.slots);
    free(f);
}

void flame_add(struct flame *f, const struct flame_frame *frames, size_t n, uint64_t count)
{
    uint32_t node = 0;

    if (count > FLAME_SAMPLES_MAX - f->samples)
        count = FLAME_SAMPLES_MAX - f->samples;
    if (n == 0 || count == 0)
        return;
    f->samples += count;
    for (size_t i = 0; i < n; i++) {
        uint32_t child = FLAME_NONE;

        if (i < FLAME_DEPTH_MAX) {
            uint32_t frame = frame_intern(f, frames[i].name, frames[i].kind);

            if (frame != FLAME_NONE)
                child = node_child(f, node, frame, NODES_FOR_STACKS);
        }
        if (child == FLAME_NONE) {
            node = node_pruned(f, node);
            break;
        }
        node = child;
    }
    f->nodes[node].self += count;
}

uint64_t flame_samples(const struct flame *f)
{
    return f->samples;
}
