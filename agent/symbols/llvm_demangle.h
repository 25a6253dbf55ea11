/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llvm_demangle: the two functions of LLVM's demangler that the agent uses, for C.
 *
 * It bounds neither time nor memory: a short name may stand for an endless one. Call it in a
 * sandbox.
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Without parameters and return type where it is a function's name. The text is the caller's, to be
 * freed; NULL: it is not mangled that way. */
char *llvm_demangle_itanium(const char *mangled); /* _Z: C++ and Rust's legacy scheme */
char *llvm_demangle_rust(const char *mangled);    /* _R: Rust's v0 scheme */

#ifdef __cplusplus
}
#endif
