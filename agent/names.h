/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: gives every place of a run its name: symbols of images, perf maps, kernel symbols.
 *
 * Runs once, after the last sample. A place that nothing names is called [module+0x1234] (the
 * virtual address of the ELF file, as objdump shows it) or [unknown+0x1234], kind FLAME_UNKNOWN;
 * kernel code is [kernel] when the kernel does not show its addresses.
 */
#pragma once

#include "agent/flame/flame.h"
#include "agent/images.h"
#include "agent/process.h"
#include "agent/stacks.h"

#include <stdbool.h>

struct name {
    char *text; /* owned */
    enum flame_kind kind;
    bool known;     /* by a symbol */
    bool is_bottom; /* nothing but the kernel or the loader calls it: a stack begins here */
};

/* One for each place, by its number; free with names_free(). */
struct name *names_resolve(const struct stacks *stacks, struct images *images,
                           const struct processes *processes);
void names_free(struct name *names, uint32_t n);
