/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlines: adds the inlined functions to the chains of a run, found by DWARF in a sandbox.
 *
 * The sandbox works while the caller reads symbols; its answers are hostile and bounded. What it
 * did not come to within INLINES_CPU_MS has no inlined frames. Go's inlined functions are not
 * looked for: Go has tables of its own.
 */
#pragma once

#include "agent/sandbox.h"
#include "agent/symbols/inline_walk.h"
#include "agent/symbols/name_chain.h"
#include "lib/err.h"

#include <stddef.h>

enum { INLINES_CPU_MS = 250, INLINES_DEADLINE_MS = 3000, INLINES_MEMORY = 64 << 20 };

/* A file with DWARF and what is to be looked up in it: numbers are indices of chains. */
struct inline_file {
    int fd, alt_fd;
    struct inline_query *queries; /* owned; sorted by vaddr */
    size_t n_queries;
};

struct inline_files {
    struct inline_file *files; /* owned */
    size_t n;
};

void inline_files_add(struct inline_files *files, const struct inline_file *file); /* takes it */
void inline_files_release(struct inline_files *files);

/* Without files there is nothing to start, and nothing to collect. */
int inlines_start(const struct inline_files *files, struct sandbox *ret_sandbox,
                  struct err *e) WARN_UNUSED;

/* Ends the sandbox. How many files it got through. */
size_t inlines_collect(struct sandbox *sandbox, struct name_chain *chains, size_t n_chains,
                       struct name_room *room);

/* One answer: NUL-terminated names, the function's own first, which is used where no symbol names
 * it. */
void inlines_add(struct name_chain *chain, const unsigned char *bytes, size_t len,
                 struct name_room *room);
