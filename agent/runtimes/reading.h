/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reading: the time that may go into reading functions of the target, which can run as many as it
 * pleases.
 */
#pragma once

#include "agent/budget.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* One part in so many of that time counts against the budget: a twelfth of a CPU in the long run,
 * and 400 ms at first. */
enum { READING_SHARE = 4 };

struct reading {
    struct budget budget;
    int64_t n_put_off; /* there was no time */
};

static inline uint64_t reading_clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* these clocks do not fail */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void reading_init(struct reading *r)
{
    *r = (struct reading){ 0 };
    budget_init(&r->budget, 0);
}

/* False: no time is left. */
static inline bool reading_begin(struct reading *r, uint64_t *ret_began_ns)
{
    if (!budget_has(&r->budget, reading_clock_ns(CLOCK_MONOTONIC))) {
        r->n_put_off++;
        return false;
    }
    *ret_began_ns = reading_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return true;
}

static inline void reading_end(struct reading *r, uint64_t began_ns)
{
    budget_spend(&r->budget,
                 (reading_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns) / READING_SHARE);
}
