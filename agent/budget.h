/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget: CPU time that may be spent on what the target has a hand in: reading the memory maps of
 * processes that it starts and of libraries that it loads, as often as it pleases. Pure.
 *
 * It fills up at a fiftieth of the time that passes. What was spent too much is owed, up to a
 * bound, and then there is none to spend for a while.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_SHARE = 50, /* one part in so many */
    BUDGET_MAX_NS = 100000000,
    BUDGET_DEBT_MAX_NS = 200000000,
};

struct budget {
    int64_t left_ns;
    uint64_t filled_ns; /* when; CLOCK_MONOTONIC, or any clock that does not go back */
};

static inline void budget_init(struct budget *b, uint64_t now_ns)
{
    *b = (struct budget){ BUDGET_MAX_NS, now_ns };
}

static inline void budget_spend(struct budget *b, uint64_t ns)
{
    b->left_ns -= ns < BUDGET_DEBT_MAX_NS ? (int64_t)ns : BUDGET_DEBT_MAX_NS;
    if (b->left_ns < -BUDGET_DEBT_MAX_NS)
        b->left_ns = -BUDGET_DEBT_MAX_NS;
}

static inline bool budget_has(struct budget *b, uint64_t now_ns)
{
    uint64_t earned = now_ns > b->filled_ns ? (now_ns - b->filled_ns) / BUDGET_SHARE : 0;

    if (earned > 0) {
        b->filled_ns = now_ns;
        b->left_ns += earned < BUDGET_DEBT_MAX_NS + BUDGET_MAX_NS
                          ? (int64_t)earned
                          : BUDGET_DEBT_MAX_NS + BUDGET_MAX_NS;
        if (b->left_ns > BUDGET_MAX_NS)
            b->left_ns = BUDGET_MAX_NS;
    }
    return b->left_ns > 0;
}
