/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golden_record: walks a stack with the source that runs in the kernel, and writes what was read of
 * it, as golden.h says; but for the frames, which are for another unwinder to tell, and a line
 * "walked PC" for each frame found here. Who includes it defines record_read(), which reads the
 * memory of the target, and fills in now.view.
 */
#pragma once

#include "agent/unwind/tests/golden.h"
#include "agent/unwind/unwind_host.h"
#include "agent/unwind/unwind_tables.h"

#include <stdio.h>
#include <stdlib.h>

static bool record_read(__u64 addr, __u64 *ret_value);

enum { HITS_MAX = 4096 };

static struct {
    struct unwind_view view;
    struct {
        __u64 addr, value;
    } words[GOLDEN_WORDS_MAX];
    size_t n_words;
    __u32 row; /* the last that was looked at */
    struct {
        __u32 mapping, row;
        bool has_row;
    } hits[HITS_MAX];
    size_t n_hits;
} now;

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    if (!record_read(addr, ret_value))
        return false;
    for (size_t i = 0; i < now.n_words; i++) {
        if (now.words[i].addr == addr)
            return true;
    }
    if (now.n_words == GOLDEN_WORDS_MAX)
        return false;
    now.words[now.n_words].addr = addr;
    now.words[now.n_words++].value = *ret_value;
    return true;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < now.view.n_mappings ? &now.view.mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    now.row = i;
    return i < now.view.n_rows ? &now.view.rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < now.view.n_rules ? &now.view.rules[i] : NULL;
}

/* What the next step will find, kept for the file. */
static void note_row(const struct unwind_walk *w)
{
    __u64 at = w->pc - !w->is_exact;
    const struct unwind_mapping *m = unwind_find_mapping(w, at);

    if (!m || now.n_hits == HITS_MAX)
        return;
    now.hits[now.n_hits].mapping = (__u32)(m - now.view.mappings);
    now.hits[now.n_hits].has_row = unwind_find_rule(w, m, at) != UNWIND_RULE_NONE;
    now.hits[now.n_hits++].row = now.row;
}

static int by_place(const void *a, const void *b)
{
    typeof(now.hits[0]) const *x = a, *y = b;

    if (x->mapping != y->mapping)
        return x->mapping < y->mapping ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void write_tables(void)
{
    qsort(now.hits, now.n_hits, sizeof(now.hits[0]), by_place);
    for (size_t i = 0; i < now.n_hits; i++) {
        const struct unwind_mapping *m = &now.view.mappings[now.hits[i].mapping];
        const struct unwind_row *row = &now.view.rows[now.hits[i].row];
        bool is_new = i == 0 || now.hits[i].mapping != now.hits[i - 1].mapping;

        if (is_new)
            (void)printf("map %llx %llx %llx %u\n", m->start, m->end, m->base, m->flags);
        if (!now.hits[i].has_row || (!is_new && now.hits[i].row == now.hits[i - 1].row))
            continue;

        const struct unwind_rule *r = &now.view.rules[row->rule];

        (void)printf("row %x %u %u %u %u %u %d %d %d %d\n", row->addr, r->cfa, r->reg, r->bp, r->ra,
                     r->flags, r->cfa_off, r->deref_off, r->bp_off, r->ra_off);
    }
}

/* At most @max frames. */
static void record(struct unwind_walk *w, __u32 max)
{
    static __u64 pcs[GOLDEN_FRAMES_MAX + 1];

    for (int i = 0; i < UNWIND_REGS; i++)
        (void)printf("reg %d %llx\n", i, w->regs[i]);
    (void)printf("reg %d %llx\nreg %d %llx\n", GOLDEN_REG_PC, w->pc, GOLDEN_REG_THREAD, w->thread);
    w->space = now.view.space;
    w->stop = UNWIND_CONTINUE;
    while (w->stop == UNWIND_CONTINUE && (w->n < max || w->scan.is_on)) {
        if (!w->scan.is_on)
            note_row(w);
        unwind_step(w, &pcs[w->n]);
    }
    write_tables();
    for (size_t i = 0; i < now.n_words; i++)
        (void)printf("word %llx %llx\n", now.words[i].addr, now.words[i].value);
    for (__u32 i = 0; i < w->n; i++)
        (void)printf("walked %llx\n", pcs[i]);
    (void)printf("stop %u\n", w->stop == UNWIND_CONTINUE ? RECORD_STOP_FULL : w->stop);
}
