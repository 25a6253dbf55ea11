/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: gives every place of a run its names: those of images, perf maps, kernel symbols.
 *
 * Runs once, after the last sample. A place that nothing names is called [module+0x1234] (the
 * virtual address of the ELF file, as objdump shows it) or [unknown+0x1234], kind FLAME_UNKNOWN;
 * kernel code is [kernel] when the kernel does not show its addresses. Code of a stripped
 * interpreter is [python3.11], after its file: what runs there is told by the frames of its
 * language.
 */
#pragma once

#include "agent/images.h"
#include "agent/process.h"
#include "agent/stacks.h"
#include "agent/symbols/name_chain.h"

struct names;
struct names *names_resolve(const struct stacks *stacks, struct images *images,
                            const struct processes *processes, const struct runtimes *runtimes);
void names_free(struct names *names); /* NULL is fine */

/* Of a place, by its number; never empty. Borrowed. */
const struct name_chain *names_at(const struct names *names, uint32_t place);
