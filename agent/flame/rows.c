/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/rows.h"

#include "lib/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare_frames(const void *a, const void *b, void *flame)
{
    const struct flame *f = flame;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = strcmp(flame_name(f, x), flame_name(f, y));

    return order ? order : (int)f->frames[x].kind - (int)f->frames[y].kind;
}

/* All nodes but the root, by name: a counting sort on the place of their frame among the names. */
static uint32_t *nodes_by_name(const struct flame *f)
{
    _cleanup_free_ uint32_t *frames = mem_array(f->n_frames, sizeof(*frames));
    _cleanup_free_ uint32_t *starts = mem_array(f->n_frames, sizeof(*starts));
    uint32_t *order = mem_array(f->n_nodes, sizeof(*order));
    uint32_t start = 0;

    for (uint32_t i = 0; i < f->n_frames; i++)
        frames[i] = i;
    qsort_r(frames, f->n_frames, sizeof(*frames), compare_frames, (void *)f);
    for (uint32_t i = 1; i < f->n_nodes; i++)
        starts[f->nodes[i].frame]++;
    for (uint32_t i = 0; i < f->n_frames; i++) {
        uint32_t n = starts[frames[i]];

        starts[frames[i]] = start;
        start += n;
    }
    for (uint32_t i = 1; i < f->n_nodes; i++)
        order[starts[f->nodes[i].frame]++] = i;
    return order;
}

/* Fills parent, depth, children and end of rows that have a frame and a depth. */
static void sum_up(struct flame_rows *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        r->rows[i].total = r->rows[i].self;
        r->rows[i].end = i + 1;
    }
    for (uint32_t i = r->n; i-- > 1;) {
        struct flame_row *row = &r->rows[i], *parent = &r->rows[row->parent];

        parent->total += row->total;
        parent->children++;
        if (parent->end < row->end)
            parent->end = row->end;
    }
}

struct flame_rows *flame_rows_new(const struct flame *f)
{
    _cleanup_free_ uint32_t *order = nodes_by_name(f);
    _cleanup_free_ uint32_t *first = mem_array(f->n_nodes, sizeof(*first)); /* 0: none */
    _cleanup_free_ uint32_t *next = mem_array(f->n_nodes, sizeof(*next));
    _cleanup_free_ uint32_t *row_of = mem_array(f->n_nodes, sizeof(*row_of));
    struct flame_rows *r = mem_zalloc(sizeof(*r));

    for (size_t i = f->n_nodes - 1; i-- > 0;) {
        uint32_t node = order[i], parent = f->nodes[node].parent;

        next[node] = first[parent];
        first[parent] = node;
    }
    r->flame = f;
    r->rows = mem_array(f->n_nodes, sizeof(*r->rows));
    for (uint32_t node = 0; node != FLAME_NONE;) {
        uint32_t parent = node ? row_of[f->nodes[node].parent] : 0;

        row_of[node] = r->n;
        r->rows[r->n++] = (struct flame_row){ .self = f->nodes[node].self,
                                              .frame = f->nodes[node].frame,
                                              .parent = parent,
                                              .depth = node ? r->rows[parent].depth + 1 : 0 };
        if (first[node]) {
            node = first[node];
            continue;
        }
        while (node != 0 && !next[node])
            node = f->nodes[node].parent;
        node = node ? next[node] : FLAME_NONE;
    }
    sum_up(r);
    return r;
}

void flame_rows_free(struct flame_rows *r)
{
    if (!r)
        return;
    free(r->rows);
    free(r);
}

static int compare_weight(const void *a, const void *b, void *rows)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct flame_row *p = (const struct flame_row *)rows + x;
    const struct flame_row *q = (const struct flame_row *)rows + y;

    if (p->total != q->total)
        return p->total > q->total ? -1 : 1;
    if (p->depth != q->depth)
        return p->depth < q->depth ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Which rows stay: the root and the @keep greatest that are not themselves [pruned]. */
static bool *choose(const struct flame_rows *all, uint32_t keep)
{
    bool *kept = mem_array(all->n, sizeof(*kept));
    _cleanup_free_ uint32_t *order = mem_array(all->n, sizeof(*order));
    uint32_t n = 0;

    kept[0] = true;
    for (uint32_t i = 1; i < all->n; i++)
        if (all->rows[i].frame != all->flame->pruned)
            order[n++] = i;
    if (keep < n)
        qsort_r(order, n, sizeof(*order), compare_weight, all->rows);
    for (uint32_t i = 0; i < n && i < keep; i++)
        kept[order[i]] = true;
    return kept;
}

struct flame_rows *flame_rows_prune(const struct flame_rows *all, uint32_t keep)
{
    _cleanup_free_ bool *kept = choose(all, keep);
    _cleanup_free_ uint64_t *cut = mem_array(all->n, sizeof(*cut));
    _cleanup_free_ uint32_t *row_of = mem_array(all->n, sizeof(*row_of));
    struct flame_rows *r = mem_zalloc(sizeof(*r));
    uint32_t n = 0, open = 0; /* open: the innermost kept row that has not ended */

    r->flame = all->flame;
    for (uint32_t i = 0; i < all->n; i++) {
        const struct flame_row *row = &all->rows[i];

        n += kept[i];
        if (kept[i] || !kept[row->parent])
            continue;
        n += cut[row->parent] == 0;
        cut[row->parent] += row->total;
        r->pruned_samples += row->total;
    }
    r->rows = mem_array(n, sizeof(*r->rows));
    for (uint32_t i = 0; i <= all->n; i++) {
        while (all->rows[open].end == i) {
            if (cut[open])
                r->rows[r->n++] = (struct flame_row){ .self = cut[open],
                                                      .frame = all->flame->pruned,
                                                      .parent = row_of[open],
                                                      .depth = all->rows[open].depth + 1 };
            if (open == 0)
                break;
            open = all->rows[open].parent;
        }
        if (i == all->n)
            break;
        r->pruned_frames += !kept[i] && all->rows[i].frame != all->flame->pruned;
        if (!kept[i])
            continue;
        row_of[i] = r->n;
        open = i;
        r->rows[r->n++] = (struct flame_row){ .self = all->rows[i].self,
                                              .frame = all->rows[i].frame,
                                              .parent = row_of[all->rows[i].parent],
                                              .depth = all->rows[i].depth };
    }
    sum_up(r);
    return r;
}

uint32_t flame_rows_path(const struct flame_rows *r, uint32_t i, uint32_t *path)
{
    uint32_t n = r->rows[i].depth;

    for (uint32_t at = n; at-- > 0; i = r->rows[i].parent)
        path[at] = r->rows[i].frame;
    return n;
}
