/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inline_walk: which functions were inlined at an address, by DWARF (5, 3.3.8: inlined
 * subroutines).
 *
 * libdw reads the file by mapping it, and was not made for hostile files: call it in a sandbox. Not
 * read are split DWARF (.dwo files) and what is compressed beyond the memory of the sandbox.
 */
#pragma once

#include "agent/symbols/name_chain.h"

#include <stddef.h>
#include <stdint.h>

struct inline_query {
    uint64_t vaddr;
    uint32_t number; /* the caller's */
};

/* The names at one address, as the linker has them where the file tells: the function's, then those
 * of the functions inlined there. Borrowed for the call. */
typedef void (*inline_found_fn)(void *arg, uint32_t number, const char *const *names, size_t n);

/* Calls @found for each query at which something was inlined, unit by unit. @queries are sorted by
 * vaddr. @alt_fd: as in struct debug_file. */
void inline_walk(int fd, int alt_fd, const struct inline_query *queries, size_t n_queries,
                 inline_found_fn found, void *arg);
