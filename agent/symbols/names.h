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

/* What is missing among the names of a run. */
struct names_losses {
    size_t mangled;       /* distinct names that the demangler did not finish */
    size_t inlines_cut;   /* files whose inlined functions are not all found */
    size_t left_out;      /* names that there was no room for, or no time to look for */
    size_t debug_refused; /* debug files that are not the image's, or were not to be read */
};

struct names;
struct names *names_resolve(const struct stacks *stacks, struct images *images,
                            const struct processes *processes, const struct runtimes *runtimes);
struct names_losses names_losses(const struct names *names);
void names_free(struct names *names); /* NULL is fine */

/* Of a place, by its number; never empty. Borrowed. */
const struct name_chain *names_at(const struct names *names, uint32_t place);
