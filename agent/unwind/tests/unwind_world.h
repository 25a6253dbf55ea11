/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_world: a made-up stack, code and tables for the walk, or this very process.
 */
#pragma once

#define UNWIND_READS_WORDS
#include "agent/bpf/spent.h"
#include "agent/unwind/unwind_host.h"
#include "agent/unwind/unwind_tables.h"

#include <string.h>

enum { STACK = 0x7000, WORDS = 4096, CODE = 0x10000, OTHER_CODE = 0x20000, CODE_SIZE = 0x1000 };

/* Eight bytes at an address: code, or a slot of the GOT. */
struct bytes {
    __u64 at, value;
};

static struct {
    struct unwind_view view;
    const __u64 *words;        /* at STACK; NULL: this process */
    const struct bytes *bytes; /* NULL: none */
    size_t n_bytes;
    __u32 spent, spent_by_step; /* by all steps, and by the one that took most */
} world;

static bool read_word(__u64 addr, __u64 *ret_value)
{
    if (!world.words) {
        memcpy(ret_value, (const void *)addr, sizeof(*ret_value)); /* NOLINT */
        return true;
    }
    for (size_t i = 0; i < world.n_bytes; i++) {
        if (world.bytes[i].at == addr) {
            *ret_value = world.bytes[i].value;
            return true;
        }
    }
    if (addr % 8 != 0 || addr < STACK || addr >= STACK + WORDS * sizeof(__u64))
        return false;
    *ret_value = world.words[(addr - STACK) / 8];
    return true;
}

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    bool is_read = read_word(addr, ret_value);

    (void)w;
    world.spent += is_read ? SPENT_READ : SPENT_FAULT;
    return is_read;
}

static inline __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n, __u64 *to)
{
    __u32 i = 0;

    (void)w;
    while (i < n && read_word(addr + 8 * (__u64)i, &to[i]))
        i++;
    world.spent += i > 0 ? SPENT_READ : SPENT_FAULT;
    return i;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < world.view.n_mappings ? &world.view.mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < world.view.n_rows ? &world.view.rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < world.view.n_rules ? &world.view.rules[i] : NULL;
}

/* The frames that the walk notes, at the cost that the kernel allows; how many. */
static size_t walk(struct unwind_walk *w, __u64 *pcs, size_t max)
{
    w->space = world.view.space;
    w->stop = UNWIND_CONTINUE;
    world.spent = world.spent_by_step = 0;
    while (w->stop == UNWIND_CONTINUE && w->n < max) {
        __u32 before = world.spent;

        if (world.spent > SPENT_MAX) {
            w->stop = RECORD_STOP_COSTLY;
            break;
        }
        world.spent += SPENT_TURN;
        unwind_step(w, &pcs[w->n]);
        if (world.spent - before > world.spent_by_step)
            world.spent_by_step = world.spent - before;
    }
    return w->n;
}

/* One rule at a time, from CODE on; OTHER_CODE ends a stack, has code without a frame at FRAMELESS,
 * and no rule from its middle on. */
enum { RULE_CASE = 1, RULE_END, RULE_FRAMELESS };
enum { N_ROWS = 5, FRAMELESS = OTHER_CODE + 0x7f0 };

static const struct unwind_row rows[N_ROWS] = { { 0x100, RULE_CASE },
                                                { 0x200, UNWIND_RULE_NONE },
                                                { 0x0, RULE_END },
                                                { 0x7f0, RULE_FRAMELESS },
                                                { 0x800, 0 } };
static const struct unwind_mapping mappings[] = {
    { .start = CODE, .end = CODE + CODE_SIZE, .base = CODE, .first_row = 0, .n_rows = 2 },
    { .start = OTHER_CODE,
      .end = OTHER_CODE + CODE_SIZE,
      .base = OTHER_CODE,
      .first_row = 2,
      .n_rows = 3 },
};

#define AT(i)  (STACK + (i)*8)
#define CALLER (OTHER_CODE + 0x10)
