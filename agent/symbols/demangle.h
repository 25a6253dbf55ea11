/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demangle: symbols as their source has them.
 *
 * C++ (Itanium ABI, 5.1): the qualified name with its template arguments, without parameters and
 * return type: "std::vector<int>::push_back", as perf shows it. Rust, legacy and v0 (RFC 2603): the
 * path, without the hash. What compilers append to the name of a function that they cloned or split
 * (".cold", ".part.0", ".isra.0", ".constprop.0", ".llvm.123") is dropped, so that the parts of a
 * function have its name, with and without debug information.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { DEMANGLE_INPUT_MAX = 4096, DEMANGLE_TEXT_MAX = 1024 };

/* The length of @name without what compilers append. */
size_t demangle_strip(const char *name);

/* Looks mangled, and is short enough to be tried. */
bool demangle_applies(const char *name);

/* What @full is in the source, which LLVM's demangler made of @name: Rust's escapes are undone. In
 * place. */
void demangle_unescape(const char *name, char *full);

/*
 * The names at the front of an Itanium name that the library cannot read, as when a compiler
 * mangles an expression in its own way: "_ZSt4swapIiE<expression>" is "std::swap<...>". False:
 * there are none.
 */
bool demangle_front(const char *name, char text[DEMANGLE_TEXT_MAX + 1]);

/*
 * Writes the text of a name without appendix, cut at DEMANGLE_TEXT_MAX. False: it is not mangled.
 * Neither time nor memory are bounded by the length of the name: only in a sandbox.
 */
bool demangle(const char *name, char text[DEMANGLE_TEXT_MAX + 1]);
