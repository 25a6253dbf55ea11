/* SPDX-License-Identifier: Apache-2.0 */
/*
 * late_stacks: stacks that led to code which the kernel side did not know, as after exec and
 * dlopen, walked from the copy that their record brings, by what is known now.
 */
#pragma once

#include "agent/images.h"
#include "agent/process.h"
#include "agent/unwind/unwind_tables.h"

#include <stdbool.h>
#include <stdint.h>

struct late_stack {
    uint32_t n;   /* frames, leaf first */
    uint8_t stop; /* enum record_stop */
    uint64_t pcs[RECORD_USER_MAX];
};

/* @words: what follows the record, which has a copy. False: it is not better than the record's own.
 * May read the process again. */
bool late_stacks_walk(struct processes *processes, struct running *running, struct images *images,
                      const struct unwind_tables *tables, const struct record *record,
                      const uint64_t *words, struct late_stack *ret);
