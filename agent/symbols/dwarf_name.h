/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_name: what a function is called by DWARF: as the linker has it (DW_AT_linkage_name); else,
 * in languages with namespaces, its name behind those of the namespaces and types it is declared
 * in: GCC names no linkage of templates over local types, lambdas among them.
 *
 * For a sandbox: libdw was not made for hostile files.
 */
#pragma once

#include <elfutils/libdw.h>

/* Names that had to be put together, each once. */
struct dwarf_names;
struct dwarf_names *dwarf_names_new(void);
void dwarf_names_free(struct dwarf_names *names); /* NULL is fine */

/* Of a subprogram or an inlined subroutine; NULL: it has none. Valid as long as @names and the file
 * are. */
const char *dwarf_name(struct dwarf_names *names, Dwarf_Die *die);
