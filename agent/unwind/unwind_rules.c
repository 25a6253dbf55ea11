/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_rules.h"

#include "agent/hash.h"

#include <stdbool.h>
#include <string.h>

void unwind_rules_init(struct unwind_rules *rules, struct unwind_rule *all)
{
    *rules = (struct unwind_rules){ .all = all, .n = 1 };
    all[UNWIND_RULE_NONE] = (struct unwind_rule){ .cfa = UNWIND_CFA_NONE };
}

static bool is_same(const struct unwind_rules *rules, uint32_t number,
                    const struct unwind_rule *rule)
{
    return memcmp(&rules->all[number], rule, sizeof(*rule)) == 0;
}

uint32_t unwind_rules_number(struct unwind_rules *rules, const struct unwind_rule *rule)
{
    if (is_same(rules, rules->last, rule))
        return rules->last;

    uint32_t slot = hash_bytes(rule, sizeof(*rule)) % UNWIND_RULES_SLOTS;

    while (rules->slots[slot] && !is_same(rules, rules->slots[slot], rule))
        slot = (slot + 1) % UNWIND_RULES_SLOTS;
    if (!rules->slots[slot]) {
        if (rule->cfa == UNWIND_CFA_NONE || rules->n == UNWIND_RULES_MAX)
            return UNWIND_RULE_NONE;
        rules->all[rules->n] = *rule;
        rules->slots[slot] = (uint16_t)rules->n++;
    }
    rules->last = rules->slots[slot];
    return rules->last;
}
