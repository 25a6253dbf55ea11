/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_rows: the unwind rows of x86-64 code that no section describes, as in musl's libc, read off
 * the code itself from where symbols and relocations say that functions begin.
 *
 * What none of them leads to stays without rows, and so does what little is without them in a file
 * that has a quarter of a million already. V8's builtins, too: they jump into each other with a
 * frame on the stack.
 */
#pragma once

#include "agent/symbols/elf_headers.h"
#include "agent/unwind/unwind_image.h"

/* Adds to the rows of @image: at most @max_rows in all. @fd: the file that has these headers. */
void code_rows_add(int fd, const struct elf_headers *headers, size_t max_rows,
                   struct unwind_rules *rules, struct unwind_image *image);
