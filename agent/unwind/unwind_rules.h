/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_rules: all different rules, numbered. A few hundred cover a whole distribution, since
 * functions save registers in much the same ways. Pure.
 */
#pragma once

#include "agent/bpf/unwind_table.h"

#include <stdint.h>

enum { UNWIND_RULES_SLOTS = 4 * UNWIND_RULES_MAX };

struct unwind_rules {
    struct unwind_rule *all; /* borrowed: room for UNWIND_RULES_MAX */
    uint32_t n;
    uint32_t last;                      /* the number that was asked for last */
    uint16_t slots[UNWIND_RULES_SLOTS]; /* a hash table of numbers; 0: free */
};

/* Number 0 becomes UNWIND_CFA_NONE. */
void unwind_rules_init(struct unwind_rules *rules, struct unwind_rule *all);

/* The number of @rule, with zeroes in all that its kind does not use. UNWIND_RULE_NONE when there
 * are UNWIND_RULES_MAX. */
uint32_t unwind_rules_number(struct unwind_rules *rules, const struct unwind_rule *rule);
