/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/slots.h"

#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>

/*
 * A binary tree in an array: node 1 is all blocks, node i has the halves 2 i and 2 i + 1, the
 * leaves are single blocks. A node says how large the largest free run below it is: as the
 * logarithm of its blocks, plus one; 0: none.
 */
struct slots {
    uint32_t n_blocks, n_used;
    unsigned levels; /* logarithm of n_blocks */
    uint8_t largest[];
};

struct slots *slots_new(uint32_t n)
{
    uint32_t n_blocks = n / SLOTS_PER_BLOCK;

    assert(n_blocks > 0 && (n & (n - 1)) == 0);

    struct slots *s = mem_zalloc(sizeof(*s) + 2 * (size_t)n_blocks);

    s->n_blocks = n_blocks;
    s->levels = (unsigned)__builtin_ctz(n_blocks);
    for (uint32_t i = 1; i < 2 * n_blocks; i++)
        s->largest[i] = (uint8_t)(s->levels - (31 - (unsigned)__builtin_clz(i)) + 1);
    return s;
}

void slots_free(struct slots *s)
{
    free(s);
}

/* Of a run of @n slots. */
static unsigned level_of(uint32_t n)
{
    uint32_t n_blocks = n / SLOTS_PER_BLOCK + (n % SLOTS_PER_BLOCK > 0);

    return n_blocks <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n_blocks - 1);
}

/* A node's ancestors follow it; two halves that are free are one. */
static void update_above(struct slots *s, uint32_t node, unsigned level)
{
    while (node > 1) {
        node /= 2;
        level++;

        const uint8_t *halves = &s->largest[(size_t)node * 2];

        if (halves[0] == level && halves[1] == level)
            s->largest[node] = (uint8_t)(level + 1);
        else
            s->largest[node] = halves[0] > halves[1] ? halves[0] : halves[1];
    }
}

bool slots_take(struct slots *s, uint32_t n, uint32_t *ret_first)
{
    unsigned wanted = level_of(n), level = s->levels;
    uint32_t node = 1;

    if (n / SLOTS_PER_BLOCK > s->n_blocks || s->largest[1] < wanted + 1)
        return false;
    for (; level > wanted; level--)
        node = node * 2 + (s->largest[(size_t)node * 2] < wanted + 1);
    s->largest[node] = 0;
    s->n_used += 1U << level;
    update_above(s, node, level);
    *ret_first = ((node << level) - s->n_blocks) * SLOTS_PER_BLOCK;
    return true;
}

void slots_give(struct slots *s, uint32_t first, uint32_t n)
{
    unsigned level = level_of(n);
    uint32_t node = (s->n_blocks + first / SLOTS_PER_BLOCK) >> level;

    assert(s->largest[node] == 0);
    s->largest[node] = (uint8_t)(level + 1);
    s->n_used -= 1U << level;
    update_above(s, node, level);
}

uint32_t slots_in_use(const struct slots *s)
{
    return s->n_used * SLOTS_PER_BLOCK;
}
